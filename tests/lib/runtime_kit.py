"""Sessions under test from the outside: a supervisor on fake engines, and a client that speaks, reads and waits."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from player import Player
from spoken import BYTES_PER_MS, FLITE_VOICES, say

from parley.engines.base import EngineSet
from parley.protocol.realtime.ids import counting_ids
from parley.protocol.realtime.server_events import ResponseTimeline
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.connection import Attachment
from parley.runtime.limits import Limits
from parley.runtime.measures import EndReason, SessionMetrics
from parley.runtime.supervisor import SessionHandle, Supervisor
from parley.testing import VirtualClock, engine_set

Event = dict[str, Any]


def utterance(text: str = "the quick brown fox jumps over the lazy dog") -> bytes:
    """Real speech that voice activity detection hears."""
    return say(text, FLITE_VOICES[0])


class CountedMetrics:
    """Everything the runtime told its metrics, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def session_opened(self) -> None:
        self.told.append(("opened",))

    def session_refused(self, reason: str) -> None:
        self.told.append(("refused", reason))

    def session_closed(self, reason: EndReason, lasted_ms: int) -> None:
        self.told.append(("closed", reason, lasted_ms))

    def response_done(self, status: str, timeline: ResponseTimeline | None) -> None:
        self.told.append(("response", status, timeline))

    def slow_reader(self) -> None:
        self.told.append(("slow_reader",))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        """What was told of one kind."""
        return [entry[1:] for entry in self.told if entry[0] == kind]


@asynccontextmanager
async def supervised(
    engines: EngineSet | None = None,
    *,
    limits: Limits | None = None,
    metrics: SessionMetrics | None = None,
    capture_dir: Path | None = None,
) -> AsyncIterator[Supervisor]:
    """Give a supervisor on the running loop's time and countable ids."""
    async with Supervisor(
        engines=engines or engine_set(),
        clock=VirtualClock(),
        ids=counting_ids(),
        limits=limits or Limits(),
        metrics=metrics,
        capture_dir=capture_dir,
    ) as supervisor:
        yield supervisor


class Client:
    """One connection, with a writer task that reads everything at once. `events` keeps what came, `player` plays it."""

    def __init__(self, handle: SessionHandle, attachment: Attachment) -> None:
        self.handle = handle
        self.attachment = attachment
        self.events: list[Event] = []
        self.player = Player()
        self.closed = asyncio.Event()
        self._news = asyncio.Event()
        self._seen = 0
        self._writer = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def connect(cls, supervisor: Supervisor, config: SessionConfig | None = None, **options: Any) -> Client:
        """Open a session, join it, and wait for the greeting."""
        handle = await supervisor.open(config or SessionConfig(), **options)
        return await cls.join(handle)

    @classmethod
    async def join(cls, handle: SessionHandle, *, wants_audio: bool = True) -> Client:
        """Join a live session."""
        client = cls(handle, handle.attach(wants_audio=wants_audio))
        await client.until("session.created")
        return client

    async def send(self, type: str, **fields: Any) -> None:
        """Send one event."""
        await self.attachment.receive(msgspec.json.encode({"type": type, **fields}).decode())

    async def append(self, audio: bytes) -> None:
        """Append audio, all at once."""
        encoded = base64.b64encode(audio).decode()
        await asyncio.sleep(0)
        frame = f'{{"type":"input_audio_buffer.append","audio":"{encoded}"}}'
        await asyncio.sleep(0)
        await self.attachment.receive(frame)

    async def ask(self, text: str) -> None:
        """Write `text` as the user and ask for a response."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    async def speak(self, pcm: bytes, *, step_ms: int = 100) -> None:
        """Append audio at the pace of speech."""
        step = step_ms * BYTES_PER_MS
        for start in range(0, len(pcm), step):
            await self.append(pcm[start : start + step])
            await asyncio.sleep(step_ms / 1000)

    async def until(self, type: str, *, within_s: float = 120) -> Event:
        """Wait for the next event of `type` that was not waited for before; skip what comes before it."""
        async with asyncio.timeout(within_s):
            while True:
                while self._seen < len(self.events):
                    event = self.events[self._seen]
                    self._seen += 1
                    if event["type"] == type:
                        return event
                assert not self.closed.is_set(), f"closed while waiting for {type}: {self.types()[-8:]}"
                self._news.clear()
                await self._news.wait()

    async def until_closed(self) -> tuple[int, str]:
        """Wait for the end; the close code and reason."""
        await self.closed.wait()
        return self.attachment.close_code, self.attachment.close_reason

    async def leave(self) -> None:
        """Go away without a word."""
        self._writer.cancel()
        self.attachment.detach()
        await asyncio.wait([self._writer])

    def of(self, type: str) -> list[Event]:
        """Every event of `type` so far."""
        return [event for event in self.events if event["type"] == type]

    def types(self) -> list[str]:
        """The types of everything so far."""
        return [event["type"] for event in self.events]

    def audio(self) -> bytes:
        """All assistant audio so far."""
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))

    async def _read(self) -> None:
        async for frame in self.attachment.frames():
            assert isinstance(frame, str)
            event: Event = msgspec.json.decode(frame)
            if event["type"] == "response.output_audio.delta":
                self.player.take(event["item_id"], base64.b64decode(event["delta"]))
            self.events.append(event)
            self._news.set()
        self.closed.set()
        self._news.set()
