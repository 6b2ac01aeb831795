"""A scripted reply as the events of a streamed chat completion, in any of the dialects servers speak. Pure.

Neighbours: `steps` (the script), `stub_openai` (sends the events).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from parley.engines.base import EngineError
from parley.protocol.realtime.generation import Done, EngineUsage, TextDelta
from parley.testing.steps import Call, Hang, Reply, Wait
from parley.testing.stub_behaviour import Behaviour

__all__ = ["chat_events"]

_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def chat_events(reply: Reply, asked: dict[str, Any], behaviour: Behaviour) -> Iterator[bytes | Wait | Hang]:
    """Write a script as JSON events; `Wait` and `Hang` stay what they are."""
    texts = sum(isinstance(step, TextDelta) for step in reply)
    usage = next((step for step in reply if isinstance(step, EngineUsage)), EngineUsage(11, 0, texts))
    finish, calls = "stop", 0
    model = asked.get("model")
    yield _chunk(model, {"role": "assistant", "content": ""})
    if behaviour.reasoning:
        yield _chunk(model, {"content": f"<think>{behaviour.reasoning}"})
        yield _chunk(model, {"content": "</think>\n\n"})
    for step in reply:
        match step:
            case TextDelta(text=text):
                yield _chunk(model, {"content": text})
            case Call():
                for delta in _call_deltas(step, calls, behaviour):
                    yield _chunk(model, {"tool_calls": [delta]})
                calls, finish = calls + 1, "tool_calls"
            case Done(reason=reason):
                finish = _REASONS.get(reason, finish)
            case EngineError():
                yield json.dumps({"error": {"message": step.message, "code": step.code}}).encode()
                return
            case Wait() | Hang():
                yield step
    finish = finish if behaviour.finish_reason is None else behaviour.finish_reason
    if finish:
        yield _chunk(model, {}, finish)
    if behaviour.usage and (asked.get("stream_options") or {}).get("include_usage"):
        yield _usage_event(usage)


def _chunk(model: Any, delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {"id": "chatcmpl-stub", "object": "chat.completion.chunk", "created": 0, "model": model}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({**body, "choices": [choice]}, ensure_ascii=False).encode()


def _usage_event(usage: EngineUsage) -> bytes:
    counts = {
        "prompt_tokens": usage.input_text_tokens,
        "completion_tokens": usage.output_text_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_text_tokens},
    }
    return json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": counts}).encode()


def _call_deltas(call: Call, index: int, behaviour: Behaviour) -> Iterator[dict[str, Any]]:
    call_id = call.call_id or f"call_stub_{index}"
    arguments: list[Any] = [call.arguments]
    if behaviour.tool_arguments == "object":
        arguments = [json.loads(call.arguments)]
    elif behaviour.tool_arguments == "pieces":
        size = max(1, -(-len(call.arguments) // max(call.pieces, 1)))
        arguments = ["", *(call.arguments[at : at + size] for at in range(0, len(call.arguments), size))]
    for number, piece in enumerate(arguments):
        delta: dict[str, Any] = {"function": {"arguments": piece}}
        if number == 0:
            delta["function"]["name"] = call.name
            delta["type"] = "function"
        if behaviour.tool_ids == "every" or (behaviour.tool_ids == "first" and number == 0):
            delta["id"] = call_id
        if behaviour.tool_index:
            delta["index"] = index
        yield delta
