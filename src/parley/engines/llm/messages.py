"""A conversation as chat-completions messages, and tools as that API wants them. Pure.

Servers are strict where the Realtime protocol is not, so: every tool call is followed at once by its result, arguments
are JSON objects, neighbours of one role are one message, and somebody has said something. The order is stable
(instructions, then history, only ever growing at its end; tools by name), so that a server's prefix cache holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    InputTextPart,
    Item,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.tools import FunctionTool, NamedToolChoice

__all__ = ["chat_messages", "chat_tool_choice", "chat_tools", "estimated_tokens"]

_NOBODY_SPOKE = "(The user has just connected and is waiting for you to speak first.)"
_NO_RESULT_YET = "(no result yet)"

Message = dict[str, Any]


def chat_messages(context: GenerationContext, *, images: bool) -> list[Message]:
    """Write the conversation down. Pictures are passed on only if the model sees `images`."""
    messages: list[Message] = []
    if context.instructions:
        _add(messages, "system", [_text(context.instructions)])
    outputs = {item.call_id: item for item in context.items if isinstance(item, FunctionCallOutputItem)}
    called = {item.call_id for item in context.items if isinstance(item, FunctionCallItem)}
    for item in context.items:
        match item:
            case MessageItem():
                _add(messages, item.role, _content(item, images=images))
            case FunctionCallItem():
                output = outputs.get(item.call_id)
                if item.status == "completed" or output is not None:
                    _add_call(messages, item, output)
            case FunctionCallOutputItem():
                if item.call_id not in called:
                    _add(messages, "system", [_text(f"Result of an earlier function call: {item.output}")])
    if not any(message["role"] == "user" for message in messages):
        _let_somebody_speak(messages)
    return [_plain(message) for message in messages]


def _let_somebody_speak(messages: list[Message]) -> None:
    """Many models' templates want a user: one comes last, or first where a function's result is to be answered."""
    if messages and messages[-1]["role"] == "tool":
        place = next(index for index, message in enumerate(messages) if message["role"] != "system")
        messages.insert(place, {"role": "user", "content": [_text(_NOBODY_SPOKE)]})
    else:
        _add(messages, "user", [_text(_NOBODY_SPOKE)])


def chat_tools(context: GenerationContext) -> list[Message]:
    """Give the session's functions, by name. Tools that the server runs itself are not the model server's."""
    functions = sorted((tool for tool in context.tools if isinstance(tool, FunctionTool)), key=lambda tool: tool.name)
    return [{"type": "function", "function": _function(tool)} for tool in functions]


def chat_tool_choice(context: GenerationContext) -> str | Message:
    """Give the choice in the words of chat completions."""
    choice = context.tool_choice
    if not isinstance(choice, NamedToolChoice):
        return choice
    if choice.type == "function" and isinstance(choice.name, str):
        return {"type": "function", "function": {"name": choice.name}}
    return "required"


def _function(tool: FunctionTool) -> Message:
    parameters = tool.parameters if isinstance(tool.parameters, dict) else {"type": "object", "properties": {}}
    function: Message = {"name": tool.name, "parameters": parameters}
    if isinstance(tool.description, str):
        function["description"] = tool.description
    if tool.strict is not UNSET and tool.strict is not None:
        function["strict"] = tool.strict
    return function


def _content(item: MessageItem, *, images: bool) -> list[Message]:
    parts: list[Message] = []
    for part in item.content:
        match part:
            case InputTextPart(text=text) | OutputTextPart(text=text):
                parts.append(_text(text))
            case InputAudioPart(transcript=transcript):
                parts.append(_text(transcript or ""))
            case OutputAudioPart(transcript=transcript):
                parts.append(_text(transcript))
            case InputImagePart(image_url=url, detail=detail) if images:
                parts.append({"type": "image_url", "image_url": {"url": url, "detail": detail}})
            case InputImagePart():
                parts.append(_text("(a picture, which you cannot see)"))
    return [part for part in parts if part["type"] != "text" or part["text"].strip()]


def _text(text: str) -> Message:
    return {"type": "text", "text": text}


def _add(messages: list[Message], role: str, parts: list[Message]) -> None:
    if not parts:
        return
    last = messages[-1] if messages else None
    mergeable = last is not None and last["role"] == role and "tool_calls" not in last
    if last is not None and mergeable and isinstance(last["content"], list):
        last["content"] += parts
    else:
        messages.append({"role": role, "content": parts})


def _add_call(messages: list[Message], item: FunctionCallItem, output: FunctionCallOutputItem | None) -> None:
    call = {
        "id": item.call_id,
        "type": "function",
        "function": {"name": item.name, "arguments": _arguments(item.arguments)},
    }
    answers = len(messages)
    while answers and messages[answers - 1]["role"] == "tool":
        answers -= 1
    caller = messages[answers - 1] if answers else None
    if caller is None or caller["role"] != "assistant" or (answers < len(messages)) != ("tool_calls" in caller):
        caller = {"role": "assistant", "content": None}
        messages.append(caller)
    caller.setdefault("tool_calls", []).append(call)
    result = _NO_RESULT_YET if output is None else output.output
    messages.append({"role": "tool", "tool_call_id": item.call_id, "content": result})


def _arguments(text: str) -> str:
    """Give arguments that a strict server can parse: what is no JSON object becomes an empty one."""
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except ValueError:
        return "{}"


def _plain(message: Message) -> Message:
    """Write content of texts alone as one string, which every server takes."""
    content = message["content"]
    if isinstance(content, list) and all(part["type"] == "text" for part in content):
        return {**message, "content": _joined(part["text"] for part in content)}
    return message


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(texts)


def estimated_tokens(items: Iterable[Item], instructions: str) -> int:
    """Guess how many tokens a conversation has, at four characters each."""
    chars = len(instructions)
    for item in items:
        match item:
            case MessageItem():
                chars += sum(len(part.get("text", "")) for part in _content(item, images=False))
            case FunctionCallItem():
                chars += len(item.name) + len(item.arguments)
            case FunctionCallOutputItem():
                chars += len(item.output)
    return -(-chars // 4)
