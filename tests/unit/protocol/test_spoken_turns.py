"""A spoken turn from its first sample to the response it causes: events, recognition, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from driven_session import DrivenSession, configured, said, types
from event_order import order_faults
from msgspec.structs import replace

from parley.protocol.realtime.generation import Done
from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.inputs import TurnScored
from parley.protocol.realtime.outputs import (
    AbandonTranscription,
    FinishTranscription,
    KeepItemAudio,
    ScoreTurn,
    Send,
    SettleTranscription,
    StartGeneration,
    StartTranscription,
    TranscriptionOptions,
)
from parley.protocol.realtime.session_config import SessionConfig

MS = 24


def listening(**input_patch: Any) -> DrivenSession:
    return DrivenSession(config=configured({"audio": {"input": input_patch}}))


def transcribed(**vad: Any) -> DrivenSession:
    detection = {"turn_detection": {"type": "server_vad", **vad}} if vad else {}
    return listening(transcription={"model": "whisper-1", "language": "en", "prompt": "planets"}, **detection)


def test_the_events_of_a_turn_and_its_answer_come_in_order() -> None:
    session = transcribed()
    session.hear(480, 0.0)
    session.say("hello there")
    session.answer("Good morning.")
    assert types(session.events)[2:] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert order_faults(session.events) == []


def test_offsets_count_samples_and_share_the_items_id() -> None:
    session = listening()
    session.hear(800, 0.0)
    session.say("hello")
    started = session.of_type("input_audio_buffer.speech_started")[0]
    stopped = session.of_type("input_audio_buffer.speech_stopped")[0]
    committed = session.of_type("input_audio_buffer.committed")[0]
    item = session.of_type("conversation.item.added")[0]["item"]
    assert started["audio_start_ms"] == 500
    assert stopped["audio_end_ms"] == 800 + 960 + 512
    assert {started["item_id"], stopped["item_id"], committed["item_id"], item["id"]} == {"item_000001"}
    assert item["content"] == [{"type": "input_audio", "transcript": None}]
    assert committed["previous_item_id"] is None


def test_the_recogniser_is_told_of_every_edge() -> None:
    session = transcribed()
    session.hear(800, 0.0)
    session.hear(960, 0.9)
    start = session.last(StartTranscription)
    assert (start.start_sample, start.options) == (500 * MS, TranscriptionOptions("whisper-1", "en", "planets"))
    session.hear(256, 0.0)
    assert session.last(SettleTranscription).end_sample == 1760 * MS
    session.hear(320, 0.9)
    session.hear(512, 0.0)
    assert [one.end_sample // MS for one in session.all(SettleTranscription)] == [1760, 2336]
    finish = session.last(FinishTranscription)
    assert (finish.speech_end_sample, finish.end_sample) == (2336 * MS, 2848 * MS)
    kept = session.last(KeepItemAudio)
    assert (kept.item_id, kept.start_sample, kept.end_sample) == ("item_000001", 500 * MS, 2848 * MS)


def test_a_response_waits_for_the_words_it_answers() -> None:
    session = listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    session.wait(3000)
    assert session.of_type("response.created") == []
    session.recognise("item_000001", "what time is it")
    assert types(session.events)[-1:] == ["response.created"]
    assert said(session.last(StartGeneration).context.items) == [("user", "what time is it")]


def test_noise_is_not_answered_and_stays_out_of_the_context() -> None:
    session = transcribed()
    session.say("")
    assert session.of_type("response.created") == []
    assert session.of_type("conversation.item.input_audio_transcription.completed")[0]["transcript"] == ""
    session.say("hello")
    assert said(session.contexts[0].items) == [("user", "hello")]
    assert [item["id"] for item in session.items()] == ["item_000001", "item_000002"]


def test_noise_after_a_pending_turn_does_not_lose_that_turn() -> None:
    session = listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    session.hear(160, 0.9)
    session.recognise("item_000001", "tell me about the sea")
    assert session.contexts == [], "somebody is speaking again"
    session.hear(512, 0.0)
    assert session.contexts == []
    session.recognise("item_000002", "")
    assert [said(context.items) for context in session.contexts] == [[("user", "tell me about the sea")]]


def test_new_speech_makes_one_response_answer_both_turns() -> None:
    session = listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    session.hear(960, 0.9)
    session.recognise("item_000001", "tell me about the sea")
    session.hear(512, 0.0)
    session.recognise("item_000002", "and the moon")
    assert len(session.of_type("response.created")) == 1
    assert said(session.contexts[0].items) == [("user", "tell me about the sea"), ("user", "and the moon")]


@pytest.mark.parametrize("transcription", [True, False])
def test_failed_recognition_fails_the_response_with_its_reason(transcription: bool) -> None:
    session = transcribed() if transcription else listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    after = session.misrecognise("item_000001", "stt_unreachable", "The recogniser at host:1 refused.")
    expected = ["response.created", "response.done"]
    if transcription:
        expected.insert(0, "conversation.item.input_audio_transcription.failed")
        assert after[0]["error"] == {
            "type": "server_error", "code": "stt_unreachable", "message": "The recogniser at host:1 refused."
        }  # fmt: skip
    assert types(after) == expected
    response = after[-1]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "stt_unreachable"
    assert session.contexts == []
    session.say("hello")
    assert said(session.contexts[0].items) == [("user", "hello")], "the session goes on"


def test_recognition_that_never_ends_fails_the_response_in_bounded_time() -> None:
    session = listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    assert session.wait(14_900) == []
    after = session.wait(200)
    assert types(after) == ["response.created", "response.done"]
    assert after[-1]["response"]["status_details"]["error"]["code"] == "transcription_timeout"
    assert session.recognise("item_000001", "too late") == []
    session.say("and now")
    assert said(session.contexts[0].items) == [("user", "too late"), ("user", "and now")]


# --- transcription events


def test_only_stable_growth_is_streamed() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    item = "item_000001"
    deltas = [*session.partial(item, "what", 0), *session.partial(item, "what is the", 4)]
    deltas += [*session.partial(item, "what is a", 4), *session.partial(item, "what is a fish", 9)]
    assert [event["delta"] for event in deltas] == ["what", " is a"]
    session.hear(512, 0.0)
    after = session.recognise(item, "what is a fish tank", 1.5)
    assert after[0]["delta"] == " fish tank"
    assert (after[1]["transcript"], after[1]["usage"]) == ("what is a fish tank", {"type": "duration", "seconds": 1.5})
    shown = session.client(type="conversation.item.retrieve", item_id=item)
    assert shown[0]["item"]["content"] == [{"type": "input_audio", "transcript": "what is a fish tank"}]


def test_a_final_reading_that_differs_is_told_by_completed_alone() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    session.partial("item_000001", "wreck a nice beach", 7)
    session.hear(512, 0.0)
    after = session.recognise("item_000001", "recognise speech")
    assert types(after)[0] == "conversation.item.input_audio_transcription.completed"
    assert after[0]["transcript"] == "recognise speech"


def test_partials_that_contradict_what_was_streamed_are_not_streamed() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    assert len(session.partial("item_000001", "one two", 7)) == 1
    assert session.partial("item_000001", "won two three", 13) == []


def test_without_transcription_configured_nothing_is_told_but_the_model_knows() -> None:
    session = listening()
    session.hear(960, 0.9)
    assert session.partial("item_000001", "hello", 5) == []
    session.hear(512, 0.0)
    after = session.recognise("item_000001", "hello")
    assert types(after) == ["response.created"]
    assert session.items()[0]["content"] == [{"type": "input_audio", "transcript": None}]


def test_a_reading_that_comes_before_the_turn_ends_is_told_after_its_item() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    assert session.recognise("item_000001", "eager") == []
    after = session.hear(512, 0.0)
    assert types(after)[-4:] == [
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    assert session.all(FinishTranscription) == []


def test_a_model_that_hears_by_itself_needs_no_recogniser() -> None:
    session = DrivenSession(needs_transcript=False)
    session.hear(960, 0.9)
    after = session.hear(512, 0.0)
    assert session.all(StartTranscription) == []
    assert types(after)[-1] == "response.created"
    assert len(session.contexts) == 1


def test_a_late_reading_of_a_deleted_item_is_nothing() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    session.client(type="conversation.item.delete", item_id="item_000001")
    assert session.last(AbandonTranscription).item_id == "item_000001"
    assert session.recognise("item_000001", "ghost") == []
    assert session.of_type("response.created") == []


# --- turn detection settings


def test_create_response_false_only_listens() -> None:
    session = listening(turn_detection={"type": "server_vad", "create_response": False})
    session.say("hello")
    assert session.of_type("response.created") == []
    session.client(type="response.create")
    assert said(session.contexts[0].items) == [("user", "hello")]


def test_a_running_response_that_may_not_be_interrupted_is_answered_after() -> None:
    session = listening(turn_detection={"type": "server_vad", "interrupt_response": False})
    session.say("tell me a story")
    session.speak("Once upon a time ")
    session.say("and a joke")
    assert session.of_type("error") == []
    assert len(session.of_type("response.created")) == 1
    after = session.engine(Done(), response_id="resp_000001")
    assert types(after)[-2:] == ["response.done", "response.created"]
    assert session.of_type("response.done")[0]["response"]["status"] == "completed"
    assert said(session.contexts[1].items)[-1] == ("user", "and a joke")


def test_an_explicit_response_takes_up_the_pending_turn() -> None:
    session = listening()
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    assert types(session.client(type="response.create")) == ["response.created"]
    assert session.contexts == []
    session.recognise("item_000001", "hello")
    assert len(session.contexts) == 1
    session.answer("Hi.")
    assert len(session.of_type("response.created")) == 1


def test_manual_commit_during_speech_keeps_the_promised_id_and_answers_nothing() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    after = session.client(type="input_audio_buffer.commit")
    assert types(after) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    assert after[0]["item_id"] == "item_000001"
    after = session.recognise("item_000001", "hello")
    assert types(after)[-1] == "conversation.item.input_audio_transcription.completed"
    assert session.of_type("input_audio_buffer.speech_stopped") == []
    assert session.of_type("response.created") == []


def test_push_to_talk() -> None:
    session = listening(turn_detection=None)
    session.hear(960, 0.9)
    session.hear(960, 0.0)
    assert types(session.events)[2:] == []
    after = session.client(type="input_audio_buffer.commit")
    assert types(after) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    assert (session.last(StartTranscription).start_sample, session.last(FinishTranscription).end_sample) == (
        0,
        1920 * MS,
    )
    assert types(session.client(type="response.create")) == ["response.created"]
    session.recognise("item_000001", "hello")
    assert said(session.contexts[0].items) == [("user", "hello")]
    session.hear(960, 0.9)
    session.client(type="input_audio_buffer.clear")
    session.hear(480, 0.9)
    session.client(type="input_audio_buffer.commit")
    assert session.last(KeepItemAudio).start_sample == 2880 * MS


def test_clear_during_speech_takes_the_promise_back() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    assert types(session.client(type="input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert session.last(AbandonTranscription).item_id == "item_000001"
    session.hear(1008, 0.0)
    assert session.of_type("input_audio_buffer.committed") == []


def test_switching_turn_detection_off_stops_the_listening_but_keeps_the_audio() -> None:
    session = transcribed()
    session.hear(960, 0.9)
    session.update(audio={"input": {"turn_detection": None}})
    assert session.last(AbandonTranscription).item_id == "item_000001"
    session.hear(960, 0.0)
    session.client(type="input_audio_buffer.commit")
    assert session.last(StartTranscription).item_id == "item_000001"
    assert session.last(FinishTranscription).end_sample == 1920 * MS


def test_detection_switched_on_applies_at_once() -> None:
    session = listening(turn_detection=None)
    session.hear(960, 0.9)
    session.update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 200}}})
    session.hear(96, 0.9)
    session.hear(208, 0.0)
    assert session.of_type("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 660
    assert len(session.of_type("input_audio_buffer.committed")) == 1


def test_semantic_vad_asks_with_what_was_heard_and_believes_the_answer() -> None:
    session = listening(turn_detection={"type": "semantic_vad", "eagerness": "low"})
    session.hear(960, 0.9)
    session.partial("item_000001", "what is the time", 0)
    session.hear(224, 0.0)
    asked = session.last(ScoreTurn)
    assert (asked.item_id, asked.text, asked.start_sample) == ("item_000001", "what is the time", 0)
    after = session.feed(TurnScored(ItemId("item_000001"), 0.95))
    kinds = [type(output).__name__ for output in after if not isinstance(output, Send)]
    assert kinds == ["KeepItemAudio", "FinishTranscription", "ForgetLane"]
    session.recognise("item_000001", "what is the time")
    assert len(session.contexts) == 1


def test_a_dead_turn_detector_delays_a_turn_and_loses_nothing() -> None:
    session = listening(turn_detection={"type": "semantic_vad"})
    session.hear(960, 0.9, live=False)
    session.hear(2_000, 0.0, live=False)
    assert session.of_type("input_audio_buffer.committed") == []
    session.wait(10_000)
    stopped = session.of_type("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
    assert 960 + 600 <= stopped <= 960 + 640


def test_a_commit_does_not_wait_for_the_turn_detector() -> None:
    session = listening(turn_detection={"type": "semantic_vad"})
    session.hear(960, 0.9)
    session.hear(320, 0.0)
    after = session.client(type="input_audio_buffer.commit")
    assert types(after)[0] == "input_audio_buffer.committed"
    assert session.last(KeepItemAudio).end_sample == 1280 * MS
    assert session.feed(TurnScored(ItemId("item_000001"), 0.9)) == []


def test_a_transcription_session_transcribes_and_never_answers() -> None:
    config = configured({"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}})
    session = DrivenSession(config=replace(config, type="transcription"))
    session.say("take a note")
    assert types(session.events)[-2:] == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert session.of_type("response.created") == []


def test_a_session_without_connections_is_legal() -> None:
    session = DrivenSession(connect=False, config=SessionConfig())
    session.say("hello")
    session.answer("Hi.")
    assert session.of_type("response.done")[0]["response"]["status"] == "completed"
