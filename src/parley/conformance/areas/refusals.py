"""Events with a bad field: every one is refused with its code, the path of the field and the event's id.

One row, one check. A refused event changes nothing and ends nothing: a fence proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import Check, expect, expect_equal

__all__ = ["CHECKS"]

MISSING = ("missing_required_parameter",)
TYPE = ("invalid_type", "invalid_value")
VALUE = ("invalid_value", "invalid_type")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event that must be refused. `code` lists what may be said, the vendor's own word first."""

    event: str
    name: str
    fields: dict[str, Any]
    code: tuple[str, ...]
    param: str | None


def _session(name: str, fields: dict[str, Any], code: tuple[str, ...], path: str) -> Refusal:
    return Refusal("session.update", name, {"session": {"type": "realtime", **fields}}, code, f"session.{path}")


def _input(name: str, fields: dict[str, Any], code: tuple[str, ...], path: str) -> Refusal:
    return _session(name, {"audio": {"input": fields}}, code, f"audio.input.{path}")


def _turns(name: str, fields: dict[str, Any], path: str, code: tuple[str, ...] = VALUE) -> Refusal:
    return _input(name, {"turn_detection": fields}, code, f"turn_detection.{path}")


def _output(name: str, fields: dict[str, Any], code: tuple[str, ...], path: str) -> Refusal:
    return _session(name, {"audio": {"output": fields}}, code, f"audio.output.{path}")


def _item(name: str, item: Any, code: tuple[str, ...], param: str) -> Refusal:
    return Refusal("conversation.item.create", name, {"item": item}, code, param)


def _part(name: str, part: Any, code: tuple[str, ...], path: str, role: str = "user") -> Refusal:
    item = {"type": "message", "role": role, "content": [part]}
    return _item(name, item, code, f"item.content[0]{path}")


def _response(name: str, fields: dict[str, Any], code: tuple[str, ...], path: str) -> Refusal:
    return Refusal("response.create", name, {"response": fields}, code, f"response.{path}")


_FUNCTION = {"type": "function", "name": "f"}
_TEXT_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
_PAIRS = {f"k{index}": "v" for index in range(17)}

ROWS: tuple[Refusal, ...] = (
    Refusal("session.update", "no-session", {}, MISSING, "session"),
    Refusal("session.update", "session-is-a-text", {"session": "x"}, TYPE, "session"),
    Refusal("session.update", "session-is-null", {"session": None}, (*TYPE, *MISSING), "session"),
    Refusal("session.update", "unknown-type", {"session": {"type": "chat"}}, VALUE, "session.type"),
    Refusal("session.update", "type-change", {"session": {"type": "transcription"}}, VALUE, "session.type"),
    _session("modalities-as-text", {"output_modalities": "audio"}, TYPE, "output_modalities"),
    _session("modalities-empty", {"output_modalities": []}, VALUE, "output_modalities"),
    _session("modality-unknown", {"output_modalities": ["video"]}, VALUE, "output_modalities[0]"),
    _session("instructions-number", {"instructions": 5}, TYPE, "instructions"),
    _session("tools-object", {"tools": {}}, TYPE, "tools"),
    _session("tool-text", {"tools": ["f"]}, TYPE, "tools[0]"),
    _session("tool-without-name", {"tools": [{"type": "function"}]}, MISSING, "tools[0].name"),
    _session("tool-type-unknown", {"tools": [{"type": "browser", "name": "x"}]}, VALUE, "tools[0].type"),
    _session("tool-parameters-text", {"tools": [{**_FUNCTION, "parameters": "x"}]}, TYPE, "tools[0].parameters"),
    _session("second-tool-bad", {"tools": [_FUNCTION, {"type": "function"}]}, MISSING, "tools[1].name"),
    _session("tool-name-empty", {"tools": [{"type": "function", "name": ""}]}, VALUE, "tools[0].name"),
    _session("tool-choice-without-name", {"tool_choice": {"type": "function"}}, MISSING, "tool_choice.name"),
    _session("tool-choice-unknown", {"tool_choice": "maybe"}, VALUE, "tool_choice"),
    _session("tool-choice-number", {"tool_choice": 3}, TYPE, "tool_choice"),
    _session("reasoning-effort-unknown", {"reasoning": {"effort": "huge"}}, VALUE, "reasoning.effort"),
    _session("tokens-zero", {"max_output_tokens": 0}, VALUE, "max_output_tokens"),
    _session("tokens-negative", {"max_output_tokens": -5}, VALUE, "max_output_tokens"),
    _session("tokens-too-many", {"max_output_tokens": 4097}, VALUE, "max_output_tokens"),
    _session("tokens-text", {"max_output_tokens": "many"}, VALUE, "max_output_tokens"),
    _session("truncation-unknown", {"truncation": "never"}, VALUE, "truncation"),
    _session(
        "retention-ratio-too-large",
        {"truncation": {"type": "retention_ratio", "retention_ratio": 2}},
        VALUE,
        "truncation.retention_ratio",
    ),
    _session("include-unknown", {"include": ["everything"]}, VALUE, "include[0]"),
    _session("include-text", {"include": "all"}, TYPE, "include"),
    _session("tracing-number", {"tracing": 5}, TYPE, "tracing"),
    _session("audio-list", {"audio": []}, TYPE, "audio"),
    _session("audio-input-text", {"audio": {"input": "x"}}, TYPE, "audio.input"),
    _output("voice-number", {"voice": 5}, TYPE, "voice"),
    _output("voice-without-id", {"voice": {}}, (*MISSING, *TYPE), "voice.id"),
    _output("speed-too-slow", {"speed": 0.2}, VALUE, "speed"),
    _output("speed-too-fast", {"speed": 1.6}, VALUE, "speed"),
    _output("speed-text", {"speed": "fast"}, TYPE, "speed"),
    _output("output-format-unknown", {"format": {"type": "audio/opus"}}, VALUE, "format.type"),
    _output("output-rate", {"format": {"type": "audio/pcm", "rate": 8_000}}, VALUE, "format.rate"),
    _input("input-format-unknown", {"format": {"type": "audio/mp3"}}, VALUE, "format.type"),
    _input("input-rate", {"format": {"type": "audio/pcm", "rate": 16_000}}, VALUE, "format.rate"),
    _input("input-rate-object", {"format": {"type": "audio/pcm", "rate": {}}}, VALUE, "format.rate"),
    _input("transcription-text", {"transcription": "whisper-1"}, TYPE, "transcription"),
    _input("transcription-model-number", {"transcription": {"model": 1}}, TYPE, "transcription.model"),
    _input(
        "transcription-delay-unknown", {"transcription": {"model": "m", "delay": "long"}}, VALUE, "transcription.delay"
    ),
    _input("noise-type-unknown", {"noise_reduction": {"type": "loud"}}, VALUE, "noise_reduction.type"),
    _input("turns-text", {"turn_detection": "server_vad"}, TYPE, "turn_detection"),
    _turns("turns-unknown", {"type": "telepathy"}, "type"),
    _turns("threshold-low", {"type": "server_vad", "threshold": -0.1}, "threshold"),
    _turns("threshold-high", {"type": "server_vad", "threshold": 1.1}, "threshold"),
    _turns("threshold-text", {"type": "server_vad", "threshold": "high"}, "threshold"),
    _turns("prefix-negative", {"type": "server_vad", "prefix_padding_ms": -1}, "prefix_padding_ms"),
    _turns("silence-negative", {"type": "server_vad", "silence_duration_ms": -1}, "silence_duration_ms"),
    _turns("silence-text", {"type": "server_vad", "silence_duration_ms": "long"}, "silence_duration_ms"),
    _turns("create-response-text", {"type": "server_vad", "create_response": "yes"}, "create_response"),
    _turns("interrupt-number", {"type": "server_vad", "interrupt_response": 1}, "interrupt_response"),
    _turns("idle-negative", {"type": "server_vad", "idle_timeout_ms": -1}, "idle_timeout_ms"),
    _turns("eagerness-unknown", {"type": "semantic_vad", "eagerness": "huge"}, "eagerness"),
    Refusal("input_audio_buffer.append", "no-audio", {}, MISSING, "audio"),
    Refusal("input_audio_buffer.append", "audio-number", {"audio": 5}, TYPE, "audio"),
    Refusal("input_audio_buffer.append", "audio-null", {"audio": None}, (*TYPE, *MISSING), "audio"),
    Refusal("input_audio_buffer.append", "not-base64", {"audio": "%%%"}, VALUE, "audio"),
    Refusal("input_audio_buffer.append", "base64-cut-off", {"audio": "AAAAA"}, VALUE, "audio"),
    Refusal("conversation.item.create", "no-item", {}, MISSING, "item"),
    _item("item-text", "x", TYPE, "item"),
    _item("no-type", {"role_": "user"}, MISSING, "item.type"),
    _item("type-unknown", {"type": "poem"}, VALUE, "item.type"),
    _item("no-role", {"type": "message", "content": []}, (*MISSING, *VALUE), "item.role"),
    _item("role-unknown", {"type": "message", "role": "boss", "content": []}, VALUE, "item.role"),
    _item("no-content", {"type": "message", "role": "user"}, MISSING, "item.content"),
    _item("content-number", {"type": "message", "role": "user", "content": 5}, (*TYPE, *MISSING), "item.content"),
    _item("id-number", {**_TEXT_ITEM, "id": 5}, TYPE, "item.id"),
    _part("part-text", "x", TYPE, ""),
    _part("part-type-unknown", {"type": "smell"}, VALUE, ".type"),
    _part("part-type-object", {"type": {"a": 1}, "text": "x"}, VALUE, ".type"),
    _part("part-without-type", {"text": "x"}, (*VALUE, *MISSING), ".type"),
    _part("text-missing", {"type": "input_text"}, MISSING, ".text"),
    _part("text-number", {"type": "input_text", "text": 5}, TYPE, ".text"),
    _part("image-by-http", {"type": "input_image", "image_url": "http://127.0.0.1/a.png"}, VALUE, ".image_url"),
    _part("image-missing", {"type": "input_image"}, (*MISSING, *VALUE), ".image_url"),
    _part("audio-not-base64", {"type": "input_audio", "audio": "%%"}, VALUE, ".audio"),
    _item("call-without-name", {"type": "function_call", "call_id": "c", "arguments": "{}"}, MISSING, "item.name"),
    _item("call-without-arguments", {"type": "function_call", "call_id": "c", "name": "f"}, MISSING, "item.arguments"),
    _item("output-without-call", {"type": "function_call_output", "output": "x"}, MISSING, "item.call_id"),
    Refusal(
        "conversation.item.create",
        "unknown-previous",
        {"item": _TEXT_ITEM, "previous_item_id": "item_unknown"},
        VALUE,
        "previous_item_id",
    ),
    Refusal("conversation.item.retrieve", "no-id", {}, MISSING, "item_id"),
    Refusal("conversation.item.retrieve", "id-number", {"item_id": 1}, TYPE, "item_id"),
    Refusal(
        "conversation.item.retrieve", "unknown", {"item_id": "nobody"}, ("item_retrieve_invalid_item_id",), "item_id"
    ),
    Refusal("conversation.item.delete", "no-id", {}, MISSING, "item_id"),
    Refusal("conversation.item.delete", "unknown", {"item_id": "nobody"}, ("item_delete_invalid_item_id",), "item_id"),
    Refusal("conversation.item.truncate", "no-id", {"content_index": 0, "audio_end_ms": 0}, MISSING, "item_id"),
    Refusal("conversation.item.truncate", "no-end", {"item_id": "x", "content_index": 0}, MISSING, "audio_end_ms"),
    Refusal(
        "conversation.item.truncate",
        "end-text",
        {"item_id": "x", "content_index": 0, "audio_end_ms": "1s"},
        TYPE,
        "audio_end_ms",
    ),
    Refusal(
        "conversation.item.truncate",
        "end-negative",
        {"item_id": "x", "content_index": 0, "audio_end_ms": -1},
        VALUE,
        "audio_end_ms",
    ),
    Refusal(
        "conversation.item.truncate",
        "unknown",
        {"item_id": "nobody", "content_index": 0, "audio_end_ms": 0},
        ("item_truncate_invalid_item_id",),
        "item_id",
    ),
    Refusal("response.create", "response-text", {"response": "x"}, TYPE, "response"),
    _response("conversation-unknown", {"conversation": "other"}, VALUE, "conversation"),
    _response("modality-unknown", {"output_modalities": ["video"]}, VALUE, "output_modalities[0]"),
    _response("instructions-number", {"instructions": 1}, TYPE, "instructions"),
    _response("tokens-zero", {"max_output_tokens": 0}, VALUE, "max_output_tokens"),
    _response("tokens-too-many", {"max_output_tokens": 5_000}, VALUE, "max_output_tokens"),
    _response("tool-without-name", {"tools": [{"type": "function"}]}, MISSING, "tools[0].name"),
    _response("tool-choice-unknown", {"tool_choice": "maybe"}, VALUE, "tool_choice"),
    _response("input-text", {"input": "x"}, TYPE, "input"),
    _response("input-item-bad", {"input": [{"type": "poem"}]}, VALUE, "input[0].type"),
    _response("voice-number", {"audio": {"output": {"voice": 5}}}, TYPE, "audio.output.voice"),
    Refusal("response.create", "metadata-value-number", {"response": {"metadata": {"k": 5}}}, TYPE, "*"),
    _response("metadata-text", {"metadata": "x"}, TYPE, "metadata"),
    _response("metadata-too-many", {"metadata": _PAIRS}, VALUE, "metadata"),
    _response("metadata-long-value", {"metadata": {"k": "v" * 513}}, VALUE, "metadata"),
    _response("metadata-long-key", {"metadata": {"k" * 65: "v"}}, VALUE, "metadata"),
    _response(
        "output-format-unknown", {"audio": {"output": {"format": {"type": "x"}}}}, VALUE, "audio.output.format.type"
    ),
    _response(
        "unknown-reference",
        {"input": [{"type": "item_reference", "id": "nobody"}], "output_modalities": ["text"]},
        ("invalid_value", "item_reference_invalid_item_id", "invalid_request_error"),
        "input[0].id",
    ),
    Refusal("response.cancel", "nothing-runs", {}, ("response_cancel_not_active",), None),
    Refusal("response.cancel", "unknown-response", {"response_id": "resp_x"}, ("response_cancel_not_active",), "*"),
    Refusal("response.cancel", "id-number", {"response_id": 1}, TYPE, "response_id"),
    Refusal("input_audio_buffer.commit", "empty", {}, ("input_audio_buffer_commit_empty",), "*"),
)


def _check(row: Refusal) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open() as peer:
            error = await peer.fault(await peer.send(row.event, **row.fields))
            code = error.get("code")
            expect(code in row.code, f"error.code is {code!r}, not {row.code[0]!r}: {error.get('message')}")
            expect_equal(error.get("type"), "invalid_request_error", "error.type")
            if row.param != "*":
                expect_equal(error.get("param"), row.param, "error.param")
            expect(error.get("message"), "the error has no message")
            await peer.quiet()

    where = f" at `{row.param}`" if row.param not in {None, "*"} else ""
    return Check(row.event, f"refuses-{row.name}", f"Refuse it with `{row.code[0]}`{where}, and change nothing.", work)


CHECKS = tuple(_check(row) for row in ROWS)
