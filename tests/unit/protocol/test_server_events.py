"""Every server event passes the official Python SDK's own validators, which are closed and strict."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from parley.protocol.realtime import server_events as ev
from parley.protocol.realtime.dialects import Dialect, encode
from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputTextPart,
    Item,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.session_config import (
    NoiseReduction,
    PcmaFormat,
    PcmFormat,
    SemanticVad,
    SessionConfig,
    Transcription,
    session_object,
)
from parley.protocol.realtime.tools import FunctionTool, McpTool, NamedToolChoice

VALIDATOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

PLAIN = SessionConfig()
FULL = SessionConfig(
    tools=(
        FunctionTool(name="f", description="d", parameters={"type": "object"}),
        McpTool(server_label="s", server_url="http://localhost:1", authorization="secret", headers={"x": "secret"}),
    ),
    tool_choice=NamedToolChoice(type="function", name="f"),
    max_output_tokens=100,
    tracing="auto",
    include=("item.input_audio_transcription.logprobs",),
)
FULL = msgspec.structs.replace(
    FULL,
    audio=msgspec.structs.replace(
        FULL.audio,
        input=msgspec.structs.replace(
            FULL.audio.input,
            format=PcmaFormat(),
            transcription=Transcription(model="whisper-1"),
            noise_reduction=NoiseReduction(),
            turn_detection=SemanticVad(),
        ),
    ),
)
USER = MessageItem(id="i1", role="user", content=(InputAudioPart(),))
ASSISTANT = MessageItem(id="i2", role="assistant", content=(OutputAudioPart(transcript="hello"),), status="incomplete")
WRITTEN = MessageItem(id="i3", role="assistant", content=(OutputTextPart(text="hello"),))
SYSTEM = MessageItem(id="i4", role="system", content=(InputTextPart(text="hello"),))
CALL = FunctionCallItem(id="i5", call_id="c", name="f", arguments="{}", status="in_progress")
OUTPUT = FunctionCallOutputItem(id="i6", call_id="c", output="")
ITEMS: tuple[Item, ...] = (USER, ASSISTANT, WRITTEN, SYSTEM, CALL, OUTPUT)
AUDIO = ev.ResponseAudio(output=ev.ResponseAudioOutput(format=PcmFormat(), voice="alloy"))


def response(**changes: Any) -> ev.Response:
    return msgspec.structs.replace(ev.Response(id="r", status="in_progress", audio=AUDIO), **changes)


PART: dict[str, Any] = {"event_id": "e", "response_id": "r", "output_index": 0, "item_id": "i2", "content_index": 0}
EVENTS: list[ev.ServerEvent] = [
    ev.ErrorEvent(event_id="e", error=ev.ErrorBody(type="invalid_request_error", code="invalid_value", message="m")),
    *(
        made(event_id="e", session=session_object(config, session_id="sess_1", expires_at=1))
        for made in (ev.SessionCreated, ev.SessionUpdated)
        for config in (PLAIN, FULL, msgspec.structs.replace(FULL, type="transcription"))
    ),
    ev.ConversationCreated(event_id="e", conversation=ev.Conversation(id="conv_1")),
    *(
        made(event_id="e", previous_item_id=previous, item=item)
        for made in (ev.ConversationItemAdded, ev.ConversationItemDone)
        for previous, item in zip((None, "i1", "i2", "i3", "i4", "i5"), ITEMS, strict=True)
    ),
    ev.ConversationItemRetrieved(
        event_id="e", item=MessageItem(id="i", role="user", content=(InputAudioPart(transcript="a", audio=b"ab"),))
    ),
    ev.ConversationItemDeleted(event_id="e", item_id="i"),
    ev.ConversationItemTruncated(event_id="e", item_id="i", content_index=0, audio_end_ms=10, item=ASSISTANT),
    ev.TranscriptionDelta(event_id="e", item_id="i", content_index=0, delta="a"),
    ev.TranscriptionCompleted(
        event_id="e", item_id="i", content_index=0, transcript="a", usage=ev.DurationUsage(seconds=1.5)
    ),
    ev.TranscriptionFailed(
        event_id="e",
        item_id="i",
        content_index=0,
        error=ev.TranscriptionError(type="server_error", code="engine_error", message="m"),
    ),
    ev.InputAudioBufferCommitted(event_id="e", item_id="i", previous_item_id=None),
    ev.InputAudioBufferCleared(event_id="e"),
    ev.SpeechStarted(event_id="e", audio_start_ms=1, item_id="i"),
    ev.SpeechStopped(event_id="e", audio_end_ms=1, item_id="i"),
    ev.TimeoutTriggered(event_id="e", audio_start_ms=0, audio_end_ms=1, item_id="i"),
    ev.OutputAudioBufferStarted(event_id="e", response_id="r"),
    ev.OutputAudioBufferStopped(event_id="e", response_id="r"),
    ev.OutputAudioBufferCleared(event_id="e", response_id="r"),
    ev.ResponseCreated(event_id="e", response=response(metadata={"a": "b"}, conversation_id="conv_1")),
    *(
        ev.ResponseDone(
            event_id="e",
            response=response(status=status, status_details=details, output=(ASSISTANT, CALL), usage=ev.Usage()),
            parley_timeline=ev.ResponseTimeline(first_audio_ms=3),
        )
        for status, details in (
            ("completed", None),
            ("cancelled", ev.StatusDetails(type="cancelled", reason="turn_detected")),
            ("cancelled", ev.StatusDetails(type="cancelled", reason="client_cancelled")),
            ("incomplete", ev.StatusDetails(type="incomplete", reason="max_output_tokens")),
            (
                "failed",
                ev.StatusDetails(
                    type="failed", error=ev.ResponseError(type="server_error", code="engine_error", message="m")
                ),
            ),
        )
    ),
    ev.OutputItemAdded(event_id="e", response_id="r", output_index=0, item=ASSISTANT),
    ev.OutputItemDone(event_id="e", response_id="r", output_index=0, item=CALL),
    ev.ResponseContentPartAdded(**PART, part=ev.AudioPart()),
    ev.ResponseContentPartAdded(**PART, part=ev.TextPart()),
    ev.ResponseContentPartDone(**PART, part=ev.AudioPart(transcript="a")),
    ev.OutputTextDelta(**PART, delta="a"),
    ev.OutputTextDone(**PART, text="a"),
    ev.OutputAudioTranscriptDelta(**PART, delta="a"),
    ev.OutputAudioTranscriptDone(**PART, transcript="a"),
    ev.OutputAudioDelta(**PART, delta=b"ab", parley_spans=(TextSpan(0, 1, 0, 10),)),
    ev.OutputAudioDone(**PART),
    ev.FunctionCallArgumentsDelta(
        event_id="e", response_id="r", output_index=0, item_id="i", call_id="c", delta="{"
    ),
    ev.FunctionCallArgumentsDone(
        event_id="e", response_id="r", output_index=0, item_id="i", call_id="c", name="f", arguments="{}"
    ),
    ev.RateLimitsUpdated(
        event_id="e", rate_limits=(ev.RateLimit(name="tokens", limit=1, remaining=1, reset_seconds=0),)
    ),
]  # fmt: skip


def names(value: Any) -> set[str]:
    """Every object key of a JSON value."""
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names(inner)}
    return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_official_validator_takes_it(event: ev.ServerEvent) -> None:
    frame = encode(event, Dialect.GA)
    sent = json.loads(frame)
    read = VALIDATOR.validate_python(sent)
    assert read.type == sent["type"]
    assert type(read).__name__ != "dict"


def test_every_event_has_a_row() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(ev.ServerEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_it_survives_a_round_trip(event: ev.ServerEvent) -> None:
    assert msgspec.json.decode(encode(event, Dialect.GA), type=type(event)) == event


def test_credentials_of_tools_are_not_echoed() -> None:
    frame = encode(
        ev.SessionCreated(event_id="e", session=session_object(FULL, session_id="s", expires_at=0)), Dialect.GA
    )
    assert b"secret" not in frame
    assert b"[redacted]" in frame


def test_keys_that_clients_read_are_always_there() -> None:
    sent = json.loads(encode(ev.ResponseCreated(event_id="e", response=response()), Dialect.GA))
    assert {"status_details", "usage", "metadata", "output"} <= set(sent["response"])
    item = json.loads(encode(ev.ConversationItemAdded(event_id="e", previous_item_id=None, item=USER), Dialect.GA))
    assert item["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert item["previous_item_id"] is None
    session = json.loads(
        encode(ev.SessionCreated(event_id="e", session=session_object(PLAIN, session_id="s", expires_at=0)), Dialect.GA)
    )["session"]
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_a_transcription_session_has_no_responses_to_control() -> None:
    config = msgspec.structs.replace(PLAIN, type="transcription")
    session = session_object(config, session_id="s", expires_at=0)
    sent = json.loads(msgspec.json.encode(session))
    assert not names(sent) & {"create_response", "interrupt_response", "instructions", "tools", "output"}
