"""A synthesizer that costs nothing and sounds like a voice, so that what is measured encodes speech, not a hum."""

from __future__ import annotations

import array
import math
from collections.abc import AsyncGenerator
from functools import cache

from parley.engines.base import Capabilities, EngineInfo, SpeechChunk
from parley.engines.read_ahead import ReadAhead

__all__ = ["VoiceSynthesizer", "voice"]

RATE_HZ = 24_000
CHUNK_SAMPLES = 4_800
SAMPLES_PER_CHAR = 1_200


@cache
def voice(samples: int = 5 * RATE_HZ) -> bytes:
    """Pulses through two gliding resonances, in syllables: PCM16, 24 kHz."""
    states = [[0.0, 0.0], [0.0, 0.0]]
    clock, out = 0.0, array.array("h")
    for n in range(samples):
        t = n / RATE_HZ
        clock += (118 + 14 * math.sin(t * 2.3)) / RATE_HZ
        pulse = 1.0 if clock >= 1 else 0.0
        clock %= 1
        sound = 0.0
        for state, hz in zip(states, (550 + 180 * math.sin(t * 9), 1_700 + 400 * math.cos(t * 7)), strict=True):
            angle = 2 * math.pi * hz / RATE_HZ
            value = pulse + 2 * 0.985 * math.cos(angle) * state[0] - 0.985**2 * state[1]
            state[:] = [value, state[0]]
            sound += value
        syllable = math.sin(math.pi * (t % 0.18) / 0.18) ** 2
        out.append(max(-32_768, min(32_767, round(sound * syllable * 1_400))))
    return out.tobytes()


class _Speech(ReadAhead[SpeechChunk]):
    def __init__(self, text: str) -> None:
        self._samples = len(text) * SAMPLES_PER_CHAR
        super().__init__(self._chunks, ahead=2, name="voice")

    async def _chunks(self) -> AsyncGenerator[SpeechChunk, None]:
        loop = voice()
        for start in range(0, self._samples, CHUNK_SAMPLES):
            at = start * 2 % (len(loop) - 2 * CHUNK_SAMPLES)
            yield SpeechChunk(loop[at : at + 2 * min(CHUNK_SAMPLES, self._samples - start)], ())


class VoiceSynthesizer:
    """Fifty milliseconds for each character, at once."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("tts", "voice", "voice", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(word_times=False, voices=("voice",), languages=("en",))

    async def warm_up(self) -> None:
        voice()

    async def aclose(self) -> None:
        return

    def speak(self, text: str, *, voice: str, speed: float) -> ReadAhead[SpeechChunk]:
        return _Speech(text)
