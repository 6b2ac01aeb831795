"""A responder made of two parts: a chat model that thinks and a synthesizer that says it, clause by clause.

Here: `Cascade`, which puts them together, and the order in which one answer's chunks come out. Not here: where text is
cut (`segmenter`), how a clause is said and which characters sound when (`clause_speech`).

One answer in order: its text as the model gives it; speech as soon as a first clause is there, never before the text
it says, the next clause already being synthesised while this one is passed on; a tool call after all speech of the
text before it, so that no message loses its end; then usage and `Done`. Nothing is kept between answers but the pace
of the voice, which places words in time where the synthesizer does not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress

from parley.engines.base import Capabilities, ChatModel, EngineError, EngineInfo, Generation, Synthesizer
from parley.engines.clause_speech import ClauseSpeech, Pace, named, to_say
from parley.engines.read_ahead import ReadAhead
from parley.engines.reasoning import ReasoningFilter
from parley.engines.segmenter import Segment, Segmenter
from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    EngineUsage,
    Failed,
    GenerationContext,
    TextDelta,
    TextSpan,
)
from parley.protocol.realtime.ids import Ms

__all__ = ["Cascade", "CascadeGeneration"]

_CLAUSES_WAITING = 64
_STREAMS_OPEN = 2
_SPEECH_RESERVE_MS = 500


class Cascade:
    """Answer with a chat model's text, tool calls and usage, and with a synthesizer's speech of that text.

    It owns neither: whoever made them warms them up and closes them.
    """

    def __init__(self, chat: ChatModel, synthesizer: Synthesizer) -> None:
        self._chat = chat
        self._synthesizer = synthesizer
        self._pace = Pace()
        self._open: set[ReadAhead[Chunk]] = set()

    @property
    def info(self) -> EngineInfo:
        chat, speech = self._chat.info, self._synthesizer.info
        return EngineInfo(
            "speech",
            f"{chat.name}+{speech.name}",
            chat.model,
            chat.licence if chat.licence == speech.licence else f"{chat.licence}, {speech.licence}",
            chat.source if chat.source == speech.source else f"{chat.source}, {speech.source}",
            chat.note,
        )

    @property
    def capabilities(self) -> Capabilities:
        chat, speech = self._chat.capabilities, self._synthesizer.capabilities
        return Capabilities(
            streaming=chat.streaming,
            word_times=speech.word_times,
            tools=chat.tools,
            images=chat.images,
            voices=speech.voices,
            languages=speech.languages,
            demo=chat.demo,
        )

    async def warm_up(self) -> None:
        """Do nothing: the parts are warmed up by their owner."""

    async def aclose(self) -> None:
        """Cancel what is being answered."""
        for generation in list(self._open):
            generation.cancel()
            await generation.closed()

    def generate(self, context: GenerationContext) -> CascadeGeneration:
        return CascadeGeneration(context, self._chat, self._synthesizer, self._pace, self._open)


class CascadeGeneration(ReadAhead[Chunk]):
    """One answer. Iterate it once, or cancel it."""

    def __init__(
        self,
        context: GenerationContext,
        chat: ChatModel,
        synthesizer: Synthesizer,
        pace: Pace,
        among: set[ReadAhead[Chunk]],
    ) -> None:
        super().__init__(self._chunks, ahead=16, name=f"cascade-{context.response_id}", among=among)
        self._context = context
        self._chat = chat
        self._synthesizer = synthesizer
        self._pace = pace
        self._news = asyncio.Event()
        self._thought: Generation | None = None
        self._mind: ReadAhead[Chunk] | None = None
        self._segmenter = Segmenter()
        self._reasoning = ReasoningFilter()
        self._clauses: deque[Segment] = deque()
        self._speaking: deque[ClauseSpeech] = deque()
        self._after_speech: Chunk | None = None
        self._samples = 0
        self._clause_starts_ms = 0.0
        self._audio_began_at = 0

    def cancel(self) -> None:
        """Stop the answer, the chat model and the synthesizer."""
        super().cancel()
        self._stop()

    async def closed(self) -> None:
        """Wait until both parts have let go."""
        await super().closed()
        if self._mind is not None:
            await self._mind.closed()
        for clause in list(self._speaking):
            await clause.closed()

    def _stop(self) -> None:
        if self._thought is not None:
            self._thought.cancel()
        if self._mind is not None:
            self._mind.cancel()
        for clause in self._speaking:
            clause.cancel()

    async def _chunks(self) -> AsyncGenerator[Chunk, None]:
        try:
            self._thought = self._chat.generate(self._context)
            self._mind = ReadAhead(self._think, ahead=16, name="cascade-mind", changed=self._news)
            self._mind.start()
            last: Chunk | None = None
            while not isinstance(last, Done | Failed):
                self._news.clear()
                ready = self._advance(self._mind)
                for chunk in ready:
                    last = chunk
                    yield chunk
                if not ready:
                    await self._wait()
        finally:
            self._stop()

    async def _think(self) -> AsyncGenerator[Chunk, None]:
        assert self._thought is not None
        thoughts = aiter(self._thought)
        while True:
            try:
                chunk = await anext(thoughts)
            except StopAsyncIteration:
                return
            except EngineError as error:
                raise named(error, self._chat.info) from error
            yield chunk

    def _advance(self, mind: ReadAhead[Chunk]) -> list[Chunk]:
        """Do what can be done without waiting, speech first. Nothing done: an empty list."""
        ready: list[Chunk] = [piece] if (piece := self._take_speech()) is not None else []
        if self._after_speech is None:
            if len(self._clauses) >= _CLAUSES_WAITING:
                return ready
            ready += self._take_thought(mind)
        elif not self._clauses and not self._speaking:
            ready.append(self._after_speech)
            self._after_speech = None
        return ready

    def _take_thought(self, mind: ReadAhead[Chunk]) -> list[Chunk]:
        chunk = mind.take()
        if isinstance(chunk, TextDelta):
            return self._write(self._reasoning.feed(chunk.text)) or self._take_thought(mind)
        if isinstance(chunk, EngineUsage):
            return [chunk]
        if chunk is None and not mind.ended:
            return []
        written = self._write(self._reasoning.flush(), ends=True)
        self._after_speech = chunk or Done()
        return written or self._advance(mind)

    def _write(self, text: str, *, ends: bool = False) -> list[Chunk]:
        """Pass text on and queue the clauses it completes."""
        if self._context.output_modality == "audio":
            self._clauses += self._segmenter.feed(text, _now())
            if ends:
                self._clauses += self._segmenter.flush()
            self._open_streams()
        return [TextDelta(text)] if text else []

    def _open_streams(self) -> None:
        while self._clauses and len(self._speaking) < _STREAMS_OPEN:
            segment = self._clauses.popleft()
            spoken = to_say(segment, self._synthesizer)
            if not spoken.text:
                continue
            clause = ClauseSpeech(
                segment,
                spoken,
                self._synthesizer,
                voice=self._context.voice,
                speed=self._context.speed,
                pace=self._pace,
                changed=self._news,
            )
            clause.start()
            self._speaking.append(clause)

    def _take_speech(self) -> AudioDelta | None:
        while self._speaking:
            clause = self._speaking[0]
            piece = clause.take()
            if piece is not None:
                return self._place(piece)
            if not clause.ended:
                return None
            self._clause_starts_ms = self._samples / 24
            self._speaking.popleft()
            self._open_streams()
        return None

    def _place(self, piece: AudioDelta) -> AudioDelta:
        """Move a piece from its clause's time line to the message's."""
        if not self._samples:
            self._audio_began_at = _now()
        self._samples += len(piece.pcm) // 2
        shift = round(self._clause_starts_ms)
        spans = tuple(
            TextSpan(span.char_start, span.char_end, span.start_ms + shift, span.end_ms + shift, span.exact)
            for span in piece.spans
        )
        return AudioDelta(piece.pcm, spans)

    async def _wait(self) -> None:
        """Wait for news. If the model falls silent while the voice runs out of words, say what there is."""
        deadline = self._segmenter.deadline
        if deadline is None or self._after_speech is not None:
            await self._news.wait()
            return
        spoken_until = self._audio_began_at + self._samples // 24
        due = max(deadline, spoken_until - _SPEECH_RESERVE_MS)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, due - _now()) / 1000):
                await self._news.wait()
                return
        self._clauses += self._segmenter.tick(_now())
        self._open_streams()


def _now() -> Ms:
    return Ms(round(asyncio.get_running_loop().time() * 1000))
