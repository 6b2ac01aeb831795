"""The many spellings of a request's objects, brought into the one GA form: sessions, responses, items.

Takes decoded JSON, gives typed values or raises `Refused`. Neighbours: `requests` (frames), `request_faults` (words).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET

from parley.protocol.realtime.client_events import ResponseParams
from parley.protocol.realtime.request_faults import convert, is_list, is_object, refused, spelled_as_written
from parley.protocol.realtime.session_config import SessionPatch, VoiceName

__all__ = ["normal_item", "response_params", "session_patch"]

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

_SESSION_PATHS = {
    **{beta: f"audio.input.{name}" for beta, name in _BETA_TO_INPUT.items()},
    **{beta: f"audio.output.{name}" for beta, name in _BETA_TO_OUTPUT.items()},
    "max_response_output_tokens": "max_output_tokens",
    "modalities": "output_modalities",
}
"""Beta's flat keys, and where their values stand in GA's form."""

_LOGPROBS = "item.input_audio_transcription.logprobs"
_TRACING = (UNSET, None, "auto")


def session_patch(session: dict[str, Any], prefix: str) -> SessionPatch:
    """Parse a raw session object into its GA form. Beta's flat keys are honoured where GA's are absent."""
    with spelled_as_written(_SESSION_PATHS, session, prefix):
        return _session_patch(session, prefix)


def _session_patch(session: dict[str, Any], prefix: str) -> SessionPatch:
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
    patch: SessionPatch = convert(flat, SessionPatch, prefix)
    _check_ranges(patch, prefix)
    return patch


def _object(value: Any, param: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not is_object(value):
        raise refused("invalid_type", param, f"Invalid type for '{param}': expected an object.")
    return dict(value)


def _normal_common(flat: dict[str, Any], prefix: str) -> None:
    """Bring the fields that session and response share into GA form, in place."""
    modalities = flat.get("output_modalities")
    if is_list(modalities) and "audio" in modalities and "text" in modalities:
        flat["output_modalities"] = ["audio"]
    if modalities == []:
        param = f"{prefix}.output_modalities"
        raise refused("invalid_value", param, f'\'{param}\' is ["audio"] or ["text"].')
    tools = flat.get("tools")
    if is_list(tools):
        flat["tools"] = [_unwrapped(tool) for tool in tools]
    if is_object(flat.get("tool_choice")):
        flat["tool_choice"] = _named_choice(_unwrapped(flat["tool_choice"]), f"{prefix}.tool_choice")


def _unwrapped(tool: Any) -> Any:
    """Accept chat-completions nesting: `{"type": "function", "function": {…}}`; a missing type is a function's.

    Null means absent: some clients write down every field they know.
    """
    if not is_object(tool):
        return tool
    inner = tool.get("function")
    given = {"type": "function", **inner} if is_object(inner) else {"type": "function", **tool}
    return {name: value for name, value in given.items() if value is not None}


_CHOSEN_BY = {"function": "name", "mcp": "server_label"}


def _named_choice(choice: dict[str, Any], prefix: str) -> dict[str, Any]:
    needed = _CHOSEN_BY.get(str(choice.get("type")))
    if needed is not None and not choice.get(needed):
        param = f"{prefix}.{needed}"
        raise refused("missing_required_parameter", param, f"Missing required parameter: '{param}'.")
    return choice


def _normal_input(inputs: dict[str, Any], prefix: str) -> None:
    _normal_format(inputs, prefix)
    if "turn_detection" in inputs:
        inputs["turn_detection"] = _normal_turn_detection(inputs["turn_detection"])
    reduction = inputs.get("noise_reduction")
    if is_object(reduction):
        inputs["noise_reduction"] = {name: value for name, value in reduction.items() if value is not None}
    transcription = inputs.get("transcription")
    if is_object(transcription):
        inputs["transcription"] = _normal_transcription(transcription)


_NEWER = ("languages", "keywords", "delay")


def _normal_transcription(transcription: dict[str, Any]) -> dict[str, Any]:
    """Read the lists of newer models: the first of `languages`, and `keywords` as the prompt."""
    normal = {name: value for name, value in transcription.items() if value is not None or name not in _NEWER}
    languages, keywords = normal.get("languages"), normal.get("keywords")
    if not normal.get("language") and is_list(languages) and languages:
        normal["language"] = languages[0]
    if not normal.get("prompt") and is_list(keywords) and keywords:
        normal["prompt"] = ", ".join(map(str, keywords))
    return normal


def _normal_turn_detection(value: Any) -> Any:
    if value is False:
        return None
    if not is_object(value):
        return value
    if value.get("type") == "none":
        return None
    given = {name: member for name, member in value.items() if member is not None or name == "idle_timeout_ms"}
    given.setdefault("type", "semantic_vad" if "eagerness" in given else "server_vad")
    for name in ("prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"):
        value = given.get(name)
        if isinstance(value, float):
            given[name] = round(value)
    return given


def _normal_output(output: dict[str, Any], prefix: str) -> None:
    _normal_format(output, prefix)
    voice = output.get("voice")
    if is_object(voice):
        if not isinstance(voice.get("id"), str):
            param = f"{prefix}.voice.id"
            raise refused("missing_required_parameter", param, f"'{param}' is the name of a voice.")
        output["voice"] = voice["id"]
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
    name = value.get("type") if is_object(value) else value
    if not isinstance(name, str) or name not in _FORMATS:
        known = "'audio/pcm', 'audio/pcmu', 'audio/pcma'"
        raise refused("invalid_value", f"{param}.type" if is_object(value) else param, f"'{param}' is {known}.")
    rate = value.get("rate") if is_object(value) else None
    if name == "audio/pcm" and rate not in _PCM_RATES:
        raise refused("invalid_value", f"{param}.rate", f"'{param}.rate' is 24000: resample before sending.")
    half["format"] = _FORMATS[name]


def _check_ranges(patch: SessionPatch, prefix: str) -> None:
    tokens = patch.max_output_tokens
    if isinstance(tokens, int) and not 1 <= tokens <= 4096:
        param = f"{prefix}.max_output_tokens"
        raise refused("invalid_value", param, f"'{param}' is 1 to 4096, or \"inf\".")
    for index, name in enumerate(patch.include or ()):
        if name != _LOGPROBS:
            param = f"{prefix}.include[{index}]"
            raise refused("invalid_value", param, f"'{param}' can only be '{_LOGPROBS}'.")
    if not (patch.tracing in _TRACING or is_object(patch.tracing)):
        param = f"{prefix}.tracing"
        raise refused("invalid_type", param, f"'{param}' is \"auto\", an object or null.")


# --- responses and items ----------------------------------------------------------------------------------------------


_RESPONSE_PATHS = {
    "voice": "audio.output.voice",
    "output_audio_format": "audio.output.format",
    "max_response_output_tokens": "max_output_tokens",
    "modalities": "output_modalities",
}


def response_params(response: dict[str, Any]) -> ResponseParams:
    """Parse the `response` of a `response.create`. Beta's flat fields are honoured where GA's are absent."""
    with spelled_as_written(_RESPONSE_PATHS, response, "response"):
        return _response_params(response)


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
        flat["voice"] = convert(output["voice"], VoiceName, "response.audio.output.voice")
    if "format" in output:
        flat["output_format"] = output["format"]
    given = flat.get("input")
    if is_list(given):
        flat["input"] = [normal_item(item, f"response.input[{index}]") for index, item in enumerate(given)]
    params: ResponseParams = convert(flat, ResponseParams, "response")
    tokens = params.max_output_tokens
    if isinstance(tokens, int) and not 1 <= tokens <= 4096:
        raise refused(
            "invalid_value", "response.max_output_tokens", "'response.max_output_tokens' is 1 to 4096, or \"inf\"."
        )
    _check_metadata(params.metadata)
    return params


def _check_metadata(metadata: dict[str, str] | None) -> None:
    if metadata is None:
        return
    if len(metadata) > 16:
        raise refused("invalid_value", "response.metadata", "'response.metadata' holds at most 16 pairs.")
    for key, value in metadata.items():
        if len(key) > 64 or len(value) > 512:
            raise refused(
                "invalid_value", "response.metadata", "'response.metadata' keys have at most 64 characters, values 512."
            )


_IMAGE = re.compile(r"data:image/(?:png|jpe?g|webp|gif);base64,", re.IGNORECASE)
_ITEM_TYPES = ("message", "function_call", "function_call_output", "mcp_approval_response")
_TEXT_PART = {"user": "input_text", "system": "input_text", "assistant": "output_text"}
_AUDIO_PART = {"user": "input_audio", "system": "input_audio", "assistant": "output_audio"}


def normal_item(value: Any, param: str) -> Any:
    """Give an item its GA spelling: id, role, part types."""
    if not is_object(value):
        return value
    item = dict(value)
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = item["type"] = "message"
    if kind == "item_reference":
        return item
    if kind is None:
        raise refused("missing_required_parameter", f"{param}.type", f"Missing required parameter: '{param}.type'.")
    if kind not in _ITEM_TYPES:
        raise refused(
            "invalid_value",
            f"{param}.type",
            f"Invalid value for '{param}.type'. Supported values are: " + ", ".join(map(repr, _ITEM_TYPES)) + ".",
        )
    item["id"] = item.get("id") or ""
    item["status"] = "completed" if item.get("status") != "incomplete" else "incomplete"
    item.pop("object", None)
    item.pop("parley_server_side", None)
    if kind == "message":
        _normal_message(item, param)
    elif kind == "mcp_approval_response":
        del item["status"]
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
    if not is_list(content):
        raise refused(
            "missing_required_parameter", f"{param}.content", f"'{param}.content' is a list of content parts."
        )
    parts: list[dict[str, Any]] = []
    for index, part in enumerate(content):
        if not is_object(part):
            raise refused("invalid_type", f"{param}.content[{index}]", "A content part is an object with a `type`.")
        parts.append(_normal_part(part, str(role), f"{param}.content[{index}]"))
    item["content"] = parts


# Tuples, since what a client sends may be anything, and not everything can be looked up in a set.
_TEXT_KINDS = ("text", "input_text", "output_text")
_AUDIO_KINDS = ("audio", "input_audio", "output_audio")
_PCM_RATES = (None, 24_000)


def _normal_part(part: dict[str, Any], role: str, param: str) -> dict[str, Any]:
    """Spell a part the way its role does: assistants put out, everybody else puts in."""
    kind = part.get("type")
    if kind in _TEXT_KINDS:
        kind = _TEXT_PART.get(role, "input_text")
    elif kind in _AUDIO_KINDS:
        kind = _AUDIO_PART.get(role, "input_audio")
    elif kind != "input_image":
        raise refused(
            "invalid_value",
            f"{param}.type",
            f"Invalid value for '{param}.type'. Supported values are: 'input_text', 'input_audio', 'input_image', "
            "'output_text', 'output_audio'.",
        )
    if kind == "input_image" and not _IMAGE.match(str(part.get("image_url", ""))[:64]):
        words = f"'{param}.image_url' is a data URI of a PNG, JPEG, WebP or GIF: data:image/png;base64,…"
        raise refused("invalid_value", f"{param}.image_url", words)
    kept = {name: value for name, value in part.items() if value is not None}
    return {**kept, "type": kind}
