"""The vendor's own browser client, unmodified from npm, meets over Parley: three pages in Chromium, told apart by what
they hear and see.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TONES = {"alice": 500, "bob": 900, "carol": 1_300}
COLOURS = {"alice": "red", "bob": "green", "carol": "blue"}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    folder = artifacts("calls-partytracks")
    with native_calls() as server:
        out = folder / "report.json"
        run_driver("partytracks.mjs", f"{server.url}/v1/apps/{APP}", SECRET, str(out), limit_s=170)
        found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_no_page_had_an_error(report: dict[str, Any]) -> None:
    assert report["errors"] == []


@pytest.mark.parametrize(
    ("step", "pairs"),
    [
        ("two meet", 2),
        ("a late joiner", 4),
        ("the others go on", 2),
        ("published again", 3),
        ("after a session's death", 3),
        ("after a reload", 2),
        ("before a page closes", 2),
        ("the other stays", 2),
    ],
)
def test_everybody_hears_and_sees_the_right_one(report: dict[str, Any], step: str, pairs: int) -> None:
    seen = next(each["seen"] for each in report["steps"] if each["step"] == step)
    assert len(seen) == pairs
    for pair, sensed in seen.items():
        source = pair.partition("<")[2]
        assert abs(sensed["hz"] - TONES[source]) < 30, (pair, sensed)
        shown = {name: sensed[name] for name in ("red", "green", "blue")}
        assert max(shown, key=lambda name: shown[name]) == COLOURS[source], (pair, sensed)
        assert max(shown.values()) > 120, (pair, sensed)
        assert sensed["frames"] > 3, (pair, sensed)


def test_who_leaves_falls_silent(report: dict[str, Any]) -> None:
    assert next(each for each in report["steps"] if each["step"] == "one leaves")["silent"] == 0


def test_who_closes_the_page_is_neither_heard_nor_seen_any_more(report: dict[str, Any]) -> None:
    closed = next(each for each in report["steps"] if each["step"] == "a page closes")
    assert (closed["first"]["hz"], closed["last"]["hz"]) == (0, 0)
    assert closed["last"]["frames"] == closed["first"]["frames"]


def test_places_of_closed_tracks_are_used_again(report: dict[str, Any]) -> None:
    # Two of its own, two each of two others; what was closed and pulled again took the old places.
    assert report["lines"] <= 8


def test_a_session_that_the_server_ends_is_made_anew(report: dict[str, Any]) -> None:
    assert next(each for each in report["steps"] if each["step"] == "session death")["renewed"]
