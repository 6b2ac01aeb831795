"""A person in Chromium talks with the AI of the same server in a call: by the Calls API alone, over the native plane,
with real engines. What each heard of the other is recognised.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from console import Recording, artifacts, run_driver
from served import parley_serve
from speech_script import Line, write_script
from spoken import heard, word_error_rate, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

APP, SECRET = "a" * 32, "secret-of-the-app"
ASKED = "Please tell me the story of the lighthouse."


@pytest.fixture(scope="module")
def folder() -> Path:
    folder = artifacts("calls-seated")
    script = write_script(folder / "microphone.wav", (Line(2.5, ASKED),))
    with parley_serve("--calls-app", f"{APP}:{SECRET}") as served:
        run_driver("seated.mjs", served.url, APP, SECRET, str(script), str(folder), limit_s=150)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert found["errors"] == []
    return found


def of(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in report["events"] if event["type"] == kind]


def test_the_ai_hears_the_person(report: dict[str, Any]) -> None:
    assert of(report, "error") == []
    (said,) = of(report, "conversation.item.input_audio_transcription.completed")
    assert words(said["transcript"]) == words(ASKED)


def test_the_person_hears_the_ai(folder: Path, report: dict[str, Any]) -> None:
    recording = Recording(folder / "recording.wav")
    (question,) = recording.voiced(recording.microphone)
    audible = heard(recording.pcm(recording.speaker, question.end_s, recording.length_s))
    assert word_error_rate(report["story"], audible) <= 0.2, audible


def test_nothing_was_negotiated_for_it_and_no_connection_made(report: dict[str, Any]) -> None:
    assert report["attached"]["requiresImmediateRenegotiation"] is False
    assert "sessionDescription" not in report["attached"]
    assert [session["state"] for session in report["sessions"]] == ["connected", "connected"]
