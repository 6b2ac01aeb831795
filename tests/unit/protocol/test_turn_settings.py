"""Every setting of turn detection in every combination that clients can ask for, on both playback clocks."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from driven_session import DrivenSession, configured, types
from event_order import order_faults
from msgspec.structs import replace

from parley.protocol.realtime.generation import Done
from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.inputs import PlayoutDrained, PlayoutFlushed, PlayoutStarted, TurnScored
from parley.protocol.realtime.outputs import (
    AbandonTranscription,
    CancelGeneration,
    FinishTranscription,
    FlushPlayout,
    ScoreTurn,
    StartTranscription,
)
from parley.protocol.realtime.session_config import SessionConfig

MS = 24
KINDS: tuple[dict[str, Any], ...] = ({"type": "server_vad"}, {"type": "semantic_vad", "eagerness": "high"})


def talk(session: DrivenSession, words: str = "and now") -> list[dict[str, Any]]:
    """Speak a turn to its end, whatever ends it."""
    before = len(session.events)
    session.hear(960, 0.9)
    session.hear(208, 0.0)
    for question in session.all(ScoreTurn)[-1:]:
        session.feed(TurnScored(question.item_id, 1.0))
    session.hear(304, 0.0)
    session.recognise(session.last(FinishTranscription).item_id, words)
    return session.events[before:]


@pytest.mark.parametrize(
    ("kind", "creates", "interrupts", "pacing"),
    list(product(KINDS, (True, False), (True, False), ("client", "server"))),
)
def test_a_voice_during_a_response(kind: dict[str, Any], creates: bool, interrupts: bool, pacing: str) -> None:
    detection = {**kind, "create_response": creates, "interrupt_response": interrupts}
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": detection}}}), pacing=pacing)
    session.client(type="response.create")
    session.speak("A long story, ", "that goes on.", ms=1000)
    if pacing == "server":
        session.feed(PlayoutStarted(ResponseId("resp_000001")))
    session.wait(500)
    session.hear(96, 0.9)
    if pacing == "server" and interrupts:
        session.feed(PlayoutFlushed(session.last(FlushPlayout).item_id, 500 * MS))
    talk(session)

    assert len(session.of_type("input_audio_buffer.speech_started")) == 1
    assert bool(session.all(CancelGeneration)) == interrupts
    assert bool(session.all(FlushPlayout)) == (interrupts and pacing == "server")
    assert bool(session.of_type("output_audio_buffer.cleared")) == (interrupts and pacing == "server")
    assert bool(session.of_type("conversation.item.truncated")) == (interrupts and pacing == "server")
    done = session.of_type("response.done")
    if interrupts:
        assert done[0]["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    else:
        assert done == [], "it goes on"
        assert len(session.contexts) == 1, "a second response waits for the first"
        session.engine(Done(), response_id="resp_000001")
        assert session.of_type("response.done")[0]["response"]["status"] == "completed"
    assert len(session.contexts) == (2 if creates else 1)
    assert not session.of_type("error")
    if creates:
        session.answer("Yes?")
    if pacing == "server" and not interrupts:
        session.feed(PlayoutDrained(ResponseId("resp_000001")))
    assert order_faults(session.events) == []


@pytest.mark.parametrize(("kind", "creates"), list(product(KINDS, (True, False))))
def test_a_voice_in_silence(kind: dict[str, Any], creates: bool) -> None:
    detection = {**kind, "create_response": creates}
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": detection}}}))
    events = talk(session)
    expected = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]  # fmt: skip
    assert types(events) == expected + (["response.created"] if creates else [])


@pytest.mark.parametrize("prefix_ms", [0, 96, 300, 1000])
def test_the_prefix_moves_the_start(prefix_ms: int) -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": prefix_ms}
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": detection}}}))
    session.hear(1200, 0.0)
    session.hear(960, 0.9)
    started = session.of_type("input_audio_buffer.speech_started")[0]
    assert started["audio_start_ms"] == 1200 - prefix_ms
    assert session.last(StartTranscription).start_sample == (1200 - prefix_ms) * MS


@pytest.mark.parametrize("silence_ms", [200, 496, 800, 2000])
def test_the_silence_sets_the_end(silence_ms: int) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": silence_ms}
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": detection}}}))
    session.hear(960, 0.9)
    session.hear(2400, 0.0)
    stopped = session.of_type("input_audio_buffer.speech_stopped")[0]
    assert 0 <= stopped["audio_end_ms"] - 960 - silence_ms < 16


@pytest.mark.parametrize(("threshold", "begins"), [(0.2, True), (0.6, True), (0.8, False)])
def test_the_threshold_sets_what_is_a_voice(threshold: float, begins: bool) -> None:
    detection = {"type": "server_vad", "threshold": threshold}
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": detection}}}))
    session.hear(480, 0.7)
    assert bool(session.of_type("input_audio_buffer.speech_started")) == begins


def test_settings_apply_at_once() -> None:
    session = DrivenSession()
    session.hear(480, 0.9)
    session.update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 2000}}})
    session.hear(960, 0.0)
    assert not session.of_type("input_audio_buffer.speech_stopped")
    session.hear(1200, 0.0)
    assert session.of_type("input_audio_buffer.speech_stopped")


@pytest.mark.parametrize("off", [None, False, {"type": "none"}])
@pytest.mark.parametrize("pacing", ["client", "server"])
def test_push_to_talk_over_an_answer(off: Any, pacing: str) -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": off}}}), pacing=pacing)
    session.hear(960, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.client(type="response.create")
    session.recognise("item_000001", "tell me a story")
    session.speak("Once upon ", "a time.", ms=1000)
    if pacing == "server":
        session.feed(PlayoutStarted(ResponseId("resp_000001")))
    session.wait(500)
    # pressed
    session.client(type="input_audio_buffer.clear")
    assert session.client(type="response.cancel")[-1]["response"]["status"] == "cancelled"
    if pacing == "server":
        session.client(type="output_audio_buffer.clear")
        session.feed(PlayoutFlushed(ItemId("item_000002"), 500 * MS))
    else:
        session.client(type="conversation.item.truncate", item_id="item_000002", content_index=0, audio_end_ms=500)
    assert session.of_type("conversation.item.truncated")[0]["audio_end_ms"] == 500
    # released
    session.hear(960, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.client(type="response.create")
    session.recognise("item_000003", "a shorter one")
    assert "Once" in str(session.contexts[-1].items[1])
    assert "a time" not in str(session.contexts[-1].items[1])
    session.answer("The end.")
    assert not session.of_type("input_audio_buffer.speech_started")
    assert order_faults(session.events) == []


# --- sessions of transcription only


def transcribing(**inputs: Any) -> DrivenSession:
    config = configured({"audio": {"input": {"transcription": {"model": "whisper-1"}, **inputs}}})
    return DrivenSession(config=replace(config, type="transcription"))


DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.mark.parametrize("kind", KINDS)
def test_each_turn_is_transcribed(kind: dict[str, Any]) -> None:
    session = transcribing(turn_detection=kind)
    for words in ("one two", "three"):
        events = talk(session, words)
        assert types(events) == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            DELTA,
            COMPLETED,
        ]
        assert events[-1]["transcript"] == words
    assert session.contexts == []


def test_each_commit_is_transcribed() -> None:
    session = transcribing(turn_detection=None)
    session.hear(960, 0.9)
    assert session.all(StartTranscription) == []
    committed = session.client(type="input_audio_buffer.commit")
    told = session.recognise(committed[0]["item_id"], "one two")
    assert types(told) == [DELTA, COMPLETED]


def test_early_deltas_are_told_while_somebody_speaks() -> None:
    session = transcribing()
    session.hear(960, 0.9)
    item_id = session.last(StartTranscription).item_id
    assert session.partial(item_id, "the quick brown", 9)[0]["delta"] == "the quick"
    assert session.partial(item_id, "the quick brown fox", 15)[0]["delta"] == " brown"
    session.hear(512, 0.0)
    told = session.recognise(item_id, "the quick brown fox")
    assert [event.get("delta", event.get("transcript")) for event in told] == [" fox", "the quick brown fox"]


STREAMING = {"transcription": {"model": "gpt-realtime-whisper"}, "turn_detection": None}


def test_a_streaming_model_listens_before_the_commit() -> None:
    session = transcribing(**STREAMING)
    session.hear(96, 0.1)
    order = session.last(StartTranscription)
    assert order.start_sample == 0
    assert session.partial(order.item_id, "one two", 3)[0]["item_id"] == order.item_id
    session.hear(960, 0.9)
    committed = session.client(type="input_audio_buffer.commit")
    assert committed[0]["item_id"] == order.item_id
    assert session.last(FinishTranscription).item_id == order.item_id
    assert types(session.recognise(order.item_id, "one two three")) == [DELTA, COMPLETED]
    assert len(session.all(StartTranscription)) == 1
    session.hear(960, 0.9)
    assert session.last(StartTranscription).start_sample == (96 + 960) * MS
    assert session.last(StartTranscription).item_id != order.item_id


@pytest.mark.parametrize("how", ["clear", "detect"])
def test_what_a_streaming_model_heard_may_be_dropped(how: str) -> None:
    session = transcribing(**STREAMING)
    session.hear(960, 0.9)
    order = session.last(StartTranscription)
    if how == "clear":
        session.client(type="input_audio_buffer.clear")
    else:
        session.client(type="session.update", session={"audio": {"input": {"turn_detection": {"type": "server_vad"}}}})
    assert session.last(AbandonTranscription).item_id == order.item_id
    session.hear(960, 0.9)
    assert session.last(StartTranscription).item_id != order.item_id


def test_a_conversation_with_that_model_waits_for_the_commit() -> None:
    session = DrivenSession(config=configured({"audio": {"input": STREAMING}}))
    session.hear(960, 0.9)
    assert session.all(StartTranscription) == []
    assert isinstance(session.machine.config, SessionConfig)
