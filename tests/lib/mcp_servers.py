"""Real MCP servers for tests: the official SDK's, over streamable HTTP or SSE, on free ports; and broken ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from parley.server.serving import address_of, bind

__all__ = ["McpAddress", "Seen", "mcp_server", "plain_server", "shop"]


@dataclass
class Seen:
    """What reached a server: request headers, tool calls, and what became of slow ones."""

    headers: list[dict[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class McpAddress:
    """Where a server listens."""

    port: int
    path: str
    seen: Seen

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"


def shop(seen: Seen) -> MCPServer:
    """A shop's tools: one that reads, one that fails, one that takes its time, one that gives structure."""
    server = MCPServer("shop")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def find_order(number: int) -> str:
        """Find an order by its number."""
        seen.calls.append(f"find_order {number}")
        return f"Order {number} left the harbour this morning."

    @server.tool()
    def cancel_order(number: int) -> str:
        """Cancel an order."""
        seen.calls.append(f"cancel_order {number}")
        raise ToolError(f"Order {number} has already left.")

    @server.tool()
    async def wait_long() -> str:
        seen.calls.append("wait_long")
        try:
            await asyncio.sleep(60)
        except BaseException:
            seen.cancelled.append("wait_long")
            raise
        return "done"

    return server


@asynccontextmanager
async def mcp_server(*, transport: str = "http", token: str | None = None) -> AsyncIterator[McpAddress]:
    """Run the shop. With a `token` it refuses requests without it."""
    seen = Seen()
    server = shop(seen)
    app: Any = server.streamable_http_app() if transport == "http" else server.sse_app()
    path = "/mcp" if transport == "http" else "/sse"
    async with _serving(_watched(app, seen, token)) as port:
        yield McpAddress(port, path, seen)


@asynccontextmanager
async def plain_server(
    status: int, headers: dict[str, str] | None = None, body: bytes = b""
) -> AsyncIterator[McpAddress]:
    """Run a server that gives every request the same answer."""
    seen = Seen()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async with _serving(_watched(app, seen, None)) as port:
        yield McpAddress(port, "/mcp", seen)


def _watched(app: Any, seen: Seen, token: str | None) -> Callable[[Any, Any, Any], Any]:
    async def watch(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            seen.headers.append(headers)
            if token is not None and headers.get("authorization") != f"Bearer {token}":
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return watch


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving(app: Any) -> AsyncIterator[int]:
    sockets = bind("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1, ws="none")
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not task.done()
        yield address_of(sockets)[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        for listener in sockets:
            listener.close()
