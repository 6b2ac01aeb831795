"""Where the runtime reads the time. The only module of `runtime` that touches the system clock.

The state machine never sees a clock: the runner asks one and passes `now` in. Waiting is the event loop's business, in
durations, so that a loop with virtual time needs no more than a `Clock` that reads that loop.
Neighbours: `runner` (asks), `parley.testing` (virtual clocks).
"""

from __future__ import annotations

import time
from typing import Protocol

from parley.protocol.realtime.ids import Ms

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Two readings: a monotonic one for deadlines and a calendar one for `expires_at`."""

    def now(self) -> Ms:
        """Milliseconds of a clock that never steps back."""

    def unix(self) -> int:
        """Seconds since 1970, for clients' eyes only."""


class SystemClock:
    """CLOCK_MONOTONIC, which the media core counts on as well, and the system's calendar."""

    def now(self) -> Ms:
        """Milliseconds of CLOCK_MONOTONIC."""
        return Ms(time.monotonic_ns() // 1_000_000)

    def unix(self) -> int:
        """Seconds since 1970."""
        return int(time.time())
