"""Dialects: how the one neutral stream of server events is spelled for a connection.

The machine speaks GA. A connection's dialect projects each event into the bytes of a text frame; nothing else in the
server knows that there is more than one spelling. Requests need no dialect: `requests` takes either spelling from
everybody.

Beta (Realtime API before August 2025, switched off by the vendor in 2026) differs in four ways, all of them in the
table `_BETA`: names of events, a flat session, a flat response, and parts called `text` and `audio` inside items. An
item is announced once, by `conversation.item.created`, at the place where GA says `added`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, cast

import msgspec

from parley.protocol.realtime import server_events as ev
from parley.protocol.realtime.server_events import ServerEvent
from parley.protocol.realtime.session_config import SessionObject

__all__ = ["Dialect", "beta_name", "encode", "flat_session"]


class Dialect(Enum):
    """A spelling of the Realtime protocol."""

    GA = "ga"
    BETA = "beta"


_DEFAULT_TEMPERATURE = 0.8
"""What beta sessions echo where nobody set one."""

_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_PARTS = {"output_text": "text", "output_audio": "audio"}

_encoder = msgspec.json.Encoder()

_Json = dict[str, Any]
_Spelling = str | Callable[[_Json], None] | None
"""An event's other name, or what rewrites its decoded form in place, or None: the dialect has no such event."""


def encode(event: ServerEvent, dialect: Dialect) -> bytes | None:
    """Spell `event` as one UTF-8 JSON text frame; None if `dialect` has no such event."""
    match dialect:
        case Dialect.GA:
            return _encoder.encode(event)
        case Dialect.BETA:
            return _encode_beta(event)


def beta_name(event: type[ServerEvent]) -> str | None:
    """Give the name that beta has for `event`; None if it has no such event."""
    own_name = str(event.__struct_config__.tag)
    spelling = _BETA.get(event, own_name)
    return "conversation.item.created" if spelling is _item_added else own_name if callable(spelling) else spelling


def flat_session(session: SessionObject) -> dict[str, Any]:
    """Give the session object in beta's flat shape, as JSON values."""
    return _flat_session(cast("_Json", msgspec.to_builtins(session)))


def _encode_beta(event: ServerEvent) -> bytes | None:
    if type(event) not in _BETA:
        return _encoder.encode(event)
    spelling = _BETA[type(event)]
    if spelling is None:
        return None
    if isinstance(spelling, str):
        own_name = type(event).__struct_config__.tag
        return _encoder.encode(event).replace(f'"{own_name}"'.encode(), f'"{spelling}"'.encode(), 1)
    decoded: _Json = msgspec.to_builtins(event)
    spelling(decoded)
    return _encoder.encode(decoded)


# --- beta's shapes ----------------------------------------------------------------------------------------------------


def _session_event(event: _Json) -> None:
    if event["session"]["type"] == "transcription":
        event["type"] = "transcription_" + event["type"]
    event["session"] = _flat_session(event["session"])


def _flat_session(session: _Json) -> _Json:
    inputs = session["audio"]["input"]
    kind = session["type"]
    flat: _Json = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "modalities": _modalities(session.get("output_modalities", ["text"])),
        "input_audio_format": _FORMATS[inputs["format"]["type"]],
        "input_audio_transcription": inputs["transcription"],
        "input_audio_noise_reduction": inputs["noise_reduction"],
        "turn_detection": inputs["turn_detection"],
        "include": session["include"],
    }
    if kind == "transcription":
        return flat
    output = session["audio"]["output"]
    same = ("model", "instructions", "tools", "tool_choice", "tracing")
    return {
        **flat,
        **{name: session[name] for name in same},
        "voice": output["voice"],
        "output_audio_format": _FORMATS[output["format"]["type"]],
        "speed": output["speed"],
        "temperature": session.get("temperature", _DEFAULT_TEMPERATURE),
        "max_response_output_tokens": session["max_output_tokens"],
    }


def _response_event(event: _Json) -> None:
    response = event["response"]
    output = response.pop("audio")["output"]
    response["modalities"] = _modalities(response.pop("output_modalities"))
    response["voice"] = output["voice"]
    response["output_audio_format"] = _FORMATS[output["format"]["type"]]
    response.setdefault("temperature", _DEFAULT_TEMPERATURE)
    for item in response["output"]:
        _rename_parts(item)


def _modalities(modalities: list[str]) -> list[str]:
    return ["text", "audio"] if "audio" in modalities else ["text"]


def _item_event(event: _Json) -> None:
    if "item" in event:
        _rename_parts(event["item"])


def _item_added(event: _Json) -> None:
    event["type"] = "conversation.item.created"
    _rename_parts(event["item"])


def _rename_parts(item: _Json) -> None:
    for part in item.get("content", ()):
        part["type"] = _PARTS.get(part["type"], part["type"])


# DEVIATION: the vendor's beta sent rate_limits.updated just after response.created. Here it follows response.done, as
# in GA: what is left is known only then, and no client reads it for its place.
_BETA: Mapping[type[ServerEvent], _Spelling] = {
    ev.SessionCreated: _session_event,
    ev.SessionUpdated: _session_event,
    ev.ConversationItemAdded: _item_added,
    ev.ConversationItemDone: None,
    ev.ConversationItemRetrieved: _item_event,
    ev.ConversationItemTruncated: _item_event,
    ev.ResponseCreated: _response_event,
    ev.ResponseDone: _response_event,
    ev.OutputItemAdded: _item_event,
    ev.OutputItemDone: _item_event,
    ev.OutputTextDelta: "response.text.delta",
    ev.OutputTextDone: "response.text.done",
    ev.OutputAudioTranscriptDelta: "response.audio_transcript.delta",
    ev.OutputAudioTranscriptDone: "response.audio_transcript.done",
    ev.OutputAudioDelta: "response.audio.delta",
    ev.OutputAudioDone: "response.audio.done",
}
"""What beta spells in another way. Events that are not listed look the same."""
