"""Conversation items and their content parts, exactly as they travel. Data only.

An `Item` is what a model reads: a message, a function call, or a function call's output. A `ConversationItem` may also
be one of the four that tell a client about tools of an MCP server; models read those as calls and outputs (`context`).
Audio never lives here: the runner's audio store holds it, and only a `conversation.item.retrieved` event carries bytes.
Wire shapes: Realtime API, "Items".

Parts accept the beta spellings (`text`, `audio`) on the way in; `conversation.py` normalises them to the GA ones.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "ContentPart",
    "ConversationItem",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "InputAudioPart",
    "InputImagePart",
    "InputTextPart",
    "Item",
    "ItemStatus",
    "McpApprovalRequestItem",
    "McpApprovalResponseItem",
    "McpCallItem",
    "McpError",
    "McpListToolsItem",
    "McpToolInfo",
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
    parley_server_side: bool | UnsetType = UNSET
    """The server ran it; there is nothing for a client to do."""


class FunctionCallOutputItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """What the client's function returned: any text, often JSON, possibly empty."""

    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"
    object: Literal["realtime.item"] = "realtime.item"
    parley_server_side: bool | UnsetType = UNSET


Item = MessageItem | FunctionCallItem | FunctionCallOutputItem
"""What models read."""


class McpToolInfo(msgspec.Struct, frozen=True):
    """One tool of an MCP server, as the server lists it. `input_schema` is a JSON Schema object.

    `description` is always there, if only empty: agents-js demands the key.
    """

    name: str
    input_schema: dict[str, Any]
    description: str = ""
    annotations: dict[str, Any] | UnsetType = UNSET


class McpError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an MCP server's tool gave nothing. `code` is the HTTP or JSON-RPC number; a tool's own failure has none."""

    type: Literal["protocol_error", "http_error", "tool_execution_error"]
    message: str
    code: int | UnsetType = UNSET


class McpListToolsItem(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_list_tools"):
    """The tools of MCP server `server_label`; empty until they are known."""

    id: str
    server_label: str
    tools: tuple[McpToolInfo, ...] = ()
    error: McpError | UnsetType = UNSET
    object: Literal["realtime.item"] = "realtime.item"


class McpCallItem(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_call"):
    """A call of a tool that the server runs. Open while both `output` and `error` are null."""

    id: str
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: McpError | None = None
    approval_request_id: str | None = None
    object: Literal["realtime.item"] = "realtime.item"


class McpApprovalRequestItem(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_approval_request"):
    """The question whether the model may make this call."""

    id: str
    server_label: str
    name: str
    arguments: str
    object: Literal["realtime.item"] = "realtime.item"


class McpApprovalResponseItem(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_approval_response"):
    """The client's answer to an approval request."""

    id: str
    approval_request_id: str
    approve: bool
    reason: str | None = None
    object: Literal["realtime.item"] = "realtime.item"


ConversationItem = Item | McpListToolsItem | McpCallItem | McpApprovalRequestItem | McpApprovalResponseItem
