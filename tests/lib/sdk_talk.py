"""The unmodified OpenAI SDK as a client that talks, listens and plays.

Every event goes through the SDK's closed validators as it comes, and every conversation through the order checker at
its end. The player runs at the pace of sound, as a client's speaker does, so that "played" means what it means there.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from event_order import order_faults
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from player import Player
from pydantic import TypeAdapter
from served import Served
from spoken import BYTES_PER_MS

__all__ = ["Event", "Talk", "talking"]

Event = dict[str, Any]

VALIDATOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
WAIT_S = 60
BUSY_TRIES = 20


class Talk:
    """One SDK connection with everything it has received."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.player = Player()
        self._read = 0
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Receive for ever."""
        while True:
            self.take(await self.connection.recv_bytes())

    def take(self, raw: bytes) -> None:
        """Take one event: nothing but what the SDK knows, and no error."""
        VALIDATOR.validate_json(raw)
        event: Event = json.loads(raw)
        assert event["type"] != "error", event
        if event["type"] == "response.output_audio.delta":
            self.player.take(event["item_id"], base64.b64decode(event["delta"]))
        self.events.append(event)
        self._news.set()

    async def next(self) -> Event:
        """The next event that was not waited for before."""
        async with asyncio.timeout(WAIT_S):
            while self._read == len(self.events):
                self._news.clear()
                await self._news.wait()
        self._read += 1
        return self.events[self._read - 1]

    async def until(self, kind: str, matches: Callable[[Event], bool] = lambda _: True) -> Event:
        """The next event of `kind` that matches; what comes before it is skipped."""
        while True:
            event = await self.next()
            if event["type"] == kind and matches(event):
                return event

    def of(self, kind: str) -> list[Event]:
        """Every event of `kind` so far."""
        return [event for event in self.events if event["type"] == kind]

    async def settled(self) -> None:
        """Wait until every response that began is done."""
        while len(self.of("response.created")) > len(self.of("response.done")):
            await self.next()

    async def speak(self, pcm: bytes, *, step_ms: int = 100, live: bool = False) -> None:
        """Append in pieces of `step_ms`: as fast as the server takes them, or `live` at the pace of speech."""
        step = step_ms * BYTES_PER_MS
        for start in range(0, len(pcm), step):
            if live:
                await asyncio.sleep(step_ms / 1000)
            await self.connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + step]).decode())

    async def ask(self) -> None:
        """Ask for a response."""
        await self.connection.response.create()

    async def give(self, call: Event, result: object) -> None:
        """Give a function call its result."""
        output = result if isinstance(result, str) else json.dumps(result)
        await self.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call["call_id"], "output": output}
        )

    async def truncate(self, item_id: str, played_ms: int) -> Event:
        """Say how much of `item_id` was played, and wait for the confirmation."""
        await self.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=played_ms)
        return await self.until("conversation.item.truncated")

    def audio(self, response_id: str) -> bytes:
        """All assistant audio of a response so far."""
        return b"".join(
            base64.b64decode(event["delta"])
            for event in self.of("response.output_audio.delta")
            if event["response_id"] == response_id
        )


async def _welcomed(client: AsyncOpenAI, stack: AsyncExitStack, model: str) -> Talk:
    """Connect. A server that says that it is busy means it: come again in a moment, as it asks."""
    for _ in range(BUSY_TRIES):
        connection = await stack.enter_async_context(client.realtime.connect(model=model))
        first = await asyncio.wait_for(connection.recv_bytes(), WAIT_S)
        if json.loads(first).get("error", {}).get("code") != "rate_limit_exceeded":
            break
        await asyncio.sleep(0.5)
    talk = Talk(connection)
    talk.take(first)
    return talk


@asynccontextmanager
async def talking(
    server: Served, session: Event | None = None, key: str = "none", model: str = "gpt-realtime"
) -> AsyncIterator[Talk]:
    """Connect, configure, and hold the conversation of the block."""
    client = AsyncOpenAI(api_key=key, base_url=f"{server.url}/v1")
    async with client, AsyncExitStack() as stack:
        talk = await _welcomed(client, stack, model)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        listening = group.create_task(talk.listen())
        await talk.until("session.created")
        if session is not None:
            await talk.connection.session.update(session={"type": "realtime", **session})  # type: ignore[arg-type]
            await talk.until("session.updated")
        yield talk
        listening.cancel()
        faults = order_faults(talk.events)
        assert faults == [], faults
