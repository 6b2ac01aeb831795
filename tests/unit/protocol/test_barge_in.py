"""Interruption where the client plays: what is cancelled, what counts as heard, and the truth that comes later."""

from __future__ import annotations

from typing import Any

import pytest
from driven_session import DrivenSession, configured, said, types
from event_order import order_faults

from parley.protocol.realtime.generation import Done, TextDelta
from parley.protocol.realtime.outputs import CancelGeneration, TruncateItemAudio


def story() -> DrivenSession:
    """The assistant has sent two clauses of 1 s each, at one instant, and is still generating."""
    session = DrivenSession(config=configured({"audio": {"input": {"transcription": {"model": "x"}}}}))
    session.say("tell me a story")
    session.speak("Once upon a time ", "there was a fish.")
    return session


def truncate(session: DrivenSession, ms: int, item_id: str = "item_000002") -> dict[str, Any]:
    return session.client(type="conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms)[0]


def next_context(session: DrivenSession, words: str = "where is that") -> list[tuple[str, str]]:
    """End the interrupting turn (speech already began) and give what the model is told."""
    session.hear(480, 0.9)
    session.hear(512, 0.0)
    session.recognise("item_000003", words)
    return said(session.contexts[-1].items)


def test_a_voice_cancels_the_response_with_all_its_closing_events() -> None:
    session = story()
    session.now += 1000
    after = session.hear(96, 0.9)
    assert types(after) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    response = after[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert after[2]["transcript"] == "Once upon a time there was a fish."
    assert session.last(CancelGeneration).response_id == "resp_000001"
    assert session.engine(TextDelta("late"), Done()) == [], "chunks of a cancelled response are dropped"
    assert order_faults(session.events) == []


def test_until_the_client_truncates_the_estimate_counts() -> None:
    session = story()
    session.now += 1000
    session.hear(96, 0.9)
    assert next_context(session) == [
        ("user", "tell me a story"),
        ("assistant", "Once upon a time"),
        ("user", "where is that"),
    ]


@pytest.mark.parametrize(
    ("heard_ms", "words"), [(300, "Once"), (1000, "Once upon a time"), (1300, "Once upon a time there")]
)
def test_a_truncation_before_the_next_response_is_the_truth(heard_ms: int, words: str) -> None:
    session = story()
    session.now += 5000
    session.hear(96, 0.9)
    cut = truncate(session, heard_ms)
    assert (cut["type"], cut["audio_end_ms"]) == ("conversation.item.truncated", heard_ms)
    assert cut["item"]["content"] == [{"type": "output_audio", "transcript": words}]
    assert cut["item"]["status"] == "incomplete"
    assert next_context(session)[1] == ("assistant", words)


def test_a_truncation_while_the_response_still_runs_holds() -> None:
    session = story()
    session.now += 300
    assert truncate(session, 300)["audio_end_ms"] == 300
    after = session.client(type="response.cancel")
    assert after[-1]["response"]["output"][0]["content"][0]["transcript"] == "Once"
    assert after[1]["transcript"] == "Once upon a time there was a fish.", "the stream's own end is what was streamed"


def test_a_truncation_during_the_next_response_corrects_the_record_for_later_ones() -> None:
    session = story()
    session.now += 1000
    session.hear(96, 0.9)
    assert next_context(session)[1] == ("assistant", "Once upon a time")
    session.speak("In the sea.")
    truncate(session, 400)
    session.engine(Done())
    session.client(type="response.create")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once")
    assert session.last(TruncateItemAudio).item_id == "item_000002"


def test_a_truncation_after_the_next_response_is_still_taken() -> None:
    session = story()
    session.now += 1000
    session.hear(96, 0.9)
    next_context(session)
    session.answer("In the sea.")
    assert truncate(session, 600)["item"]["content"][0]["transcript"] == "Once upon"
    session.client(type="response.create")
    context = said(session.contexts[-1].items)
    assert context[1] == ("assistant", "Once upon")
    assert context[-1] == ("assistant", "In the sea."), "what plays now is not touched"


def test_speech_after_generation_but_during_playback_counts_what_was_played() -> None:
    session = story()
    session.engine(Done())
    session.now += 1000
    after = session.hear(96, 0.9)
    assert types(after) == ["input_audio_buffer.speech_started"]
    shown = session.client(type="conversation.item.retrieve", item_id="item_000002")[0]["item"]
    assert shown["content"][0]["transcript"] == "Once upon a time there was a fish.", "the item waits for a truncation"
    assert shown["status"] == "completed"
    assert next_context(session)[1] == ("assistant", "Once upon a time")


def test_speech_after_playback_has_ended_counts_everything() -> None:
    session = story()
    session.engine(Done())
    session.now += 2000
    session.hear(96, 0.9)
    assert next_context(session)[1] == ("assistant", "Once upon a time there was a fish.")


def test_what_was_never_heard_is_not_in_the_context() -> None:
    session = story()
    session.hear(96, 0.9)
    truncate(session, 0)
    assert next_context(session) == [("user", "tell me a story"), ("user", "where is that")]


def test_a_voice_that_may_not_interrupt_changes_nothing() -> None:
    session = DrivenSession(
        config=configured({"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}})
    )
    session.say("tell me a story")
    session.speak("Once upon a time ")
    assert types(session.hear(96, 0.9)) == ["input_audio_buffer.speech_started"]
    session.engine(Done())
    session.hear(480, 0.9)
    session.hear(512, 0.0)
    session.recognise("item_000003", "go on")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon a time ")


def test_cancelled_by_the_client_counts_what_plays_on() -> None:
    """`response.cancel` alone stops generation; what was sent plays on until the client says otherwise."""
    session = story()
    session.now += 500
    session.client(type="response.cancel")
    session.now += 600
    session.client(type="response.create")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon a time")
    session.answer("Well.")
    session.now += 5000
    session.client(type="response.create")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon a time there was a fish.")


def test_a_voice_cancels_a_response_that_still_waits_for_words() -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": {
        "type": "server_vad", "create_response": False}}}}))  # fmt: skip
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    session.client(type="response.create")
    after = session.hear(96, 0.9)
    assert types(after) == ["input_audio_buffer.speech_started", "response.done"]
    assert after[-1]["response"]["status"] == "cancelled"
    assert session.all(CancelGeneration) == []
    session.recognise("item_000001", "hello")
    assert session.contexts == []


def test_out_of_band_responses_are_not_interrupted() -> None:
    session = story()
    session.client(type="response.create", response={"conversation": "none", "output_modalities": ["text"]})
    session.hear(96, 0.9)
    assert len(session.of_type("response.done")) == 1
    after = session.engine(TextDelta("Summary."), Done())
    assert after[-1]["response"]["status"] == "completed"


def test_text_that_was_cut_short_is_in_the_context_as_it_was_read() -> None:
    session = DrivenSession(config=configured({"output_modalities": ["text"]}))
    session.say("tell me a story")
    session.engine(TextDelta("Once upon "))
    session.hear(96, 0.9)
    session.hear(480, 0.9)
    session.hear(512, 0.0)
    session.recognise("item_000003", "what")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon ")
