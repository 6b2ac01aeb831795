"""Tools that the server runs and prompts that it stores, through the whole runtime in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from event_order import order_faults
from msgspec.structs import replace
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import FunctionCallOutputItem, McpToolInfo
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.session_config import SessionConfig, SessionPatch, StoredPrompt
from parley.protocol.realtime.tools import FunctionTool, McpTool
from parley.runtime.equipment import Equipment
from parley.testing import FakeChatModel, FakeRecognizer, call, engine_set
from parley.testing import say as say_steps

HOSTED = replace(SessionConfig(), hosted_tools=(FunctionTool(name="clock"),))


class Clockwork:
    """A tool that takes its time, and counts how often it was cut short."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def list_tools(self, server: McpTool) -> Sequence[McpToolInfo]:
        return [McpToolInfo(name="clock", input_schema={"type": "object"})]

    async def call(self, server: McpTool | None, name: str, arguments: str) -> str:
        try:
            await asyncio.sleep(3)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"{name}: noon"


class Book:
    """One prompt."""

    def find(self, reference: PromptReference, *, param: str) -> StoredPrompt | ClientFault | None:
        if reference.id != "pirate":
            return None
        if reference.variables:
            return ClientFault(code="invalid_value", message="It has no variables.", param=f"{param}.variables")
        return StoredPrompt(SessionPatch(instructions="Be a pirate."))


async def test_a_hosted_function_is_run_and_its_result_spoken() -> None:
    chat = FakeChatModel([call("clock"), say_steps("It is noon.")])
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor, HOSTED, equipment=Equipment(tools=Clockwork()))
        await client.ask("what time is it")
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["output"][-1]["content"][0]["transcript"]) == ("completed", "It is noon.")
        output = chat.contexts[1].items[-1]
        assert isinstance(output, FunctionCallOutputItem)
        assert output.output == "clock: noon"
        assert len(client.audio()) > 0
        assert order_faults(client.events) == []


async def test_a_voice_cuts_a_hosted_function_short() -> None:
    tools, chat = Clockwork(), FakeChatModel([call("clock"), say_steps("Never mind.")])
    recognizer = FakeRecognizer(["no, wait"])
    async with supervised(engine_set(chat=chat, recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor, HOSTED, equipment=Equipment(tools=tools))
        await client.ask("what time is it")
        await client.until("conversation.item.added")
        await client.speak(utterance() + silence(1500))
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert tools.cancelled == 1
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert not any(isinstance(item, FunctionCallOutputItem) for item in chat.contexts[-1].items)


async def test_an_mcp_servers_tool_is_listed_and_called() -> None:
    chat = FakeChatModel([call("clock"), say_steps("It is noon.")])
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor, equipment=Equipment(tools=Clockwork()))
        server = {"type": "mcp", "server_label": "c", "server_url": "https://c.example", "require_approval": "never"}
        await client.send("session.update", session={"tools": [server]})
        await client.until("mcp_list_tools.completed")
        await client.ask("what time is it")
        done = (await client.until("response.done"))["response"]
        assert done["output"][0]["output"] == "clock: noon"
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_a_server_without_tools_says_so() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        server = {"type": "mcp", "server_label": "c", "server_url": "https://c.example"}
        await client.send("session.update", session={"tools": [server]})
        await client.until("mcp_list_tools.failed")


async def test_stored_prompts_are_looked_up() -> None:
    chat = FakeChatModel()
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor, equipment=Equipment(prompts=Book()))
        await client.send("session.update", session={"prompt": {"id": "pirate"}})
        assert (await client.until("session.updated"))["session"]["instructions"] == "Be a pirate."
        await client.send("response.create", response={"prompt": {"id": "nobody"}}, event_id="mine")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("prompt_not_found", "response.prompt.id", "mine")
        prompt = {"id": "pirate", "variables": {"x": "1"}}
        await client.send("response.create", response={"prompt": prompt}, event_id="mine")
        error = (await client.until("error"))["error"]
        assert (error["param"], error["event_id"]) == ("response.prompt.variables", "mine")
        assert chat.contexts == []
