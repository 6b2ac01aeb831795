"""What a response is generated from: the conversation as the model should see it.

Rules
-----
* A user's speech counts as its transcript. Speech without words (noise, or a failed recognition) is left out.
* The assistant's speech counts as what the user heard of it (`playback`). Nothing heard: left out.
* A function call that was cut short is left out; it was never made.
* Audio bytes never enter.

What does not live here: shortening a context that is too long (the engines know their limits).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)

__all__ = ["InputTally", "visible"]


@dataclass(slots=True)
class InputTally:
    """How much of everything a context holds, for `usage`."""

    messages: int = 0
    text_chars: int = 0
    user_audio_ms: int = 0
    assistant_audio_ms: int = 0


def visible(entries: Iterable[Entry], now: Ms) -> tuple[tuple[Item, ...], InputTally]:
    """Give the items the model sees of `entries`, in order, and their tally."""
    tally = InputTally()
    items: list[Item] = []
    for entry in entries:
        item = _seen(entry, now)
        if item is not None:
            items.append(item)
            _count(entry, item, now, tally)
    return tuple(items), tally


def _seen(entry: Entry, now: Ms) -> Item | None:
    item = entry.item
    match item:
        case MessageItem():
            parts = tuple(part for part in (_seen_part(entry, part, now) for part in _parts(entry, item)) if part)
            return msgspec.structs.replace(item, content=parts) if parts else None
        case FunctionCallItem():
            return item if item.status == "completed" else None
        case FunctionCallOutputItem():
            return item


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
            pass
