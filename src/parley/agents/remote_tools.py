"""Tools of remote MCP servers, over streamable HTTP or SSE, by the official SDK. Source: modelcontextprotocol.io.

One connection per listing or call: a server is handed nothing of one conversation in another, and nothing of it stays
open between. Where it may lead is `addresses`' business. Failures keep their kind, as the Realtime API names them:
`http_error` (unreachable, refused, a status), `protocol_error` (JSON-RPC), `tool_execution_error` (the tool's own).
No word of a server's reaches a log. Implements `runtime.tool_runs.ToolExecutor`; neighbours: `tool_belt`, `addresses`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from parley.agents.functions import MAX_OUTPUT_CHARS
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.tools import McpTool
from parley.runtime.tool_runs import ToolError

if TYPE_CHECKING:
    import httpx2
    from mcp import ClientSession
    from mcp.types import CallToolResult

    from parley.agents.addresses import AddressGuard

__all__ = ["RemoteTools"]

MAX_TOOLS = 500
"""Tools taken from one server; more would crowd everything else out of the model's context."""

_CONNECT_S = 10.0
_READ_S = 120.0
_OLD_TRANSPORT = frozenset({400, 404, 405, 406, 415})
"""What servers of the older transport (SSE) answer to the newer one's first request."""
_STAND_INS = frozenset({"Server returned an error response", "Not Found", "Session terminated"})
"""The SDK's words for an HTTP status without a JSON-RPC error."""


@dataclass(frozen=True, slots=True)
class RemoteTools:
    """See the module."""

    guard: AddressGuard

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        """Ask an MCP server for all of its tools. Raises `ToolError`."""
        found: list[McpToolInfo] = []
        async with self._connected(server) as session:
            cursor: str | None = None
            while len(found) < MAX_TOOLS:
                page = await session.list_tools(params=_page(cursor))
                found += [_described(tool) for tool in page.tools]
                cursor = page.next_cursor
                if not cursor:
                    break
        return found[:MAX_TOOLS]

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        """Run tool `name` of `server` and give its output as text. Raises `ToolError`."""
        if server is None:
            raise ToolError(McpError(type="tool_execution_error", message=f"There is no function '{name}' here."))
        given = _parsed(arguments, name)
        async with self._connected(server) as session:
            result = await session.call_tool(name, given)
        text = _text(result)
        if result.is_error:
            raise ToolError(
                McpError(type="tool_execution_error", message=text or "The tool failed and did not say why.")
            )
        return text

    @asynccontextmanager
    async def _connected(self, server: McpTool) -> AsyncIterator[ClientSession]:
        """Connect and say hello. Whatever goes wrong inside is a `ToolError` outside."""
        await asyncio.to_thread(_load_sdk)
        line = _Line(self.guard, _url(server), _headers(server))
        faults: list[ToolError] = []
        try:
            async with line.session() as session:
                yield session
        except* ToolError as group:
            faults += [error for error in _leaves(group) if isinstance(error, ToolError)]
        except* _network_errors() as group:
            faults.append(line.fault(next(_leaves(group))))
        if faults:
            raise faults[0]


class _Line:
    """One connection to one server."""

    def __init__(self, guard: AddressGuard, url: str, headers: dict[str, str]) -> None:
        self._guard = guard
        self._url = url
        self._headers = headers
        self._status = 0
        self._failure: Exception | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[ClientSession]:
        """Speak the newer transport, or the older one to a server that answers so."""
        from mcp import ClientSession, MCPError
        from mcp.client.sse import sse_client
        from mcp.client.streamable_http import streamable_http_client

        if not self._url.rstrip("/").endswith("/sse"):
            async with (
                self._client() as http,
                streamable_http_client(self._url, http_client=http) as (read, write),
                ClientSession(read, write, read_timeout_seconds=_READ_S) as session,
            ):
                try:
                    await session.initialize()
                except MCPError as error:
                    if self._status not in _OLD_TRANSPORT or error.message not in _STAND_INS:
                        raise
                else:
                    yield session
                    return
        factory: Any = lambda headers=None, timeout=None, auth=None: self._client()  # noqa: E731 - the SDK's shape
        async with (
            sse_client(self._url, httpx_client_factory=factory) as (read, write),
            ClientSession(read, write, read_timeout_seconds=_READ_S) as session,
        ):
            await session.initialize()
            yield session

    def fault(self, error: BaseException) -> ToolError:
        """Say what an error of the line means. An HTTP status says more than the SDK's stand-in for it."""
        import httpx2
        from mcp import MCPError

        from parley.agents.addresses import AddressRefused

        cause = self._failure or error
        if isinstance(cause, AddressRefused):
            return ToolError(McpError(type="http_error", code=403, message=str(cause)))
        if isinstance(cause, httpx2.HTTPStatusError):
            self._status = cause.response.status_code
        stands_in = not isinstance(cause, MCPError) or cause.message in _STAND_INS or self._status < 400
        if self._status >= 300 and stands_in:
            return ToolError(McpError(type="http_error", code=self._status, message=_status_words(self._status)))
        if isinstance(cause, MCPError):
            return ToolError(McpError(type="protocol_error", code=cause.code, message=cause.message[:500]))
        words = f"The MCP server cannot be reached ({type(cause).__name__})."
        return ToolError(McpError(type="http_error", code=502, message=words))

    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        from parley.agents.addresses import guarded_client

        return guarded_client(
            self._guard,
            headers=self._headers,
            timeout=httpx2.Timeout(_CONNECT_S, read=_READ_S),
            report=self._heard,
        )

    def _heard(self, method: str, outcome: int | Exception) -> None:
        """Remember how the last message went; a server need not serve the stream that GET asks for."""
        if isinstance(outcome, Exception):
            self._failure = outcome
        elif method == "POST":
            self._status = outcome


def _load_sdk() -> None:
    """Import what a connection needs, beside the loop: the first time it takes half a second of processor time."""
    import mcp.client.sse
    import mcp.client.streamable_http  # noqa: F401


def _network_errors() -> tuple[type[Exception], ...]:
    import httpx2
    from mcp import MCPError
    from pydantic import ValidationError

    from parley.agents.addresses import AddressRefused

    # RuntimeError: a server of an unknown protocol version, in the SDK's words.
    return (AddressRefused, httpx2.HTTPError, httpx2.InvalidURL, MCPError, ValidationError, RuntimeError, OSError)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _url(server: McpTool) -> str:
    if isinstance(server.server_url, UnsetType):
        words = "Connectors and tunnels belong to the vendor. Give the MCP server's own server_url."
        raise ToolError(McpError(type="protocol_error", code=-32602, message=words))
    return server.server_url


def _headers(server: McpTool) -> dict[str, str]:
    headers = dict(server.headers) if isinstance(server.headers, dict) else {}
    if isinstance(server.authorization, str) and server.authorization:
        token = server.authorization
        headers["Authorization"] = token if " " in token else f"Bearer {token}"
    return headers


def _page(cursor: str | None) -> Any:
    from mcp.types import PaginatedRequestParams

    return PaginatedRequestParams(cursor=cursor) if cursor else None


def _described(tool: Any) -> McpToolInfo:
    notes = tool.annotations
    return McpToolInfo(
        name=tool.name,
        input_schema=dict(tool.input_schema),
        description=tool.description or "",
        annotations=UNSET if notes is None else notes.model_dump(by_alias=True, mode="json", exclude_none=True),
    )


def _parsed(arguments: str, name: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(arguments or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        words = f"The arguments of '{name}' were not a JSON object. Call it again with one."
        raise ToolError(McpError(type="protocol_error", code=-32602, message=words)) from None


def _text(result: CallToolResult) -> str:
    """Write a result as text for the model: its texts, else its structured content; other kinds by name."""
    parts = [block.text if block.type == "text" else f"[{block.type}]" for block in result.content]
    if result.structured_content is not None and not any(block.type == "text" for block in result.content):
        parts.append(msgspec.json.encode(result.structured_content).decode())
    text = "\n".join(parts)
    return text if len(text) <= MAX_OUTPUT_CHARS else text[:MAX_OUTPUT_CHARS] + " … (cut)"


def _status_words(status: int) -> str:
    match status:
        case 401 | 403:
            return f"The MCP server refused with status {status}. Check the tool's `authorization` and `headers`."
        case 404:
            return "The MCP server has nothing at this address (status 404). Check the server_url."
        case _ if status < 400:
            return f"The MCP server redirects elsewhere (status {status}). Give the server_url it redirects to."
        case _:
            return f"The MCP server answered with status {status}."
