"""The audio core, called from Python: microseconds of one thread for each 20 ms of sound, the best of five rounds.

Includes what crossing from Python costs. Opus encodes and decodes speech of the page's own voice.
"""

from __future__ import annotations

import itertools
import math
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial

from parley.audio import (
    LaneFeed,
    OpusDecoder,
    OpusEncoder,
    Resampler,
    ulaw_decode,
    ulaw_encode,
)

ROUNDS, CALLS = 5, 400
FRAME_BYTES = 960


def _speech_like(samples: int) -> bytes:
    """Harmonics of a gliding pitch in syllables: as dear to encode as a voice."""
    out = []
    for n in range(samples):
        t = n / 24_000
        phase = 2 * math.pi * (120 * t + 6 * math.sin(2 * t))
        sound = sum(math.sin(k * phase) / k for k in range(1, 24))
        out.append(round(6_000 * sound * math.sin(math.pi * (t % 0.2) / 0.2) ** 2))
    return struct.pack(f"<{samples}h", *(max(-32_768, min(32_767, value)) for value in out))


def _best_us(call: Callable[[], object]) -> float:
    best = math.inf
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            call()
        best = min(best, (time.thread_time() - began) / CALLS)
    return best * 1e6


def _over(call: Callable[[bytes], object], pieces: list[bytes]) -> Callable[[], object]:
    """Call with one piece after the other, round and round."""
    endless = itertools.cycle(pieces)
    return lambda: call(next(endless))


def _calls(speech: bytes) -> Iterator[tuple[str, Callable[[], object]]]:
    frames = [speech[at : at + FRAME_BYTES] for at in range(0, len(speech), FRAME_BYTES)]
    for from_hz, to_hz in ((24_000, 16_000), (8_000, 24_000), (24_000, 8_000), (48_000, 24_000), (24_000, 48_000)):
        yield f"resample {from_hz} to {to_hz} Hz", partial(Resampler(from_hz, to_hz).push, bytes(from_hz // 50 * 2))
    yield "a lane's block with voice activity", _over(LaneFeed("0").push, frames)
    yield "G.711 encode", partial(ulaw_encode, frames[0][:320])
    yield "G.711 decode", partial(ulaw_decode, frames[0][:160])
    for percent, name in ((0, "Opus encode"), (10, "Opus encode with error correction")):
        encoder = OpusEncoder()
        encoder.expect_loss(percent)
        yield name, _over(encoder.encode, frames)
    sender = OpusEncoder()
    packets = [sender.encode(frame) for frame in frames]
    for rate_hz in (16_000, 24_000, 48_000):
        yield f"Opus decode to {rate_hz} Hz", _over(OpusDecoder(rate_hz).decode, packets)
    lossy = OpusDecoder()
    lossy.decode(packets[10])
    yield "Opus conceal", partial(lossy.conceal, 480)


def main() -> None:
    """Measure and print."""
    print("| work | µs per 20 ms | streams per core |\n|---|---|---|")
    for name, call in _calls(_speech_like(48_000)):
        took_us = _best_us(call)
        print(f"| {name} | {took_us:.1f} | {20_000 / took_us:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
