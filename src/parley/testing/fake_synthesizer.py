"""A synthesizer that hums: length, loudness and word times follow from the text alone. Neighbour: `engines.base`."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import AsyncGenerator, Callable

from parley.engines.base import Capabilities, EngineError, EngineInfo, SpeechChunk, WordTime
from parley.engines.read_ahead import ReadAhead
from parley.testing.steps import Hang

__all__ = ["FakeSpeech", "FakeSynthesizer", "tone"]

_RATE_HZ = 24_000
_PERIOD = 100


def tone(samples: int, *, peak: int = 8000) -> bytes:
    """Make `samples` of a 240 Hz sine, PCM16 mono 24 kHz."""
    period = array.array("h", (round(peak * math.sin(2 * math.pi * n / _PERIOD)) for n in range(_PERIOD))).tobytes()
    return (period * (samples // _PERIOD + 1))[: samples * 2]


class FakeSpeech(ReadAhead[SpeechChunk]):
    """One hummed text. `emitted` counts its chunks."""

    def __init__(self, synthesizer: FakeSynthesizer, text: str, voice: str, speed: float) -> None:
        super().__init__(self._chunks, ahead=1, name="fake-speech")
        self.text = text
        self.voice = voice
        self.speed = speed
        self.emitted = 0
        self._of = synthesizer

    async def _chunks(self) -> AsyncGenerator[SpeechChunk, None]:
        of = self._of
        await asyncio.sleep(of.delay_ms / 1000)
        failure = of.failure(self.text) if of.failure else None
        if isinstance(failure, EngineError):
            raise failure
        if isinstance(failure, Hang):
            await asyncio.Event().wait()
        per_char = of.ms_per_char / self.speed
        total = round(len(self.text) * per_char) * (_RATE_HZ // 1000)
        step = of.chunk_ms * (_RATE_HZ // 1000)
        pcm = tone(total)
        words = self._words(per_char) if of.word_times else []
        for start in range(0, total, step):
            end = min(start + step, total)
            if of.realtime_factor:
                await asyncio.sleep((end - start) / _RATE_HZ * of.realtime_factor)
            done = [word for word in words if word.end_ms * 24 <= end]
            words = words[len(done) :]
            if end == total:
                done, words = done + words, []
            self.emitted += 1
            yield SpeechChunk(pcm[start * 2 : end * 2], tuple(done))

    def _words(self, per_char: float) -> list[WordTime]:
        words, char = [], 0
        for word in self.text.split():
            char = self.text.index(word, char)
            end = char + len(word)
            words.append(WordTime(char, end, round(char * per_char), round(end * per_char)))
            char = end
        return words


class FakeSynthesizer:
    """Hum `ms_per_char` for each character, in chunks of `chunk_ms`, after `delay_ms`.

    `realtime_factor` 0 makes it instant, 0.1 ten times faster than speech. `failure(text)` may name an `EngineError`
    to raise or a `Hang`. `spoken` keeps every stream that was asked for.
    """

    def __init__(
        self,
        *,
        ms_per_char: int = 50,
        chunk_ms: int = 100,
        delay_ms: int = 0,
        realtime_factor: float = 0.0,
        word_times: bool = True,
        failure: Callable[[str], EngineError | Hang | None] | None = None,
    ) -> None:
        self.ms_per_char = ms_per_char
        self.chunk_ms = chunk_ms
        self.delay_ms = delay_ms
        self.realtime_factor = realtime_factor
        self.word_times = word_times
        self.failure = failure
        self.spoken: list[FakeSpeech] = []
        self.warm = False
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("tts", "fake", "fake-tts", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(word_times=self.word_times, voices=("hum",), languages=("en",))

    async def warm_up(self) -> None:
        self.warm = True

    async def aclose(self) -> None:
        self.closed = True
        for speech in self.spoken:
            speech.cancel()
            await speech.closed()

    def speak(self, text: str, *, voice: str, speed: float) -> FakeSpeech:
        speech = FakeSpeech(self, text, voice, speed)
        self.spoken.append(speech)
        return speech
