"""Tools that the server runs for a session: an MCP server's, and functions of the server's own.

One role, `ToolExecutor`, for both: the machine says `CallTool` and does not care who computes. Every call gets exactly
one answer, whatever the executor does: a fault, a bug and a tool that takes too long are `ToolFailed`. Abandoning is
synchronous: the task is cancelled, and its answer will not come. Neighbours: `performer` (asks), `containment`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.inputs import McpListingFailed, McpToolsListed, ToolFailed, ToolReturned
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.outputs import CallTool, ListMcpTools
from parley.protocol.realtime.tools import McpTool
from parley.runtime.containment import Containment
from parley.runtime.generations import Spawn
from parley.runtime.mailbox import Mailbox

__all__ = ["NoTools", "ToolError", "ToolExecutor", "ToolRuns"]

_Given = TypeVar("_Given")


class ToolError(Exception):
    """A tool gave nothing. `error` is told to the model and the client: it names the cause, never what was said."""

    def __init__(self, error: McpError) -> None:
        super().__init__(error.message)
        self.error = error


class ToolExecutor(Protocol):
    """Runs tools. Both methods are cancelled when nobody wants their answer any more."""

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        """Ask an MCP server for all of its tools. Raises `ToolError`."""
        ...

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        """Run tool `name` of `server`, of the session's own functions if None. `arguments` is JSON text as the model
        wrote it. Raises `ToolError`.
        """
        ...


class NoTools:
    """The executor of a server that runs no tools."""

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        """Refuse."""
        raise ToolError(McpError(type="protocol_error", code=-32601, message="This server does not run MCP tools."))

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        """Refuse."""
        raise ToolError(McpError(type="tool_execution_error", message="This server does not run tools."))


class ToolRuns:
    """Every tool running for one session, by item."""

    def __init__(
        self,
        executor: ToolExecutor,
        mailbox: Mailbox,
        spawn: Spawn,
        *,
        limit_ms: int,
        slow_ms: int = 1_500,
        on_slow: Callable[[ResponseId], None] = lambda _response_id: None,
    ) -> None:
        """`on_slow` is told the response whose tool has not returned within `slow_ms`."""
        self._executor = executor
        self._mailbox = mailbox
        self._spawn = spawn
        self._limit_ms = limit_ms
        self._slow_ms = slow_ms
        self._on_slow = on_slow
        self._tasks: dict[ItemId, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        """How many run."""
        return len(self._tasks)

    def list_tools(self, order: ListMcpTools) -> None:
        """Ask an MCP server for its tools."""
        self._tasks[order.item_id] = self._spawn(self._list(order))

    def call(self, order: CallTool) -> None:
        """Run a tool."""
        self._tasks[order.item_id] = self._spawn(self._call(order))

    def abandon(self, item_id: ItemId) -> None:
        """Cancel the run of `item_id`; it will not be answered. Unknown ids are ignored."""
        task = self._tasks.pop(item_id, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Cancel everything."""
        for item_id in list(self._tasks):
            self.abandon(item_id)

    async def _list(self, order: ListMcpTools) -> None:
        given = await self._guarded(self._executor.list_tools(order.server))
        if self._tasks.pop(order.item_id, None) is None:
            return
        if isinstance(given, McpError):
            self._mailbox.post(McpListingFailed(order.item_id, given))
        else:
            self._mailbox.post(McpToolsListed(order.item_id, tuple(given)))

    async def _call(self, order: CallTool) -> None:
        slow: asyncio.TimerHandle | None = None
        if order.response_id is not None:
            loop = asyncio.get_running_loop()
            slow = loop.call_later(self._slow_ms / 1000, self._on_slow, order.response_id)
        try:
            given = await self._guarded(self._executor.call(order.server, order.name, order.arguments))
        finally:
            if slow is not None:
                slow.cancel()
        if self._tasks.pop(order.item_id, None) is None:
            return
        if isinstance(given, McpError):
            self._mailbox.post(ToolFailed(order.item_id, given))
        else:
            self._mailbox.post(ToolReturned(order.item_id, given))

    async def _guarded(self, work: Awaitable[_Given]) -> _Given | McpError:
        """Wait for `work`, within the limit, and give what it gave or why it gave nothing."""
        try:
            async with asyncio.timeout(self._limit_ms / 1000):
                with Containment("tool"):
                    try:
                        return await work
                    except ToolError as fault:
                        return fault.error
        except TimeoutError:
            seconds = self._limit_ms // 1000
            return McpError(type="tool_execution_error", message=f"The tool did not answer within {seconds} s.")
        return McpError(type="tool_execution_error", message="The tool broke; the server's log says where.")
