"""`parley.client` by WebSocket against a running server: tools called here, interruptions told, errors that help."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from running_server import running_server

from parley.client import CannotConnect, Session, connect
from parley.engines.base import EngineSet
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import FunctionCallOutputItem
from parley.server.settings import Settings
from parley.testing import FakeChatModel, engine_set
from parley.testing.steps import Call, Reply, say

LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."


def switch_lamp(room: str, on: bool = True) -> str:
    """Switch a lamp.

    Args:
        room: which room
    """
    return f"{room} is {'on' if on else 'off'}"


async def measure(times: int = 1) -> dict[str, int]:
    """Measure something."""
    await asyncio.sleep(0)
    return {"times": times}


def tools_then_words(context: GenerationContext) -> Reply:
    outputs = [item.output for item in context.items if isinstance(item, FunctionCallOutputItem)]
    if outputs:
        return say(" and ".join(outputs))
    return [Call("switch_lamp", '{"room": "kitchen"}'), Call("measure", "{}"), Call("measure", '{"times": "many"}')]


def engines(chat: FakeChatModel) -> EngineSet:
    return engine_set(chat=chat)


async def until(session: Session, kind: str, count: int = 1) -> list[dict[str, Any]]:
    seen = []
    async for event in session:
        seen.append(event)
        count -= event["type"] == kind
        if not count:
            break
    return seen


async def test_tools_of_the_device_are_called_and_spoken_about() -> None:
    async with (
        running_server(build=lambda: engines(FakeChatModel(tools_then_words))) as server,
        connect(server.url, tools=[switch_lamp, measure]) as session,
    ):
        await session.write("Switch on the lamp and measure")
        events = await until(session, "response.done", 2)
    spoken = next(e["transcript"] for e in events if e["type"] == "response.output_audio_transcript.done")
    assert spoken.startswith('kitchen is on and {"times":1} and {"error": "measure: Expected `int`')
    assert not session.sound.empty
    assert not [event for event in events if event["type"] == "error"]


async def test_an_interruption_silences_the_device_and_is_told() -> None:
    async with (
        running_server(build=lambda: engines(FakeChatModel([say(LONG)]))) as server,
        connect(f"{server.url}/v1/", greet=True) as session,
    ):
        await until(session, "response.done")
        assert session.busy
        session.sound.pull(24_000)
        speech = [e async for e in speaking(session) if e["type"] == "conversation.item.truncated"]
        assert speech[0]["audio_end_ms"] == 1000
        assert session.sound.empty


async def speaking(session: Session) -> Any:
    """Say something that the voice activity of the test server hears; give the events until the truncation."""
    from parley.testing.fake_synthesizer import tone

    await session.say(tone(24_000))
    async for event in session:
        yield event
        if event["type"] == "conversation.item.truncated":
            return


async def test_the_end_is_told_with_its_reason() -> None:
    async with running_server(Settings(api_keys=("key",))) as server, connect(server.url, api_key="wrong") as session:
        events = [event async for event in session]
    assert events[0]["error"]["code"] == "invalid_api_key"
    assert session.closed_because


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://nowhere", "localhost"])
async def test_no_server_there_is_one_clear_error(url: str) -> None:
    with pytest.raises(CannotConnect, match=r"parley serve|is not an address"):
        async with connect(url):
            pass
