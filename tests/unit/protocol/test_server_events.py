"""Every server event passes the official Python SDK's own validators, which are closed and strict."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from server_event_rows import EVENTS, FULL, PLAIN, USER, response

from parley.protocol.realtime import server_events as ev
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.dialects import encode as spell
from parley.protocol.realtime.session_config import session_object

VALIDATOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def encode(event: ev.ServerEvent, dialect: Dialect) -> bytes:
    frame = spell(event, dialect)
    assert frame is not None
    return frame


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
