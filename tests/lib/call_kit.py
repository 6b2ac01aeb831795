"""A WebRTC call under test in virtual time: a session behind a loopback plane, and the far end that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
from media_planes import peer_spec
from spoken import BYTES_PER_MS

from parley.media.loopback import LoopbackPlane
from parley.media.loopback_remote import LoopbackRemote
from parley.media.peer_spec import PeerId, PeerSpec, SctpSpec
from parley.media.plane import TICK_MS
from parley.media.switchboard import Switchboard
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.supervisor import SessionEnded, SessionHandle, Supervisor
from parley.transports.webrtc import CallEnd, WebRtcCall
from parley.transports.websocket import Link

__all__ = ["Caller", "calling", "loopback_board"]

Event = dict[str, Any]


@asynccontextmanager
async def loopback_board() -> AsyncIterator[tuple[LoopbackPlane, Switchboard]]:
    """Run a loopback plane in step with the running loop's time."""
    plane = LoopbackPlane()
    board = Switchboard(plane)
    board.start()

    async def tick() -> None:
        started = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            due_ms = round((asyncio.get_running_loop().time() - started) * 1000)
            plane.advance(due_ms - plane.now_ms)

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        yield plane, board
        ticking.cancel()
        board.close()


class Caller:
    """The far end of a call: microphone, ears, and the data channel, if it opens one."""

    def __init__(self, plane: LoopbackPlane, peer: str, handle: SessionHandle) -> None:
        self.handle = handle
        self.end: CallEnd | None = None
        self._plane = plane
        self._peer = PeerId(peer)
        self._seen = 0
        self._events: list[Event] = []
        self._remote: LoopbackRemote | None = None

    @property
    def remote(self) -> LoopbackRemote:
        """The plane's idea of this end; it stays readable after the call."""
        if self._remote is None:
            self._remote = self._plane.remote(self._peer)
        return self._remote

    @property
    def now_ms(self) -> int:
        return self._plane.now_ms

    @property
    def events(self) -> list[Event]:
        """Everything that came on data channels."""
        for _, data in self.remote.messages[len(self._events) :]:
            self._events.append(msgspec.json.decode(data))
        return self._events

    async def open_channel(self, label: str = "oai-events", channel: int = 1) -> None:
        self.remote.open_channel(channel, label)
        await self.until("session.created")

    async def send(self, type: str, *, channel: int = 1, **fields: Any) -> None:
        self.remote.send(channel, msgspec.json.encode({"type": type, **fields}).decode())
        await asyncio.sleep(2 * TICK_MS / 1000)

    async def ask(self, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    async def speak(self, pcm: bytes) -> None:
        """Speak into the microphone and wait until it is said."""
        self.remote.speak("0", pcm)
        await asyncio.sleep(len(pcm) / BYTES_PER_MS / 1000)

    async def until(self, type: str, *, within_s: float = 120) -> Event:
        """Wait for the next event of `type`; skip what comes before it."""
        async with asyncio.timeout(within_s):
            while True:
                events = self.events
                while self._seen < len(events):
                    self._seen += 1
                    if events[self._seen - 1]["type"] == type:
                        return events[self._seen - 1]
                assert self.end is None, f"the call ended ({self.end}) before {type}: {self.types()[-8:]}"
                await asyncio.sleep(TICK_MS / 1000)

    async def until_ended(self, within_s: float = 120) -> CallEnd:
        async with asyncio.timeout(within_s):
            while self.end is None:
                await asyncio.sleep(TICK_MS / 1000)
        return self.end

    def of(self, type: str) -> list[Event]:
        return [event for event in self.events if event["type"] == type]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def recording(self) -> bytes:
        """All that was heard since the beginning, silence included."""
        return self.remote.recording("0", self.now_ms + TICK_MS)


@asynccontextmanager
async def calling(
    supervisor: Supervisor,
    plane: LoopbackPlane,
    board: Switchboard,
    *,
    peer: str = "ann",
    config: SessionConfig | None = None,
    spec: PeerSpec | None = None,
    max_message_bytes: int = 262_144,
    channel: bool = True,
    camera: bool = False,
) -> AsyncIterator[Caller]:
    """Place a call, with an open data channel unless told otherwise; leaving hangs up."""
    spec = spec or replace(peer_spec(peer), sctp=SctpSpec("1", max_message_bytes=max_message_bytes))
    call = WebRtcCall(board, spec)
    handle = await supervisor.open(config or SessionConfig(), playout=call.speaker, in_call=True, camera=camera)
    caller = Caller(plane, peer, handle)

    def attach() -> Link | None:
        try:
            return handle.attach(dialect=Dialect.GA, wants_audio=False)
        except SessionEnded:
            return None

    async def run() -> None:
        caller.end = await call.run(handle, attach)

    async with asyncio.TaskGroup() as group:
        running = group.create_task(run())
        await asyncio.sleep(2 * TICK_MS / 1000)
        assert caller.remote is not None
        if channel:
            await caller.open_channel()
        yield caller
        handle.hang_up()
        await running
