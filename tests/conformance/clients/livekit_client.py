"""LiveKit's unmodified OpenAI realtime model in conversation, run by its own interpreter: no test itself.

Takes the server's address (http) and a folder with speech; holds three conversations and prints what came of them as
one line of JSON. Playing, cutting and interrupting are done by the calls that LiveKit's own agent session makes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp  # type: ignore[import-not-found]
from livekit import rtc  # type: ignore[import-not-found]
from livekit.agents import llm  # type: ignore[import-not-found]
from livekit.plugins.openai import realtime  # type: ignore[import-not-found]

WAIT_S = 60


class Talk:
    """One realtime session and what it said."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.generations: asyncio.Queue[Any] = asyncio.Queue()
        self.kinds: list[str] = []
        self.errors: list[str] = []
        self.transcripts: list[str] = []
        session.on("generation_created", self.generations.put_nowait)
        session.on("error", lambda error: self.errors.append(repr(error)))
        session.on("openai_server_event_received", lambda event: self.kinds.append(event["type"]))
        session.on("input_audio_transcription_completed", self._transcribed)

    def _transcribed(self, event: Any) -> None:
        if event.is_final:
            self.transcripts.append(event.transcript)

    def report(self, **more: Any) -> dict[str, Any]:
        return {"kinds": self.kinds, "errors": self.errors, "transcripts": self.transcripts, **more}

    async def generation(self) -> Any:
        return await asyncio.wait_for(self.generations.get(), WAIT_S)

    def speak(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 4_800):
            piece = pcm[start : start + 4_800]
            self.session.push_audio(rtc.AudioFrame(piece, 24_000, 1, len(piece) // 2))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.01)

    async def counted(self, kind: str, times: int) -> None:
        await self.until(lambda: self.kinds.count(kind) >= times)


async def spoken(generation: Any) -> tuple[str, bytes]:
    """The words and the sound of a generation's messages."""
    text, sound = "", b""
    async for message in generation.message_stream:
        async for piece in message.text_stream:
            text += piece
        async for frame in message.audio_stream:
            sound += bytes(frame.data)
    return text, sound


@asynccontextmanager
async def talking(url: str, instructions: str) -> AsyncIterator[Talk]:
    async with aiohttp.ClientSession() as http:
        model = realtime.RealtimeModel(base_url=url, api_key="none", http_session=http)
        session = model.session()
        talk = Talk(session)
        await session.update_instructions(instructions)
        try:
            yield talk
        finally:
            await session.aclose()
            await model.aclose()


async def turn(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question under LiveKit's own defaults; before it, a seeded history."""
    async with talking(url, "Be brief.") as talk:
        history = llm.ChatContext.empty()
        history.add_message(role="user", content="My name is Bob.")
        history.add_message(role="assistant", content="Hello Bob.")
        await talk.session.update_chat_ctx(history)
        talk.speak((speech / "hello.pcm").read_bytes())
        text, sound = await spoken(await talk.generation())
        (speech / "livekit_client.pcm").write_bytes(sound)
        await talk.until(lambda: bool(talk.transcripts))
        seeded = [item.text_content for item in talk.session.chat_ctx.items if item.type == "message"]
        return talk.report(text=text, seeded=seeded)


async def tool(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question that a function answers; its result is given by the chat context, the reply asked for."""

    @llm.function_tool  # type: ignore[untyped-decorator]
    async def get_weather(city: str) -> str:
        """Get the current weather in a city."""
        return city

    async with talking(url, "Be brief.") as talk:
        await talk.session.update_tools([get_weather])
        talk.speak((speech / "weather.pcm").read_bytes())
        calls = [call async for call in (await talk.generation()).function_stream]
        context = talk.session.chat_ctx.copy()
        for call in calls:
            context.items.append(
                llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output='{"sky": "sunny"}', is_error=False)
            )
        await talk.session.update_chat_ctx(context)
        reply = await asyncio.wait_for(talk.session.generate_reply(), WAIT_S)
        text, sound = await spoken(reply)
        (speech / "livekit_client_tool.pcm").write_bytes(sound)
        return talk.report(text=text, asked_for=[json.loads(call.arguments)["city"] for call in calls])


async def barge_in(url: str, speech: Path) -> dict[str, Any]:
    """A long answer that a voice interrupts, then one that `interrupt` does; both are cut to what was played."""
    story = 'Say exactly: "' + "One, two, three, four, five, six, seven, eight, nine, ten. " * 4 + '"'
    async with talking(url, story) as talk:
        for cuts, by_voice in enumerate((True, False)):
            generation = await asyncio.wait_for(talk.session.generate_reply(), WAIT_S)
            message = await anext(aiter(generation.message_stream))
            await anext(aiter(message.audio_stream))
            if by_voice:
                talk.speak((speech / "wait.pcm").read_bytes())
                await talk.until(lambda: "input_audio_buffer.speech_started" in talk.kinds)
            else:
                talk.session.interrupt()
            talk.session.truncate(message_id=message.message_id, modalities=["audio"], audio_end_ms=400)
            await talk.counted("conversation.item.truncated", cuts + 1)
            if by_voice:
                await talk.counted("response.done", 2)
                await spoken(await talk.generation()) if talk.generations.qsize() else None
        await talk.until(lambda: not talk.session.has_active_generation)
        return talk.report()


async def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    report = {}
    for scene in (turn, tool, barge_in):
        report[scene.__name__] = await scene(url, folder)
    sys.stdout.write(json.dumps(report) + "\n")


asyncio.run(main())
