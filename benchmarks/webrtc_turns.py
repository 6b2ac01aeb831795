"""What a call adds: from the last audible sample at a device to the first packet of the answer, and how fast a voice
silences it.

The device is aiortc, a stack of others, whose packets are timed as they come off the wire; the engines take what they
take by construction. What voice detection needs to call a turn over, and to notice a voice, is measured in the same run
on the same sound by WebSocket, which adds next to nothing: the first is taken off with the engines, the second is the
least that silence takes, and the first delta by WebSocket is the baseline of the answer. Server and device have a core
each. Goals: p50 of what is added ≤ 60 ms; silence ≤ 250 ms after the first audible sample of a voice that interrupts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.child_server import _engines
from benchmarks.client import Client
from benchmarks.known import CHAT_MS, SYNTHESIZER_MS
from benchmarks.load_generator import LOAD_CORE, SERVER_CORE, pin, unpin

ROOT = Path(__file__).resolve().parents[1]
TURNS = 9
BLOCK = 960
PAUSE_MS = 200
RUN_MS = 60


@dataclass(slots=True)
class _Heard:
    """What was seen by WebSocket, in ms: since a voice's first audible sample, and since its last."""

    noticed: list[float] = field(default_factory=list)
    called_over: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


async def _serve() -> None:
    from parley.media.native import NativePlane
    from parley.server.app import create_app
    from parley.server.own_addresses import own_addresses
    from parley.server.serving import address_of, bind, serve
    from parley.server.settings import load_settings

    settings = load_settings(flags={}, environ={}, directory=Path("/nonexistent"))
    plane = NativePlane.open(announced=own_addresses()[:1])  # aiortc leaves loopback out
    app = create_app(settings, build=_engines, plane=plane)  # type: ignore[arg-type]
    sockets = bind("127.0.0.1", 0)
    await serve(app, sockets, started=lambda: print(address_of(sockets)[1], flush=True))


@contextmanager
def _child() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.webrtc_turns", "serve"]
    pin(SERVER_CORE)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pin(LOAD_CORE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        unpin()
        process.terminate()
        process.wait(timeout=20)


async def _by_websocket(port: int, pcm: bytes, edges_ms: tuple[int, int]) -> _Heard:
    begin_ms, end_ms = edges_ms
    heard = _Heard()
    async with Client.connected(port) as client:
        for _ in range(TURNS):
            started = time.perf_counter()
            speaking = asyncio.create_task(_speak(client, pcm, started))
            for kind, since_ms, found in (
                ("input_audio_buffer.speech_started", begin_ms, heard.noticed),
                ("input_audio_buffer.speech_stopped", end_ms, heard.called_over),
                ("response.output_audio.delta", end_ms, heard.answered),
            ):
                while (await client.next())["type"] != kind:
                    pass
                found.append((time.perf_counter() - started) * 1000 - since_ms)
            while (await client.next())["type"] != "response.done":
                pass
            await speaking
            await asyncio.sleep(6.0)  # the answer plays to its end, as far as the server knows
    return heard


async def _speak(client: Client, pcm: bytes, started: float) -> None:
    for number, start in enumerate(range(0, len(pcm), BLOCK)):
        await asyncio.sleep(max(0.0, started + (number + 1) * 0.02 - time.perf_counter()))
        audio = base64.b64encode(pcm[start : start + BLOCK]).decode()
        await client.socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def _by_call(port: int, pcm: bytes, edges_ms: tuple[int, int]) -> tuple[list[float], list[float]]:
    """From the last audible sample to the answer's first packet; from a voice's first sample to its last. In ms."""
    from device import calling_device

    begin_ms, end_ms = edges_ms
    length_ms = len(pcm) // 48
    answers, silences = [], []
    async with calling_device(f"http://127.0.0.1:{port}", channel="oai-events") as device:
        await device.until("session.created")
        for turn in range(2 * TURNS):
            said = await device.speak(pcm)
            await device.until("output_audio_buffer.started")
            if turn % 2:
                begun = said - length_ms + begin_ms
                packets = [at for _, at in (await device.recording()).packets if at >= begun - 1_000]
                silences.append(next(a for a, b in pairwise(packets) if b - a > PAUSE_MS) + 20 - begun)
            else:
                stopped = said - length_ms + end_ms
                await asyncio.sleep(PAUSE_MS / 1000)
                packets = [at for _, at in (await device.recording()).packets]
                # A packet of its own keeps the track alive; an answer goes on.
                first = next(a for a, b in pairwise(packets) if a > stopped and b - a < RUN_MS)
                answers.append(first - stopped)
            if turn % 2:
                await device.until("output_audio_buffer.stopped")
            else:
                await asyncio.sleep(0.8)
    return answers, silences


def main() -> None:
    """Print both."""
    sys.path.insert(0, str(ROOT / "tests" / "lib"))
    from spoken import edges, say, silence

    voice = say("What is it, please?")
    pcm = silence(200) + voice + silence(900)
    begin_ms, end_ms = (200 + edge for edge in edges(voice))
    with _child() as port:
        heard = asyncio.run(_by_websocket(port, pcm, (begin_ms, end_ms)))
        answers, silences = asyncio.run(_by_call(port, pcm, (begin_ms, end_ms)))
    known, window = CHAT_MS + SYNTHESIZER_MS, statistics.median(heard.called_over)
    whole = statistics.median(answers)
    print(f"voice to voice, median: {whole:.0f} ms, of which engines {known}, detection {window:.0f}")
    print(f"{'':>38} {'turns':>6} {'p50 ms':>8} {'worst':>8}")
    for name, found in (
        ("added by the call", [answer - window - known for answer in answers]),
        ("added by WebSocket, to the first delta", [answer - window - known for answer in heard.answered]),
        ("silence in the call after a voice", silences),
        ("speech_started by WebSocket", heard.noticed),
    ):
        print(f"{name:>38} {len(found):>6} {statistics.median(found):>8.0f} {max(found):>8.0f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        import uvloop

        uvloop.run(_serve())
    else:
        main()
