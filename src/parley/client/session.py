"""A conversation with a server, seen from a device: speech in, speech out, tools called here.

The session acts on events before its user sees them: sound goes to `sound`, an interruption silences it and tells the
server what was heard (over WebRTC the server paces the sound and knows), tool calls are answered. What the device does
besides is up to whoever iterates over it.
Neighbours: `link` (transport), `devices` and `recording` (sources and sinks of sound), `tools`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from parley.client.errors import CannotConnect
from parley.client.link import Event, Link
from parley.client.play_buffer import PlayBuffer
from parley.client.tools import DeviceTool, device_tool
from parley.client.websocket_link import WebSocketLink

__all__ = ["Session", "connect"]

MAX_UNSENT_PIECES = 50
Transport = Literal["websocket", "webrtc"]


class Session:
    """One conversation. Iterate over it to make it run; it ends when the server or the user of it ends it."""

    def __init__(self, link: Link, tools: Sequence[DeviceTool], sound: PlayBuffer, group: asyncio.TaskGroup) -> None:
        self._link = link
        self._tools = {tool.name: tool for tool in tools}
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(MAX_UNSENT_PIECES)
        self._responses = 0
        self._committed = 0
        self.sound = sound
        """What is still to be heard. Devices pull from it."""

    @property
    def busy(self) -> bool:
        """Whether an answer is due or under way, or something is left to be heard."""
        return self._responses > 0 or self._committed > 0 or not self.sound.empty

    @property
    def closed_because(self) -> str | None:
        """Why the server ended the conversation, once it has."""
        return self._link.closed_because

    async def send(self, event: Event) -> None:
        """Send any event of the protocol."""
        await self._link.send(event)

    async def say(self, pcm: bytes) -> None:
        """Send speech, PCM16 mono 24 kHz, and wait until it is on its way."""
        await self._link.say(pcm)

    def offer(self, pcm: bytes) -> None:
        """Send speech from any thread, without waiting. With two seconds unsent the newest piece is dropped."""
        self._loop.call_soon_threadsafe(self._queue_speech, pcm)

    async def write(self, text: str) -> None:
        """Say something in writing, and ask for the answer."""
        content = [{"type": "input_text", "text": text}]
        await self.send(
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
        )
        await self.respond()

    async def respond(self) -> None:
        """Ask the assistant to speak now."""
        await self.send({"type": "response.create"})

    async def close(self) -> None:
        """End the conversation."""
        await self._link.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self._link.events():
            await self._act(event)
            yield event

    def _queue_speech(self, pcm: bytes) -> None:
        if not self._unsent.full():
            self._unsent.put_nowait(pcm)

    async def send_offered(self) -> None:
        """Send what `offer` queued, until cancelled: `connect` runs it."""
        while True:
            await self._link.say(await self._unsent.get())

    async def _act(self, event: Event) -> None:
        match event["type"]:
            case "response.output_audio.delta":
                self.sound.push(event["item_id"], base64.b64decode(event["delta"]))
            case "input_audio_buffer.speech_started":
                await self._interrupted()
            case "input_audio_buffer.committed":
                self._committed = 1
            case "response.created":
                self._committed, self._responses = 0, self._responses + 1
            case "response.done":
                self._responses -= 1
                calls = [item for item in event["response"]["output"] if item["type"] == "function_call"]
                if known := [call for call in calls if call["name"] in self._tools]:
                    self._committed = 1
                    self._group.create_task(self._answer(known))

    async def _interrupted(self) -> None:
        heard = self.sound.flush()
        if heard is not None and heard.item_id:
            cut = {"item_id": heard.item_id, "content_index": 0, "audio_end_ms": heard.audio_ms}
            await self.send({"type": "conversation.item.truncate", **cut})

    async def _answer(self, calls: Sequence[dict[str, Any]]) -> None:
        """Call the tools side by side, give back what they said, and let the assistant go on."""
        said = await asyncio.gather(*(self._tools[call["name"]].call(call["arguments"]) for call in calls))
        for call, output in zip(calls, said, strict=True):
            item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
            await self.send({"type": "conversation.item.create", "item": item})
        await self.respond()


@asynccontextmanager
async def connect(
    url: str,
    *,
    api_key: str | None = None,
    model: str | None = None,
    transport: Transport = "websocket",
    instructions: str | None = None,
    voice: str | None = None,
    tools: Sequence[Callable[..., Any]] = (),
    greet: bool = False,
) -> AsyncIterator[Session]:
    """Open a conversation with the server at `url` (`http://host:8080`, with or without `/v1`).

    `tools` are typed functions, plain (run in a thread) or async. With `greet` the assistant speaks first.
    Raises `CannotConnect`, and `MissingPackage` for `webrtc` without aiortc.
    """
    if not url.startswith(("http://", "https://")):
        raise CannotConnect(f"`{url}` is not an address. Write it like http://127.0.0.1:8080.")
    base_url = url.rstrip("/").removesuffix("/v1")
    made = [device_tool(function) for function in tools]
    sound = PlayBuffer()
    link = await _open(transport, base_url, api_key, model, sound)
    try:
        async with asyncio.TaskGroup() as group:
            session = Session(link, made, sound, group)
            sending = group.create_task(session.send_offered())
            await session.send(_configuration(instructions, voice, made))
            if greet:
                await session.respond()
            yield session
            sending.cancel()
            await link.close()
    finally:
        await link.close()


async def _open(transport: Transport, base_url: str, api_key: str | None, model: str | None, sound: PlayBuffer) -> Link:
    if transport == "websocket":
        return await WebSocketLink.open(base_url, api_key, model)
    from parley.client.webrtc_link import WebRtcLink

    return await WebRtcLink.open(base_url, api_key, model, sound)


def _configuration(instructions: str | None, voice: str | None, tools: Sequence[DeviceTool]) -> Event:
    session: dict[str, Any] = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    if instructions:
        session["instructions"] = instructions
    if voice:
        session["audio"]["output"] = {"voice": voice}
    if tools:
        session["tools"] = [tool.schema for tool in tools]
    return {"type": "session.update", "session": session}
