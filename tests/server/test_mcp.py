"""MCP tools through a whole session: a real MCP server over HTTP, a real Parley, a client on the WebSocket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp_servers import mcp_server, plain_server
from running_server import RunningServer, ask, receive, receive_until, running_server
from websockets.asyncio.client import ClientConnection

from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import FunctionCallOutputItem
from parley.server.settings import Settings, load_settings
from parley.testing import engine_set
from parley.testing.fake_chat import FakeChatModel, echo
from parley.testing.steps import Call, Reply, say

ALLOWED = Settings(mcp_allow=("127.0.0.1",))
TEXT = ["text"]


def finding(name: str = "find_order", arguments: str = '{"number": 7}') -> FakeChatModel:
    """A model that calls the tool once it is offered, and says what came of it."""

    def reply(context: GenerationContext) -> Reply:
        last = context.items[-1] if context.items else None
        if isinstance(last, FunctionCallOutputItem):
            return say(f"Told: {last.output}")
        if any(getattr(tool, "name", "") == name for tool in context.tools):
            return [Call(name, arguments)]
        return echo(context)

    return FakeChatModel(reply)


def tool(url: str, **fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "shop", "server_url": url, "require_approval": "never", **fields}


async def with_tools(socket: ClientConnection, *tools: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the session tools and wait until each server was asked."""
    await receive(socket)
    session = {"type": "realtime", "output_modalities": TEXT, "tools": list(tools)}
    await socket.send(json.dumps({"type": "session.update", "session": session}))
    events: list[dict[str, Any]] = []
    for _ in tools:
        events += await receive_until(socket, "mcp_list_tools.completed", "mcp_list_tools.failed")
    return events


def serving(chat: FakeChatModel, settings: Settings = ALLOWED) -> Any:
    return running_server(settings, build=lambda: engine_set(chat=chat))


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def one(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [event for event in events if event["type"] == kind]
    assert len(found) == 1, types(events)
    return found[0]


async def test_tools_are_listed_called_and_their_output_told() -> None:
    chat = finding()
    async with mcp_server() as shop, serving(chat) as server, server.websocket() as socket:
        listing = await with_tools(socket, tool(shop.url))
        assert [entry["name"] for entry in listing[-2]["item"]["tools"]] == ["find_order", "cancel_order", "wait_long"]
        events = await ask(socket, "Where is order seven?")
        call = one(events, "response.output_item.done")["item"]
        assert (call["type"], call["name"], call["server_label"]) == ("mcp_call", "find_order", "shop")
        assert call["output"] == "Order 7 left the harbour this morning."
        assert one(events, "response.mcp_call.completed")["item_id"] == call["id"]
        assert shop.seen.calls == ["find_order 7"]
        await socket.send(json.dumps({"type": "response.create"}))
        said = (await receive_until(socket, "response.done"))[-1]["response"]["output"][0]["content"][0]["text"]
        assert said == "Told: Order 7 left the harbour this morning."


async def test_the_response_goes_on_by_itself_where_that_was_asked_for() -> None:
    async with mcp_server() as shop, serving(finding()) as server, server.websocket() as socket:
        await with_tools(socket, tool(shop.url, parley_continue=True))
        done = (await ask(socket, "Where is order seven?"))[-1]["response"]
        assert [item["type"] for item in done["output"]] == ["mcp_call", "message"]


async def test_nothing_runs_before_it_is_approved() -> None:
    async with mcp_server() as shop, serving(finding()) as server, server.websocket() as socket:
        await with_tools(socket, tool(shop.url, require_approval="always"))
        events = await ask(socket, "Where is order seven?")
        request = one(events, "response.output_item.done")["item"]
        assert (request["type"], request["name"]) == ("mcp_approval_request", "find_order")
        assert json.loads(request["arguments"]) == {"number": 7}
        assert shop.seen.calls == []
        answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": answer}))
        await receive_until(socket, "response.mcp_call.completed")
        assert shop.seen.calls == ["find_order 7"]


async def test_what_is_refused_never_runs() -> None:
    async with mcp_server() as shop, serving(finding()) as server, server.websocket() as socket:
        await with_tools(socket, tool(shop.url, require_approval="always"))
        request = one(await ask(socket, "Where is order seven?"), "response.output_item.done")["item"]
        answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": False}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": answer}))
        await receive_until(socket, "conversation.item.done")
        await ask(socket, "Thanks.")
        assert shop.seen.calls == []


async def test_a_tools_failure_is_told() -> None:
    chat = finding("cancel_order")
    async with mcp_server() as shop, serving(chat) as server, server.websocket() as socket:
        await with_tools(socket, tool(shop.url))
        events = await ask(socket, "Cancel order seven.")
        one(events, "response.mcp_call.failed")
        error = one(events, "response.output_item.done")["item"]["error"]
        assert error["type"] == "tool_execution_error"
        assert "Order 7 has already left." in error["message"]
        assert events[-1]["response"]["status"] == "completed"


async def test_a_server_that_cannot_be_listed_fails_alone() -> None:
    async with (
        mcp_server() as shop,
        plain_server(500) as broken,
        serving(finding()) as server,
        server.websocket() as socket,
    ):
        bad = {**tool(broken.url), "server_label": "broken"}
        listing = await with_tools(socket, bad, tool(shop.url))
        assert {"mcp_list_tools.failed", "mcp_list_tools.completed"} <= set(types(listing))
        events = await ask(socket, "Where is order seven?")
        assert one(events, "response.mcp_call.completed")


async def test_a_private_server_is_refused_and_nothing_is_sent_there() -> None:
    async with mcp_server() as shop, serving(finding(), Settings()) as server, server.websocket() as socket:
        listing = await with_tools(socket, tool(shop.url))
        assert listing[-1]["type"] == "mcp_list_tools.failed"
        assert "mcp_allow" in json.dumps(listing)
        assert shop.seen.headers == []


async def test_a_call_is_given_up_with_its_response() -> None:
    async with mcp_server() as shop, serving(finding("wait_long", "{}")) as server, server.websocket() as socket:
        await with_tools(socket, tool(shop.url))
        await socket.send(json.dumps({"type": "response.create"}))
        await receive_until(socket, "response.mcp_call.in_progress")
        async with asyncio.timeout(10):
            while not shop.seen.calls:
                await asyncio.sleep(0.01)
        await socket.send(json.dumps({"type": "response.cancel"}))
        done = (await receive_until(socket, "response.done"))[-1]["response"]
        assert done["status"] == "cancelled"


async def test_credentials_are_echoed_to_nobody_and_reach_the_server() -> None:
    async with mcp_server(token="hush-hush") as shop, serving(finding()) as server, server.websocket() as socket:
        events = await with_tools(socket, tool(shop.url, authorization="hush-hush"))
        assert events[-1]["type"] == "mcp_list_tools.completed"
        assert "hush-hush" not in json.dumps(events)
        assert shop.seen.headers[0]["authorization"] == "Bearer hush-hush"


@pytest.mark.parametrize("by_browser", [True, False])
async def test_an_agents_own_server_may_be_private_and_stays_hidden(tmp_path: Path, by_browser: bool) -> None:
    async with mcp_server(token="t0p") as shop:
        toml = (
            '[agents.clerk]\ninstructions = "Be the clerk."\nsession = { output_modalities = ["text"] }\n'
            f'[[agents.clerk.mcp]]\nserver_label = "shop"\nserver_url = "{shop.url}"\nauthorization = "t0p"\n'
        )
        (tmp_path / "parley.toml").write_text(toml)
        settings = load_settings(flags={}, environ={}, directory=tmp_path)
        async with serving(finding(), settings) as server:
            key = await secret_for(server, "clerk") if by_browser else None
            async with server.websocket("/v1/realtime?model=clerk", key=key) as socket:
                events = await receive_until(socket, "mcp_list_tools.completed", "mcp_list_tools.failed")
                assert events[-1]["type"] == "mcp_list_tools.completed", events
                events += await ask(socket, "Where is order seven?")
                done = events[-1]["response"]
                assert [item["type"] for item in done["output"]] == ["mcp_call", "message"]
                assert "Order 7" in done["output"][-1]["content"][0]["text"]
                told = json.dumps(events)
                assert "t0p" not in told
                assert ("find_order" in told) is not by_browser
                assert ('number\\"' in told) is not by_browser
                assert (str(shop.port) in told) is not by_browser


async def secret_for(server: RunningServer, model: str) -> str:
    async with server.http() as http:
        body = {"session": {"type": "realtime", "model": model}}
        return str((await http.post("/v1/realtime/client_secrets", json=body)).json()["value"])
