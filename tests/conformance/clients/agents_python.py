"""The unmodified Agents SDK for Python in conversation, run by its own interpreter (`client_venvs`): no test itself.

Takes the server's WebSocket address and a folder with speech; holds three conversations and prints what came of them
as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agents import function_tool, set_tracing_disabled  # type: ignore[import-not-found]
from agents.realtime import RealtimeAgent, RealtimeRunner  # type: ignore[import-not-found]

WAIT_S = 60
TRANSCRIBED = {"model": "gpt-4o-mini-transcribe"}


class Heard:
    """What one conversation gave: the SDK's own events, counted, with the sound and every error among them."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.errors: list[str] = []
        self.sound = bytearray()
        self.asked_for: list[str] = []

    def report(self) -> dict[str, Any]:
        return {"kinds": self.kinds, "errors": self.errors, "asked_for": self.asked_for, "bytes": len(self.sound)}


async def follow(session: Any, heard: Heard, until: Any) -> None:
    """Take events until one is what is waited for."""
    async with asyncio.timeout(WAIT_S):
        async for event in session:
            if event.type != "raw_model_event":
                heard.kinds.append(event.type)
            if event.type == "error":
                heard.errors.append(str(event.error))
            elif event.type == "audio":
                heard.sound += event.audio.data
            elif event.type == "raw_model_event":
                heard.kinds.append(event.data.type)
                if event.data.type in {"error", "exception"}:
                    heard.errors.append(repr(event.data))
            if until(event):
                return


def ended(event: Any) -> bool:
    return bool(event.type == "raw_model_event" and event.data.type == "turn_ended")


async def speak(session: Any, pcm: bytes) -> None:
    for start in range(0, len(pcm), 4_800):
        await session.send_audio(pcm[start : start + 4_800])


async def conversation(url: str, agent: Any, **settings: Any) -> Any:
    model = {"url": url, "api_key": "none", "initial_model_settings": {"model_name": "gpt-realtime-2.1", **settings}}
    return await RealtimeRunner(agent).run(model_config=model)


async def turn(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question, with what the SDK asks for by itself: semantic_vad, transcription, tracing."""
    heard = Heard()
    async with await conversation(url, RealtimeAgent(name="helper", instructions="Be brief.")) as session:
        await speak(session, (speech / "hello.pcm").read_bytes())
        await follow(session, heard, ended)
        (speech / "agents_python.pcm").write_bytes(heard.sound)
        transcripts = [part.transcript for item in session._history for part in getattr(item, "content", [])]
    return {**heard.report(), "history": transcripts}


async def tool(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question that a function answers, whose result is spoken."""
    heard = Heard()

    @function_tool  # type: ignore[untyped-decorator]
    def get_weather(city: str) -> str:
        """Get the current weather in a city."""
        heard.asked_for.append(city)
        return json.dumps({"temperature": 21, "sky": "sunny"})

    agent = RealtimeAgent(name="weather", instructions="Be brief.", tools=[get_weather])
    async with await conversation(url, agent) as session:
        await speak(session, (speech / "weather.pcm").read_bytes())
        turns = 0

        def second_turn(event: Any) -> bool:
            nonlocal turns
            turns += ended(event)
            return turns == 2

        await follow(session, heard, second_turn)
        (speech / "agents_python_tool.pcm").write_bytes(heard.sound)
    return heard.report()


async def barge_in(url: str, speech: Path) -> dict[str, Any]:
    """A long answer that the user's voice interrupts; the SDK cuts it by itself. Then one that its own call does."""
    heard = Heard()
    story = 'Say exactly: "' + "One, two, three, four, five, six, seven, eight, nine, ten. " * 4 + '"'
    async with await conversation(url, RealtimeAgent(name="teller", instructions=story)) as session:
        await session.send_message("Go on.")
        await follow(session, heard, lambda event: event.type == "audio")
        await asyncio.sleep(0.5)
        await speak(session, (speech / "wait.pcm").read_bytes())
        await follow(session, heard, lambda event: event.type == "audio_interrupted")
        await follow(session, heard, lambda _: heard.kinds.count("turn_ended") == 2)
        await session.send_message("Go on.")
        await follow(session, heard, lambda event: event.type == "audio")
        await asyncio.sleep(0.5)
        await session.interrupt()
        await follow(session, heard, lambda event: event.type == "audio_interrupted")
        await asyncio.sleep(1)
    return heard.report()


async def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    set_tracing_disabled(True)
    report = {}
    for scene in (turn, tool, barge_in):
        report[scene.__name__] = await scene(url, folder)
    sys.stdout.write(json.dumps(report) + "\n")


asyncio.run(main())
