"""From a client's frame to a `ClientEvent`, or to the `ClientFault` that tells the client what to mend.

Liberal in what it takes: beta's flat session fields and `transcription_session.update`, `text` and `audio` parts,
`turn_detection: false`, a voice as an object, tools in chat-completions form, unknown keys. Strict in what it gives:
one GA form, every value in range.
Neighbours: `request_shapes` (spellings), `request_faults` (words), `client_events` (results).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from parley.protocol.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import Item, McpApprovalResponseItem
from parley.protocol.realtime.request_faults import Refused, convert, is_object, validation_fault
from parley.protocol.realtime.request_shapes import normal_item, response_params, session_patch
from parley.protocol.realtime.session_config import SessionPatch

__all__ = ["BETA_TYPES", "MAX_APPEND_BYTES", "SUPPORTED_TYPES", "decode_client_event", "parse_session_patch"]

MAX_APPEND_BYTES = 15 * 1024 * 1024
"""Decoded audio one append may carry (Realtime API, input_audio_buffer.append)."""


MAX_EVENT_ID_CHARS = 512


class _RawSessionUpdate(msgspec.Struct, tag_field="type", tag="session.update"):
    session: dict[str, Any]
    event_id: str | None = None


class _RawTranscriptionUpdate(msgspec.Struct, tag_field="type", tag="transcription_session.update"):
    session: dict[str, Any]
    event_id: str | None = None


class _RawItemCreate(msgspec.Struct, tag_field="type", tag="conversation.item.create"):
    item: dict[str, Any]
    previous_item_id: str | None = None
    event_id: str | None = None


class _RawTruncate(msgspec.Struct, tag_field="type", tag="conversation.item.truncate"):
    item_id: str
    audio_end_ms: Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
    content_index: int = 0
    event_id: str | None = None


class _RawResponseCreate(msgspec.Struct, tag_field="type", tag="response.create"):
    response: dict[str, Any] | None = None
    event_id: str | None = None


_Plain = (
    InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemRetrieve
    | ConversationItemDelete
    | ResponseCancel
)
_Raw = _RawSessionUpdate | _RawTranscriptionUpdate | _RawItemCreate | _RawTruncate | _RawResponseCreate
_decoder: msgspec.json.Decoder[_Plain | _Raw] = msgspec.json.Decoder(_Plain | _Raw)

SUPPORTED_TYPES = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "output_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.delete",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
)
"""GA's events."""

BETA_TYPES = ("transcription_session.update",)
"""Beta's, beyond those that GA kept."""


def decode_client_event(frame: str | bytes) -> ClientEvent | ClientFault:
    """Decode one JSON frame. Never raises: whatever is wrong with the frame comes back as a `ClientFault`."""
    try:
        raw = _decoder.decode(frame)
    except msgspec.ValidationError as error:
        return _frame_fault(frame, error)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ClientFault(
            code="invalid_json", message="The frame is not valid JSON. Send one JSON object per text frame."
        )
    if raw.event_id is not None and len(raw.event_id) > MAX_EVENT_ID_CHARS:
        return _long_id(raw.event_id)
    try:
        return _finished(raw)
    except Refused as refusal:
        return msgspec.structs.replace(refusal.fault, event_id=raw.event_id)


def parse_session_patch(session: dict[str, Any], *, prefix: str = "session") -> SessionPatch | ClientFault:
    """Parse a raw session object, GA or beta, as `session.update` and `client_secrets` carry it."""
    try:
        return session_patch(session, prefix)
    except Refused as refusal:
        return refusal.fault


def _finished(raw: _Plain | _Raw) -> ClientEvent:
    match raw:
        case _RawSessionUpdate():
            return SessionUpdate(event_id=raw.event_id, session=session_patch(raw.session, "session"))
        case _RawTranscriptionUpdate():
            session = {**raw.session, "type": "transcription"}
            return SessionUpdate(event_id=raw.event_id, session=session_patch(session, "session"))
        case _RawItemCreate():
            return ConversationItemCreate(
                event_id=raw.event_id,
                item=convert(normal_item(raw.item, "item"), Item | McpApprovalResponseItem, "item"),
                previous_item_id=raw.previous_item_id,
            )
        case _RawTruncate():
            return ConversationItemTruncate(
                event_id=raw.event_id,
                item_id=raw.item_id,
                content_index=raw.content_index,
                audio_end_ms=round(raw.audio_end_ms),
            )
        case _RawResponseCreate():
            return ResponseCreate(event_id=raw.event_id, response=response_params(raw.response or {}))
        case InputAudioBufferAppend():
            if len(raw.audio) > MAX_APPEND_BYTES:
                raise Refused(
                    ClientFault(
                        code="invalid_value",
                        param="audio",
                        message=f"One append carries at most 15 MiB of audio, this one has {len(raw.audio)} bytes. "
                        "Send it in smaller pieces.",
                    )
                )
            return raw
        case _:
            return raw


def _long_id(event_id: str) -> ClientFault:
    words = f"An event_id has at most {MAX_EVENT_ID_CHARS} characters, this one has {len(event_id)}."
    return ClientFault(code="invalid_value", param="event_id", message=words)


def _frame_fault(frame: str | bytes, error: msgspec.ValidationError) -> ClientFault:
    """Say what is wrong with a frame that is JSON but no event."""
    try:
        value = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ClientFault(
            code="invalid_json", message="The frame is not valid JSON. Send one JSON object per text frame."
        )
    if not is_object(value):
        return ClientFault(code="invalid_event", message="An event is a JSON object with a `type`.")
    event_id = value.get("event_id")
    if event_id is not None and not isinstance(event_id, str):
        return ClientFault(code="invalid_type", param="event_id", message="`event_id` is a string.")
    if event_id is not None and len(event_id) > MAX_EVENT_ID_CHARS:
        return _long_id(event_id)
    kind = value.get("type")
    if not isinstance(kind, str):
        return ClientFault(code="invalid_event", param="type", event_id=event_id, message="The event has no `type`.")
    if kind not in (*SUPPORTED_TYPES, *BETA_TYPES):
        supported = ", ".join(f"'{name}'" for name in SUPPORTED_TYPES)
        shown = kind if len(kind) <= 64 else kind[:64] + "…"
        return ClientFault(
            code="invalid_value",
            param="type",
            event_id=event_id,
            message=f"Invalid value: '{shown}'. Supported values are: {supported}.",
        )
    return msgspec.structs.replace(validation_fault(error, ""), event_id=event_id)
