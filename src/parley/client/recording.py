"""A recording as the microphone, and what was heard meanwhile: for machines without sound, and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parley.client.devices import TICK_MS, TICK_SAMPLES
from parley.client.session import Session

__all__ = ["speak_recording"]

_LINGER_TICKS = 2_000 // TICK_MS
_LONGEST_TICKS = 90_000 // TICK_MS


async def speak_recording(session: Session, pcm: bytes, *, hear: Callable[[bytes], object]) -> None:
    """Speak PCM16 mono 24 kHz at the speed of speech and hear what a person would: one tick in, one tick out.

    Ends when the recording is over and nothing is left to be said or heard, at most 90 s later. Somebody has to
    iterate over the session meanwhile.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    tick_bytes = TICK_SAMPLES * 2
    quiet = 0
    for tick in range(len(pcm) // tick_bytes + _LONGEST_TICKS):
        piece = pcm[tick * tick_bytes : (tick + 1) * tick_bytes]
        await session.say(piece.ljust(tick_bytes, b"\0"))
        hear(session.sound.pull(TICK_SAMPLES))
        quiet = 0 if piece or session.busy else quiet + 1
        if quiet > _LINGER_TICKS:
            return
        await asyncio.sleep(max(0.0, started + (tick + 1) * TICK_MS / 1_000 - loop.time()))
