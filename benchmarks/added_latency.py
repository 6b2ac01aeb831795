"""What Parley adds: from the end of a spoken turn to the first audio, minus what the engines take by construction.

A turn's critical path through engines of known delay is chat + synthesis (280 ms), since recognition (100 ms) hides in
the silence that ends the turn. The rest, over a real WebSocket, is ours. Goal: p50 ≤ 40 ms, alone and with company.
"""

from __future__ import annotations

import asyncio
import statistics
import time

from benchmarks.child_server import child
from benchmarks.client import BLOCK_MS, Client, turn_audio
from benchmarks.known import CHAT_MS, SYNTHESIZER_MS

TURNS = 5


async def _turns(port: int, delay_s: float, found: list[float]) -> None:
    await asyncio.sleep(delay_s)
    audio = turn_audio()
    async with Client.connected(port) as client:
        for _ in range(TURNS):
            stopped_at = 0.0
            spoken = asyncio.create_task(client.speak(audio))
            while True:
                event = await client.next()
                if event["type"] == "input_audio_buffer.speech_stopped":
                    stopped_at = time.perf_counter()
                elif event["type"] == "response.output_audio.delta" and stopped_at:
                    found.append((time.perf_counter() - stopped_at) * 1000 - CHAT_MS - SYNTHESIZER_MS)
                    stopped_at = 0.0
                elif event["type"] == "response.done":
                    break
            await spoken


async def _measure(port: int, sessions: int) -> list[float]:
    found: list[float] = []
    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(_turns(port, number * BLOCK_MS / 1000 / max(1, sessions) * 10, found))
    return sorted(found)


def main() -> None:
    """Print the added latency for one session and for more."""
    known = CHAT_MS + SYNTHESIZER_MS
    print(f"{'sessions':>9} {'turns':>6} {'p50 ms':>8} {'p95 ms':>8} {f'share of {known} ms':>16}")
    for sessions in (1, 10, 40):
        with child("parley") as (port, _):
            found = asyncio.run(_measure(port, sessions))
        p50, p95 = statistics.median(found), found[int(len(found) * 0.95)]
        print(f"{sessions:>9} {len(found):>6} {p50:>8.1f} {p95:>8.1f} {p50 / known:>16.0%}", flush=True)


if __name__ == "__main__":
    main()
