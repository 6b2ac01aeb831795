"""The vendor's agents library for JavaScript approves and refuses calls of a real MCP server, on `parley serve`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio
from client_venvs import node_packages
from event_order import order_faults
from foreign_clients import SCRIPTS
from mcp_servers import McpAddress, mcp_server
from served import parley_serve

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

LIMIT_S = 120


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held() -> tuple[dict[str, Any], McpAddress]:
    """What the library saw, and the MCP server that it asked for orders by way of Parley."""
    packages = await asyncio.to_thread(node_packages, "node")
    serving = parley_serve(environment={"PARLEY_MCP_ALLOW": "127.0.0.1"})
    async with mcp_server() as shop:
        served = await asyncio.to_thread(serving.__enter__)
        try:
            command = ["node", str(SCRIPTS / "agents_js_mcp.mjs"), f"{served.websocket_url}/v1/realtime", shop.url]
            process = await asyncio.create_subprocess_exec(
                *command, str(packages), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(LIMIT_S):
                out, err = await process.communicate()
            assert process.returncode == 0, err.decode()[-2_000:]
            return json.loads(out.decode().splitlines()[-1]), shop
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


async def test_it_is_told_of_the_servers_tools(held: tuple[dict[str, Any], McpAddress]) -> None:
    seen, _ = held
    assert seen["listed"] == [["shop", ["find_order", "cancel_order", "wait_long"]]]
    assert seen["available"] == seen["listed"][0][1]


async def test_every_call_waits_for_its_word_and_only_the_approved_are_made(
    held: tuple[dict[str, Any], McpAddress],
) -> None:
    seen, shop = held
    asked = [(kind, name, json.loads(given)) for kind, name, given in seen["asked"]]
    assert asked == [("mcp_approval_request", "find_order", {"number": number}) for number in (7, 8, 9)]
    assert shop.seen.calls == ["find_order 7", "find_order 9"]


async def test_what_the_tool_said_is_spoken_and_a_refusal_leaves_the_conversation_whole(
    held: tuple[dict[str, Any], McpAddress],
) -> None:
    seen, _ = held
    first, third = seen["said"]
    assert "Order 7 left the harbour" in first
    assert "Order 9 left the harbour" in third
    assert "Order 8 left" not in json.dumps(seen["events"])


async def test_nothing_is_an_error_to_it_and_all_is_in_order(held: tuple[dict[str, Any], McpAddress]) -> None:
    seen, _ = held
    assert seen["errors"] == []
    assert [event for event in seen["events"] if event["type"] == "error"] == []
    assert order_faults(seen["events"], whole=False) == []
