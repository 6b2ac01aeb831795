"""Remote MCP servers, the real SDK's over real HTTP: listing, calls, every kind of failure, and where it may lead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from mcp_servers import mcp_server, plain_server

from parley.agents.addresses import AddressGuard, read_allowed
from parley.agents.remote_tools import RemoteTools
from parley.protocol.realtime.items import McpError
from parley.protocol.realtime.tools import McpTool
from parley.runtime.tool_runs import ToolError

HERE = RemoteTools(read_allowed(["127.0.0.1"], "mcp_allow"))


def at(url: str, **fields: Any) -> McpTool:
    return McpTool(server_label="shop", server_url=url, **fields)


async def failure(work: Any) -> McpError:
    with pytest.raises(ToolError) as failed:
        await work
    return failed.value.error


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_tools_are_listed_and_called(transport: str) -> None:
    async with mcp_server(transport=transport) as shop:
        tools = await HERE.list_tools(at(shop.url))
        assert [tool.name for tool in tools] == ["find_order", "cancel_order", "wait_long"]
        assert tools[0].description == "Find an order by its number."
        assert tools[2].description == "", "agents-js demands the key of a tool that says nothing of itself"
        assert tools[0].input_schema["properties"]["number"]["type"] == "integer"
        assert tools[0].annotations == {"readOnlyHint": True}
        said = await HERE.call(at(shop.url), "find_order", '{"number": 7}')
        assert said == "Order 7 left the harbour this morning."
        assert shop.seen.calls == ["find_order 7"]


async def test_authorization_and_headers_reach_the_server() -> None:
    async with mcp_server(token="t0p") as shop:
        tool = at(shop.url, authorization="t0p", headers={"X-Tenant": "harbour"})
        assert len(await HERE.list_tools(tool)) == 3
        assert {headers["x-tenant"] for headers in shop.seen.headers} == {"harbour"}
        assert {headers["authorization"] for headers in shop.seen.headers} == {"Bearer t0p"}
        error = await failure(HERE.list_tools(at(shop.url, authorization="wrong")))
        assert (error.type, error.code) == ("http_error", 401)
        assert "`authorization`" in error.message
        assert "wrong" not in error.message


async def test_a_tools_own_failure_is_told_in_its_words() -> None:
    async with mcp_server() as shop:
        error = await failure(HERE.call(at(shop.url), "cancel_order", '{"number": 7}'))
        assert error.type == "tool_execution_error"
        assert "Order 7 has already left." in error.message


@pytest.mark.parametrize(("name", "arguments"), [("find_order", '{"number": "many"}'), ("sell_harbour", "{}")])
async def test_calls_that_the_server_does_not_take_fail(name: str, arguments: str) -> None:
    async with mcp_server() as shop:
        error = await failure(HERE.call(at(shop.url), name, arguments))
        assert error.type in {"tool_execution_error", "protocol_error"}
        assert error.message


async def test_arguments_that_are_no_object_never_leave() -> None:
    async with mcp_server() as shop:
        for arguments in ("{", "[1]", '"x"'):
            error = await failure(HERE.call(at(shop.url), "find_order", arguments))
            assert (error.type, error.code) == ("protocol_error", -32602)
        assert shop.seen.headers == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "server_url"), (500, "status 500"), (403, "refused"), (503, "503")]
)
async def test_statuses_are_http_errors(status: int, words: str) -> None:
    async with plain_server(status) as server:
        error = await failure(HERE.list_tools(at(server.url)))
        assert (error.type, error.code) == ("http_error", status)
        assert words in error.message


async def test_a_server_that_is_not_there_is_an_http_error() -> None:
    async with plain_server(200) as server:
        gone = server.url
    error = await failure(HERE.list_tools(at(gone)))
    assert error.type == "http_error"
    assert "cannot be reached" in error.message


async def test_what_is_no_mcp_server_is_told() -> None:
    async with plain_server(200, {"content-type": "text/html"}, b"<h1>Hello</h1>") as server:
        error = await failure(HERE.list_tools(at(server.url)))
        assert error.type == "protocol_error"
    async with plain_server(200, {"content-type": "application/json"}, b'{"a": 1}') as server:
        error = await failure(HERE.list_tools(at(server.url)))
        assert error.type in {"protocol_error", "http_error"}


async def test_redirects_lead_nowhere() -> None:
    async with mcp_server() as shop, plain_server(307, {"location": shop.url}) as server:
        error = await failure(HERE.list_tools(at(server.url)))
        assert (error.type, error.code) == ("http_error", 307)
        assert shop.seen.headers == []


async def test_a_cancelled_call_ends_at_once() -> None:
    async with mcp_server() as shop:
        call = asyncio.get_running_loop().create_task(HERE.call(at(shop.url), "wait_long", "{}"))
        while not shop.seen.calls:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(call, 5)


async def test_the_vendors_connectors_are_refused_with_the_fix() -> None:
    error = await failure(HERE.list_tools(McpTool(server_label="x", connector_id="connector_gmail")))
    assert "server_url" in error.message


async def test_private_servers_are_refused_unless_allowed() -> None:
    async with mcp_server() as shop:
        for name in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0"):
            url = f"http://{name}:{shop.port}/mcp"
            error = await failure(RemoteTools(AddressGuard()).list_tools(at(url)))
            assert (error.type, error.code) == ("http_error", 403), name
            assert "mcp_allow" in error.message
        assert shop.seen.headers == []
        named = RemoteTools(AddressGuard().allowing([f"localhost:{shop.port}"]))
        assert await named.list_tools(at(f"http://localhost:{shop.port}/mcp"))


async def test_a_name_that_changes_its_mind_is_bound_to_what_was_judged() -> None:
    """DNS rebinding: the first answer is public, the next private. Nothing is connected to but what was judged."""
    answers = iter(["203.0.113.9", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8", next(answers)]

    async with mcp_server() as shop:
        tools = RemoteTools(AddressGuard(resolve=resolve))
        error = await failure(tools.list_tools(at(f"http://rebound.example:{shop.port}/mcp")))
        assert error.type == "http_error"
        assert shop.seen.headers == []
        assert asked


async def test_the_pinned_connection_keeps_the_hosts_name() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with plain_server(500) as server:
        tools = RemoteTools(AddressGuard(frozenset({"tools.internal"}), resolve=resolve))
        await failure(tools.list_tools(at(f"http://tools.internal:{server.port}/mcp")))
        assert {headers["host"] for headers in server.seen.headers} == {f"tools.internal:{server.port}"}


@pytest.mark.parametrize("url", ["ftp://x/mcp", "file:///etc/passwd", "http://user:pw@127.0.0.1/mcp", "nonsense", ""])
async def test_odd_addresses_are_refused(url: str) -> None:
    error = await failure(HERE.list_tools(at(url)))
    assert error.type == "http_error"
    assert "pw" not in error.message
