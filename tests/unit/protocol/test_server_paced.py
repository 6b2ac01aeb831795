"""Playback that the server paces: output_audio_buffer events, and the round trip that stops speech."""

from __future__ import annotations

import pytest
from driven_session import DrivenSession, Event, configured, events, said, types
from event_order import order_faults

from parley.protocol.realtime.generation import AudioDelta, Done, TextDelta
from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.inputs import PlayoutDrained, PlayoutFlushed, PlayoutStarted, SessionExpired
from parley.protocol.realtime.outputs import AudioOut, CancelGeneration, FlushPlayout, TruncateItemAudio

MS = 24
RESPONSE = ResponseId("resp_000001")
ITEM = ItemId("item_000002")


def story() -> DrivenSession:
    session = DrivenSession(pacing="server")
    session.say("tell me a story")
    session.speak("Once upon a time ", "there was a fish.")
    return session


def playing() -> DrivenSession:
    session = story()
    session.feed(PlayoutStarted(RESPONSE))
    session.now += 900
    return session


def flushed(session: DrivenSession, ms: int, item_id: ItemId = ITEM) -> list[Event]:
    return events(session.feed(PlayoutFlushed(item_id, ms * MS)))


def test_started_and_stopped_frame_the_playback() -> None:
    session = story()
    assert types(events(session.feed(PlayoutStarted(RESPONSE)))) == ["output_audio_buffer.started"]
    session.engine(Done())
    assert types(events(session.feed(PlayoutDrained(RESPONSE)))) == ["output_audio_buffer.stopped"]
    assert events(session.feed(PlayoutDrained(RESPONSE))) == []
    assert order_faults(session.events) == []


def test_stopped_never_comes_before_done() -> None:
    session = playing()
    assert events(session.feed(PlayoutDrained(RESPONSE))) == []
    assert types(session.engine(Done()))[-2:] == ["response.done", "output_audio_buffer.stopped"]


def test_a_response_that_goes_on_after_running_dry_stops_once() -> None:
    session = playing()
    session.feed(PlayoutDrained(RESPONSE))
    session.engine(TextDelta(" The end."), AudioDelta(bytes(2 * MS * 100)))
    assert types(session.engine(Done()))[-1] == "response.done"
    assert types(events(session.feed(PlayoutDrained(RESPONSE)))) == ["output_audio_buffer.stopped"]


def test_a_voice_flushes_first_and_everything_waits_for_the_answer() -> None:
    session = playing()
    assert types(session.hear(96, 0.9)) == ["input_audio_buffer.speech_started"]
    assert session.last(FlushPlayout).item_id == ITEM
    assert session.last(CancelGeneration).response_id == RESPONSE
    audio = len(session.all(AudioOut))
    assert session.engine(AudioDelta(bytes(4800)), response_id=RESPONSE) == []
    assert len(session.all(AudioOut)) == audio, "no frame of the old response leaves"
    after = flushed(session, 1050)
    assert types(after) == [
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert after[1]["audio_end_ms"] == 1050
    assert after[5]["item"]["content"][0]["transcript"] == "Once upon a time"
    assert after[-1]["response"]["status_details"]["reason"] == "turn_detected"
    assert session.last(TruncateItemAudio).end_ms == 1050
    assert order_faults(session.events) == []


def test_a_flush_that_is_not_answered_is_estimated_after_100_ms() -> None:
    session = playing()
    session.hear(96, 0.9)
    assert session.wait(98) == []
    after = session.wait(10)
    assert types(after)[:2] == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    assert after[1]["audio_end_ms"] == 996
    assert types(after)[-1] == "response.done"
    assert flushed(session, 500) == [], "an answer that comes too late is nothing"


def test_speech_after_generation_truncates_without_a_second_done() -> None:
    session = playing()
    session.engine(Done())
    session.hear(96, 0.9)
    assert types(flushed(session, 1000)) == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    session.hear(480, 0.9)
    session.hear(512, 0.0)
    session.recognise("item_000003", "where is that")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon a time")


def test_nothing_queued_needs_no_flush() -> None:
    session = DrivenSession(pacing="server")
    session.say("tell me a story")
    after = session.hear(96, 0.9)
    assert types(after) == ["input_audio_buffer.speech_started", "response.done"]
    assert session.all(FlushPlayout) == []


def test_a_flush_before_the_first_frame_clears_what_never_started() -> None:
    session = story()
    session.hear(96, 0.9)
    after = flushed(session, 0)
    assert "output_audio_buffer.cleared" not in types(after)
    assert events(session.feed(PlayoutStarted(RESPONSE))) == []
    assert order_faults(session.events) == []


def test_everything_that_is_queued_is_flushed() -> None:
    session = playing()
    session.engine(Done())
    session.client(type="response.create")
    session.speak("And then ")
    session.hear(96, 0.9)
    assert [one.item_id for one in session.all(FlushPlayout)] == ["item_000002", "item_000003"]
    assert flushed(session, 1000) == []
    after = flushed(session, 0, ItemId("item_000003"))
    assert types(after)[:3] == [
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
        "conversation.item.truncated",
    ]
    assert types(after)[-1] == "response.done"
    assert order_faults(session.events) == []


def test_the_next_turn_waits_for_the_flush() -> None:
    session = playing()
    session.hear(96, 0.9)
    assert session.client(type="response.create")[0]["error"]["code"] == "conversation_already_has_active_response"
    assert types(session.client(type="response.cancel")) == [], "it is being cancelled already"
    flushed(session, 900)
    assert types(session.client(type="response.create")) == ["response.created"]


def test_the_client_clears_the_output_without_stopping_generation() -> None:
    session = playing()
    session.client(type="output_audio_buffer.clear")
    assert types(flushed(session, 900)) == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    after = session.engine(TextDelta(" More."), AudioDelta(bytes(4800)), Done())
    assert "response.output_audio.delta" not in types(after)
    assert after[-1]["response"]["status"] == "completed"
    assert after[-1]["response"]["output"][0]["content"][0]["transcript"] == "Once upon a"
    assert order_faults(session.events) == []


def test_push_to_talk_cancels_then_clears() -> None:
    session = DrivenSession(pacing="server", config=configured({"audio": {"input": {"turn_detection": None}}}))
    session.client(type="response.create")
    session.speak("Hello and welcome ")
    session.feed(PlayoutStarted(RESPONSE))
    session.now += 500
    assert types(session.client(type="response.cancel"))[-1] == "response.done"
    session.client(type="output_audio_buffer.clear")
    after = flushed(session, 510, ItemId("item_000001"))
    assert types(after) == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    assert order_faults(session.events) == []


def test_a_voice_while_the_clients_clear_is_on_its_way_waits_for_it() -> None:
    """Two stops, one flush each: nothing is done before both are answered."""
    session = playing()
    session.client(type="output_audio_buffer.clear")
    session.client(type="response.create", response={"conversation": "none", "input": []})
    session.speak("An aside.")
    session.hear(48, 0.9)
    assert [one.item_id for one in session.all(FlushPlayout)] == ["item_000002", "item_000003"]
    assert types(flushed(session, 900)) == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    assert types(flushed(session, 0, ItemId("item_000003")))[-1] == "response.done"


def test_the_end_of_the_session_does_not_wait_for_a_flush() -> None:
    session = playing()
    session.hear(48, 0.9)
    session.feed(SessionExpired("draining"))
    after = types(session.events)
    assert after[-1] == "error"
    assert after.index("output_audio_buffer.cleared") < after.index("response.done")
    assert order_faults(session.events) == []


def test_what_sounds_when_the_session_ends_is_cleared_once() -> None:
    session = playing()
    session.engine(Done())
    session.feed(SessionExpired("draining"))
    after = types(session.events)
    assert after.count("output_audio_buffer.cleared") == 1
    assert "output_audio_buffer.stopped" not in after
    assert order_faults(session.events) == []


def test_what_never_sounded_is_not_cleared_when_the_session_ends() -> None:
    session = DrivenSession(pacing="server")
    session.client(type="response.create")
    session.speak("Once upon a time.")
    session.feed(SessionExpired("draining"))
    assert not {kind for kind in types(session.events) if kind.startswith("output_audio_buffer")}
    assert order_faults(session.events) == []


def test_cancel_alone_lets_the_queue_play_out() -> None:
    session = playing()
    session.client(type="response.cancel")
    assert types(events(session.feed(PlayoutDrained(RESPONSE)))) == ["output_audio_buffer.stopped"]
    session.client(type="response.create")
    assert said(session.contexts[-1].items)[1] == ("assistant", "Once upon a time there was a fish.")


def test_a_response_that_waits_for_words_and_for_a_flush_asks_for_no_tick_but_the_flushes() -> None:
    """Its own wait runs out while the flush is on its way."""
    session = playing()
    session.engine(Done())
    session.update(audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}})
    session.now += 5
    session.hear(480, 0.9)
    session.hear(512, 0.0)
    flushed(session, 900)
    session.client(type="response.create", response={"conversation": "none", "input": []})
    session.speak("An aside ")
    session.client(type="response.create")
    session.wait(14_950)
    session.hear(48, 0.9)
    session.wait(200)
    assert types(session.events).count("response.done") == 2
    assert session.events[-1]["response"]["status_details"]["reason"] == "turn_detected"


@pytest.mark.parametrize("samples", [-5, 10**9])
def test_absurd_answers_are_clamped(samples: int) -> None:
    session = playing()
    session.hear(96, 0.9)
    after = events(session.feed(PlayoutFlushed(ITEM, samples)))
    assert after[1]["audio_end_ms"] == (0 if samples < 0 else 2000)


def test_a_client_paced_session_ignores_playout_reports() -> None:
    session = DrivenSession()
    session.say("hello")
    session.speak("Hi.")
    assert events(session.feed(PlayoutStarted(RESPONSE))) == []
    assert events(session.feed(PlayoutFlushed(ITEM, 5))) == []
    session.engine(Done())
    assert events(session.feed(PlayoutDrained(RESPONSE))) == []
