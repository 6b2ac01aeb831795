"""The stage in Chromium: one page speaks, two listen by its link and hear it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    folder = artifacts("stage")
    with native_calls() as server:
        run_driver("stage.mjs", server.url, APP, SECRET, str(folder), limit_s=150)
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_everybody_hears_the_speaker(report: dict[str, Any]) -> None:
    assert report["errors"] == []
    assert len(report["heard"]) == 2
    assert min(report["heard"]) > 0.001


def test_who_speaks_and_how_many_listen_is_shown(report: dict[str, Any]) -> None:
    assert report["name"] == "Ada"
    assert report["counts"] == ["2 listeners", "2 listeners"]


def test_the_link_lets_in_to_listen_and_no_further(report: dict[str, Any]) -> None:
    assert report["secretInLink"] is False
    assert report["operating"] == 403


def test_listeners_are_told_that_it_is_over(report: dict[str, Any]) -> None:
    assert report["end"] == "The speaker has left."
