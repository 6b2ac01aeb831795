"""What clients do to the conversation by hand: create, retrieve, delete and truncate items.

Each method either does the whole edit and says so, or gives the fault to answer with and changes nothing.
Neighbours: `conversation` (the chain), `playback` (what a truncation means), `session` (the only caller).
"""

from __future__ import annotations

import msgspec
from msgspec import UnsetType

from parley.protocol.realtime.client_events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
)
from parley.protocol.realtime.conversation import ROOT, Conversation, Entry, stripped_of_audio
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ConnectionId, ItemId, Ms
from parley.protocol.realtime.items import ConversationItem, InputAudioPart, Item, McpApprovalResponseItem, MessageItem
from parley.protocol.realtime.mcp import McpServers
from parley.protocol.realtime.outputs import (
    DropItemAudio,
    TranscribeItemAudio,
    TranscriptionOptions,
    TruncateItemAudio,
)
from parley.protocol.realtime.pictures import MOST_ECHOED, MOST_RETRIEVED, echoed
from parley.protocol.realtime.playback import Playback
from parley.protocol.realtime.server_events import (
    ConversationItemAdded,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemTruncated,
)
from parley.protocol.realtime.session_config import AudioFormat, PcmFormat
from parley.protocol.realtime.sizes import size_fault
from parley.protocol.realtime.transcripts import Transcripts

__all__ = ["Editing"]

PCM_BYTES_PER_MS = 48
G711_BYTES_PER_MS = 8


class Editing:
    """The client's hand on the conversation."""

    def __init__(
        self,
        effects: Effects,
        conversation: Conversation,
        transcripts: Transcripts,
        playback: Playback,
        mcp: McpServers,
        *,
        needs_transcript: bool,
    ) -> None:
        self._effects = effects
        self._conversation = conversation
        self._transcripts = transcripts
        self._playback = playback
        self._mcp = mcp
        self._needs_transcript = needs_transcript

    def create(
        self, event: ConversationItemCreate, *, taken: bool, format: AudioFormat, options: TranscriptionOptions
    ) -> ClientFault | None:
        """Add an item. `taken`: its id was promised to a turn that is going on."""
        fault = self._creation_fault(event, taken=taken)
        if fault is not None:
            return fault
        item_id = ItemId(event.item.id) if event.item.id else self._effects.item_id()
        entry = Entry(_settled(stripped_of_audio(event.item, item_id)))
        audio = _unread_audio(event.item)
        if audio:
            entry.speech_ms = len(audio) // (PCM_BYTES_PER_MS if isinstance(format, PcmFormat) else G711_BYTES_PER_MS)
            wanted = options if self._needs_transcript else None
            if wanted is not None:
                entry.reading = self._transcripts.expect(item_id, on_wire=False)
            self._effects.add(TranscribeItemAudio(item_id, audio, format, wanted))
        previous = self._conversation.add(entry, event.previous_item_id)
        event_id = self._effects.event_id
        shown = echoed(entry.item, MOST_ECHOED)
        self._effects.send(ConversationItemAdded(event_id=event_id(), previous_item_id=previous, item=shown))
        self._effects.send(ConversationItemDone(event_id=event_id(), previous_item_id=previous, item=shown))
        if isinstance(entry.item, McpApprovalResponseItem):
            self._mcp.approved(entry.item)
        return None

    def _creation_fault(self, event: ConversationItemCreate, *, taken: bool) -> ClientFault | None:
        item, after = event.item, event.previous_item_id
        if item.id == ROOT:
            words = '"root" means the beginning of the conversation: give the item another id, or none.'
            return ClientFault(code="invalid_value", message=words, param="item.id")
        if item.id and (taken or self._conversation.get(item.id) is not None):
            return ClientFault(
                code="invalid_value",
                message=f"Error adding item: an item with id '{item.id}' already exists; "
                "leave the id out or delete that item first.",
                param="item.id",
            )
        if after is not None and after != ROOT and self._conversation.get(after) is None:
            return ClientFault(
                code="invalid_value",
                message=f"Error adding item: the previous item with id '{after}' does not exist; "
                'use the id of an item in the conversation, "root" for the beginning, or leave it out for the end.',
                param="previous_item_id",
            )
        fault = size_fault(echoed(stripped_of_audio(item, item.id), MOST_ECHOED), "item")
        if fault is None:
            fault = self._conversation.room_fault(item)
        if fault is None and isinstance(item, McpApprovalResponseItem):
            fault = self._mcp.approval_fault(item)
        return fault

    def retrieve(self, event: ConversationItemRetrieve, connection: ConnectionId) -> ClientFault | None:
        """Show an item to the connection that asks."""
        entry = self._conversation.get(event.item_id)
        if entry is None:
            return _unknown("retrieving", event.item_id, code="item_retrieve_invalid_item_id")
        shown = echoed(entry.item, MOST_RETRIEVED)
        self._effects.send(ConversationItemRetrieved(event_id=self._effects.event_id(), item=shown), connection)
        return None

    def delete(self, event: ConversationItemDelete) -> ClientFault | None:
        """Remove an item, with its audio and whatever is still being recognised."""
        if self._conversation.get(event.item_id) is None:
            return _unknown("deleting", event.item_id, code="item_delete_invalid_item_id")
        entry = self._conversation.remove(event.item_id)
        self._transcripts.drop(entry.id)
        self._effects.add(DropItemAudio(entry.id))
        self._effects.send(ConversationItemDeleted(event_id=self._effects.event_id(), item_id=entry.id))
        return None

    def truncate(self, event: ConversationItemTruncate, now: Ms) -> ClientFault | None:
        """Cut the assistant's speech to what was heard; more than there is means all of it."""
        entry = self._conversation.get(event.item_id)
        if entry is None:
            return _unknown("truncating", event.item_id, code="item_truncate_invalid_item_id")
        if entry.spoken is None:
            return ClientFault(
                code="invalid_value",
                message="Only model output audio messages can be truncated; to remove another item, delete it.",
                param="item_id",
            )
        if event.content_index != 0:
            return ClientFault(
                code="invalid_value",
                message=f"The item has no audio part at content_index {event.content_index}; use 0.",
                param="content_index",
            )
        # DEVIATION: the vendor refuses an audio_end_ms beyond the item's audio. Clients round, and an error ends some
        # of them, so it is clamped and the effective cut reported.
        effective = entry.cut(event.audio_end_ms)
        if self._playback.pacing == "client":
            self._playback.stopped(entry.spoken, now)
        self._effects.add(TruncateItemAudio(entry.id, effective))
        self._effects.send(
            ConversationItemTruncated(
                event_id=self._effects.event_id(),
                item_id=entry.id,
                content_index=0,
                audio_end_ms=effective,
                item=entry.item,
            )
        )
        return None


def _unknown(doing: str, item_id: str, *, code: str) -> ClientFault:
    return ClientFault(
        code=code,
        message=f"Error {doing} item: the item with id '{item_id}' does not exist.",
        param="item_id",
    )


def _settled(item: ConversationItem) -> ConversationItem:
    """Take a client's item as complete, unless it says that it was cut short."""
    if isinstance(item, Item) and item.status == "in_progress":
        return msgspec.structs.replace(item, status="completed")
    return item


def _unread_audio(item: ConversationItem) -> bytes:
    if not isinstance(item, MessageItem) or item.role != "user":
        return b""
    parts = (part for part in item.content if isinstance(part, InputAudioPart) and not part.transcript)
    return b"".join(part.audio for part in parts if not isinstance(part.audio, UnsetType))
