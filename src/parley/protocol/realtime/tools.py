"""Tools a model may call, and the choice among them. Wire shapes: Realtime API, session object, `tools`.

Extra keys that clients add to a tool (`strict`, …) are kept in `parameters` untouched or ignored, never refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = ["FunctionTool", "McpTool", "NamedToolChoice", "Tool", "ToolChoice"]


_Name = Annotated[str, Meta(min_length=1)]


class FunctionTool(msgspec.Struct, frozen=True, tag_field="type", tag="function", omit_defaults=False):
    """A function the client runs. `parameters` is a JSON Schema object, or absent for a function without arguments."""

    name: _Name
    description: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType | None = UNSET
    strict: bool | UnsetType | None = UNSET


class McpTool(msgspec.Struct, frozen=True, tag_field="type", tag="mcp"):
    """A remote MCP server whose tools the server runs. Stored and echoed with its credentials redacted.

    `parley_continue`: once the calls of a response have returned, the response goes on and says what came of them. By
    default the client asks for the next response, as the vendor's SDKs expect.
    """

    server_label: _Name
    server_url: str | UnsetType = UNSET
    connector_id: str | UnsetType = UNSET
    authorization: str | UnsetType = UNSET
    headers: dict[str, str] | UnsetType | None = UNSET
    allowed_tools: list[str] | dict[str, Any] | UnsetType = UNSET
    require_approval: Literal["always", "never"] | dict[str, Any] | UnsetType = UNSET
    server_description: str | UnsetType = UNSET
    tunnel_id: str | UnsetType = UNSET
    defer_loading: bool | UnsetType = UNSET
    allowed_callers: Any | UnsetType = UNSET
    parley_continue: bool | UnsetType = UNSET


Tool = FunctionTool | McpTool


class NamedToolChoice(msgspec.Struct, frozen=True):
    """Force one function (`type="function"`, `name`) or one MCP server's tool (`type="mcp"`, `server_label`)."""

    type: Literal["function", "mcp"]
    name: str | UnsetType = UNSET
    server_label: str | UnsetType = UNSET


ToolChoice = Literal["auto", "none", "required"] | NamedToolChoice
