"""The one door into a session: everything that happens to it waits here for the owner task.

Five shelves, each with its bound and its overflow policy:

* *inputs*   of the session itself (connections, transcripts, scores). Never wait, never overflow: there is at most one
  of each kind per connection, recogniser or turn.
* *partials* newest reading per item; an older one that nobody took is replaced.
* *frames*   of clients, bounded in number and bytes over all connections. The reader that brings one too many waits,
  stops reading its socket, and the client feels it: back-pressure, nothing lost. A frame larger than the whole bound is
  let in when it is alone.
* *blocks*   of sound from a plane, in real time, at most `MAX_BLOCK_SAMPLES`: what comes then is dropped, and the next
  block's start shows it. Nobody can wait here: a microphone does not.
* *chunks*   of engines, bounded per response. The pump that brings one too many waits; a cancelled response's chunks
  are dropped here.

`take` gives inputs first, then partials, blocks, then frames and chunks in turn, so that neither a fast client nor a
fast engine starves the other. Neighbours: `connection` and `generations` (fill), `runner` (empties).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from parley.audio import AudioBlock
from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import Chunk
from parley.protocol.realtime.ids import ConnectionId, ItemId, ResponseId
from parley.protocol.realtime.inputs import EngineChunk, Input, TranscriptPartial

__all__ = ["MAX_BLOCK_SAMPLES", "Frame", "Mailbox"]

MAX_BLOCK_SAMPLES = 5 * 24_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One client frame, decoded. `size` in bytes is what it weighs while it waits."""

    connection: ConnectionId
    message: ClientEvent | ClientFault
    size: int


class Mailbox:
    """See the module. Filled from any task of the loop, emptied by one."""

    def __init__(self, *, max_frames: int, max_frame_bytes: int, max_chunks: int) -> None:
        self._max_frames = max_frames
        self._max_frame_bytes = max_frame_bytes
        self._max_chunks = max_chunks
        self._inputs: deque[Input] = deque()
        self._partials: dict[ItemId, TranscriptPartial] = {}
        self._frames: deque[Frame] = deque()
        self._frame_bytes = 0
        self._blocks: deque[AudioBlock] = deque()
        self._block_samples = 0
        self._chunks: deque[EngineChunk] = deque()
        self._chunk_counts: dict[ResponseId, int] = {}
        self._readers: deque[asyncio.Future[None]] = deque()
        self._pumps: dict[ResponseId, asyncio.Future[None]] = {}
        self._owner: asyncio.Future[None] | None = None
        self._frames_next = True
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the session has ended: what is brought now is dropped."""
        return self._closed

    def __len__(self) -> int:
        """How much waits."""
        waiting = (self._inputs, self._partials, self._blocks, self._frames, self._chunks)
        return sum(map(len, waiting))

    def holds(self, *, frames: bool = True) -> bool:
        """Whether `take` with the same `frames` would give something."""
        return len(self) > (0 if frames else len(self._frames))

    def post(self, item: Input) -> None:
        """Add an input of the session's own."""
        if self._closed:
            return
        self._inputs.append(item)
        self._wake_owner()

    def post_partial(self, partial: TranscriptPartial) -> None:
        """Add a reading, replacing an older one of the same item."""
        if self._closed:
            return
        self._partials[partial.item_id] = partial
        self._wake_owner()

    def drop_partial(self, item_id: ItemId) -> None:
        """Forget the waiting reading of `item_id`: its last word is in."""
        self._partials.pop(item_id, None)

    def post_block(self, block: AudioBlock) -> bool:
        """Add a block of a live lane. False if it was dropped because too much waits."""
        if self._closed:
            return True
        if self._block_samples + block.samples > MAX_BLOCK_SAMPLES:
            return False
        self._blocks.append(block)
        self._block_samples += block.samples
        self._wake_owner()
        return True

    async def put_frame(self, frame: Frame) -> None:
        """Add a client frame; wait while too many or too much waits. Dropped once the session has ended."""
        while not self._closed and not self._fits(frame):
            waiter = asyncio.get_running_loop().create_future()
            self._readers.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._readers:
                    self._readers.remove(waiter)
        if self._closed:
            return
        self._frames.append(frame)
        self._frame_bytes += frame.size
        self._wake_owner()

    async def put_chunk(self, response_id: ResponseId, chunk: Chunk) -> None:
        """Add an engine's chunk; wait while too many of its response wait. Only one task per response calls this."""
        while not self._closed and self._chunk_counts.get(response_id, 0) >= self._max_chunks:
            waiter = asyncio.get_running_loop().create_future()
            self._pumps[response_id] = waiter
            try:
                await waiter
            finally:
                self._pumps.pop(response_id, None)
        if self._closed:
            return
        self._chunks.append(EngineChunk(response_id, chunk))
        self._chunk_counts[response_id] = self._chunk_counts.get(response_id, 0) + 1
        self._wake_owner()

    def drop_response(self, response_id: ResponseId) -> int:
        """Forget the waiting chunks of a response that is over. How many there were."""
        dropped = self._chunk_counts.pop(response_id, 0)
        if dropped:
            self._chunks = deque(entry for entry in self._chunks if entry.response_id != response_id)
        self._wake_pump(response_id)
        return dropped

    def drop_connection(self, connection: ConnectionId) -> None:
        """Forget the waiting frames of a client that is gone."""
        self._frame_bytes -= sum(frame.size for frame in self._frames if frame.connection == connection)
        self._frames = deque(frame for frame in self._frames if frame.connection != connection)
        self._wake_readers()

    def take(self, *, frames: bool = True) -> Input | Frame | AudioBlock | None:
        """Give the next thing that happened, or None. `frames=False` leaves client frames where they are."""
        if self._inputs:
            return self._inputs.popleft()
        if self._partials:
            return self._partials.pop(next(iter(self._partials)))
        if self._blocks:
            block = self._blocks.popleft()
            self._block_samples -= block.samples
            return block
        if frames and self._frames and (self._frames_next or not self._chunks):
            self._frames_next = False
            return self._take_frame()
        self._frames_next = True
        return self._take_chunk() if self._chunks else None

    async def wait(self, for_ms: int | None, *, frames: bool = True) -> None:
        """Return when something new comes, or after `for_ms`; at once if something waits that `take` would give.

        Only the owner task calls this.
        """
        if self.holds(frames=frames) or self._closed:
            return
        loop = asyncio.get_running_loop()
        self._owner = loop.create_future()
        timer = None if for_ms is None else loop.call_later(for_ms / 1000, self._wake_owner)
        try:
            await self._owner
        finally:
            self._owner = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """End: drop everything and let everyone who waits go on. Idempotent."""
        self._closed = True
        self._inputs.clear()
        self._partials.clear()
        self._blocks.clear()
        self._block_samples = 0
        self._frames.clear()
        self._frame_bytes = 0
        self._chunks.clear()
        self._chunk_counts.clear()
        self._wake_readers()
        for response_id in list(self._pumps):
            self._wake_pump(response_id)
        self._wake_owner()

    def _fits(self, frame: Frame) -> bool:
        if not self._frames:
            return True
        return len(self._frames) < self._max_frames and self._frame_bytes + frame.size <= self._max_frame_bytes

    def _take_frame(self) -> Frame:
        frame = self._frames.popleft()
        self._frame_bytes -= frame.size
        self._wake_readers()
        return frame

    def _take_chunk(self) -> EngineChunk:
        entry = self._chunks.popleft()
        left = self._chunk_counts[entry.response_id] - 1
        if left:
            self._chunk_counts[entry.response_id] = left
        else:
            del self._chunk_counts[entry.response_id]
        self._wake_pump(entry.response_id)
        return entry

    def _wake_owner(self) -> None:
        if self._owner is not None and not self._owner.done():
            self._owner.set_result(None)

    def _wake_readers(self) -> None:
        while self._readers:
            waiter = self._readers.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _wake_pump(self, response_id: ResponseId) -> None:
        waiter = self._pumps.get(response_id)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
