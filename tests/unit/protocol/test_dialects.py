"""The beta dialect: its names, its flat shapes, and the official SDK's beta validators, which each event must pass."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from server_event_rows import ASSISTANT, CALL, EVENTS, FULL, PLAIN, USER, WRITTEN, response

from parley.protocol.realtime import server_events as ev
from parley.protocol.realtime.dialects import Dialect, encode, flat_session
from parley.protocol.realtime.items import ConversationItem
from parley.protocol.realtime.session_config import SemanticVad, SessionConfig, session_object

VALIDATOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
BETA_HAS_NO_SUCH_THING = (
    "mcp_",
    "response.mcp_",
    "input_audio_buffer.timeout_triggered",
    "transcription_session.created",
)
"""What the SDK's beta types do not know; such events look as in GA."""
PART: dict[str, Any] = {"event_id": "e", "response_id": "r", "output_index": 0, "item_id": "i2", "content_index": 0}


def beta(event: ev.ServerEvent) -> dict[str, Any] | None:
    frame = encode(event, Dialect.BETA)
    return None if frame is None else json.loads(frame)


def flat(config: SessionConfig) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(
        msgspec.json.encode(flat_session(session_object(config, session_id="sess_1", expires_at=7)))
    )
    return read


def valid_for_the_sdk(event: ev.ServerEvent) -> bool:
    """The SDK's closed lists name no MCP items, no sessions of transcription without a secret and no named choice."""
    sent = json.dumps(beta(event))
    return "mcp" not in sent and '"tool_choice": {' not in sent and "transcription_session" not in sent


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_official_beta_validator_takes_it(event: ev.ServerEvent) -> None:
    sent = beta(event)
    if sent is None:
        assert isinstance(event, ev.ConversationItemDone)
        return
    assert "output_text" not in json.dumps(sent)
    assert "output_audio." not in json.dumps(sent)
    if sent["type"].startswith(BETA_HAS_NO_SUCH_THING) or not valid_for_the_sdk(event):
        return
    if "session" in sent:
        sent["session"]["model"] = "gpt-4o-realtime-preview"  # the SDK lists the vendor's models
    read = VALIDATOR.validate_python(sent)
    assert read.type == sent["type"]


def test_most_events_were_really_validated() -> None:
    passed = {
        type(event)
        for event in EVENTS
        if (sent := beta(event)) and not sent["type"].startswith(BETA_HAS_NO_SUCH_THING) and valid_for_the_sdk(event)
    }
    assert len(passed) == len(get_args(ev.ServerEvent)) - 10


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (ev.OutputTextDelta(**PART, delta="a"), "response.text.delta"),
        (ev.OutputTextDone(**PART, text="a"), "response.text.done"),
        (ev.OutputAudioTranscriptDelta(**PART, delta="a"), "response.audio_transcript.delta"),
        (ev.OutputAudioTranscriptDone(**PART, transcript="a"), "response.audio_transcript.done"),
        (ev.OutputAudioDelta(**PART, delta=b"ab"), "response.audio.delta"),
        (ev.OutputAudioDone(**PART), "response.audio.done"),
        (ev.ConversationItemAdded(event_id="e", previous_item_id=None, item=USER), "conversation.item.created"),
        (ev.ConversationItemDone(event_id="e", previous_item_id=None, item=USER), None),
    ],
)
def test_names(event: ev.ServerEvent, name: str | None) -> None:
    sent = beta(event)
    assert (sent and sent["type"]) == name


def test_a_renamed_event_is_otherwise_the_same() -> None:
    event = ev.OutputAudioDelta(**{**PART, "item_id": '"response.output_audio.delta"'}, delta=b"ab")
    assert {**(beta(event) or {}), "type": ""} == {**json.loads(msgspec.json.encode(event)), "type": ""}


def test_the_session_is_flat() -> None:
    assert flat(PLAIN) == {
        "id": "sess_1",
        "object": "realtime.session",
        "expires_at": 7,
        "model": PLAIN.model,
        "modalities": ["text", "audio"],
        "instructions": PLAIN.instructions,
        "voice": "alloy",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": json.loads(msgspec.json.encode(PLAIN.audio.input.turn_detection)),
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "speed": 1.0,
        "tracing": None,
        "include": None,
    }
    full = flat(FULL)
    assert full["input_audio_format"] == "g711_alaw"
    assert full["input_audio_transcription"]["model"] == "whisper-1"
    assert full["turn_detection"]["type"] == "semantic_vad"
    assert full["max_response_output_tokens"] == 100
    warm = msgspec.structs.replace(PLAIN, temperature=0.6, output_modalities=("text",))
    assert (flat(warm)["temperature"], flat(warm)["modalities"]) == (0.6, ["text"])


@pytest.mark.parametrize(
    ("made", "name"),
    [(ev.SessionCreated, "transcription_session.created"), (ev.SessionUpdated, "transcription_session.updated")],
)
def test_a_transcription_session_has_its_own_events(made: Any, name: str) -> None:
    config = msgspec.structs.replace(FULL, type="transcription")
    sent = beta(made(event_id="e", session=session_object(config, session_id="s", expires_at=1)))
    assert sent is not None
    assert sent["type"] == name
    assert sent["session"]["object"] == "realtime.transcription_session"
    assert sent["session"]["input_audio_transcription"]["model"] == "whisper-1"
    assert sent["session"]["turn_detection"] == {"type": "semantic_vad", "eagerness": SemanticVad().eagerness}
    assert "voice" not in sent["session"]


def test_the_response_is_flat() -> None:
    sent = beta(ev.ResponseDone(event_id="e", response=response(status="completed", output=(ASSISTANT, WRITTEN, CALL))))
    assert sent is not None
    flat = sent["response"]
    assert not {"audio", "output_modalities"} & set(flat)
    assert (flat["modalities"], flat["voice"], flat["output_audio_format"]) == (["text", "audio"], "alloy", "pcm16")
    assert [item["type"] for item in flat["output"]] == ["message", "message", "function_call"]
    assert [item["content"][0]["type"] for item in flat["output"][:2]] == ["audio", "text"]


@pytest.mark.parametrize(("item", "part"), [(ASSISTANT, "audio"), (WRITTEN, "text"), (USER, "input_audio")])
def test_parts_have_their_old_names(item: ConversationItem, part: str) -> None:
    for event in (
        ev.ConversationItemAdded(event_id="e", previous_item_id=None, item=item),
        ev.ConversationItemRetrieved(event_id="e", item=item),
        ev.OutputItemAdded(event_id="e", response_id="r", output_index=0, item=item),
        ev.OutputItemDone(event_id="e", response_id="r", output_index=0, item=item),
        ev.ConversationItemTruncated(event_id="e", item_id="i", content_index=0, audio_end_ms=1, item=item),
    ):
        sent = beta(event)
        assert sent is not None
        assert sent["item"]["content"][0]["type"] == part
