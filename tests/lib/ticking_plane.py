"""A media plane in memory that keeps real time, for as long as the server on it: also while that one says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.media.loopback import LoopbackPlane

__all__ = ["ticking_plane"]

_TICK_MS = 20


@asynccontextmanager
async def ticking_plane() -> AsyncIterator[LoopbackPlane]:
    """Give a plane that advances by 20 ms every 20 ms."""
    plane = LoopbackPlane()

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_MS / 1000)
            plane.advance(_TICK_MS)

    ticking = asyncio.create_task(tick())
    try:
        yield plane
    finally:
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
