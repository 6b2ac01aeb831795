"""Client events: one struct per event of the Realtime API, as the machine sees them. Data only.

`requests.decode_client_event` makes these from a frame; whatever a client may spell in two ways (beta's flat session,
`text` parts, `false` for no turn detection) is already in its one GA form here.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from parley.protocol.realtime.items import Item, McpApprovalResponseItem
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.session_config import AudioFormat, SessionPatch, Temperature
from parley.protocol.realtime.tools import Tool, ToolChoice

__all__ = [
    "ClientEvent",
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "ItemReference",
    "OutputAudioBufferClear",
    "ResponseCancel",
    "ResponseCreate",
    "ResponseParams",
    "SessionUpdate",
]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str | None = None
    """The client's own id; echoed only in an `error`."""


class SessionUpdate(_Event, frozen=True, kw_only=True, tag="session.update"):
    """Change the session; answered by `session.updated`."""

    session: SessionPatch


class InputAudioBufferAppend(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """Audio in the session's input format. No answer."""

    audio: bytes


class InputAudioBufferCommit(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    """Make the buffer a user item."""


class InputAudioBufferClear(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Drop the buffer."""


class OutputAudioBufferClear(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.clear"):
    """Stop server-paced playback."""


class ConversationItemCreate(_Event, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Add `item`; its `id` is empty if the client left it to the server.

    `previous_item_id`: None appends, `"root"` puts it first, an id puts it after that item.
    """

    item: Item | McpApprovalResponseItem
    previous_item_id: str | None = None


class ConversationItemRetrieve(_Event, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    """Ask for an item with its audio."""

    item_id: str


class ConversationItemDelete(_Event, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Remove an item."""

    item_id: str


class ConversationItemTruncate(_Event, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    """Cut an assistant's spoken item to what was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ItemReference(msgspec.Struct, frozen=True, tag_field="type", tag="item_reference"):
    """An item of the conversation, by id, in `response.create`'s `input`."""

    id: str


class ResponseParams(msgspec.Struct, frozen=True, kw_only=True):
    """What one response does differently from the session. `conversation` `"none"` is out of band."""

    conversation: Literal["auto", "none"] = "auto"
    input: tuple[Item | ItemReference, ...] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    tools: tuple[Tool, ...] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    output_modalities: tuple[Literal["audio", "text"], ...] | UnsetType = UNSET
    max_output_tokens: int | Literal["inf"] | UnsetType = UNSET
    voice: str | UnsetType = UNSET
    output_format: AudioFormat | UnsetType = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | UnsetType | None = UNSET
    prompt: PromptReference | None = None


class ResponseCreate(_Event, frozen=True, kw_only=True, tag="response.create"):
    """Ask for a response."""

    response: ResponseParams = ResponseParams()


class ResponseCancel(_Event, frozen=True, kw_only=True, tag="response.cancel"):
    """Stop a response; by default the one that writes to the conversation."""

    response_id: str | None = None


ClientEvent = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemDelete
    | ConversationItemTruncate
    | ResponseCreate
    | ResponseCancel
)
