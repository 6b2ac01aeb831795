"""Recognise speech with Moonshine tiny-en: one `Recognition` per turn, on one thread for all of them.

A turn is kept as 16 kHz samples. Every half second of new audio it is read again for a partial, if nobody waits for
anything better; when silence begins it is read for good, so that the decode hides in the wait for the turn's end; and
what was read then is the result if nothing but silence followed. A turn that outgrows what the model reads well is cut
at its quietest place and the front is read once. The cuts depend on the audio alone, never on when it came.

Jobs go to the engine's thread by urgency: what a speaker waits for, then fronts of long turns, then partials, which
give way in mid-decode. The model itself is `moonshine_model`; the audio is kept by `turn_audio`.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from parley.engines.base import (
    Capabilities,
    EngineError,
    EngineInfo,
    Recognition,
    RecognitionOptions,
    Recognizer,
    Transcript,
)
from parley.engines.local.manifest import MOONSHINE
from parley.engines.local.moonshine_model import MoonshineModel, Reading
from parley.engines.local.store import ModelStore
from parley.engines.local.turn_audio import RATE_HZ, Passage, TurnAudio
from parley.engines.local.worker import Worker

if TYPE_CHECKING:
    from parley.engines.catalog import StageSettings

__all__ = ["MoonshineRecognition", "MoonshineRecognizer", "build"]

_AWAITED, _FRONT, _PARTIAL = 0, 1, 2
_PARTIAL_SAMPLES = RATE_HZ // 2
_PARTIAL_SHARE = 4
"""A partial may take a quarter of real time: long turns are read again less often."""
_LONGEST_SAMPLES = 24 * RATE_HZ
_SHORTEST_FRONT_SAMPLES = 12 * RATE_HZ
_SETTLING_SAMPLES = RATE_HZ // 10
_FEWEST_VOICED_WINDOWS = 4
_DOUBTFUL, _DOUBTFUL_UNLESS_PUNCTUATED = -0.65, -0.45
_PUNCTUATION = (".", "!", "?", ",")


class MoonshineRecognizer(Recognizer):
    """Speech to text in process. English only; hints of language, prompt and model name change nothing."""

    def __init__(self, models_dir: Path) -> None:
        self._store = ModelStore(models_dir)
        self._worker = Worker("parley-stt")
        self._model: MoonshineModel | None = None
        self._partial_stop = Event()

    @property
    def info(self) -> EngineInfo:
        """Say what this is."""
        model = self._store.model(MOONSHINE)
        source = f"in process, weights from {model.carrier.requirement}"
        return EngineInfo("stt", "moonshine", MOONSHINE, model.licence, source, "English only")

    @property
    def capabilities(self) -> Capabilities:
        """Streams partials; English."""
        return Capabilities(streaming=True, languages=("en",))

    async def warm_up(self) -> None:
        """Load the weights and read a second of nothing. Raises `EngineError` that names the command to pull them."""
        await self._worker.run(lambda: self._loaded().read(np.zeros(RATE_HZ, np.float32)))

    async def aclose(self) -> None:
        """End the thread and free the weights."""
        self._partial_stop.set()
        await self._worker.aclose()
        self._model = None

    def open(self, options: RecognitionOptions) -> Recognition:
        """Begin a turn."""
        del options
        return MoonshineRecognition(self)

    @property
    def busy(self) -> bool:
        """Whether a partial would have to wait for its turn."""
        return self._worker.busy

    def read(self, passage: Passage, stop: Event, *, awaited: bool) -> Future[Reading | None]:
        """Queue a decode whose result will count. Makes a partial decode in progress give way."""
        self._partial_stop.set()
        return self._worker.submit(lambda: self._read(passage, stop), priority=_AWAITED if awaited else _FRONT)

    def read_partial(self, passage: Passage) -> Future[Reading | None]:
        """Queue a decode that may be given up: its result is then None. There is one in the engine at a time."""
        stop = self._partial_stop = Event()
        return self._worker.submit(lambda: self._read(passage, stop), priority=_PARTIAL)

    def _read(self, passage: Passage, stop: Event) -> Reading | None:
        """Read a passage, unless nobody spoke in it: given noise, the model makes up a word."""
        if passage.voiced_windows < _FEWEST_VOICED_WINDOWS:
            return Reading("", 0.0, 0)
        reading = self._loaded().read(passage.samples, stop.is_set)
        if reading is not None and _made_up(reading):
            return Reading("", reading.log_probability, reading.tokens)
        return reading

    def _loaded(self) -> MoonshineModel:
        if self._model is None:
            self._model = MoonshineModel(self._store.path(MOONSHINE))
        return self._model


@dataclass(frozen=True, slots=True)
class _Settled:
    """A decode of the tail's first `samples` samples, begun when silence did."""

    samples: int
    reading: Future[Reading | None]
    stop: Event


class MoonshineRecognition(Recognition):
    """One turn: fronts, already being read, and the tail of its audio, which still grows."""

    def __init__(self, engine: MoonshineRecognizer) -> None:
        self._engine = engine
        self._audio = TurnAudio()
        self._fronts: list[Future[Reading | None]] = []
        self._settled: _Settled | None = None
        self._settle_at: int | None = None
        self._stop = Event()
        self._ended = False
        self._fed = asyncio.Event()
        self._unread_samples = 0

    def feed(self, pcm: bytes) -> None:
        """Add PCM16 mono 24 kHz, in pieces of any size."""
        if self._ended:
            return
        self._unread_samples += self._audio.push(pcm)
        while self._audio.tail_samples >= _LONGEST_SAMPLES:
            self._forget_settled()
            front = self._audio.cut_front(_LONGEST_SAMPLES, _SHORTEST_FRONT_SAMPLES)
            self._fronts.append(self._engine.read(front, self._stop, awaited=False))
        if self._settle_at is not None and self._audio.tail_samples >= self._settle_at:
            self._settle_now()
        self._fed.set()

    def settle(self) -> None:
        """Read for good as soon as a little of the silence is known: a last soft consonant is not silence yet."""
        self._forget_settled()
        if self._audio.tail_samples and not self._ended:
            self._settle_at = self._audio.tail_samples + _SETTLING_SAMPLES

    async def partials(self) -> AsyncIterator[Transcript]:
        """Yield a reading whenever it changed, at most every half second of audio and while nobody waits."""
        due_samples = _PARTIAL_SAMPLES
        shown = ""
        while True:
            await self._fed.wait()
            self._fed.clear()
            if self._ended:
                return
            if self._unread_samples < due_samples or self._engine.busy:
                continue
            self._unread_samples = 0
            if (settled := self._still_settled()) is not None:
                reading = settled.reading.result() if settled.reading.done() else None
            else:
                began = time.perf_counter()
                reading = await asyncio.wrap_future(self._engine.read_partial(self._audio.tail()))
                took = time.perf_counter() - began
                due_samples = max(_PARTIAL_SAMPLES, int(took * _PARTIAL_SHARE * RATE_HZ))
            if reading is None or self._ended:
                continue
            transcript = _joined([*(front.result() for front in self._fronts if front.done()), reading])
            if transcript.text != shown:
                shown = transcript.text
                yield transcript

    async def finish(self) -> Transcript:
        """Give the final reading. The words of the tail were usually read already. Raises `EngineError`."""
        self._audio.flush()
        self._ended = True
        self._fed.set()
        if (settled := self._still_settled()) is not None:
            tail = settled.reading
        else:
            self._forget_settled()
            tail = self._engine.read(self._audio.tail(), self._stop, awaited=True)
        readings = [await asyncio.wrap_future(front) for front in self._fronts]
        readings.append(await asyncio.wrap_future(tail))
        return _joined(readings)

    def cancel(self) -> None:
        """Give the turn up: stop its decodes and end `partials`."""
        self._ended = True
        self._stop.set()
        self._forget_settled()
        for front in self._fronts:
            front.cancel()
        self._audio.clear()
        self._fed.set()

    def _settle_now(self) -> None:
        stop = Event()
        reading = self._engine.read(self._audio.tail(), stop, awaited=True)
        self._settled = _Settled(self._audio.tail_samples, reading, stop)
        self._settle_at = None

    def _still_settled(self) -> _Settled | None:
        """Give the settled decode if nothing but silence came after what it reads."""
        settled = self._settled
        return settled if settled is not None and self._audio.silent_since(settled.samples) else None

    def _forget_settled(self) -> None:
        if self._settled is not None:
            self._settled.stop.set()
            self._settled.reading.cancel()
        self._settled = self._settle_at = None


def _made_up(reading: Reading) -> bool:
    """Whether this reads like noise that the voice detector let through.

    Measured on speech and noise of many kinds: readings of noise are less sure of themselves, rarely end in
    punctuation as readings of speech do, are one bare word, or stray into foreign scripts and musical notes.
    """
    if any(_foreign(char) for char in reading.text):
        return True
    if reading.text.endswith(_PUNCTUATION):
        return reading.log_probability < _DOUBTFUL
    is_one_piece = reading.tokens <= 2  # and the end: the confident "You" that it hears in loud noise
    return is_one_piece or reading.log_probability < _DOUBTFUL_UNLESS_PUNCTUATED


def _foreign(char: str) -> bool:
    """Whether English is never written with this."""
    if char.isascii() or unicodedata.category(char)[0] == "P":
        return False
    return "LATIN" not in unicodedata.name(char, "")


def _joined(readings: list[Reading | None]) -> Transcript:
    """Make one transcript of readings in order. Raises `EngineError` for a decode that was given up."""
    known = [reading for reading in readings if reading is not None]
    if len(known) != len(readings):
        raise EngineError("The recogniser was stopped before the turn was read.", code="engine_closed")
    tokens = sum(reading.tokens for reading in known)
    confidence = sum(reading.log_probability * reading.tokens for reading in known) / tokens if tokens else None
    return Transcript(" ".join(reading.text for reading in known if reading.text), "en", confidence=confidence)


def build(stage: StageSettings, models_dir: Path) -> MoonshineRecognizer:
    """Make the engine for the catalogue; it takes no settings."""
    del stage
    return MoonshineRecognizer(models_dir)
