"""One data channel that carries a session's events: text messages between a peer and a session's link.

Back-pressure: towards the peer, a message the plane does not take waits here and the session's outbox fills up behind
it, whose bounds are final. From the peer nobody can be made to wait, so what the session is too slow to read piles up
to `MAX_UNREAD_BYTES`; above it the channel breaks, and the call with it.

Neighbours: `webrtc` (finds the channel among the peer's), `event_size` (what fits into a message).
"""

from __future__ import annotations

import asyncio
from collections import deque

from parley.media.commands import SendMessage
from parley.media.errors import Busy
from parley.media.peer_spec import PeerId
from parley.media.switchboard import Switchboard
from parley.transports.event_size import fit_event
from parley.transports.websocket import Link

__all__ = ["MAX_UNREAD_BYTES", "EventChannel"]

MAX_UNREAD_BYTES = 8 << 20
_LAST_BYTES_S = 1.0


class EventChannel:
    """See the module. `max_message_bytes` is what the peer said it takes."""

    def __init__(self, board: Switchboard, peer: PeerId, channel: int, max_message_bytes: int) -> None:
        self.channel = channel
        self._board = board
        self._peer = peer
        self._max_message_bytes = max_message_bytes
        self._unread: deque[str | bytes] = deque()
        self._unread_bytes = 0
        self._unsent_bytes = 0
        self._closed = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    # What the plane says, as it says it.

    def received(self, data: str | bytes) -> bool:
        """Take a message. False if too many wait to be read."""
        self._unread.append(data)
        self._unread_bytes += len(data)
        self._news.set()
        return self._unread_bytes <= MAX_UNREAD_BYTES

    def drained(self, drained_bytes: int) -> None:
        """Take note of what has left."""
        self._unsent_bytes -= drained_bytes
        self._room.set()

    def closed(self) -> None:
        """Take note that the channel is gone."""
        self._closed = True
        self._news.set()
        self._room.set()

    # What the call does with it.

    @property
    def open(self) -> bool:
        """Whether the peer still has it."""
        return not self._closed

    async def carry(self, link: Link) -> None:
        """Carry events both ways until the channel is gone, or the session closes the link and the rest has left."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                group.create_task(self._read(link)),
                group.create_task(self._write(link)),
                group.create_task(link.wait_aborted()),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    async def _read(self, link: Link) -> None:
        while not self._closed:
            while self._unread:
                message = self._unread.popleft()
                self._unread_bytes -= len(message)
                await link.receive(_text(message))
            self._news.clear()
            await self._news.wait()

    async def _write(self, link: Link) -> None:
        async for frame in link.frames():
            await self._send(fit_event(frame, self._max_message_bytes))
        await self._sent()

    async def _send(self, frame: str) -> None:
        size = len(frame.encode())
        while not self._closed:
            self._room.clear()
            try:
                self._board.submit(SendMessage(self._peer, self.channel, frame))
            except Busy:
                await self._room.wait()
            else:
                self._unsent_bytes += size
                return

    async def _sent(self) -> None:
        """Wait a moment for the last events to leave: the peer is about to be closed."""
        try:
            async with asyncio.timeout(_LAST_BYTES_S):
                while self._unsent_bytes > 0 and not self._closed:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            return


def _text(message: str | bytes) -> str | bytes:
    """Read a message that was marked as binary as text if it is: small SCTP stacks mark everything so."""
    if isinstance(message, str):
        return message
    try:
        return message.decode()
    except UnicodeDecodeError:
        return message
