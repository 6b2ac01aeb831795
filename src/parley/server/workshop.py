"""What agents' sessions work with beyond the server's own engines: their engines, and the tools run for everybody.

One per server; closed with the engine room. Neighbours: `session_door` (asks), `agent_engines`, `parley.agents`.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from parley.agents.addresses import AddressGuard
from parley.agents.agent import Agent
from parley.agents.remote_tools import RemoteTools
from parley.agents.tool_belt import ToolBelt
from parley.engines.base import Engine, EngineSet
from parley.engines.catalog import StageSettings
from parley.protocol.realtime.tools import McpTool
from parley.runtime.tool_runs import ToolExecutor
from parley.server.agent_engines import AgentEngines
from parley.server.tool_threads import ToolThreads

__all__ = ["Workshop"]

_THREADS = 16
"""Functions that are no coroutines and run at once; a further one waits."""


class Workshop:
    """See the module. `guard` says which private hosts MCP tools may lead to."""

    def __init__(self, build: Callable[[str, StageSettings], Engine], guard: AddressGuard) -> None:
        self._engines = AgentEngines(build)
        self._guard = guard
        self._threads = ToolThreads(_THREADS, "parley-tools")

    async def engines_for(self, agent: Agent, common: EngineSet) -> EngineSet:
        """Give the engines of an agent. Raises `EngineError`."""
        return await self._engines.set_for(agent, common)

    def tools_for(self, agent: Agent | None) -> ToolExecutor:
        """Give what runs a session's tools. An agent's own MCP servers may be private: its operator named them."""
        if agent is None:
            return ToolBelt({}, self._threads, RemoteTools(self._guard))
        return ToolBelt(agent.functions, self._threads, RemoteTools(self._guard.allowing(_own_hosts(agent))))

    async def aclose(self) -> None:
        """Free the engines, and wait for no function."""
        self._threads.shutdown()
        await self._engines.aclose()


def _own_hosts(agent: Agent) -> list[str]:
    tools = agent.settings.tools
    hosts = []
    for tool in tools if isinstance(tools, tuple) else ():
        if isinstance(tool, McpTool) and isinstance(tool.server_url, str):
            parts = urlsplit(tool.server_url)
            hosts.append(f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    return hosts
