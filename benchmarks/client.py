"""A lean Realtime client for benchmarks: speaks at the pace of speech, reads what comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

BLOCK_MS = 40
_BLOCK_BYTES = BLOCK_MS * 48


@cache
def turn_audio() -> tuple[str, ...]:
    """A spoken turn as ready-made frames: 200 ms of silence, two seconds of speech, 900 ms of silence."""
    from parley.engines.local.hibari_tts import HibariSynthesizer

    async def speak() -> bytes:
        engine = HibariSynthesizer()
        try:
            return b"".join([part.pcm async for part in engine.speak("What is it, please?", voice="", speed=1.0)])
        finally:
            await engine.aclose()

    with ThreadPoolExecutor(1) as thread:
        speech = thread.submit(asyncio.run, speak()).result()
    pcm = bytes(200 * 48) + speech + bytes(900 * 48)
    return tuple(
        msgspec.json.encode({"type": "input_audio_buffer.append", "audio": pcm[i : i + _BLOCK_BYTES]}).decode()
        for i in range(0, len(pcm) - _BLOCK_BYTES, _BLOCK_BYTES)
    )


class Client:
    """One connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int) -> AsyncIterator[Client]:
        """Connect without a proxy, compression or size limit."""
        async with connect(
            f"ws://127.0.0.1:{port}/v1/realtime?model=m",
            additional_headers={"Authorization": "Bearer none"},
            compression=None,
            max_size=None,
            proxy=None,
        ) as socket:
            yield cls(socket)

    async def next(self) -> dict[str, Any]:
        """Read one event."""
        event: dict[str, Any] = msgspec.json.decode(await asyncio.wait_for(self.socket.recv(), 30))
        return event

    async def speak(self, frames: tuple[str, ...]) -> None:
        """Send frames at the pace of speech, on an absolute schedule."""
        started = time.perf_counter()
        for index, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, started + index * BLOCK_MS / 1000 - time.perf_counter()))
            await self.socket.send(frame)
