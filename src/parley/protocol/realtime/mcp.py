"""MCP servers of a session: asking them for their tools, approvals, and calls that were approved.

A server is asked once, when a tool of its label first appears in the session or a response, and again when its address
changes. The answer is an item of the conversation. A server's tools can be used by responses that begin after it.
A call that needs approval ends its response; approved, it runs here, outside of any response.

What does not live here: running anything (the runtime answers `ListMcpTools` and `CallTool`), which of the tools a
response may use (`toolbox`), calls within a response (`response_tools`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from parley.protocol.realtime.conversation import Conversation, Entry
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.items import (
    McpApprovalResponseItem,
    McpCallItem,
    McpError,
    McpListToolsItem,
    McpToolInfo,
)
from parley.protocol.realtime.outputs import AbandonTool, CallTool, ListMcpTools
from parley.protocol.realtime.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
)
from parley.protocol.realtime.toolbox import McpTarget, Offer, merged_reference
from parley.protocol.realtime.tools import McpTool, Tool

__all__ = ["McpServers"]

_AUTHORIZATION = "authorization"
_MOVED = McpError(type="tool_execution_error", message="Its address was changed before it answered.")
_ENDED = McpError(type="tool_execution_error", message="The session ended first.")


@dataclass(slots=True)
class _Server:
    config: McpTool
    entry: Entry
    tools: tuple[McpToolInfo, ...] | None = None


class McpServers:
    """Every MCP server a session ever named."""

    def __init__(self, effects: Effects, conversation: Conversation) -> None:
        self._effects = effects
        self._conversation = conversation
        self._servers: dict[str, _Server] = {}
        self._asked: dict[ItemId, tuple[McpTarget, str]] = {}
        """Approval requests without an answer: what is to be called, with which arguments."""
        self._running: dict[ItemId, Entry] = {}
        """Approved calls."""

    def fault(self, tools: Iterable[Tool], param: str) -> ClientFault | None:
        """Say what is wrong with the MCP tools among `tools`, which are the list at `param`."""
        labels: set[str] = set()
        for index, tool in enumerate(tools):
            if isinstance(tool, McpTool):
                fault = self._fault(tool, f"{param}[{index}]", labels)
                if fault is not None:
                    return fault
                labels.add(tool.server_label)
        return None

    def ask(self, tools: Iterable[Tool]) -> None:
        """Ask the servers among `tools` that are new for their tools."""
        for tool in tools:
            if isinstance(tool, McpTool) and _has_address(tool):
                known = self._servers.get(tool.server_label)
                if known is None or _address(known.config) != _address(tool):
                    self._list(tool)
                else:
                    known.config = tool

    def offers(self, tools: Iterable[Tool]) -> Iterator[Offer]:
        """Give the listed tools of the servers among `tools`."""
        for tool in tools:
            server = self._servers.get(tool.server_label) if isinstance(tool, McpTool) else None
            if server is not None and isinstance(tool, McpTool):
                config = merged_reference(tool, server.config)
                yield from (Offer(config, info) for info in server.tools or ())

    def listed(self, item_id: ItemId, tools: tuple[McpToolInfo, ...]) -> None:
        """Take a server's answer."""
        server = self._listing(item_id)
        if server is None:
            return
        server.tools = tools
        if isinstance(server.entry.item, McpListToolsItem):
            server.entry.item = msgspec.structs.replace(server.entry.item, tools=tools)
        self._done(server.entry)
        self._effects.send(McpListToolsCompleted(event_id=self._effects.event_id(), item_id=item_id))

    def not_listed(self, item_id: ItemId, error: McpError) -> None:
        """Take note that a server did not answer; its tools stay unknown until its address changes."""
        server = self._listing(item_id)
        if server is None:
            return
        server.tools = ()
        if isinstance(server.entry.item, McpListToolsItem):
            server.entry.item = msgspec.structs.replace(server.entry.item, error=error)
        self._done(server.entry)
        self._effects.send(McpListToolsFailed(event_id=self._effects.event_id(), item_id=item_id))

    # --- approvals -----------------------------------------------------------------------------------------------

    def await_approval(self, item_id: ItemId, target: McpTarget, arguments: str) -> None:
        """Keep a call until the client has answered the request `item_id`."""
        self._asked[item_id] = (target, arguments)

    def approval_fault(self, item: McpApprovalResponseItem) -> ClientFault | None:
        """Say what is wrong with a client's answer."""
        if ItemId(item.approval_request_id) in self._asked:
            return None
        return ClientFault(
            code="invalid_value",
            message=f"No approval request with id '{item.approval_request_id}' is waiting for an answer; use the id of "
            "an mcp_approval_request item, once.",
            param="item.approval_request_id",
        )

    def approved(self, item: McpApprovalResponseItem) -> None:
        """Act on the client's answer, which is an item of the conversation by now."""
        target, arguments = self._asked.pop(ItemId(item.approval_request_id))
        if not item.approve:
            return
        item_id = self._effects.item_id()
        call = McpCallItem(
            id=item_id,
            server_label=target.server.server_label,
            name=target.name,
            arguments=arguments,
            approval_request_id=item.approval_request_id,
        )
        entry = Entry(call)
        self._running[item_id] = entry
        self._add(entry)
        self._effects.send(McpCallInProgress(event_id=self._effects.event_id(), item_id=item_id, output_index=0))
        self._effects.add(CallTool(item_id, target.name, arguments, target.server))

    def returned(self, item_id: ItemId, result: str | McpError) -> None:
        """Take what an approved call gave. Calls of responses are not known here and are ignored."""
        entry = self._running.pop(item_id, None)
        if entry is None or not isinstance(entry.item, McpCallItem):
            return
        event_id = self._effects.event_id
        if isinstance(result, McpError):
            entry.item = msgspec.structs.replace(entry.item, error=result)
            self._effects.send(McpCallFailed(event_id=event_id(), item_id=item_id, output_index=0))
        else:
            entry.item = msgspec.structs.replace(entry.item, output=result)
            self._effects.send(McpCallCompleted(event_id=event_id(), item_id=item_id, output_index=0))
        self._done(entry)

    def abandon_all(self) -> None:
        """Give up what is still asked or run: the session ends."""
        for server in tuple(self._servers.values()):
            self._stop_listing(server, _ENDED)
        for item_id in tuple(self._running):
            self._effects.add(AbandonTool(item_id))
            self.returned(item_id, _ENDED)

    # -------------------------------------------------------------------------------------------------------------

    def _fault(self, tool: McpTool, param: str, labels: set[str]) -> ClientFault | None:
        label = tool.server_label
        addresses = [name for name in ("server_url", "connector_id", "tunnel_id") if getattr(tool, name) is not UNSET]
        headers = tool.headers if isinstance(tool.headers, dict) else {}
        words, at = "", ""
        if label in labels:
            words, at = f"The server_label '{label}' is used twice; every MCP server has a label of its own.", "label"
        elif len(addresses) > 1:
            words, at = f"Give one of {', '.join(addresses)}, not several.", "url"
        elif not addresses and label not in self._servers:
            words, at = f"No MCP server '{label}' is known to this session: give its server_url.", "url"
        elif isinstance(tool.authorization, str) and any(name.lower() == _AUTHORIZATION for name in headers):
            return ClientFault(
                code="invalid_value",
                message="Give either authorization or an Authorization header, not both.",
                param=f"{param}.authorization",
            )
        return ClientFault(code="invalid_value", message=words, param=f"{param}.server_{at}") if words else None

    def _stop_listing(self, server: _Server, why: McpError) -> None:
        if server.tools is None:
            self._effects.add(AbandonTool(server.entry.id))
            self.not_listed(server.entry.id, why)

    def _list(self, tool: McpTool) -> None:
        before = self._servers.get(tool.server_label)
        if before is not None:
            self._stop_listing(before, _MOVED)
        item_id = self._effects.item_id()
        entry = Entry(McpListToolsItem(id=item_id, server_label=tool.server_label))
        self._servers[tool.server_label] = _Server(tool, entry)
        self._add(entry)
        self._effects.send(McpListToolsInProgress(event_id=self._effects.event_id(), item_id=item_id))
        self._effects.add(ListMcpTools(item_id, tool))

    def _listing(self, item_id: ItemId) -> _Server | None:
        for server in self._servers.values():
            if server.entry.id == item_id and server.tools is None:
                return server
        return None

    def _add(self, entry: Entry) -> None:
        previous = self._conversation.add(entry)
        self._effects.send(
            ConversationItemAdded(event_id=self._effects.event_id(), previous_item_id=previous, item=entry.item)
        )

    def _done(self, entry: Entry) -> None:
        if self._conversation.holds(entry):
            previous = self._conversation.previous_id(entry)
            self._effects.send(
                ConversationItemDone(event_id=self._effects.event_id(), previous_item_id=previous, item=entry.item)
            )


def _has_address(tool: McpTool) -> bool:
    return any(part is not UNSET for part in (tool.server_url, tool.connector_id, tool.tunnel_id))


def _address(tool: McpTool) -> tuple[object, ...]:
    headers = tuple(sorted(tool.headers.items())) if isinstance(tool.headers, dict) else ()
    return (tool.server_url, tool.connector_id, tool.tunnel_id, tool.authorization, headers)
