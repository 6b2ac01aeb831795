"""One clause being said: its sound in short pieces, and which characters of the message sound when.

Here: `ClauseSpeech` and the voice's `Pace`. Not here: the order of clauses (`cascade`), what can be said
(`speech_text`).

Where the synthesizer times its words, they are mapped back to the characters they stand for. Where it does not, the
clause's characters are shared out over its sound by the pace the voice had so far; the last piece takes what is left,
so the error stays inside the clause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from parley.engines.base import EngineError, EngineInfo, SpeechChunk, Synthesizer, WordTime
from parley.engines.read_ahead import ReadAhead
from parley.engines.segmenter import Segment
from parley.engines.silence_trim import SilenceTrim
from parley.engines.speech_text import Spoken, speakable
from parley.engines.word_lists import DANGLING, DANGLING_ENGLISH
from parley.protocol.realtime.generation import AudioDelta, TextSpan

__all__ = ["ClauseSpeech", "Pace", "named", "to_say"]

_BYTES_PER_MS = 48
_PIECE_BYTES = 200 * _BYTES_PER_MS
_KEPT_BYTES = 100 * _BYTES_PER_MS
"""Sound kept back until more comes, so that there is a last piece to put the rest of the characters on."""
_KEPT_TIMED_BYTES = 10 * _BYTES_PER_MS
"""The same for words that the synthesizer timed into the silence at the end, which is gone."""
_LEAD_MS = 40


class Pace:
    """How fast a voice speaks, in ms a character at speed 1, learned from every clause it finishes."""

    def __init__(self, ms_per_char: float = 65.0) -> None:
        self.ms_per_char = ms_per_char

    def learn(self, *, audio_ms: float, chars: int, speed: float) -> None:
        """Take one finished clause into account."""
        if chars >= 8 and audio_ms:
            self.ms_per_char += 0.3 * (audio_ms * speed / chars - self.ms_per_char)


def to_say(segment: Segment, synthesizer: Synthesizer) -> Spoken:
    """Make a segment sayable for this synthesizer; empty where there is nothing to say."""
    capabilities = synthesizer.capabilities
    english = capabilities.languages == ("en",) or _reads_as_english(segment.text)
    return speakable(segment.text, language="en" if english else "", normalise=not capabilities.normalises_itself)


def named(error: EngineError, info: EngineInfo) -> EngineError:
    """Give `error` its stage as code, and in its text where it does not name it itself."""
    if error.code != "engine_error":
        return error
    stage = {"llm": "chat model", "tts": "synthesizer"}.get(info.stage, info.stage)
    text = error.message if info.stage in error.message.lower() else f"The {stage} {info.name} failed: {error.message}"
    return EngineError(text, code=f"{info.stage}_error", retryable=error.retryable)


@dataclass(slots=True)
class _Placed:
    """Where the clause's text and sound have come to."""

    char: int
    audio_ms: float = 0.0
    span_ms: int = 0
    word_from_ms: int | None = None


class ClauseSpeech(ReadAhead[AudioDelta]):
    """Say one segment. Pieces are at most 200 ms; their spans count characters of the message and ms of the clause."""

    def __init__(
        self,
        segment: Segment,
        spoken: Spoken,
        synthesizer: Synthesizer,
        *,
        voice: str,
        speed: float,
        pace: Pace,
        changed: asyncio.Event | None = None,
    ) -> None:
        super().__init__(self._pieces, ahead=64, name="clause-speech", changed=changed)
        self._segment = segment
        self._spoken = spoken
        self._synthesizer = synthesizer
        self._speed = speed
        self._pace = pace
        self._stream = synthesizer.speak(spoken.text, voice=voice, speed=speed)
        self._at = _Placed(segment.char_start)

    def cancel(self) -> None:
        """Stop the synthesizer."""
        super().cancel()
        self._stream.cancel()

    async def _pieces(self) -> AsyncGenerator[AudioDelta, None]:
        times_words: bool | None = True if self._synthesizer.capabilities.word_times else None
        trim = SilenceTrim(lead_ms=_LEAD_MS, tail_ms=_pause_ms(self._spoken.text))
        held = b""
        words: list[WordTime] = []
        async for chunk in self._sound():
            if times_words is None:
                times_words = bool(chunk.words)
            words += chunk.words
            pcm = held + trim.push(chunk.pcm)
            keep = min(_KEPT_TIMED_BYTES if times_words else _KEPT_BYTES, len(pcm) // 4 * 2)
            pcm, held = pcm[: len(pcm) - keep], pcm[len(pcm) - keep :]
            pieces = self._timed(pcm, words, trim, last=False) if times_words else self._apportioned(pcm, last=False)
            for piece in pieces:
                yield piece
        held += trim.flush()
        pieces = self._timed(held, words, trim, last=True) if times_words else self._apportioned(held, last=True)
        for piece in pieces:
            yield piece
        self._pace.learn(audio_ms=self._at.audio_ms, chars=len(self._spoken.text), speed=self._speed)

    async def _sound(self) -> AsyncGenerator[SpeechChunk, None]:
        """Give the synthesizer's chunks, its errors under its name."""
        sound = aiter(self._stream)
        while True:
            try:
                chunk = await anext(sound)
            except StopAsyncIteration:
                return
            except EngineError as error:
                raise named(error, self._synthesizer.info) from error
            yield chunk

    def _timed(self, pcm: bytes, words: list[WordTime], trim: SilenceTrim, *, last: bool) -> Iterator[AudioDelta]:
        """Cut sound into pieces, each with the words that end in it; those are taken out of `words`."""
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece = pcm[start : start + _PIECE_BYTES]
            self._at.audio_ms += len(piece) / _BYTES_PER_MS
            is_last = last and start + _PIECE_BYTES >= len(pcm)
            ready = [word for word in words if is_last or word.end_ms - trim.trimmed_lead_ms <= self._at.audio_ms]
            del words[: len(ready)]
            yield AudioDelta(piece, tuple(self._spans(ready, trim.trimmed_lead_ms)))

    def _spans(self, words: list[WordTime], earlier_ms: int) -> Iterator[TextSpan]:
        """Place words. Several that stand for the same characters (`$5`) sound as one, when the last of them ends."""
        exact = self._synthesizer.capabilities.word_times
        at = self._at
        for word in words:
            first, last = self._spoken.original(word.char_start, word.char_end)
            first = max(self._segment.char_start + first, at.char)
            last = self._segment.char_start + last
            start_ms = max(word.start_ms - earlier_ms, at.span_ms)
            end_ms = max(min(word.end_ms - earlier_ms, round(at.audio_ms)), start_ms)
            at.span_ms = end_ms
            if at.word_from_ms is None:
                at.word_from_ms = start_ms
            if last > first and not self._goes_on(word, last):
                yield TextSpan(first, last, at.word_from_ms, end_ms, exact)
                at.char = last
                at.word_from_ms = None

    def _goes_on(self, word: WordTime, last: int) -> bool:
        """Whether the next spoken word still stands for characters before `last`."""
        spoken = self._spoken
        following = word.char_end
        while following < len(spoken.text) and spoken.text[following].isspace():
            following += 1
        return following < len(spoken.text) and self._segment.char_start + spoken.starts[following] < last

    def _apportioned(self, pcm: bytes, *, last: bool) -> Iterator[AudioDelta]:
        segment, at = self._segment, self._at
        total_ms = max(len(self._spoken.text) * self._pace.ms_per_char / self._speed, 1.0)
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece = pcm[start : start + _PIECE_BYTES]
            at.audio_ms += len(piece) / _BYTES_PER_MS
            if last and start + _PIECE_BYTES >= len(pcm):
                reached = segment.char_end
            else:
                share = min(at.audio_ms / total_ms, 0.98)
                reached = segment.char_start + self._spoken.starts[int(share * len(self._spoken.text))]
            spans: tuple[TextSpan, ...] = ()
            if reached > at.char:
                end_ms = round(at.audio_ms)
                spans = (TextSpan(at.char, reached, at.span_ms, end_ms),)
                at.char, at.span_ms = reached, end_ms
            yield AudioDelta(piece, spans)


def _pause_ms(spoken: str) -> int:
    """How much silence belongs behind a clause, going by how it ends."""
    if spoken.endswith((".", "!", "?", "…")):
        return 240
    return 120 if spoken.endswith((",", ";", ":", "—")) else 40


def _reads_as_english(text: str) -> bool:
    if any(ord(char) > 0x24F and char.isalpha() for char in text):
        return False
    words = text.lower().split()
    english = sum(word in DANGLING_ENGLISH for word in words)
    foreign = sum(word in DANGLING and word not in DANGLING_ENGLISH for word in words)
    return foreign <= english
