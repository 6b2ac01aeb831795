"""What one connection still has to be sent: a bounded queue between the owner task and a socket's writer.

Overflow policy: frames are never dropped one by one, since a client that misses one is out of step. Above `max_bytes`,
or when the oldest unsent frame (the one being written included) is `max_age_ms` old, everything is let go and the
connection is closed with a reason. The owner task never waits here. One timer at most runs per outbox.
Neighbours: `connection` (fills), `transports` (empties).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from parley.protocol.realtime.ids import Ms
from parley.runtime.clock import Clock

__all__ = ["SLOW_READER", "Outbox"]

SLOW_READER = 1008
"""WebSocket close code for a client that does not read: policy violation."""


class Outbox:
    """See the module. `close_code` and `close_reason` are final once `frames` has ended."""

    def __init__(
        self, *, max_bytes: int, max_age_ms: int, clock: Clock, on_overflow: Callable[[], None] | None = None
    ) -> None:
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._clock = clock
        self._on_overflow = on_overflow
        self._queue: deque[tuple[str, Ms]] = deque()
        self._waiting_bytes = 0
        self._writing: tuple[str, Ms] | None = None
        self._closed = False
        self._aborted = asyncio.Event()
        self._writer: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.close_code = 1000
        self.close_reason = ""

    @property
    def waiting_bytes(self) -> int:
        """Characters of JSON not yet handed over, the frame being written included."""
        return self._waiting_bytes

    @property
    def closed(self) -> bool:
        """Whether anything put now is ignored."""
        return self._closed

    @property
    def aborted(self) -> bool:
        """Whether the connection must go without sending the rest."""
        return self._aborted.is_set()

    def put(self, frame: str) -> None:
        """Add one JSON text frame; above the bound, close the connection."""
        if self._closed:
            return
        self._queue.append((frame, self._clock.now()))
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > self._max_bytes:
            self._overflow(f"client reads too slowly: more than {self._max_bytes >> 10} KiB unsent")
            return
        self._wake()
        self._watch()

    def close(self, code: int, reason: str) -> None:
        """Close after what was put before. The first close counts."""
        if self._closed:
            return
        self._closed = True
        self.close_code = code
        self.close_reason = reason
        self._wake()

    def abort(self, code: int, reason: str) -> None:
        """Close now; what was not sent is let go."""
        if self.aborted:
            return
        if not self._closed:
            self._closed = True
            self.close_code = code
            self.close_reason = reason
        self._queue.clear()
        self._waiting_bytes = 0
        self._aborted.set()
        self._stop_watch()
        self._wake()

    async def wait_aborted(self) -> None:
        """Return when the connection must be closed at once, even in the middle of a write."""
        await self._aborted.wait()

    async def frames(self) -> AsyncIterator[str]:
        """Yield frames as they come until closed. One consumer; a frame counts as sent when the next is asked for."""
        while True:
            while self._queue:
                self._writing = self._queue.popleft()
                yield self._writing[0]
                self._written()
            if self._closed:
                self._stop_watch()
                return
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    def _overflow(self, reason: str) -> None:
        self.abort(SLOW_READER, reason)
        if self._on_overflow is not None:
            self._on_overflow()

    def _written(self) -> None:
        if self._writing is not None and not self.aborted:
            self._waiting_bytes -= len(self._writing[0])
        self._writing = None

    def _wake(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def _oldest(self) -> Ms | None:
        if self._writing is not None:
            return self._writing[1]
        return self._queue[0][1] if self._queue else None

    def _watch(self) -> None:
        """See to it that the age of the oldest frame is looked at in time."""
        oldest = self._oldest()
        if self._timer is None and oldest is not None:
            due_ms = max(1, oldest + self._max_age_ms - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(due_ms / 1000, self._check_age)

    def _check_age(self) -> None:
        self._timer = None
        oldest = self._oldest()
        if oldest is not None and self._clock.now() - oldest >= self._max_age_ms:
            self._overflow(f"client reads too slowly: a frame waited {self._max_age_ms // 1000} s")
        else:
            self._watch()

    def _stop_watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
