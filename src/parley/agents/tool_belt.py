"""The executor of one session's server-side tools: an agent's own functions, and remote MCP servers.

Implements `runtime.tool_runs.ToolExecutor`. Neighbours: `functions`, `remote_tools`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from parley.agents.functions import HostedFunction, call_function
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.tools import McpTool
from parley.runtime.tool_runs import ToolError, ToolExecutor

__all__ = ["ToolBelt"]


@dataclass(frozen=True, slots=True)
class ToolBelt:
    """See the module. `threads` runs functions that are no coroutines; `remote` speaks MCP."""

    functions: Mapping[str, HostedFunction]
    threads: Executor
    remote: ToolExecutor

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        """Ask an MCP server for its tools."""
        return await self.remote.list_tools(server)

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        """Run a tool of an MCP server, or a function of the agent."""
        if server is not None:
            return await self.remote.call(server, name, arguments)
        hosted = self.functions.get(name)
        if hosted is None:
            raise ToolError(McpError(type="tool_execution_error", message=f"There is no function '{name}' any more."))
        return await call_function(hosted, arguments, self.threads)
