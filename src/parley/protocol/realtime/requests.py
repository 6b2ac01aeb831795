"""From a client's frame to a `ClientEvent`, or to the `ClientFault` that tells the client what to mend.

Liberal in what it takes: beta's flat session fields, `text` and `audio` parts, `turn_detection: false`, a voice as an
object, tools in chat-completions form, unknown keys. Strict in what it gives: one GA form, every value in range.
Neighbours: `client_events` and `session_config` (the results), `session` (the only consumer).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET

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
    ResponseParams,
    SessionUpdate,
)
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import Item
from parley.protocol.realtime.session_config import SessionPatch

__all__ = ["MAX_APPEND_BYTES", "SUPPORTED_TYPES", "decode_client_event", "parse_session_patch"]

MAX_APPEND_BYTES = 15 * 1024 * 1024
"""Decoded audio one append may carry (Realtime API, input_audio_buffer.append)."""


class _RawSessionUpdate(msgspec.Struct, tag_field="type", tag="session.update"):
    session: dict[str, Any]
    event_id: str | None = None


class _RawItemCreate(msgspec.Struct, tag_field="type", tag="conversation.item.create"):
    item: dict[str, Any]
    previous_item_id: str | None = None
    event_id: str | None = None


class _RawTruncate(msgspec.Struct, tag_field="type", tag="conversation.item.truncate"):
    item_id: str
    audio_end_ms: int | float
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
_Raw = _RawSessionUpdate | _RawItemCreate | _RawTruncate | _RawResponseCreate
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
    try:
        return _finished(raw)
    except _Refused as refused:
        return msgspec.structs.replace(refused.fault, event_id=raw.event_id)


def parse_session_patch(session: dict[str, Any], *, prefix: str = "session") -> SessionPatch | ClientFault:
    """Parse a raw session object, GA or beta, as `session.update` and `client_secrets` carry it."""
    try:
        return _session_patch(session, prefix)
    except _Refused as refused:
        return refused.fault


class _Refused(Exception):  # noqa: N818 - control flow inside this module, never seen outside
    def __init__(self, fault: ClientFault) -> None:
        self.fault = fault


def _finished(raw: _Plain | _Raw) -> ClientEvent:
    match raw:
        case _RawSessionUpdate():
            return SessionUpdate(event_id=raw.event_id, session=_session_patch(raw.session, "session"))
        case _RawItemCreate():
            item: Item = _convert(_normal_item(raw.item, "item"), Item, "item")
            return ConversationItemCreate(event_id=raw.event_id, item=item, previous_item_id=raw.previous_item_id)
        case _RawTruncate():
            return ConversationItemTruncate(
                event_id=raw.event_id,
                item_id=raw.item_id,
                content_index=raw.content_index,
                audio_end_ms=round(raw.audio_end_ms),
            )
        case _RawResponseCreate():
            return ResponseCreate(event_id=raw.event_id, response=_response_params(raw.response or {}))
        case InputAudioBufferAppend():
            if len(raw.audio) > MAX_APPEND_BYTES:
                raise _Refused(
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


# --- faults -----------------------------------------------------------------------------------------------------------

_AT = re.compile(r" - at `(?:key in )?\$?(.*)`$")
_MISSING = re.compile(r"missing required field `(.+?)`")


def _frame_fault(frame: str | bytes, error: msgspec.ValidationError) -> ClientFault:
    """Say what is wrong with a frame that is JSON but no event."""
    try:
        value = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ClientFault(
            code="invalid_json", message="The frame is not valid JSON. Send one JSON object per text frame."
        )
    if not isinstance(value, dict):
        return ClientFault(code="invalid_event", message="An event is a JSON object with a `type`.")
    event_id = value.get("event_id")
    if event_id is not None and not isinstance(event_id, str):
        return ClientFault(code="invalid_type", param="event_id", message="`event_id` is a string.")
    kind = value.get("type")
    if not isinstance(kind, str):
        return ClientFault(code="invalid_event", param="type", event_id=event_id, message="The event has no `type`.")
    if kind not in SUPPORTED_TYPES:
        supported = ", ".join(f"'{name}'" for name in SUPPORTED_TYPES)
        shown = kind if len(kind) <= 64 else kind[:64] + "…"
        return ClientFault(
            code="invalid_value",
            param="type",
            event_id=event_id,
            message=f"Invalid value: '{shown}'. Supported values are: {supported}.",
        )
    return msgspec.structs.replace(_validation_fault(error, ""), event_id=event_id)


def _validation_fault(error: msgspec.ValidationError, prefix: str) -> ClientFault:
    text = str(error)
    at = _AT.search(text)
    path = at.group(1).lstrip(".") if at else ""
    reason = (text[: at.start()] if at else text).replace("`bytes`", "a base64 string")
    missing = _MISSING.search(reason)
    if missing:
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
    param = ".".join(part for part in (prefix, path) if part) or None
    if missing:
        code, message = "missing_required_parameter", f"Missing required parameter: '{param}'."
    elif reason.startswith("Expected") and ", got" in reason:
        code, message = "invalid_type", f"Invalid type for '{param}': {reason[0].lower()}{reason[1:]}."
    else:
        code, message = "invalid_value", f"Invalid value for '{param}': {reason[0].lower()}{reason[1:]}."
    return ClientFault(code=code, param=param, message=message)


def _convert(value: Any, kind: Any, prefix: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _Refused(_validation_fault(error, prefix)) from None


def _refuse(code: str, param: str, message: str) -> _Refused:
    return _Refused(ClientFault(code=code, param=param, message=message))


# --- session ----------------------------------------------------------------------------------------------------------

_BETA_TO_INPUT = {
    "input_audio_format": "format",
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_BETA_TO_OUTPUT = {"output_audio_format": "format", "voice": "voice", "speed": "speed"}
_CLEARED: dict[str, Any] = {
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "output_modalities": ["audio"],
    "truncation": "auto",
}
_FORMATS = {
    "pcm16": {"type": "audio/pcm"},
    "pcm": {"type": "audio/pcm"},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
    "audio/pcm": {"type": "audio/pcm"},
    "audio/pcmu": {"type": "audio/pcmu"},
    "audio/pcma": {"type": "audio/pcma"},
}


def _session_patch(session: dict[str, Any], prefix: str) -> SessionPatch:
    """Parse a raw session object into its GA form. Beta's flat keys are honoured where GA's are absent."""
    flat = dict(session)
    audio = _object(flat.pop("audio", None), f"{prefix}.audio")
    inputs = _object(audio.pop("input", None), f"{prefix}.audio.input")
    output = _object(audio.pop("output", None), f"{prefix}.audio.output")
    for beta, name in _BETA_TO_INPUT.items():
        if beta in flat:
            inputs.setdefault(name, flat.pop(beta))
    for beta, name in _BETA_TO_OUTPUT.items():
        if beta in flat:
            output.setdefault(name, flat.pop(beta))
    if "max_response_output_tokens" in flat:
        flat.setdefault("max_output_tokens", flat.pop("max_response_output_tokens"))
    if "modalities" in flat:
        flat.setdefault("output_modalities", flat.pop("modalities"))
    for name, cleared in _CLEARED.items():
        if name in flat and flat[name] is None:
            flat[name] = cleared
    for name in ("model", "type"):
        if flat.get(name, UNSET) is None:
            del flat[name]
    _normal_common(flat, prefix)
    _normal_input(inputs, f"{prefix}.audio.input")
    _normal_output(output, f"{prefix}.audio.output")
    if inputs or output:
        flat["audio"] = {"input": inputs, "output": output}
    patch: SessionPatch = _convert(flat, SessionPatch, prefix)
    _check_ranges(patch, prefix)
    return patch


def _object(value: Any, param: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refuse("invalid_type", param, f"Invalid type for '{param}': expected an object.")
    return dict(value)


def _normal_common(flat: dict[str, Any], prefix: str) -> None:
    """Bring the fields that session and response share into GA form, in place."""
    modalities = flat.get("output_modalities")
    if isinstance(modalities, list) and "audio" in modalities and "text" in modalities:
        flat["output_modalities"] = ["audio"]
    if modalities == []:
        param = f"{prefix}.output_modalities"
        raise _refuse("invalid_value", param, f'\'{param}\' is ["audio"] or ["text"].')
    tools = flat.get("tools")
    if isinstance(tools, list):
        flat["tools"] = [_unwrapped(tool) for tool in tools]
    if isinstance(flat.get("tool_choice"), dict):
        flat["tool_choice"] = _unwrapped(flat["tool_choice"])


def _unwrapped(tool: Any) -> Any:
    """Accept chat-completions nesting: `{"type": "function", "function": {…}}`; a missing type is a function's."""
    if not isinstance(tool, dict):
        return tool
    inner = tool.get("function")
    if isinstance(inner, dict):
        return {"type": "function", **inner}
    return tool if "type" in tool else {"type": "function", **tool}


def _normal_input(inputs: dict[str, Any], prefix: str) -> None:
    _normal_format(inputs, prefix)
    if "turn_detection" in inputs:
        inputs["turn_detection"] = _normal_turn_detection(inputs["turn_detection"])
    transcription = inputs.get("transcription")
    if isinstance(transcription, dict) and not transcription.get("language"):
        languages = transcription.get("languages")
        if isinstance(languages, list) and languages:
            inputs["transcription"] = {**transcription, "language": languages[0]}


def _normal_turn_detection(value: Any) -> Any:
    if value is False:
        return None
    if not isinstance(value, dict):
        return value
    if value.get("type") == "none":
        return None
    given = {name: member for name, member in value.items() if member is not None or name == "idle_timeout_ms"}
    given.setdefault("type", "semantic_vad" if "eagerness" in given else "server_vad")
    for name in ("prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"):
        if isinstance(given.get(name), float):
            given[name] = round(given[name])
    return given


def _normal_output(output: dict[str, Any], prefix: str) -> None:
    _normal_format(output, prefix)
    voice = output.get("voice")
    if isinstance(voice, dict):
        output["voice"] = voice.get("id")
    for name in ("voice", "speed"):
        if output.get(name, UNSET) is None:
            del output[name]


def _normal_format(half: dict[str, Any], prefix: str) -> None:
    if "format" not in half:
        return
    value = half["format"]
    if value is None:
        del half["format"]
        return
    param = f"{prefix}.format"
    name = value.get("type") if isinstance(value, dict) else value
    if not isinstance(name, str) or name not in _FORMATS:
        known = "'audio/pcm', 'audio/pcmu', 'audio/pcma'"
        raise _refuse("invalid_value", f"{param}.type" if isinstance(value, dict) else param, f"'{param}' is {known}.")
    rate = value.get("rate") if isinstance(value, dict) else None
    if name == "audio/pcm" and rate not in {None, 24_000}:
        raise _refuse("invalid_value", f"{param}.rate", f"'{param}.rate' is 24000: resample before sending.")
    half["format"] = _FORMATS[name]


def _check_ranges(patch: SessionPatch, prefix: str) -> None:
    tokens = patch.max_output_tokens
    if isinstance(tokens, int) and not 1 <= tokens <= 4096:
        param = f"{prefix}.max_output_tokens"
        raise _refuse("invalid_value", param, f"'{param}' is 1 to 4096, or \"inf\".")


# --- responses and items ----------------------------------------------------------------------------------------------


def _response_params(response: dict[str, Any]) -> ResponseParams:
    flat = {name: value for name, value in response.items() if value is not None or name == "metadata"}
    audio = _object(flat.pop("audio", None), "response.audio")
    output = _object(audio.pop("output", None), "response.audio.output")
    for beta, name in _BETA_TO_OUTPUT.items():
        if beta in flat:
            output.setdefault(name, flat.pop(beta))
    _normal_output(output, "response.audio.output")
    if "max_response_output_tokens" in flat:
        flat.setdefault("max_output_tokens", flat.pop("max_response_output_tokens"))
    if "modalities" in flat:
        flat.setdefault("output_modalities", flat.pop("modalities"))
    _normal_common(flat, "response")
    if "voice" in output:
        flat["voice"] = output["voice"]
    if "format" in output:
        flat["output_format"] = output["format"]
    if isinstance(flat.get("input"), list):
        flat["input"] = [_normal_item(item, f"response.input[{index}]") for index, item in enumerate(flat["input"])]
    params: ResponseParams = _convert(flat, ResponseParams, "response")
    tokens = params.max_output_tokens
    if isinstance(tokens, int) and not 1 <= tokens <= 4096:
        raise _refuse(
            "invalid_value", "response.max_output_tokens", "'response.max_output_tokens' is 1 to 4096, or \"inf\"."
        )
    _check_metadata(params.metadata)
    return params


def _check_metadata(metadata: dict[str, str] | None) -> None:
    if metadata is None:
        return
    if len(metadata) > 16:
        raise _refuse("invalid_value", "response.metadata", "'response.metadata' holds at most 16 pairs.")
    for key, value in metadata.items():
        if len(key) > 64 or len(value) > 512:
            raise _refuse(
                "invalid_value", "response.metadata", "'response.metadata' keys have at most 64 characters, values 512."
            )


_ITEM_TYPES = ("message", "function_call", "function_call_output")
_TEXT_PART = {"user": "input_text", "system": "input_text", "assistant": "output_text"}
_AUDIO_PART = {"user": "input_audio", "system": "input_audio", "assistant": "output_audio"}


def _normal_item(value: Any, param: str) -> Any:
    """Give an item its GA spelling: id, role, part types."""
    if not isinstance(value, dict):
        return value
    item = dict(value)
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = item["type"] = "message"
    if kind == "item_reference":
        return item
    if kind is None:
        raise _refuse("missing_required_parameter", f"{param}.type", f"Missing required parameter: '{param}.type'.")
    if kind not in _ITEM_TYPES:
        raise _refuse(
            "invalid_value",
            f"{param}.type",
            f"Invalid value for '{param}.type'. Supported values are: 'message', 'function_call', "
            "'function_call_output'.",
        )
    item["id"] = item.get("id") or ""
    item["status"] = "completed" if item.get("status") != "incomplete" else "incomplete"
    item.pop("object", None)
    if kind == "message":
        _normal_message(item, param)
    elif kind == "function_call_output":
        output = item.get("output")
        if output is None or not isinstance(output, str):
            item["output"] = "" if output is None else msgspec.json.encode(output).decode()
    else:
        item["call_id"] = item.get("call_id") or ""
    return item


def _normal_message(item: dict[str, Any], param: str) -> None:
    if item.get("role") == "developer":
        item["role"] = "system"
    role = item.get("role")
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise _refuse(
            "missing_required_parameter", f"{param}.content", f"'{param}.content' is a list of content parts."
        )
    parts = []
    for index, part in enumerate(content):
        if not isinstance(part, dict):
            raise _refuse("invalid_type", f"{param}.content[{index}]", "A content part is an object with a `type`.")
        parts.append(_normal_part(part, str(role), f"{param}.content[{index}]"))
    item["content"] = parts


def _normal_part(part: dict[str, Any], role: str, param: str) -> dict[str, Any]:
    """Spell a part the way its role does: assistants put out, everybody else puts in."""
    kind = part.get("type")
    if kind in {"text", "input_text", "output_text"}:
        kind = _TEXT_PART.get(role, "input_text")
    elif kind in {"audio", "input_audio", "output_audio"}:
        kind = _AUDIO_PART.get(role, "input_audio")
    elif kind != "input_image":
        raise _refuse(
            "invalid_value",
            f"{param}.type",
            f"Invalid value for '{param}.type'. Supported values are: 'input_text', 'input_audio', 'input_image', "
            "'output_text', 'output_audio'.",
        )
    if kind == "input_image" and not str(part.get("image_url", "")).startswith("data:image/"):
        raise _refuse("invalid_value", f"{param}.image_url", f"'{param}.image_url' is a data:image/… URI.")
    kept = {name: value for name, value in part.items() if value is not None}
    return {**kept, "type": kind}
