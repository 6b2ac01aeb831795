"""Agents by name, on a real server: chosen by `model`, with functions, bounded, read again when the file changes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from placed_calls import CALLS, OFFER, SDP, calls_server
from running_server import KEY, RunningServer, ask, receive, receive_until, running_server
from sdp_kit import offer_text

from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import FunctionCallOutputItem
from parley.server.settings import ConfigError, Settings, load_settings
from parley.testing import engine_set
from parley.testing.fake_chat import FakeChatModel, echo
from parley.testing.steps import Call, Reply, say

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    """Forget the modules and folders that agents' files brought along."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("tools_", "hotel")):
            del sys.modules[name]


def write(folder: Path, toml: str, **modules: str) -> Settings:
    (folder / "parley.toml").write_text(toml, encoding="utf-8")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return load_settings(flags={}, environ={}, directory=folder)


def calling(name: str, arguments: str = "{}") -> Any:
    """A model that calls a function once per question and then says what came of it."""

    def reply(context: GenerationContext) -> Reply:
        last = context.items[-1] if context.items else None
        if isinstance(last, FunctionCallOutputItem):
            return say(f"It said {last.output}.")
        if any(getattr(tool, "name", "") == name for tool in context.tools):
            return [Call(name, arguments)]
        return echo(context)

    return reply


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


async def test_the_example_in_ten_lines_answers_with_its_function() -> None:
    folder = ROOT / "examples/reception"
    lines = sum(len((folder / name).read_text().splitlines()) for name in ("parley.toml", "hotel.py"))
    assert lines <= 12
    settings = load_settings(flags={}, environ={}, directory=folder)
    chat = FakeChatModel(calling("free_rooms", '{"nights": 2}'))
    async with (
        running_server(settings, build=lambda: engine_set(chat=chat)) as server,
        server.websocket("/v1/realtime?model=reception") as socket,
    ):
        session = (await receive(socket))["session"]
        assert session["model"] == "reception"
        greeting = await receive_until(socket, "response.done")
        said = greeting[-1]["response"]["output"][0]["content"][0]["transcript"]
        assert said == "Harbour Hotel, good day. How may I help you?"
        answer = await ask(socket, "Which rooms are free for two nights?")
        assert "180 euros" in answer[-1]["response"]["output"][-1]["content"][0]["transcript"]
    tool = next(tool for tool in chat.contexts[0].tools if getattr(tool, "name", "") == "free_rooms")
    assert tool.description == "Say which rooms are free."  # type: ignore[union-attr]
    assert chat.contexts[0].instructions.startswith("You are the receptionist")


TOOLS = '''
import asyncio
from parley.agents import ToolRefusal

started = []
cancelled = []

async def slow(seconds: float = 60) -> str:
    """Wait."""
    started.append(1)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled.append(1)
        raise
    return "woke"

def refuse(room: str) -> str:
    """Never works."""
    raise ToolRefusal(f"Room {room} is taken.")

def broken() -> str:
    """Has a bug."""
    raise KeyError("secret of the house")

def add(a: int, b: int) -> int:
    """Adds."""
    return a + b
'''
MANY = (
    '[agents.x]\ninstructions = "Be X."\ntools = ["tools_x:slow", "tools_x:refuse", "tools_x:broken", "tools_x:add"]\n'
)


async def session_with(server: RunningServer, *events: dict[str, Any], question: str = "go") -> list[dict[str, Any]]:
    async with server.websocket("/v1/realtime?model=x") as socket:
        await receive(socket)
        for event in events:
            await socket.send(json.dumps(event))
        return await ask(socket, question)


OUTPUTS = [
    ("add", '{"a": 2, "b": 3}', "5"),
    ("add", '{"a": 2}', "missing required field `b`"),
    ("add", "{", "add: "),
    ("refuse", '{"room": "4"}', "Room 4 is taken."),
    ("broken", "{}", "The tool broke"),
    ("slow", '{"seconds": 0}', "woke"),
]


@pytest.mark.parametrize(("name", "arguments", "output"), OUTPUTS)
async def test_the_model_hears_what_a_function_gave_and_goes_on_without_the_client(
    tmp_path: Path, name: str, arguments: str, output: str
) -> None:
    chat = FakeChatModel(calling(name, arguments))
    async with running_server(write(tmp_path, MANY, tools_x=TOOLS), build=lambda: engine_set(chat=chat)) as server:
        events = await session_with(server)
    done = events[-1]["response"]
    assert done["status"] == "completed"
    told = next(item for item in chat.contexts[-1].items if isinstance(item, FunctionCallOutputItem))
    assert output in told.output
    assert "secret of the house" not in told.output
    items = [event["item"]["type"] for event in events if event["type"] == "conversation.item.done"]
    assert items == ["message", "function_call", "function_call_output", "message"]
    assert "response.function_call_arguments.done" not in types(events)
    assert types(events).count("response.done") == 1


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_function_is_cancelled_with_its_response(tmp_path: Path) -> None:
    chat = FakeChatModel(calling("slow"))
    async with (
        running_server(write(tmp_path, MANY, tools_x=TOOLS), build=lambda: engine_set(chat=chat)) as server,
        server.websocket("/v1/realtime?model=x") as socket,
    ):
        await receive(socket)
        await socket.send(json.dumps({"type": "response.create"}))
        await receive_until(socket, "response.created")
        module = sys.modules["tools_x"]
        await until(lambda: module.started)
        await socket.send(json.dumps({"type": "response.cancel"}))
        done = (await receive_until(socket, "response.done"))[-1]["response"]
        assert done["status"] == "cancelled"
        await until(lambda: module.cancelled)


async def test_a_client_can_neither_shadow_nor_drop_an_agents_functions(tmp_path: Path) -> None:
    chat = FakeChatModel(calling("add", '{"a": 1, "b": 1}'))
    own = {"type": "function", "name": "add", "description": "mine"}
    update = {"type": "session.update", "session": {"tools": [own], "instructions": "Be Y."}}
    async with running_server(write(tmp_path, MANY, tools_x=TOOLS), build=lambda: engine_set(chat=chat)) as server:
        events = await session_with(server, update)
    assert "It said 2." in json.dumps(events)
    assert all(context.instructions == "Be X." for context in chat.contexts)
    assert [tool.description for tool in chat.contexts[0].tools if tool.name == "add"] == ["Adds."]  # type: ignore[union-attr]


async def test_a_clients_own_functions_join_those_of_the_agent(tmp_path: Path) -> None:
    chat = FakeChatModel()
    update = {"type": "session.update", "session": {"tools": [{"type": "function", "name": "show_page"}]}}
    async with running_server(write(tmp_path, MANY, tools_x=TOOLS), build=lambda: engine_set(chat=chat)) as server:
        await session_with(server, update)
    names = {getattr(tool, "name", "") for tool in chat.contexts[0].tools}
    assert names == {"slow", "refuse", "broken", "add", "show_page"}


FULL = """
[agents.desk]
instructions = "Be the desk."
voice = "verse"
speed = 1.2
language = "de"
temperature = 0.7
max_output_tokens = 200
client_may_set = ["audio.output.speed"]
[agents.desk.session]
output_modalities = ["text"]
[agents.desk.limits]
max_session_seconds = 60
max_sessions = 1
"""


async def test_what_an_agent_sets_stays_unless_it_lets_clients(tmp_path: Path) -> None:
    wish = {
        "type": "session.update",
        "session": {
            "instructions": "",
            "model": "gpt-realtime",
            "output_modalities": ["audio"],
            "audio": {
                "input": {"transcription": {"model": "whisper-1"}},
                "output": {"voice": "ash", "speed": 0.8},
            },
        },
    }
    async with (
        running_server(write(tmp_path, FULL)) as server,
        server.websocket("/v1/realtime?model=desk") as socket,
    ):
        await receive(socket)
        await socket.send(json.dumps(wish))
        session = (await receive_until(socket, "session.updated"))[-1]["session"]
        assert session["model"] == "desk"
        assert session["instructions"] == "Be the desk."
        assert session["output_modalities"] == ["text"]
        assert session["audio"]["output"]["voice"] == "verse"
        assert session["audio"]["output"]["speed"] == 0.8
        assert session["audio"]["input"]["transcription"]["language"] == "de"
        assert "instructions" in session["parley_locked"]
        async with server.websocket("/v1/realtime?model=desk") as second:
            assert (await receive(second))["error"]["code"] == "rate_limit_exceeded"


BOUNDED = """
[agents.desk]
instructions = "Be the desk."
[agents.desk.session]
output_modalities = ["text"]
[agents.desk.limits]
"""


@pytest.mark.parametrize("transport", ["websocket", "call"])
@pytest.mark.parametrize(
    ("origin", "welcome"), [("https://app.example", True), ("https://evil.example", False), (None, False)]
)
async def test_an_agent_is_for_its_origins_and_other_models_are_for_all(
    tmp_path: Path, transport: str, origin: str | None, welcome: bool
) -> None:
    (tmp_path / "keys").write_text(KEY)
    settings = write(tmp_path, 'api_key_file = "keys"\n' + BOUNDED + 'origins = ["https://app.example"]\n')
    headers = {"origin": origin} if origin else {}
    async with calls_server(settings) as (server, _):
        if transport == "call":
            async with server.http(KEY, **headers) as http:
                placed = await http.post(f"{CALLS}?model=desk", content=OFFER, headers=SDP)
                assert placed.status_code == (201 if welcome else 403)
                assert welcome or placed.json()["error"]["code"] == "origin_not_allowed"
                assert (await http.post(f"{CALLS}?model=plain", content=OFFER, headers=SDP)).status_code == 201
            return
        async with server.websocket("/v1/realtime?model=desk", key=KEY, additional_headers=headers) as socket:
            first = await receive(socket)
            if welcome:
                assert first["session"]["model"] == "desk"
            else:
                assert first["error"]["code"] == "origin_not_allowed"
                await asyncio.wait_for(socket.wait_closed(), 10)
                assert socket.close_code == 1008
        async with server.websocket("/v1/realtime?model=plain", key=KEY, additional_headers=headers) as socket:
            assert (await receive(socket))["type"] == "session.created"


async def test_an_agents_sessions_last_as_long_as_it_says_and_no_longer(tmp_path: Path) -> None:
    settings = write(tmp_path, BOUNDED + "max_session_seconds = 60\n")
    async with running_server(settings) as server:
        asked_at = time.time()
        async with server.websocket("/v1/realtime?model=desk") as socket:
            expires_at = (await receive(socket))["session"]["expires_at"]
            assert asked_at + 59 <= expires_at <= time.time() + 60
        async with server.websocket("/v1/realtime?model=plain") as socket:
            assert (await receive(socket))["session"]["expires_at"] > time.time() + 120
    (tmp_path / "short").mkdir()
    settings = write(tmp_path / "short", BOUNDED + "max_session_seconds = 1\n")
    async with running_server(settings) as server, server.websocket("/v1/realtime?model=desk") as socket:
        assert (await receive(socket))["type"] == "session.created"
        assert (await receive_until(socket, "error"))[-1]["error"]["code"] == "session_expired"
        await asyncio.wait_for(socket.wait_closed(), 10)
        assert socket.close_code == 1001


async def test_an_agents_token_budget_is_each_sessions_own(tmp_path: Path) -> None:
    settings = write(tmp_path, BOUNDED + "max_tokens = 400\n")
    chat = FakeChatModel(lambda context: say("I will go on and on and on. " * 200))
    async with running_server(settings, build=lambda: engine_set(chat=chat)) as server:
        for _ in range(2):
            async with server.websocket("/v1/realtime?model=desk") as socket:
                await receive(socket)
                response = (await ask(socket, "go on"))[-1]["response"]
                assert (response["status"], response["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
                assert 400 <= response["usage"]["total_tokens"] < 420
                assert (await receive_until(socket, "error"))[-1]["error"]["code"] == "insufficient_quota"
                await asyncio.wait_for(socket.wait_closed(), 10)
                assert socket.close_code == 4000


async def test_an_agent_is_chosen_through_a_client_secret_and_hides_its_prompt(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    settings = write(tmp_path, 'api_key_file = "keys"\n' + FULL)
    async with running_server(settings) as server, server.http(KEY) as http:
        minted = await http.post("/v1/realtime/client_secrets", json={"session": {"type": "realtime", "model": "desk"}})
        assert minted.json()["session"]["instructions"] == "Be the desk."
        async with server.websocket("/v1/realtime?model=other", key=minted.json()["value"]) as socket:
            session = (await receive(socket))["session"]
            assert session["model"] == "desk"
            assert session["instructions"] == ""
            assert session["audio"]["output"]["voice"] == "verse"


async def test_a_secret_reaches_no_agent_but_the_one_it_was_minted_for(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    settings = write(tmp_path, 'api_key_file = "keys"\n' + FULL)
    async with running_server(settings) as server, server.http(KEY) as http:
        for session in ({}, {"type": "realtime", "instructions": "Be harmless."}):
            minted = await http.post("/v1/realtime/client_secrets", json={"session": session})
            async with server.websocket("/v1/realtime?model=desk", key=minted.json()["value"]) as socket:
                error = (await receive(socket))["error"]
                assert (error["code"], error["param"]) == ("permission_denied", "model")
                await asyncio.wait_for(socket.wait_closed(), 10)
                assert socket.close_code == 1008
            async with server.websocket("/v1/realtime?model=gpt-realtime", key=minted.json()["value"]) as socket:
                assert (await receive(socket))["type"] == "session.created"


@pytest.mark.parametrize("by", ["form", "secret"])
async def test_an_agent_is_chosen_for_a_call_as_well(tmp_path: Path, by: str) -> None:
    from parley.media.loopback import LoopbackPlane

    (tmp_path / "keys").write_text(KEY)
    settings = write(tmp_path, 'api_key_file = "keys"\n' + FULL)
    wish = {"type": "realtime", "model": "desk"}
    async with running_server(settings, plane=LoopbackPlane()) as server, server.http(KEY) as http:
        offer = offer_text("chromium_audio_and_data")
        if by == "form":
            form = {"sdp": (None, offer), "session": (None, json.dumps(wish))}
            placed = await http.post("/v1/realtime/calls", files=form)
        else:
            secret = (await http.post("/v1/realtime/client_secrets", json={"session": wish})).json()["value"]
            headers = {"authorization": f"Bearer {secret}", "content-type": "application/sdp"}
            placed = await http.post("/v1/realtime/calls", content=offer, headers=headers)
        assert placed.status_code == 201, placed.text
        call_id = placed.headers["location"].rpartition("/")[2]
        async with server.websocket(f"/v1/realtime?call_id={call_id}", key=KEY) as sideband:
            session = (await receive(sideband))["session"]
            assert (session["model"], session["instructions"]) == ("desk", "Be the desk.")
        if by == "secret":
            async with server.websocket(f"/v1/realtime?call_id={call_id}", key=secret) as sideband:
                assert (await receive(sideband))["session"]["instructions"] == ""


async def test_agents_are_listed_with_the_models(tmp_path: Path) -> None:
    async with running_server(write(tmp_path, FULL)) as server, server.http() as http:
        listed = (await http.get("/v1/models")).json()["data"]
        assert listed[0]["id"] == "desk"
        assert listed[0]["owned_by"] == "parley-agent"
        assert (await http.get("/v1/models/desk")).json()["parley"] == {"kind": "agent"}


async def instructions_of(server: RunningServer, model: str) -> str:
    async with server.websocket(f"/v1/realtime?model={model}") as socket:
        session = (await receive(socket))["session"]
        return str(session["instructions"])


def rewrite(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    about = path.stat()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1_000_000))


async def test_the_file_is_read_again_for_new_sessions_and_a_mistake_changes_nothing(tmp_path: Path) -> None:
    settings = write(tmp_path, '[agents.a]\ninstructions = "One."\n')
    file = tmp_path / "parley.toml"
    async with running_server(settings) as server, server.websocket("/v1/realtime?model=a") as old:
        assert (await receive(old))["session"]["instructions"] == "One."
        rewrite(file, '[agents.a]\ninstructions = "Two."\n[agents.b]\ninstructions = "Bee."\n')
        assert await instructions_of(server, "a") == "Two."
        assert await instructions_of(server, "b") == "Bee."
        rewrite(file, '[agents.a]\ninstruction = "Three."\n')
        assert await instructions_of(server, "a") == "Two."
        async with server.http() as http:
            told = (await http.get("/readyz")).json()
        assert told["ready"]
        assert "unknown key `instruction`. Did you mean `instructions`?" in told["problems"]["agents"]
        rewrite(file, '[agents.a]\ninstructions = "Three."\n')
        assert await instructions_of(server, "a") == "Three."
        assert server.app.parts.door.agents.problem == ""
        await old.send(json.dumps({"type": "session.update", "session": {}}))
        assert (await receive_until(old, "session.updated"))[-1]["session"]["instructions"] == "One."


MISTAKES = [
    ('[agents.a]\ninstruction = "x"', "agents.a: unknown key `instruction`. Did you mean `instructions`?"),
    ('[agents."a b"]\ninstructions = "x"', "an agent's name is letters"),
    ('[agents.a]\ntools = "nowhere:f"', "agents.a.tools: cannot import `nowhere`"),
    ('[agents.a]\ntools = "tools_x"', "Write it as module:function"),
    ('[agents.a]\ntools = "tools_x:ad"', "has no function `ad`; it has add, broken, refuse, slow"),
    ('[agents.a]\ntools = ["tools_x:add", "tools_x:add"]', "two functions are called `add`"),
    ("[agents.a]\nspeed = 9", "speed"),
    ('[agents.a]\nllm_model = "x"', "add llm = "),
    ('[agents.a]\ninstructions_file = "gone.md"', "cannot read"),
    ('[agents.a.limits]\nlock = ["voice"]', "agents.a.limits.lock"),
    ("[agents.a.limits]\nseconds = 5", "Known fields: lock"),
    ('[agents.a]\nmcp = [{ server_url = "http://x" }]', "`server_label` is missing"),
    ("agents = 5", "write [agents.NAME]"),
]


@pytest.mark.parametrize(("toml", "words"), MISTAKES)
async def test_a_mistake_at_the_start_stops_it_and_names_the_key(tmp_path: Path, toml: str, words: str) -> None:
    settings = write(tmp_path, toml, tools_x=TOOLS)
    with pytest.raises(ConfigError) as stopped:
        async with running_server(settings):
            pass
    assert words in str(stopped.value)


async def test_an_agent_with_engines_of_its_own_uses_them(tmp_path: Path) -> None:
    from parley.testing.stub_openai import StubOpenAI

    async with StubOpenAI() as stub:
        toml = (
            f'[agents.own]\nllm = "{stub.url}"\nllm_model = "tiny"\n[agents.own.session]\noutput_modalities=["text"]\n'
        )
        common = FakeChatModel()
        async with running_server(write(tmp_path, toml), build=lambda: engine_set(chat=common)) as server:
            async with server.websocket("/v1/realtime?model=own") as socket:
                await receive(socket)
                done = (await ask(socket, "hello"))[-1]["response"]
            assert done["status"] == "completed", done
            assert common.contexts == []
            async with server.websocket("/v1/realtime?model=another") as socket:
                await receive(socket)
                await ask(socket, "hello")
            assert len(common.contexts) == 1
