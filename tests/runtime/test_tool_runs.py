"""Every tool that is asked for answers once, whatever it does; an abandoned one never answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.inputs import McpListingFailed, McpToolsListed, ToolFailed, ToolReturned
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.outputs import CallTool, ListMcpTools
from parley.protocol.realtime.tools import McpTool
from parley.runtime.mailbox import Mailbox
from parley.runtime.tool_runs import NoTools, ToolError, ToolExecutor, ToolRuns

SERVER = McpTool(server_label="files")


class Shed:
    """An executor whose tools are named after what they do."""

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        return [McpToolInfo(name=server.server_label, input_schema={"type": "object"})]

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        match name:
            case "hang":
                await asyncio.Event().wait()
            case "break":
                raise ValueError(arguments)
            case "refuse":
                raise ToolError(McpError(type="tool_execution_error", message="No."))
        return f"{name}({arguments})"


async def answers(executor: ToolExecutor, *orders: CallTool | ListMcpTools, abandon: str = "") -> list[Any]:
    mailbox = Mailbox(max_frames=1, max_frame_bytes=1, max_chunks=1)
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(work))
        return tasks[-1]

    runs = ToolRuns(executor, mailbox, spawn, limit_ms=20)
    for order in orders:
        runs.list_tools(order) if isinstance(order, ListMcpTools) else runs.call(order)
    if abandon:
        await asyncio.sleep(0)
        runs.abandon(ItemId(abandon))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(runs) == 0
    return [mailbox.take() for _ in range(len(mailbox))]


def call(name: str) -> CallTool:
    return CallTool(ItemId(name), name, "{}")


async def test_what_a_tool_gives_or_why_it_gives_nothing() -> None:
    given = await answers(Shed(), call("hello"), call("break"), call("refuse"), call("hang"))
    assert given[0] == ToolReturned(ItemId("hello"), "hello({})")
    assert given[1] == ToolFailed(ItemId("break"), given[1].error)
    assert "log" in given[1].error.message
    assert "{}" not in given[1].error.message
    assert given[2].error.message == "No."
    assert given[3].item_id == "hang"
    assert "did not answer" in given[3].error.message


async def test_an_abandoned_tool_is_cancelled_and_never_answers() -> None:
    assert await answers(Shed(), call("hang"), abandon="hang") == []


async def test_a_servers_tools_are_listed() -> None:
    order = ListMcpTools(ItemId("i"), SERVER)
    tools = (McpToolInfo(name="files", input_schema={"type": "object"}),)
    assert await answers(Shed(), order) == [McpToolsListed(ItemId("i"), tools)]


async def test_a_server_without_tools_says_so() -> None:
    listed, called = await answers(NoTools(), ListMcpTools(ItemId("i"), SERVER), call("f"))
    assert isinstance(listed, McpListingFailed)
    assert isinstance(called, ToolFailed)
