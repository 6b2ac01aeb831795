"""The promises of the engine roles as test suites: subclass one, give it an engine, run pytest.

    class TestMine(SynthesizerContract):
        @pytest.fixture
        async def engine(self) -> AsyncIterator[Synthesizer]:
            engine = Mine()
            await engine.warm_up()
            yield engine
            await engine.aclose()

They hold for every engine there is, from fakes to servers elsewhere; what differs (the words of an answer, what must be
said to get one) are attributes to override. pytest and pytest-asyncio in auto mode are needed.
Here: recogniser, chat model, synthesizer, turn detector and responder. Neighbour: `engines.base` states the promises.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from parley.engines.base import (
    ChatModel,
    Engine,
    EngineError,
    Generation,
    Recognition,
    RecognitionOptions,
    Recognizer,
    Responder,
    SpeechChunk,
    SpeechStream,
    Synthesizer,
    Transcript,
    TurnDetector,
)
from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    EngineUsage,
    Failed,
    GenerationContext,
    TextDelta,
    TextSpan,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.tools import FunctionTool
from parley.testing.engines import generation_context, user_says
from parley.testing.fake_synthesizer import tone

__all__ = [
    "ChatModelContract",
    "RecognizerContract",
    "ResponderContract",
    "SynthesizerContract",
    "TurnDetectorContract",
]

_BYTES_PER_MS = 48


class _EngineContract:
    """What every role promises."""

    patience_s: float = 10.0
    """How long any one step may take."""

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        info = engine.info
        assert info.stage in {"stt", "turn", "llm", "tts", "speech"}
        assert info.name
        assert info.model
        assert info.licence
        assert info.source

    async def test_warming_up_twice_does_no_harm(self, engine: Engine) -> None:
        await engine.warm_up()
        await engine.warm_up()

    async def test_closing_twice_does_no_harm(self, engine: Engine) -> None:
        await engine.aclose()
        await engine.aclose()


class RecognizerContract(_EngineContract):
    """A fixture `engine` gives a `Recognizer`; `speech()` gives audio in which it hears something."""

    hears: str | None = None
    """What `speech()` is recognised as, if that is known."""

    def speech(self) -> bytes:
        """PCM16 mono 24 kHz. The default is a tone, which only a scripted recogniser takes for speech."""
        return tone(24_000)

    def feed_all(self, recognition: Recognition, pcm: bytes) -> None:
        for start in range(0, len(pcm), 20 * _BYTES_PER_MS):
            recognition.feed(pcm[start : start + 20 * _BYTES_PER_MS])

    async def final(self, recognition: Recognition) -> Transcript:
        async with asyncio.timeout(self.patience_s):
            return await recognition.finish()

    async def test_a_turn_gives_one_text(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        self.feed_all(recognition, self.speech())
        transcript = await self.final(recognition)
        assert transcript.text == transcript.text.strip()
        assert transcript.text
        if self.hears is not None:
            assert transcript.text == self.hears

    async def test_settling_first_gives_the_same_text(self, engine: Recognizer) -> None:
        plain, settled = engine.open(RecognitionOptions()), engine.open(RecognitionOptions())
        for recognition in (plain, settled):
            self.feed_all(recognition, self.speech())
        settled.settle()
        self.feed_all(settled, bytes(400 * _BYTES_PER_MS))
        self.feed_all(plain, bytes(400 * _BYTES_PER_MS))
        first, second = await self.final(plain), await self.final(settled)
        assert first.text == second.text or self.hears is None

    async def test_settling_often_does_no_harm(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        recognition.settle()
        for _ in range(3):
            self.feed_all(recognition, self.speech())
            recognition.settle()
        assert (await self.final(recognition)).text

    async def test_nothing_fed_is_no_error(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        assert isinstance((await self.final(recognition)).text, str)

    async def test_blocks_of_any_size_are_taken(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions(language="en", prompt="", model="whatever"))
        pcm, at, size = self.speech(), 0, 2
        while at < len(pcm):
            recognition.feed(pcm[at : at + size])
            at, size = at + size, size * 2
        recognition.feed(b"")
        assert (await self.final(recognition)).text

    async def test_partials_end_with_the_turn(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        seen: list[str] = []

        async def watch() -> None:
            seen.extend([partial.text async for partial in recognition.partials()])

        async with asyncio.timeout(self.patience_s), asyncio.TaskGroup() as group:
            group.create_task(watch())
            self.feed_all(recognition, self.speech())
            await asyncio.sleep(0)
            await recognition.finish()
        assert all(isinstance(text, str) for text in seen)

    async def test_partials_end_with_a_cancel(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())

        async def watch() -> None:
            async for _ in recognition.partials():
                pass

        async with asyncio.timeout(self.patience_s), asyncio.TaskGroup() as group:
            group.create_task(watch())
            self.feed_all(recognition, self.speech())
            await asyncio.sleep(0)
            recognition.cancel()

    async def test_cancelling_is_quick_and_idempotent(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        self.feed_all(recognition, self.speech())
        recognition.settle()
        recognition.cancel()
        recognition.cancel()

    async def test_turns_do_not_mix(self, engine: Recognizer) -> None:
        turns = [engine.open(RecognitionOptions()) for _ in range(3)]
        for turn in turns:
            self.feed_all(turn, self.speech())
        turns[1].cancel()
        async with asyncio.timeout(self.patience_s):
            first, third = await asyncio.gather(turns[0].finish(), turns[2].finish())
        assert first.text
        assert third.text

    async def test_word_times_lie_inside_text_and_audio(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        self.feed_all(recognition, self.speech())
        transcript = await self.final(recognition)
        at_char = at_ms = 0
        for word in transcript.words:
            assert at_char <= word.char_start < word.char_end <= len(transcript.text)
            assert at_ms <= word.start_ms <= word.end_ms <= len(self.speech()) // _BYTES_PER_MS
            at_char, at_ms = word.char_end, word.start_ms

    async def test_closing_while_busy_ends_everything(self, engine: Recognizer) -> None:
        recognition = engine.open(RecognitionOptions())
        self.feed_all(recognition, self.speech())
        recognition.settle()
        async with asyncio.timeout(self.patience_s):
            await engine.aclose()


class _StreamContract(_EngineContract):
    """What everything promises that streams and can be cancelled. `stream(engine)` begins a long enough one."""

    def stream(self, engine: Any) -> Generation | SpeechStream:
        raise NotImplementedError

    async def take(self, stream: Any, count: int | None = None) -> list[Any]:
        """Take `count` values, or all."""
        taken: list[Any] = []
        async with asyncio.timeout(self.patience_s):
            async for value in stream:
                taken.append(value)
                if len(taken) == count:
                    break
        return taken

    async def test_cancelled_before_it_began_it_gives_nothing(self, engine: Any) -> None:
        stream = self.stream(engine)
        stream.cancel()
        assert await self.take(stream) == []

    async def test_nothing_comes_after_a_cancel(self, engine: Any) -> None:
        stream = self.stream(engine)
        values = aiter(stream)
        async with asyncio.timeout(self.patience_s):
            await anext(values)
        stream.cancel()
        with pytest.raises(StopAsyncIteration):
            await anext(values)
        with pytest.raises(StopAsyncIteration):
            await anext(values)

    async def test_cancelling_twice_and_after_the_end_does_no_harm(self, engine: Any) -> None:
        stream = self.stream(engine)
        assert await self.take(stream)
        stream.cancel()
        stream.cancel()

    async def test_a_waiting_reader_is_freed_by_a_cancel(self, engine: Any) -> None:
        stream = self.stream(engine)
        taken: list[Any] = []

        async def read() -> None:
            async for value in stream:
                taken.append(value)  # noqa: PERF401 - counted while it grows

        async with asyncio.timeout(self.patience_s), asyncio.TaskGroup() as group:
            group.create_task(read())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            stream.cancel()
            count = len(taken)
        assert len(taken) == count

    async def test_one_cancelled_stream_leaves_others_alone(self, engine: Any) -> None:
        first, second = self.stream(engine), self.stream(engine)
        await self.take(first, 1)
        first.cancel()
        assert len(await self.take(second)) >= 1

    async def test_streams_of_one_engine_do_not_mix(self, engine: Any) -> None:
        async with asyncio.timeout(self.patience_s):
            both = await asyncio.gather(self.take(self.stream(engine)), self.take(self.stream(engine)))
        for values in both:
            self.check(values)

    def check(self, values: list[Any]) -> None:
        """Check a whole stream."""
        assert values

    async def test_closing_while_busy_ends_everything(self, engine: Any) -> None:
        stream = self.stream(engine)
        values = aiter(stream)
        async with asyncio.timeout(self.patience_s):
            await anext(values)
            await engine.aclose()
            with suppress(EngineError):
                while await anext(values, None) is not None:
                    pass

    async def test_a_broken_off_reader_can_be_cleaned_up(self, engine: Any) -> None:
        stream = self.stream(engine)

        async def read() -> AsyncIterator[Any]:
            async for value in stream:
                yield value

        async with aclosing(read()) as values:  # type: ignore[type-var]
            async with asyncio.timeout(self.patience_s):
                await anext(values)
        stream.cancel()
        assert await self.take(stream) == []


class SynthesizerContract(_StreamContract):
    """A fixture `engine` gives a `Synthesizer`."""

    text = "One moment please, the weather in the old town is fine today."

    def stream(self, engine: Synthesizer) -> SpeechStream:
        return engine.speak(self.text, voice="alloy", speed=1.0)

    def check(self, values: list[SpeechChunk]) -> None:
        """Check whole samples, some sound, and words in order and in place."""
        assert sum(len(chunk.pcm) for chunk in values) > 200 * _BYTES_PER_MS
        sent_ms, at_char, at_ms = 0.0, 0, 0
        for chunk in values:
            assert len(chunk.pcm) % 2 == 0
            sent_ms += len(chunk.pcm) / _BYTES_PER_MS
            for word in chunk.words:
                assert at_char <= word.char_start < word.char_end <= len(self.text)
                assert at_ms <= word.start_ms <= word.end_ms <= sent_ms + 1
                at_char, at_ms = word.char_end, word.start_ms

    async def test_it_speaks(self, engine: Synthesizer) -> None:
        values = await self.take(self.stream(engine))
        self.check(values)
        assert any(any(chunk.pcm) for chunk in values)

    async def test_promised_word_times_cover_the_text(self, engine: Synthesizer) -> None:
        if not engine.capabilities.word_times:
            pytest.skip("this engine does not time words")
        words = [word for chunk in await self.take(self.stream(engine)) for word in chunk.words]
        timed = "".join(self.text[word.char_start : word.char_end] for word in words)
        letters = [char for char in self.text if char.isalnum()]
        assert [char for char in timed if char.isalnum()] == letters

    @pytest.mark.parametrize("voice", ["alloy", "", "no-such-voice", "../../etc/passwd"])
    async def test_any_voice_is_an_alias(self, engine: Synthesizer, voice: str) -> None:
        self.check(await self.take(engine.speak(self.text, voice=voice, speed=1.0)))

    async def test_faster_is_shorter(self, engine: Synthesizer) -> None:
        lengths = []
        for speed in (1.5, 0.75):
            chunks = await self.take(engine.speak(self.text, voice="alloy", speed=speed))
            lengths.append(sum(len(chunk.pcm) for chunk in chunks))
        assert lengths[0] < lengths[1]

    @pytest.mark.parametrize("text", ["Hi.", "1, 2, 3.", "naïve café"])
    async def test_short_and_odd_texts_are_spoken(self, engine: Synthesizer, text: str) -> None:
        assert sum(len(chunk.pcm) for chunk in await self.take(engine.speak(text, voice="alloy", speed=1.0))) > 0


class _GenerationContract(_StreamContract):
    """What chat models and responders share. `context()` must make the engine answer in text."""

    def context(self, **changes: Any) -> GenerationContext:
        return generation_context(user_says("Hello, how are you today?"), **changes)

    def tool_context(self) -> GenerationContext | None:
        """Make the engine call a tool; None if this one cannot."""
        return None

    def stream(self, engine: Any) -> Generation:
        generation: Generation = engine.generate(self.context())
        return generation

    async def answer(self, engine: Any, context: GenerationContext) -> list[Chunk]:
        chunks = await self.take(engine.generate(context))
        self.check(chunks)
        return chunks

    def check(self, values: list[Chunk]) -> None:
        """Check the order of a whole answer."""
        assert isinstance(values[-1], Done), values[-1:]
        assert not any(isinstance(chunk, Done | Failed) for chunk in values[:-1])
        assert sum(isinstance(chunk, EngineUsage) for chunk in values) == 1
        self._check_calls(values)

    def _check_calls(self, values: list[Chunk]) -> None:
        pieces: dict[str, str] = {}
        names: dict[str, str] = {}
        finished: set[str] = set()
        for chunk in values:
            if isinstance(chunk, ToolCallDelta):
                assert chunk.call_id not in finished
                assert names.setdefault(chunk.call_id, chunk.name) == chunk.name
                pieces[chunk.call_id] = pieces.get(chunk.call_id, "") + chunk.arguments
            elif isinstance(chunk, ToolCallDone):
                assert chunk.call_id not in finished
                assert chunk.arguments == pieces[chunk.call_id]
                finished.add(chunk.call_id)
        assert finished == set(pieces)

    async def test_it_answers(self, engine: Any) -> None:
        chunks = await self.answer(engine, self.context())
        assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)).strip()

    async def test_usage_is_not_negative(self, engine: Any) -> None:
        (usage,) = [chunk for chunk in await self.answer(engine, self.context()) if isinstance(chunk, EngineUsage)]
        assert min(usage.input_text_tokens, usage.cached_text_tokens, usage.output_text_tokens) >= 0

    async def test_an_empty_conversation_is_no_error(self, engine: Any) -> None:
        self.check(await self.take(engine.generate(generation_context(instructions="Greet the user."))))

    async def test_it_calls_tools(self, engine: Any) -> None:
        context = self.tool_context()
        if context is None:
            pytest.skip("this engine calls no tools by itself")
        chunks = await self.answer(engine, context)
        calls = [chunk for chunk in chunks if isinstance(chunk, ToolCallDone)]
        names = {tool.name for tool in context.tools if isinstance(tool, FunctionTool)}
        assert calls
        assert {call.name for call in calls} <= names
        assert len({call.call_id for call in calls}) == len(calls)


class ChatModelContract(_GenerationContract):
    """A fixture `engine` gives a `ChatModel`."""

    async def test_it_never_speaks(self, engine: ChatModel) -> None:
        assert not any(isinstance(chunk, AudioDelta) for chunk in await self.answer(engine, self.context()))

    async def test_the_audio_modality_changes_nothing(self, engine: ChatModel) -> None:
        kinds = [
            {type(chunk) for chunk in await self.answer(engine, self.context(output_modality=modality))}
            for modality in ("text", "audio")
        ]
        assert kinds[0] == kinds[1]


class ResponderContract(_GenerationContract):
    """A fixture `engine` gives a `Responder`."""

    def check(self, values: list[Chunk]) -> None:
        """Check also that speech follows its text, in short pieces, with spans in order and in place."""
        super().check(values)
        chars = at_char = at_ms = 0
        audio_ms = 0.0
        called = False
        for chunk in values:
            if isinstance(chunk, TextDelta):
                assert chunk.text
                chars += len(chunk.text)
            elif isinstance(chunk, AudioDelta):
                assert not called or not chunk.pcm, "speech of a message after a tool call behind it"
                assert 0 < len(chunk.pcm) <= 200 * _BYTES_PER_MS
                assert len(chunk.pcm) % 2 == 0
                audio_ms += len(chunk.pcm) / _BYTES_PER_MS
                for span in chunk.spans:
                    self._check_span(span, at_char, chars, at_ms, audio_ms)
                    at_char, at_ms = span.char_end, span.end_ms
            elif isinstance(chunk, ToolCallDelta):
                called = True

    def _check_span(self, span: TextSpan, at_char: int, chars: int, at_ms: int, audio_ms: float) -> None:
        assert at_char <= span.char_start < span.char_end <= chars
        assert at_ms <= span.start_ms <= span.end_ms <= audio_ms + 1

    async def test_it_speaks_what_it_writes(self, engine: Responder) -> None:
        chunks = await self.answer(engine, self.context())
        text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))
        spans = [span for chunk in chunks if isinstance(chunk, AudioDelta) for span in chunk.spans]
        assert spans
        last_letter = max(at for at, char in enumerate(text) if char.isalnum())
        assert spans[-1].char_end > last_letter

    async def test_text_alone_is_not_spoken(self, engine: Responder) -> None:
        chunks = await self.answer(engine, self.context(output_modality="text"))
        assert not any(isinstance(chunk, AudioDelta) for chunk in chunks)
        assert any(isinstance(chunk, TextDelta) for chunk in chunks)


class TurnDetectorContract(_EngineContract):
    """A fixture `engine` gives a `TurnDetector`."""

    @pytest.mark.parametrize("text", ["", "What time is it?", "I would like to", "¿Qué hora es?", "。", "a" * 5000])
    @pytest.mark.parametrize("ms", [0, 20, 8000])
    async def test_a_score_is_a_probability(self, engine: TurnDetector, text: str, ms: int) -> None:
        async with asyncio.timeout(self.patience_s):
            assert 0.0 <= await engine.score(tone(24 * ms), text) <= 1.0

    async def test_the_same_pause_scores_the_same(self, engine: TurnDetector) -> None:
        pcm = tone(24_000)
        assert await engine.score(pcm, "what time is it") == await engine.score(pcm, "what time is it")
