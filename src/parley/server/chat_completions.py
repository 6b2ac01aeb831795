"""Chat completions in and out: a request to a `GenerationContext`, chunks to answers. Pure translation.

Source: Chat Completions API. What cannot be honoured is refused by name, never silently dropped: several choices,
forced JSON, stop sequences. Neighbours: `routes_chat` (HTTP), `parley.engines.base.ChatModel` (computes).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from parley.protocol.realtime.generation import (
    Chunk,
    Done,
    EngineUsage,
    GenerationContext,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImagePart,
    InputTextPart,
    Item,
    MessageItem,
    OutputTextPart,
)
from parley.protocol.realtime.tools import FunctionTool, NamedToolChoice, ToolChoice
from parley.server.problems import Problem, validation_problem

__all__ = ["Answer", "ChatRequest", "context_of"]


class ChatRequest(msgspec.Struct, frozen=True):
    """A chat-completions request; unknown fields are ignored. `model` is an alias."""

    messages: list[dict[str, Any]]
    model: str = ""
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None
    stop: Any = None


def context_of(request: ChatRequest, *, response_id: str) -> GenerationContext:
    """Make the context of one answer. Raises `Problem` with the field at fault."""
    _refuse_unsupported(request)
    items: list[Item] = []
    for index, message in enumerate(request.messages):
        items += _items(message, f"messages[{index}]", len(items))
    if not items:
        raise Problem(400, "'messages' is empty. Send at least one.", code="invalid_value", param="messages")
    limit = request.max_completion_tokens or request.max_tokens
    if limit is not None and limit < 1:
        raise Problem(
            400, "'max_completion_tokens' is at least 1.", code="invalid_value", param="max_completion_tokens"
        )
    return GenerationContext(
        response_id=ResponseId(response_id),
        instructions="",
        items=tuple(items),
        tools=tuple(_tool(tool, index) for index, tool in enumerate(request.tools or ())),
        tool_choice=_tool_choice(request.tool_choice),
        output_modality="text",
        voice="",
        speed=1.0,
        max_output_tokens=limit,
        temperature=request.temperature,
    )


def _refuse_unsupported(request: ChatRequest) -> None:
    kind = (request.response_format or {}).get("type", "text")
    unsupported = {
        "n": request.n not in {None, 1},
        "response_format": kind != "text",
        "stop": bool(request.stop),
    }
    for param, refused in unsupported.items():
        if refused:
            words = f"'{param}' is not supported here. Leave it out."
            raise Problem(400, words, code="unsupported_parameter", param=param)


def _items(message: dict[str, Any], param: str, position: int) -> list[Item]:
    role = message.get("role")
    item_id = f"item_{position:06d}"
    if role in {"system", "developer"}:
        return [MessageItem(item_id, "system", (InputTextPart(_text(message, param)),))]
    if role == "user":
        return [MessageItem(item_id, "user", _user_parts(message, param))]
    if role == "tool":
        call_id = str(message.get("tool_call_id") or "")
        return [FunctionCallOutputItem(item_id, call_id, _text(message, param))]
    if role == "assistant":
        return _assistant_items(message, param, position)
    words = f"'{param}.role' is system, user, assistant or tool."
    raise Problem(400, words, code="invalid_value", param=f"{param}.role")


def _assistant_items(message: dict[str, Any], param: str, position: int) -> list[Item]:
    items: list[Item] = []
    if message.get("content"):
        items.append(MessageItem(f"item_{position:06d}", "assistant", (OutputTextPart(_text(message, param)),)))
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            at = f"{param}.tool_calls[{index}].function.name"
            raise Problem(400, f"Missing required parameter: '{at}'.", code="missing_required_parameter", param=at)
        items.append(
            FunctionCallItem(
                f"item_{position + len(items):06d}",
                str(call.get("id") or ""),
                function["name"],
                str(function.get("arguments") or "{}"),
            )
        )
    return items


def _text(message: dict[str, Any], param: str) -> str:
    """Join the text parts of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if not isinstance(content, list):
        raise Problem(
            400, f"'{param}.content' is a text or a list of parts.", code="invalid_type", param=f"{param}.content"
        )
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _user_parts(message: dict[str, Any], param: str) -> tuple[InputTextPart | InputImagePart, ...]:
    content = message.get("content")
    if not isinstance(content, list):
        return (InputTextPart(_text(message, param)),)
    parts: list[InputTextPart | InputImagePart] = []
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            parts.append(InputTextPart(str(part.get("text", ""))))
        elif kind == "image_url":
            image = part.get("image_url")
            parts.append(InputImagePart(str(image.get("url", "")) if isinstance(image, dict) else str(image)))
        else:
            at = f"{param}.content[{index}].type"
            raise Problem(400, f"'{at}' is text or image_url.", code="invalid_value", param=at)
    return tuple(parts)


def _tool(tool: dict[str, Any], index: int) -> FunctionTool:
    function = tool.get("function", tool)
    try:
        return msgspec.convert({**function, "type": "function"}, FunctionTool)
    except (msgspec.ValidationError, TypeError) as error:
        raise validation_problem(str(error), prefix=f"tools[{index}].function") from None


def _tool_choice(choice: Any) -> ToolChoice:
    if choice is None:
        return "auto"
    if choice in ("auto", "none", "required"):
        return choice  # type: ignore[no-any-return]
    name = choice.get("function", {}).get("name") or choice.get("name") if isinstance(choice, dict) else None
    if isinstance(name, str):
        return NamedToolChoice("function", name)
    words = "'tool_choice' is auto, none, required, or names a function."
    raise Problem(400, words, code="invalid_value", param="tool_choice")


FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Answer:
    """One answer being put together; give it every chunk, in order."""

    def __init__(self, *, answer_id: str, created: int, model: str) -> None:
        self._head = {"id": answer_id, "created": created, "model": model}
        self._text: list[str] = []
        self._calls: dict[str, dict[str, Any]] = {}
        self._finish: FinishReason = "stop"
        self._usage = EngineUsage()

    def opening(self) -> dict[str, Any]:
        """Make the first streamed piece."""
        return self._piece({"role": "assistant", "content": ""})

    def feed(self, chunk: Chunk) -> list[dict[str, Any]]:
        """Take a chunk; give the streamed pieces it makes."""
        match chunk:
            case TextDelta(text=text):
                self._text.append(text)
                return [self._piece({"content": text})]
            case ToolCallDelta(call_id=call_id, name=name, arguments=arguments):
                return self._call(call_id, name, arguments)
            case ToolCallDone(call_id=call_id, name=name, arguments=arguments):
                return [] if call_id in self._calls else self._call(call_id, name, arguments)
            case EngineUsage():
                self._usage = chunk
            case Done(reason=reason):
                finish: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
                self._finish = finish.get(reason, "tool_calls" if self._calls else "stop")
            case _:
                pass
        return []

    def _call(self, call_id: str, name: str, arguments: str) -> list[dict[str, Any]]:
        delta: dict[str, Any]
        known = self._calls.get(call_id)
        if known is None:
            index = len(self._calls)
            self._calls[call_id] = {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            delta = {"index": index, **self._calls[call_id], "function": {"name": name, "arguments": arguments}}
        else:
            known["function"]["arguments"] += arguments
            delta = {"index": list(self._calls).index(call_id), "function": {"arguments": arguments}}
        return [self._piece({"tool_calls": [delta]})]

    def closing(self, *, include_usage: bool) -> list[dict[str, Any]]:
        """Make the last streamed pieces."""
        pieces = [self._piece({}, self._finish)]
        if include_usage:
            head = {**self._head, "object": "chat.completion.chunk"}
            pieces.append({**head, "choices": [], "usage": self._usage_body()})
        return pieces

    def whole(self) -> dict[str, Any]:
        """Make the answer of a request that did not ask for a stream."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._text) or None, "refusal": None}
        if self._calls:
            message["tool_calls"] = list(self._calls.values())
        choice = {"index": 0, "message": message, "finish_reason": self._finish, "logprobs": None}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage_body()}

    def _piece(self, delta: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def _usage_body(self) -> dict[str, Any]:
        usage = self._usage
        return {
            "prompt_tokens": usage.input_text_tokens,
            "completion_tokens": usage.output_text_tokens,
            "total_tokens": usage.input_text_tokens + usage.output_text_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_text_tokens},
        }
