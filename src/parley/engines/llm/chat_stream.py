"""Read a streamed chat completion into chunks, whatever the server makes of the format. Pure.

Here: one answer's state. Not here: the connection (`openai_http`). Servers differ: an id or name in every delta, only
in the first, or nowhere; arguments in pieces, in one blob, or as an object; several calls interleaved by `index`, or
without one; `finish_reason` "stop" behind tool calls; thinking aloud inside the text; usage never, or more than once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from parley.engines.reasoning import ReasoningFilter
from parley.protocol.realtime.generation import Chunk, Done, EngineUsage, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import CallId

__all__ = ["ChatStream"]

_REASONS: dict[str, Literal["stop", "max_output_tokens", "content_filter"]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Call:
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    unsent: str = ""
    opened: bool = False

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class ChatStream:
    """Feed the stream's JSON objects in order, take chunks; then `end`.

    `fresh_call_id` names calls that the server did not; `estimate_input` is the token count to report if it counts
    none itself.
    """

    def __init__(self, *, fresh_call_id: Callable[[], str], estimate_input: int) -> None:
        self._fresh_call_id = fresh_call_id
        self._estimate_input = estimate_input
        self._reasoning = ReasoningFilter()
        self._calls: dict[int, _Call] = {}
        self._chars = 0
        self._finish: str | None = None
        self._usage: EngineUsage | None = None

    @property
    def finished(self) -> bool:
        """Whether the server said that the answer is complete."""
        return self._finish is not None

    def feed(self, event: Any) -> list[Chunk]:
        """Read one event. What is not understood is passed over."""
        if not isinstance(event, dict):
            return []
        self._read_usage(event.get("usage"))
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return []
        choice = choices[0]
        if choice.get("index") not in (0, None):
            return []
        delta = choice.get("delta") or choice.get("message") or {}
        chunks: list[Chunk] = []
        if isinstance(delta, dict):
            chunks += self._read_text(delta.get("content") or delta.get("refusal"))
            chunks += self._read_calls(delta.get("tool_calls"), delta.get("function_call"))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish = reason
        return chunks

    def end(self) -> list[Chunk]:
        """Close calls and text, then give usage and `Done`."""
        chunks: list[Chunk] = []
        rest = self._reasoning.flush()
        if rest:
            chunks.append(TextDelta(rest))
        for call in self._calls.values():
            if not call.name:
                continue
            if not call.arguments:
                call.pieces.append("{}")
                call.unsent += "{}"
            chunks += self._send(call)
            chunks.append(ToolCallDone(CallId(call.call_id), call.name, call.arguments))
        chunks.append(self._usage or self._estimated_usage())
        chunks.append(Done(_REASONS.get(self._finish or "", "stop")))
        return chunks

    def _read_text(self, content: Any) -> list[Chunk]:
        if isinstance(content, list):
            texts = (part.get("text") for part in content if isinstance(part, dict))
            content = "".join(text for text in texts if isinstance(text, str))
        if not isinstance(content, str) or not content:
            return []
        self._chars += len(content)
        text = self._reasoning.feed(content)
        return [TextDelta(text)] if text else []

    def _read_calls(self, deltas: Any, old_style: Any) -> list[Chunk]:
        if isinstance(old_style, dict):
            deltas = [{"index": 0, "function": old_style}]
        if not isinstance(deltas, list):
            return []
        chunks: list[Chunk] = []
        for delta in deltas:
            if isinstance(delta, dict):
                chunks += self._read_call(delta)
        return chunks

    def _read_call(self, delta: dict[str, Any]) -> list[Chunk]:
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        call = self._call_of(delta, function)
        name, call_id = function.get("name"), delta.get("id")
        if isinstance(name, str) and name and not call.opened and name != call.name:
            call.name += name
        if isinstance(call_id, str) and call_id and not call.call_id:
            call.call_id = call_id
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = json.dumps(arguments)
        if isinstance(arguments, str) and arguments:
            self._chars += len(arguments)
            call.pieces.append(arguments)
            call.unsent += arguments
        return self._send(call) if call.name and call.unsent else []

    def _call_of(self, delta: dict[str, Any], function: dict[str, Any]) -> _Call:
        """Find the call a delta belongs to: by index; without one, a new id or name opens the next."""
        index = delta.get("index")
        call_id = delta.get("id")
        if isinstance(index, int):
            call = self._calls.get(index)
            if call is not None and call_id and call.call_id and call_id != call.call_id and function.get("name"):
                index = max(self._calls) + 1
        else:
            last = max(self._calls, default=-1)
            known = next((at for at, call in self._calls.items() if call_id and call.call_id == call_id), None)
            opens = bool(function.get("name")) or last < 0
            index = known if known is not None else last + 1 if opens else last
        return self._calls.setdefault(index, _Call())

    def _send(self, call: _Call) -> list[Chunk]:
        if not call.call_id:
            call.call_id = self._fresh_call_id()
        call.opened = True
        piece, call.unsent = call.unsent, ""
        return [ToolCallDelta(CallId(call.call_id), call.name, piece)] if piece else []

    def _read_usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        details = usage.get("prompt_tokens_details")
        counts = (
            usage.get("prompt_tokens"),
            details.get("cached_tokens") if isinstance(details, dict) else 0,
            usage.get("completion_tokens"),
        )
        prompt, cached, completion = (count if isinstance(count, int) else 0 for count in counts)
        if prompt or completion:
            self._usage = EngineUsage(prompt, cached, completion)

    def _estimated_usage(self) -> EngineUsage:
        return EngineUsage(self._estimate_input, 0, -(-self._chars // 4), estimated=True)
