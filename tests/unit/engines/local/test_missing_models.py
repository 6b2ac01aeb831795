"""Without weights every engine says which command fetches them, and closes cleanly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parley.engines.base import EngineError
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.smollm import SmolLm


@pytest.mark.parametrize("make", [MoonshineRecognizer, SmolLm])
async def test_warm_up_names_the_command(make: Callable[[Path], MoonshineRecognizer | SmolLm], tmp_path: Path) -> None:
    engine = make(tmp_path)
    with pytest.raises(EngineError, match="Run: parley models pull") as caught:
        await engine.warm_up()
    assert caught.value.code == "models_unavailable"
    await engine.aclose()
    await engine.aclose()


@pytest.mark.parametrize("make", [MoonshineRecognizer, SmolLm])
def test_info_needs_no_weights(make: Callable[[Path], MoonshineRecognizer | SmolLm], tmp_path: Path) -> None:
    engine = make(tmp_path)
    assert engine.info.licence in {"MIT", "Apache-2.0"}
    assert engine.capabilities.languages == ("en",)
