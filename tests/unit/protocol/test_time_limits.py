"""What the clock does: the end of a session, the idle timeout. Turns never look at it."""

from __future__ import annotations

from typing import Any

import pytest
from driven_session import MINUTE_MS, DrivenSession, configured, types
from event_order import order_faults

from parley.protocol.realtime.inputs import Disconnected, SessionExpired, Tick
from parley.protocol.realtime.outputs import AbandonTranscription, CancelGeneration, Close, KeepItemAudio, Send


def idle(**patch: Any) -> DrivenSession:
    vad = {"type": "server_vad", "idle_timeout_ms": 6000, **patch}
    return DrivenSession(config=configured({"audio": {"input": {"turn_detection": vad}}}))


def test_a_session_lives_for_its_hour_and_not_a_millisecond_longer() -> None:
    session = DrivenSession()
    deadline = session.machine.deadline
    assert deadline == 1000 + 60 * MINUTE_MS
    session.wait(60 * MINUTE_MS - 1)
    assert types(session.events) == ["session.created", "conversation.created"]
    session.wait(1)
    assert session.machine.finished
    assert session.machine.deadline is None
    error = session.events[-1]
    message = "Your session hit the maximum duration of 60 minutes."
    assert error["error"] == {"type": "invalid_request_error", "code": "session_expired", "message": message,
                              "param": None, "event_id": None}  # fmt: skip
    assert session.last(Send).to is None
    assert session.outputs[-1] == Close(1001, message)
    session.now += 1
    assert session.client(type="response.create") == []


def test_expiry_ends_everything_that_runs() -> None:
    session = DrivenSession()
    session.say("hello")
    session.speak("I am ")
    session.now = 60 * MINUTE_MS
    session.client(type="response.create", response={"conversation": "none"})
    session.wait(2000)
    ended = session.of_type("response.done")
    assert [event["response"]["status"] for event in ended] == ["failed", "failed"]
    assert len(session.all(CancelGeneration)) == 2
    assert types(session.events)[-1] == "error"
    assert order_faults(session.events) == []


def test_expiry_lets_recognisers_go() -> None:
    session = DrivenSession(max_session_ms=2000)
    session.hear(480, 0.9)
    session.wait(2000)
    assert session.last(AbandonTranscription).item_id == "item_000001"


@pytest.mark.parametrize(("reason", "close_code"), [("draining", 1001), ("internal_error", 1011)])
def test_the_runner_may_end_it_early(reason: Any, close_code: int) -> None:
    session = DrivenSession()
    session.say("hello")
    session.feed(SessionExpired(reason))
    assert session.machine.finished
    assert types(session.events)[-2:] == ["response.done", "error"]
    assert session.last(Close).code == close_code
    assert session.last(Close).to is None


def test_disconnecting_ends_nothing() -> None:
    session = DrivenSession()
    session.say("hello")
    assert session.feed(Disconnected("client")) == []  # type: ignore[arg-type]
    assert session.answer("Hi.")[-1]["response"]["status"] == "completed"


def test_ticks_that_nobody_asked_for_do_nothing() -> None:
    session = DrivenSession()
    session.now += 123
    assert session.feed(Tick()) == []


def test_the_idle_timeout_runs_from_the_end_of_playback() -> None:
    session = idle()
    session.say("hello")
    session.answer("Good morning.", ms=2000)
    assert session.wait(7_999) == []
    after = session.wait(1)
    assert types(after) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert session.last(KeepItemAudio).item_id == after[0]["item_id"]
    assert len(session.contexts) == 2
    session.answer("Are you there?")
    assert types(session.wait(7_000))[0] == "input_audio_buffer.timeout_triggered"


def test_the_silent_item_spans_the_silence() -> None:
    session = idle()
    session.say("hello")
    session.answer("Good morning.", ms=1000)
    session.hear(6_912, 0.0)
    after = session.wait(200)
    assert (after[0]["audio_start_ms"], after[0]["audio_end_ms"]) == (1472, 1472 + 6912)


def test_a_voice_or_a_response_stops_the_idle_timeout() -> None:
    session = idle()
    session.say("hello")
    session.answer("Good morning.", ms=1000)
    session.wait(6_500)
    session.hear(96, 0.9)
    assert session.wait(3_000) == []
    session.hear(512, 0.0)
    session.recognise("item_000003", "")
    session.wait(1000)
    session.client(type="response.create")
    assert session.wait(10_000) == []


def test_without_the_setting_silence_is_silence() -> None:
    session = DrivenSession()
    session.say("hello")
    session.answer("Good morning.")
    assert session.wait(30 * MINUTE_MS) == []
