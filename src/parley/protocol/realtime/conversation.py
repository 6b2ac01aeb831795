"""The conversation: a chain of items, and what is known about each beyond its wire shape.

An `Entry` joins an item with its reading (a user's speech, being recognised) or its ledger (the assistant's speech,
being played). Items are immutable; an entry's item is replaced whole. The chain is the truth for every
`previous_item_id`. What the model gets to see of it is made in `context`.

What does not live here: events and errors (`editing`, `hearing`, `response`), audio (the runner's store).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.items import (
    ContentPart,
    ConversationItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    InputTextPart,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.playback import Spoken
from parley.protocol.realtime.transcripts import Reading

__all__ = ["ROOT", "Conversation", "Entry", "stripped_of_audio", "user_speech"]

MAX_ITEMS = 10_000
MAX_CHARS = 64 << 20
"""Bounds of one conversation, for what clients add by hand."""

ROOT = "root"
"""The `previous_item_id` that puts an item first."""


@dataclass(slots=True, eq=False)
class Entry:
    """One item and what belongs to it."""

    item: ConversationItem
    reading: Reading | None = None
    """The recogniser's reading of a user's speech."""
    speech_ms: int = 0
    """How long the user's speech is."""
    spoken: Spoken | None = None
    """What of the assistant's speech was heard."""
    forgotten: bool = False
    """The conversation got too long for it: models are not told of it any more."""

    @property
    def id(self) -> ItemId:
        """The item's id."""
        return ItemId(self.item.id)

    def write_transcript(self, transcript: str) -> None:
        """Put the recognised words into the item."""
        if isinstance(self.item, MessageItem):
            content = tuple(
                msgspec.structs.replace(part, transcript=transcript) if isinstance(part, InputAudioPart) else part
                for part in self.item.content
            )
            self.item = msgspec.structs.replace(self.item, content=content)

    def cut(self, end_ms: int) -> int:
        """Truncate the assistant's speech; its transcript keeps the words heard by then. Gives the effective cut."""
        if self.spoken is None:
            return 0
        # DEVIATION: the vendor drops the whole transcript of a truncated item. We know which words were heard, so they
        # stay, and the model is told what the user knows.
        effective = self.spoken.cut(end_ms)
        if isinstance(self.item, MessageItem):
            self.item = msgspec.structs.replace(
                self.item, content=(OutputAudioPart(transcript=self.spoken.kept_text()),)
            )
        return effective


@dataclass(slots=True)
class Conversation:
    """Entries in order, each id once."""

    _entries: list[Entry] = field(default_factory=list[Entry])
    _by_id: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _chars: int = 0

    def room_fault(self, item: ConversationItem) -> ClientFault | None:
        """Refuse a client's item that there is no room for: memory has a bound."""
        if len(self._entries) < MAX_ITEMS and self._chars + _chars(item) <= MAX_CHARS:
            return None
        return ClientFault(
            code="conversation_full",
            message=f"A conversation holds at most {MAX_ITEMS} items and {MAX_CHARS >> 20} MiB of text and pictures: "
            "delete some items first.",
            param="item",
        )

    def entries(self) -> tuple[Entry, ...]:
        """All entries, in order, as they are now."""
        return tuple(self._entries)

    def get(self, item_id: str) -> Entry | None:
        """Find an entry by its item's id."""
        return self._by_id.get(item_id)

    def holds(self, entry: Entry) -> bool:
        """Whether this very entry is still in the conversation."""
        return self._by_id.get(entry.id) is entry

    def previous_id(self, entry: Entry) -> ItemId | None:
        """Give the id before `entry`, None if it is the first."""
        index = self._entries.index(entry)
        return self._entries[index - 1].id if index > 0 else None

    def add(self, entry: Entry, after: str | None = None) -> ItemId | None:
        """Add after item `after` (an existing id, `ROOT`, or None for the end). Gives the id it follows."""
        if after is None:
            self._entries.append(entry)
        elif after == ROOT:
            self._entries.insert(0, entry)
        else:
            self._entries.insert(self._entries.index(self._by_id[after]) + 1, entry)
        self._by_id[entry.id] = entry
        self._chars += _chars(entry.item)
        return self.previous_id(entry)

    def remove(self, item_id: str) -> Entry:
        """Take an existing entry out; its neighbours close up, and its id is free again."""
        entry = self._by_id.pop(item_id)
        self._chars = max(0, self._chars - _chars(entry.item))
        self._entries.remove(entry)
        return entry


def user_speech(item_id: ItemId) -> MessageItem:
    """Make the item of a committed turn; its words come later."""
    return MessageItem(id=item_id, role="user", content=(InputAudioPart(transcript=None),))


def stripped_of_audio(item: ConversationItem, item_id: str) -> ConversationItem:
    """Give `item` the id `item_id` and take audio bytes out of it: they never appear in a conversation event."""
    if not isinstance(item, MessageItem):
        return msgspec.structs.replace(item, id=item_id)
    return msgspec.structs.replace(item, id=item_id, content=tuple(_silent(part) for part in item.content))


def _silent(part: ContentPart) -> ContentPart:
    if isinstance(part, InputAudioPart | OutputAudioPart):
        return msgspec.structs.replace(part, audio=msgspec.UNSET)
    return part


def _chars(item: ConversationItem) -> int:
    """Weigh what a client can make heavy."""
    if isinstance(item, FunctionCallOutputItem):
        return len(item.output)
    if not isinstance(item, MessageItem):
        return 0
    return sum(map(_part_chars, item.content))


def _part_chars(part: ContentPart) -> int:
    match part:
        case InputTextPart() | OutputTextPart():
            return len(part.text)
        case InputAudioPart() | OutputAudioPart():
            return len(part.transcript or "")
        case InputImagePart():
            return len(part.image_url)
