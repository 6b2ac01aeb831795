"""What a response is generated from: the conversation as the model should see it.

Rules
-----
* A user's speech counts as its transcript. Speech without words (noise, or a failed recognition) is left out.
* The assistant's speech counts as what the user heard of it (`playback`). Nothing heard: left out.
* A function call that was cut short is left out; it was never made. One that the server is running is left out as well.
* A call of an MCP server's tool counts as a function call with its output, and so does one that the client refused.
* Audio bytes never enter.

What does not live here: shortening a context that is too long (the engines know their limits).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

import msgspec

from parley.protocol.realtime.conversation import Entry
from parley.protocol.realtime.ids import Ms
from parley.protocol.realtime.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    InputTextPart,
    Item,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    McpCallItem,
    McpError,
    McpListToolsItem,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.tokens import image_tokens

__all__ = ["InputTally", "failure_text", "visible"]


@dataclass(slots=True)
class InputTally:
    """How much of everything a context holds, for `usage`."""

    messages: int = 0
    text_chars: int = 0
    user_audio_ms: int = 0
    assistant_audio_ms: int = 0
    image_tokens: int = 0

    def add(self, other: InputTally) -> None:
        """Count another context as well: a response that went on was given two."""
        self.messages += other.messages
        self.text_chars += other.text_chars
        self.user_audio_ms += other.user_audio_ms
        self.assistant_audio_ms += other.assistant_audio_ms
        self.image_tokens += other.image_tokens


def visible(entries: Iterable[Entry], now: Ms) -> tuple[tuple[Item, ...], InputTally]:
    """Give the items the model sees of `entries`, in order, and their tally."""
    tally = InputTally()
    items: list[Item] = []
    requests: dict[str, McpApprovalRequestItem] = {}
    for entry in entries:
        if isinstance(entry.item, McpApprovalRequestItem):
            requests[entry.item.id] = entry.item
        for item in _seen(entry, now, requests):
            items.append(item)
            _count(entry, item, now, tally)
    return tuple(items), tally


def _seen(entry: Entry, now: Ms, requests: Mapping[str, McpApprovalRequestItem]) -> tuple[Item, ...]:
    item = entry.item
    match item:
        case MessageItem():
            parts = tuple(part for part in (_seen_part(entry, part, now) for part in _parts(entry, item)) if part)
            return (msgspec.structs.replace(item, content=parts),) if parts else ()
        case FunctionCallItem():
            return (item,) if item.status == "completed" else ()
        case FunctionCallOutputItem():
            return (item,)
        case McpCallItem():
            return _seen_call(item)
        case McpApprovalResponseItem():
            return _seen_refusal(item, requests.get(item.approval_request_id))
        case McpListToolsItem() | McpApprovalRequestItem():
            return ()
        case _:
            assert_never(item)


def _seen_call(call: McpCallItem) -> tuple[Item, ...]:
    if call.error is not None:
        text = failure_text(call.error)
    elif call.output is not None:
        text = call.output
    else:
        return ()
    return _call_with_output(call.id, call.name, call.arguments, text)


def _seen_refusal(answer: McpApprovalResponseItem, request: McpApprovalRequestItem | None) -> tuple[Item, ...]:
    if answer.approve or request is None:
        return ()
    reason = f" Reason: {answer.reason}" if answer.reason else ""
    text = f"The user did not allow this call.{reason}"
    return _call_with_output(request.id, request.name, request.arguments, text)


def _call_with_output(item_id: str, name: str, arguments: str, output: str) -> tuple[Item, ...]:
    return (
        FunctionCallItem(id=item_id, call_id=item_id, name=name, arguments=arguments),
        FunctionCallOutputItem(id=item_id, call_id=item_id, output=output),
    )


def failure_text(error: McpError) -> str:
    """Tell a model that a tool gave nothing."""
    return f"The tool failed: {error.message}"


def _parts(entry: Entry, item: MessageItem) -> tuple[ContentPart, ...]:
    """Give the item's parts; speech that is being generated has one that may not be in the item yet."""
    return (OutputAudioPart(),) if entry.spoken is not None else item.content


def _seen_part(entry: Entry, part: ContentPart, now: Ms) -> ContentPart | None:
    match part:
        case InputAudioPart():
            words = entry.reading.text if entry.reading is not None else part.transcript
            return InputAudioPart(transcript=words) if words else None
        case OutputAudioPart():
            heard = entry.spoken.heard_text(now) if entry.spoken is not None else part.transcript
            return OutputAudioPart(transcript=heard) if heard.strip() else None
        case InputTextPart() | OutputTextPart():
            return part if part.text else None
        case InputImagePart():
            return part


def _count(entry: Entry, item: Item, now: Ms, tally: InputTally) -> None:
    tally.messages += 1
    match item:
        case FunctionCallItem():
            tally.text_chars += len(item.name) + len(item.arguments)
        case FunctionCallOutputItem():
            tally.text_chars += len(item.output)
        case MessageItem():
            for part in item.content:
                _count_part(entry, part, now, tally)


def _count_part(entry: Entry, part: ContentPart, now: Ms, tally: InputTally) -> None:
    match part:
        case InputTextPart() | OutputTextPart():
            tally.text_chars += len(part.text)
        case InputAudioPart():
            tally.user_audio_ms += entry.speech_ms
            tally.text_chars += len(part.transcript or "")
        case OutputAudioPart():
            tally.assistant_audio_ms += entry.spoken.heard_ms(now) if entry.spoken is not None else 0
            tally.text_chars += len(part.transcript)
        case InputImagePart():
            tally.image_tokens += image_tokens(part)
