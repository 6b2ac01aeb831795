"""The vendor's agents library in Chromium over WebRTC, nothing but its base URL changed: connect, a spoken turn with a
function, an interruption by the library's own `interrupt`, another turn. Judged on the recording.
"""

from __future__ import annotations

import pytest
from console import Talk, artifacts, hold
from served import parley_serve
from speech_script import Line, write_script
from spoken import heard, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

STORY = (
    "Once upon a time there was a lighthouse on a small rock in the northern sea and every evening the keeper climbed "
    "the long stairs and lit the lamp and looked over the dark water and counted the ships that came by from many "
    "countries with timber and tea and wool."
)
INTERRUPT_AFTER_MS = 3500
FAINTEST = 60


@pytest.fixture(scope="module")
def talk() -> Talk:
    folder = artifacts("agents-js")
    lines = (Line(3.0, "Tell me the story of the lighthouse."), Line(14.0, "Please change the orb color to blue."))
    script = write_script(folder / "microphone.wav", lines)
    with parley_serve() as served:
        plan = {"server": served.url, "microphone": str(script), "story": STORY, "limit_s": 22}
        return hold(folder, {**plan, "interruptAfterMs": INTERRUPT_AFTER_MS}, "agents.mjs")


def test_it_connects_and_knows_its_call(talk: Talk) -> None:
    assert talk.seen["callId"].startswith("rtc_")
    assert talk.seen["connectedMs"] < 5000, "it did not wait in vain for its session.updated"


def test_nothing_is_an_error_to_it(talk: Talk) -> None:
    assert talk.seen["errors"] == []
    assert talk.seen["problems"] == []
    assert talk.of("error") == []


def test_a_spoken_turn_calls_the_function_and_is_answered_aloud(talk: Talk) -> None:
    recording = talk.recording
    first, _second = recording.voiced(recording.microphone)
    answer = next(one for one in recording.voiced(recording.speaker) if one.start_s > first.end_s - 0.3)
    assert (
        words(heard(recording.pcm(recording.speaker, answer.start_s - 0.2, answer.end_s + 0.2)))[:5] == words(STORY)[:5]
    )
    assert talk.seen["calls"] == ["tell_story", "set_orb_color blue"]


def test_its_own_interrupt_silences_the_answer_and_the_server_keeps_what_was_heard(talk: Talk) -> None:
    recording = talk.recording
    first, second = recording.voiced(recording.microphone)
    answer = next(one for one in recording.voiced(recording.speaker) if one.start_s > first.end_s - 0.3)
    assert INTERRUPT_AFTER_MS / 1000 - 1 < answer.end_s - answer.start_s < INTERRUPT_AFTER_MS / 1000 + 1
    assert recording.loudest(recording.speaker, answer.end_s + 0.3, second.end_s) <= FAINTEST
    assert talk.seen["audio"][:2] == ["started", "cleared"]
    kept = next(event["item"] for event in talk.of("conversation.item.truncated"))["content"][0]["transcript"]
    audible = words(heard(recording.pcm(recording.speaker, answer.start_s - 0.2, answer.end_s + 0.2)))
    assert abs(len(words(kept)) - len(audible)) <= 2


def test_the_next_turn_is_answered(talk: Talk) -> None:
    recording = talk.recording
    _first, second = recording.voiced(recording.microphone)
    answer = words(heard(recording.pcm(recording.speaker, second.end_s, recording.length_s)))
    assert "blue" in answer
    assert talk.seen["audio"][-2:] == ["started", "stopped"]
