"""The console in Debian's Firefox: connect, one spoken turn, one interruption, judged on the recording."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
from typing import Any

import pytest
from console import Stretch, Talk, artifacts, hold
from served import parley_serve
from speech_script import Line, write_script
from spoken import heard, word_error_rate, words

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("firefox-esr") is None, reason="not installed: apt-get install firefox-esr"),
]

STORY = (
    "Once upon a time there was a lighthouse on a small rock in the northern sea and every evening the keeper climbed "
    "the long stairs and lit the lamp and looked over the dark water and counted the ships that came by from many "
    "countries with timber and tea and wool."
)
STORY_TOOL: dict[str, Any] = {
    "name": "tell_story",
    "description": "Tell the story of the lighthouse.",
    "parameters": json.dumps({"type": "object", "properties": {}}),
    "result": STORY,
}
FAINTEST = 60


@pytest.fixture(scope="module")
def talk() -> Talk:
    folder = artifacts("firefox")
    lines = (
        Line(3.0, "Tell me the story of the lighthouse."),
        Line(11.0, "Please change the orb color to blue."),
        Line(19.0, "Goodbye."),
    )
    script = write_script(folder / "microphone.wav", lines)
    preferences = {"greet": False, "customTools": [STORY_TOOL]}
    with parley_serve() as served:
        plan = {"url": served.url, "microphone": str(script), "preferences": preferences, "limit_s": 45}
        return hold(folder, plan, "firefox.mjs")


@pytest.fixture(scope="module")
def voices(talk: Talk) -> tuple[Stretch, Stretch]:
    """The person's interruption, and the answer it interrupts."""
    recording = talk.recording
    spoken = recording.voiced(recording.microphone)
    assert len(spoken) == 3, spoken
    answer = next(one for one in recording.voiced(recording.speaker) if one.start_s > spoken[0].end_s - 0.3)
    return spoken[1], answer


def test_it_connects_and_answers_a_spoken_turn_aloud(talk: Talk, voices: tuple[Stretch, Stretch]) -> None:
    _interruption, answer = voices
    assert talk.seen["problems"] == []
    assert talk.of("error") == []
    audible = words(heard(talk.recording.pcm(talk.recording.speaker, answer.start_s - 0.2, answer.end_s + 0.2)))
    assert audible[:5] == words(STORY)[:5]


def test_sound_goes_by_udp_to_an_address_that_is_not_loopback(talk: Talk) -> None:
    paths = {look["path"] for look in talk.seen["line"] if look["path"]}
    assert paths
    for path in paths:
        found = re.fullmatch(r"UDP to (?:\[(\S+)\]|([\d.]+)):\d+", path)
        assert found, path
        assert not ipaddress.ip_address(found[1] or found[2]).is_loopback, path


def test_an_interruption_silences_it_and_the_page_tells_heard_from_unheard(
    talk: Talk, voices: tuple[Stretch, Stretch]
) -> None:
    interruption, answer = voices
    recording = talk.recording
    assert answer.start_s < interruption.start_s - 2, "it was well under way"
    assert recording.loudest(recording.speaker, interruption.start_s + 1.0, interruption.end_s + 0.3) <= FAINTEST
    story = next(line for line in talk.lines("Parley") if line["unheard"])
    kept = words(story["words"])
    audible = words(heard(recording.pcm(recording.speaker, answer.start_s - 0.2, answer.end_s + 0.2)))
    assert abs(len(audible) - len(kept)) <= 2
    assert word_error_rate(" ".join(kept), " ".join(audible)) <= 0.25


def test_the_interruption_is_answered_and_a_goodbye_ends_it(talk: Talk, voices: tuple[Stretch, Stretch]) -> None:
    interruption, _answer = voices
    recording = talk.recording
    assert "blue" in words(heard(recording.pcm(recording.speaker, interruption.end_s, interruption.end_s + 5)))
    assert talk.seen["orb"] == "#3a78e0"
    assert talk.seen["ended"]
    assert talk.seen["phase"] == "idle"
