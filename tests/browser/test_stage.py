"""The stage in Chromium: one page speaks, two listen by its link and hear it."""

from __future__ import annotations

import json
import wave
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls
from spoken import models_dir, say, silence, word_error_rate

from parley.audio import RATE_HZ
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.testing import engine_set

SENTENCE = "The train to the city leaves at seven."

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = artifacts("stage")
    microphone = tmp_path_factory.mktemp("stage") / "microphone.wav"
    with wave.open(str(microphone), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((say(SENTENCE, "slt") + silence(1_500)) * 20)
    build = partial(engine_set, recognizer=MoonshineRecognizer(models_dir()))
    with native_calls(build=build) as server:
        run_driver("stage.mjs", server.url, APP, SECRET, str(folder), str(microphone), limit_s=150)
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_everybody_hears_the_speaker(report: dict[str, Any]) -> None:
    assert report["errors"] == []
    assert len(report["heard"]) == 2
    assert min(report["heard"]) > 0.001


def test_who_speaks_and_how_many_listen_is_shown(report: dict[str, Any]) -> None:
    assert report["name"] == "Ada"
    assert report["theme"] == "light"
    assert report["counts"] == ["2 listeners", "2 listeners"]


def test_what_is_said_is_read_by_those_who_listen(report: dict[str, Any]) -> None:
    # Of the first sentence the beginning may be missing: it was spoken while the line was made.
    assert min(word_error_rate(SENTENCE, caption) for caption in report["captions"]) <= 0.2, report["captions"]


def test_the_example_stays_small() -> None:
    assert len((Path(__file__).parents[2] / "web/stage/main.ts").read_text().splitlines()) < 200


def test_the_link_lets_in_to_listen_and_no_further(report: dict[str, Any]) -> None:
    assert report["secretInLink"] is False
    assert report["operating"] == 403


def test_listeners_are_told_that_it_is_over(report: dict[str, Any]) -> None:
    assert report["end"] == "The speaker has left."
