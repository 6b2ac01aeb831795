"""A recogniser that hears what its script says. Neighbours: `fake_chat`, `fake_synthesizer`, `engines.base`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from parley.engines.base import Capabilities, EngineError, EngineInfo, RecognitionOptions, Transcript, WordTime
from parley.testing.steps import Hang

__all__ = ["FakeRecognition", "FakeRecognizer", "Heard"]

_BYTES_PER_MS = 48

Heard = str | EngineError | Hang
"""What one turn is recognised as: a text (empty: nothing was said), a failure, or never an answer."""


class FakeRecognition:
    """One scripted turn. Everything done to it can be read back."""

    def __init__(self, heard: Heard, options: RecognitionOptions, *, delay_ms: int, word_every_ms: int) -> None:
        self.heard = heard
        self.options = options
        self.fed_bytes = 0
        self.settled_bytes: list[int] = []
        self.finished = False
        self.cancelled = False
        self._delay_s = delay_ms / 1000
        self._word_every_ms = word_every_ms
        self._words = heard.split() if isinstance(heard, str) else []
        self._settled_at = 0.0
        self._settled = False
        self._changed = asyncio.Event()

    def feed(self, pcm: bytes) -> None:
        """Count the audio. Sound after a settle makes the settled decode worthless, as with a real recogniser."""
        self.fed_bytes += len(pcm)
        if self._settled and any(pcm):
            self._settled = False
        self._changed.set()

    def settle(self) -> None:
        """Begin to decode: the delay counts from here if only digital silence follows."""
        self.settled_bytes.append(self.fed_bytes)
        self._settled = True
        self._settled_at = asyncio.get_running_loop().time()

    async def partials(self) -> AsyncIterator[Transcript]:
        """One word more for every `word_every_ms` of audio."""
        shown = 0
        while not (self.finished or self.cancelled):
            ready = self.fed_bytes // (_BYTES_PER_MS * self._word_every_ms) if self._word_every_ms else 0
            ready = min(ready, len(self._words))
            if ready > shown:
                shown = ready
                yield Transcript(" ".join(self._words[:shown]))
                continue
            self._changed.clear()
            await self._changed.wait()

    async def finish(self) -> Transcript:
        """Answer what the script says, after the delay."""
        self.finished = True
        self._changed.set()
        if isinstance(self.heard, Hang):
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        started_at = self._settled_at if self._settled else asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, started_at + self._delay_s - asyncio.get_running_loop().time()))
        if isinstance(self.heard, EngineError):
            raise self.heard
        return Transcript(" ".join(self._words), language="en", words=self._word_times(), confidence=-0.1)

    def cancel(self) -> None:
        """End the partials."""
        self.cancelled = True
        self._changed.set()

    def _word_times(self) -> tuple[WordTime, ...]:
        share_ms = self.fed_bytes // _BYTES_PER_MS // max(len(self._words), 1)
        times, char = [], 0
        for index, word in enumerate(self._words):
            times.append(WordTime(char, char + len(word), index * share_ms, (index + 1) * share_ms))
            char += len(word) + 1
        return tuple(times)


class FakeRecognizer:
    """Hear `turns` one after another; the last one repeats. A callable is asked with the turn's number and options.

    `delay_ms` passes between settle (or finish) and the answer; `word_every_ms` > 0 gives partials as audio comes in.
    `opened` keeps every recognition.
    """

    def __init__(
        self,
        turns: Sequence[Heard] | Callable[[int, RecognitionOptions], Heard] = ("hello",),
        *,
        delay_ms: int = 0,
        word_every_ms: int = 0,
    ) -> None:
        self._turns = turns
        self._delay_ms = delay_ms
        self._word_every_ms = word_every_ms
        self.opened: list[FakeRecognition] = []
        self.warm = False
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("stt", "fake", "fake-stt", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(streaming=self._word_every_ms > 0, languages=("en",))

    async def warm_up(self) -> None:
        self.warm = True

    async def aclose(self) -> None:
        self.closed = True
        for recognition in self.opened:
            recognition.cancel()

    def open(self, options: RecognitionOptions) -> FakeRecognition:
        number = len(self.opened)
        if callable(self._turns):
            heard = self._turns(number, options)
        else:
            heard = self._turns[min(number, len(self._turns) - 1)]
        recognition = FakeRecognition(heard, options, delay_ms=self._delay_ms, word_every_ms=self._word_every_ms)
        self.opened.append(recognition)
        return recognition
