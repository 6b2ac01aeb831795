"""Conversation items and their content parts, exactly as they travel. Data only.

An item is a message, a function call, or a function call's output. Audio never lives here: the runner's audio store
holds it, and only a `conversation.item.retrieved` event carries bytes. Wire shapes: Realtime API, "Items".

Parts accept the beta spellings (`text`, `audio`) on the way in; `conversation.py` normalises them to the GA ones.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "ContentPart",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "InputAudioPart",
    "InputImagePart",
    "InputTextPart",
    "Item",
    "ItemStatus",
    "MessageItem",
    "OutputAudioPart",
    "OutputTextPart",
    "Role",
]

Role = Literal["user", "assistant", "system"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputTextPart(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    """Text from the user or the system."""

    text: str


class InputAudioPart(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio"):
    """Speech of the user. `transcript` is present from the start and null until it is known (agents-js reads the key).

    `audio` is base64 on the wire: given when a client creates the item, sent only by `conversation.item.retrieved`.
    """

    transcript: str | None = None
    audio: bytes | UnsetType = UNSET


class InputImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="input_image"):
    """A picture as a `data:` URI."""

    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class OutputTextPart(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text of the assistant; `text` is never null."""

    text: str = ""


class OutputAudioPart(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio"):
    """Speech of the assistant with what it says. Cut to the heard words by truncation."""

    transcript: str = ""
    audio: bytes | UnsetType = UNSET


ContentPart = InputTextPart | InputAudioPart | InputImagePart | OutputTextPart | OutputAudioPart


class MessageItem(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    """What somebody said or wrote."""

    id: str
    role: Role
    content: tuple[ContentPart, ...]
    status: ItemStatus = "completed"
    object: Literal["realtime.item"] = "realtime.item"


class FunctionCallItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call"):
    """The model's wish to call `name`. `arguments` is the JSON text as it was generated."""

    id: str
    call_id: str
    name: str
    arguments: str
    status: ItemStatus = "completed"
    object: Literal["realtime.item"] = "realtime.item"


class FunctionCallOutputItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """What the client's function returned: any text, often JSON, possibly empty."""

    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"
    object: Literal["realtime.item"] = "realtime.item"


Item = MessageItem | FunctionCallItem | FunctionCallOutputItem
