"""Live WebSocket sessions per core, talking, against a bare echo server in the same run.

Every session streams its microphone at the pace of speech without a pause (40 ms frames of base64 PCM), as an open
microphone does; Parley runs voice activity on all of it, keeps it, and answers every turn with speech. The echo server
parses nothing and sends every frame back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from benchmarks.child_server import child, cpu_seconds
from benchmarks.client import Client, turn_audio

SESSIONS = 40
SECONDS = 20.0


async def _session(port: int, number: int, until: float) -> None:
    await asyncio.sleep(number * 0.037)
    audio = turn_audio()
    async with Client.connected(port) as client:

        async def drain() -> None:
            with contextlib.suppress(Exception):
                while True:
                    await client.socket.recv()

        reading = asyncio.create_task(drain())
        while time.perf_counter() < until:
            await client.speak(audio)
        reading.cancel()


async def _load(port: int) -> None:
    until = time.perf_counter() + SECONDS
    async with asyncio.TaskGroup() as group:
        for number in range(SESSIONS):
            group.create_task(_session(port, number, until))


def _share(kind: str) -> float:
    """Share of a core that one session costs."""
    with child(kind) as (port, process):
        before, started = cpu_seconds(process), time.perf_counter()
        asyncio.run(_load(port))
        return (cpu_seconds(process) - before) / (time.perf_counter() - started) / SESSIONS


def main() -> None:
    """Print both costs and their ratio."""
    turn_audio()
    echo, parley = _share("echo"), _share("parley")
    print(f"{'':>8} {'core per session':>17} {'sessions per core':>18}")
    for name, share in (("echo", echo), ("Parley", parley)):
        print(f"{name:>8} {share:>16.2%} {1 / share:>18.0f}")
    print(f"Parley costs {parley / echo:.1f} times the bare transport.")


if __name__ == "__main__":
    main()
