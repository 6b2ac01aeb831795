"""Who speaks, told to a page in Chromium over its data channel while two others take turns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    out = artifacts("calls-speakers") / "report.json"
    with native_calls() as server:
        run_driver("speakers.mjs", f"{server.url}/v1/apps/{APP}", SECRET, str(out), limit_s=160)
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["errors"] == []
    return found


def test_who_pulls_is_told_who_speaks_in_turn(report: dict[str, Any]) -> None:
    assert [turn["speaker"] for turn in report["turns"]] == ["alice", "bob", "alice"]
    for turn in report["turns"]:
        assert turn["told"] == {
            "type": "speaker.active",
            "sessionId": report["sessions"][turn["speaker"]],
            "trackName": "voice",
            "mid": report["mids"][turn["speaker"]],
        }


def test_who_pulls_is_told_whose_track_ended(report: dict[str, Any]) -> None:
    bob = {"sessionId": report["sessions"]["bob"], "trackName": "voice", "mid": report["mids"]["bob"]}
    assert report["ended"] == {"type": "track.ended"} | bob
