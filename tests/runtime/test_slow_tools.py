"""What is said while a tool of the server's takes long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from runtime_kit import Client, supervised

from parley.agents.greeting import reciting
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import FunctionCallOutputItem, McpToolInfo
from parley.protocol.realtime.session_config import SessionConfig
from parley.protocol.realtime.tools import FunctionTool, McpTool
from parley.runtime.equipment import Equipment
from parley.testing import engine_set
from parley.testing.fake_chat import FakeChatModel
from parley.testing.steps import Call, Reply, say

WORDS = "One moment, please."


class SlowTool:
    """A tool that takes `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.cancelled = False

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        return ()

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "four rooms"


def calls(*before: object) -> FakeChatModel:
    def reply(context: GenerationContext) -> Reply:
        last = context.items[-1] if context.items else None
        if isinstance(last, FunctionCallOutputItem):
            return say(f"There are {last.output}.")
        return [*before, Call("count", "{}")]  # type: ignore[list-item]

    return FakeChatModel(reply)


@asynccontextmanager
async def conversation(tool: SlowTool, chat: FakeChatModel, *, words: str = WORDS) -> AsyncIterator[Client]:
    engines = engine_set(chat=chat)
    config = SessionConfig(hosted_tools=(FunctionTool("count"),))
    equipment = Equipment(tools=tool, interim=reciting(engines, words) if words else None)
    async with supervised(engines) as supervisor:
        client = await Client.connect(supervisor, config, equipment=equipment)
        await client.send("response.create")
        yield client


def said(client: Client) -> list[str]:
    return [event["transcript"] for event in client.of("response.output_audio_transcript.done")]


async def test_a_slow_tool_is_excused_and_its_result_told_after_that() -> None:
    async with conversation(SlowTool(10), calls()) as client:
        await client.until("response.done")
        assert said(client) == [WORDS, "There are four rooms."]
        assert len(client.of("response.done")) == 1
        assert client.of("response.done")[0]["response"]["status"] == "completed"
        assert client.audio()


async def test_a_quick_tool_needs_no_excuse() -> None:
    async with conversation(SlowTool(1), calls()) as client:
        await client.until("response.done")
        assert said(client) == ["There are four rooms."]


async def test_a_model_that_said_something_itself_is_not_talked_over() -> None:
    async with conversation(SlowTool(10), calls(*say("Let me count."))) as client:
        await client.until("response.done")
        assert said(client) == ["Let me count.", "There are four rooms."]


async def test_silence_can_be_chosen() -> None:
    async with conversation(SlowTool(10), calls(), words="") as client:
        await client.until("response.done")
        assert said(client) == ["There are four rooms."]


async def test_a_tool_that_returns_amid_the_excuse_waits_for_its_end() -> None:
    async with conversation(
        SlowTool(1.501), calls(), words="One moment, please. I am looking that up for you."
    ) as client:
        await client.until("response.done")
        assert said(client) == ["One moment, please. I am looking that up for you.", "There are four rooms."]


async def test_cancelling_ends_tool_and_excuse() -> None:
    tool = SlowTool(60)
    async with conversation(tool, calls(), words="One moment, please. " * 20) as client:
        await asyncio.sleep(1.51)
        await client.send("response.cancel")
        await client.until("response.done")
        assert client.of("response.done")[0]["response"]["status"] == "cancelled"
        assert tool.cancelled
        count = len(client.events)
        await asyncio.sleep(5)
        assert len(client.events) == count
