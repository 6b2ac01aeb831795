"""Every test that asks for `harness` runs over every plane there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from media_planes import HARNESSES, PlaneHarness


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest) -> Iterator[PlaneHarness]:
    made = HARNESSES[request.param]()
    yield made
    made.plane.close()
