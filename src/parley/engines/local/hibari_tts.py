"""Speak with hibari: one voice, English, in process, on one thread for all sessions.

A text is synthesised piece by piece (a sentence, as a rule), each piece one job on the engine's thread, so that the
first sound comes early and many speakers take turns. Pieces are given out in short chunks: the one that finishes a
word carries its time. The model itself is `hibari_model`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from parley.audio import RATE_HZ, SAMPLE_BYTES
from parley.engines.base import Capabilities, EngineInfo, SpeechChunk, SpeechStream, Synthesizer, WordTime
from parley.engines.local.hibari_model import HibariModel, Piece, Spoken
from parley.engines.local.worker import Worker

if TYPE_CHECKING:
    from parley.engines.catalog import StageSettings

__all__ = ["HibariStream", "HibariSynthesizer", "build"]

_CHUNK_MS = 200
_SLOWEST, _FASTEST = 0.25, 4.0
_WARM_UP = "Ready, Zyxwovia?"
"""The second word is in no dictionary, so that the rules for unknown words are loaded too."""


class HibariSynthesizer(Synthesizer):
    """Text to speech in process. Every voice name gets the one voice; speed is honoured from 0.25 to 4."""

    def __init__(self) -> None:
        self._worker = Worker("parley-tts")
        self._model: HibariModel | None = None

    @property
    def info(self) -> EngineInfo:
        """Say what this is."""
        return EngineInfo("tts", "hibari", "hibari-heart", "Apache-2.0", "in process", "English, one voice")

    @property
    def capabilities(self) -> Capabilities:
        """Streams, times every word (unless the installed graph hides its durations); one voice, English."""
        timed = self._model is None or self._model.word_times
        return Capabilities(streaming=True, word_times=timed, voices=("heart",), languages=("en",))

    async def warm_up(self) -> None:
        """Load the model and say something to nobody. Raises `EngineError`."""
        await self._worker.run(self._warm_up)

    async def aclose(self) -> None:
        """End the thread and free the model."""
        await self._worker.aclose()
        self._model = None

    def speak(self, text: str, *, voice: str, speed: float) -> SpeechStream:
        """Begin to speak `text`. `voice` is an alias: hibari would fetch others from the network, so none is passed."""
        del voice
        return HibariStream(self, text, min(max(speed, _SLOWEST), _FASTEST))

    def submit(self, text: str, pieces: Iterator[Piece] | None, speed: float) -> Future[_Step | None]:
        """Queue the synthesis of the next of `pieces`, or of the first of `text`."""
        return self._worker.submit(lambda: self._step(text, pieces, speed))

    def _step(self, text: str, pieces: Iterator[Piece] | None, speed: float) -> _Step | None:
        model = self._loaded()
        pieces = model.pieces(text) if pieces is None else pieces
        piece = next(pieces, None)
        return None if piece is None else (model.speak(piece, speed), pieces)

    def _warm_up(self) -> None:
        model = self._loaded()
        for piece in model.pieces(_WARM_UP):
            model.speak(piece, 1.0)

    def _loaded(self) -> HibariModel:
        if self._model is None:
            self._model = HibariModel()
        return self._model


_Step = tuple[Spoken, Iterator[Piece]]


class HibariStream(SpeechStream):
    """A text being spoken. Synthesises no further than one piece ahead of what was taken."""

    def __init__(self, engine: HibariSynthesizer, text: str, speed: float) -> None:
        self._engine = engine
        self._text = text
        self._speed = speed
        self._stopped = Event()
        self._job: Future[_Step | None] | None = None

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        """Speak, once."""
        return self._chunks()

    def cancel(self) -> None:
        """Say nothing more. A piece in the making is thrown away."""
        self._stopped.set()
        if self._job is not None:
            self._job.cancel()

    async def _chunks(self) -> AsyncIterator[SpeechChunk]:
        pieces: Iterator[Piece] | None = None
        began_ms = 0
        while (step := await self._next(pieces)) is not None:
            spoken, pieces = step
            for chunk in _chunks_of(spoken, began_ms):
                if self._stopped.is_set():
                    return
                yield chunk
            began_ms += _duration_ms(spoken.pcm)

    async def _next(self, pieces: Iterator[Piece] | None) -> _Step | None:
        if self._stopped.is_set():
            return None
        self._job = self._engine.submit(self._text, pieces, self._speed)
        try:
            return await asyncio.wrap_future(self._job)
        except asyncio.CancelledError:
            if self._stopped.is_set() and self._job.cancelled() and not _being_cancelled():
                return None  # our own cancel(), before the job began
            raise


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _duration_ms(pcm: bytes) -> int:
    return len(pcm) * 1000 // (RATE_HZ * SAMPLE_BYTES)


def _chunks_of(spoken: Spoken, began_ms: int) -> Iterator[SpeechChunk]:
    """Cut a piece into chunks, each with the words that end in it; times count from the start of the stream."""
    step = RATE_HZ * SAMPLE_BYTES * _CHUNK_MS // 1000
    waiting = [
        WordTime(word.char_start, word.char_end, began_ms + word.start_ms, began_ms + word.end_ms)
        for word in spoken.words
    ]
    for at in range(0, len(spoken.pcm), step):
        pcm = spoken.pcm[at : at + step]
        until_ms = began_ms + min(at + step, len(spoken.pcm)) * 1000 // (RATE_HZ * SAMPLE_BYTES)
        is_last = at + step >= len(spoken.pcm)
        finished = [word for word in waiting if is_last or word.end_ms <= until_ms]
        waiting = waiting[len(finished) :]
        yield SpeechChunk(pcm, tuple(finished))


def build(stage: StageSettings, models_dir: Path) -> HibariSynthesizer:
    """Make the engine for the catalogue; it takes no settings, and its weights are part of its package."""
    del stage, models_dir
    return HibariSynthesizer()
