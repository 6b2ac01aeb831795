"""A chat model and a synthesizer as one responder: order, timing, cancelling, failing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.base import EngineError, SpeechChunk, WordTime
from parley.engines.cascade import Cascade
from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    EngineUsage,
    GenerationContext,
    TextDelta,
    TextSpan,
    ToolCallDelta,
    ToolCallDone,
)
from parley.testing import (
    Call,
    FakeChatModel,
    FakeSpeech,
    FakeSynthesizer,
    Hang,
    Reply,
    Step,
    Wait,
    engine_set,
    generation_context,
    run_virtual,
    say,
    user_says,
)

TEXT = "The hall is open today. It closes at nine in the evening, so there is time."


def now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


async def run(
    *replies: Reply,
    synthesizer: FakeSynthesizer | None = None,
    context: GenerationContext | None = None,
) -> list[tuple[int, Chunk]]:
    """Answer once; give every chunk with the time it came."""
    engines = engine_set(chat=FakeChatModel(replies), synthesizer=synthesizer)
    generation = engines.responder.generate(context or generation_context(user_says("Hello?")))
    return [(now_ms(), chunk) async for chunk in generation]


def texts(chunks: list[tuple[int, Chunk]]) -> str:
    return "".join(chunk.text for _, chunk in chunks if isinstance(chunk, TextDelta))


def audio(chunks: list[tuple[int, Chunk]]) -> list[AudioDelta]:
    return [chunk for _, chunk in chunks if isinstance(chunk, AudioDelta)]


def heard(text: str, spans: list[TextSpan]) -> list[str]:
    return [text[span.char_start : span.char_end] for span in spans]


async def test_exact_words_are_placed_in_message_and_audio() -> None:
    chunks = await run(list(say(TEXT)), synthesizer=FakeSynthesizer(ms_per_char=50))
    spans = [span for piece in audio(chunks) for span in piece.spans]
    assert heard(TEXT, spans) == TEXT.split()
    assert all(span.exact for span in spans)
    clause = "The hall is open today."
    second = spans[len(clause.split())]
    assert second.start_ms == len(clause) * 50
    assert sum(len(piece.pcm) for piece in audio(chunks)) == (len(TEXT) - 1) * 50 * 48


async def test_without_word_times_a_clause_is_shared_out() -> None:
    chunks = await run(list(say(TEXT)), synthesizer=FakeSynthesizer(ms_per_char=50, word_times=False))
    spans = [span for piece in audio(chunks) for span in piece.spans]
    assert not any(span.exact for span in spans)
    assert "".join(heard(TEXT, spans)) == TEXT
    for span in spans:
        assert abs(span.end_ms - span.char_end * 50) <= 500
    assert spans[-1].end_ms == (len(TEXT) - 1) * 50


class PaddedSynthesizer(FakeSynthesizer):
    """A voice that puts silence around everything, and times its words in it."""

    def speak(self, text: str, *, voice: str, speed: float) -> FakeSpeech:
        speech = super().speak(text, voice=voice, speed=speed)
        source = speech._source

        async def padded() -> AsyncGenerator[SpeechChunk, None]:
            yield SpeechChunk(bytes(300 * 48))
            last: WordTime | None = None
            async for chunk in source():
                moved = [WordTime(w.char_start, w.char_end, w.start_ms + 300, w.end_ms + 300) for w in chunk.words]
                if last is not None:
                    moved.insert(0, last)
                last = moved.pop() if moved else None
                yield SpeechChunk(chunk.pcm, tuple(moved))
            assert last is not None
            late = WordTime(last.char_start, last.char_end, last.start_ms, last.end_ms + 350)
            yield SpeechChunk(bytes(400 * 48), (late,))

        speech._source = padded
        return speech


async def test_silence_around_clauses_is_cut_and_every_word_keeps_its_place() -> None:
    synthesizer = PaddedSynthesizer()
    chunks = await run(list(say(TEXT)), synthesizer=synthesizer)
    spans = [span for piece in audio(chunks) for span in piece.spans]
    assert heard(TEXT, spans) == TEXT.split()
    assert spans[0].start_ms == 40
    said_ms = sum(len(speech.text) for speech in synthesizer.spoken) * 50
    total_ms = sum(len(piece.pcm) for piece in audio(chunks)) / 48
    assert total_ms == said_ms + 2 * (40 + 240)
    second = spans[5]
    assert second.start_ms == 40 + 23 * 50 + 240 + 40
    assert spans[-1].end_ms <= total_ms


async def test_the_pace_is_learned_for_the_next_answer() -> None:
    synthesizer = FakeSynthesizer(ms_per_char=90, word_times=False)
    engines = engine_set(chat=FakeChatModel([say(TEXT)]), synthesizer=synthesizer)
    errors = []
    for _ in range(4):
        generation = engines.responder.generate(generation_context(user_says("Hello?")))
        spans = [
            span for chunk in [c async for c in generation] if isinstance(chunk, AudioDelta) for span in chunk.spans
        ]
        errors.append(max(abs(span.end_ms - span.char_end * 90) for span in spans[:-1]))
    assert errors[-1] < errors[0]
    assert errors[-1] <= 300


async def test_speech_begins_before_the_model_is_done() -> None:
    chunks = await run(list(say(TEXT, word_ms=33)), synthesizer=FakeSynthesizer(delay_ms=80))
    first_audio = next(at for at, chunk in chunks if isinstance(chunk, AudioDelta))
    last_text = max(at for at, chunk in chunks if isinstance(chunk, TextDelta))
    assert first_audio <= 300 + 80
    assert first_audio < last_text


async def test_the_next_clause_is_synthesised_while_this_one_comes_out() -> None:
    synthesizer = FakeSynthesizer(delay_ms=200, realtime_factor=0.2)
    chunks = await run(list(say(TEXT)), synthesizer=synthesizer)
    one = len("The hall is open today.") * 50 * 0.2 + 200
    assert chunks[-1][0] < 2 * one + 200
    assert len(synthesizer.spoken) == 2


async def test_no_more_than_two_streams_are_open() -> None:
    synthesizer = FakeSynthesizer(delay_ms=100)
    text = " ".join(f"This is sentence number {word}." for word in ("one", "two", "three", "four", "five"))
    engines = engine_set(chat=FakeChatModel([say(text)]), synthesizer=synthesizer)
    generation = engines.responder.generate(generation_context(user_says("Hello?")))
    async for chunk in generation:
        if isinstance(chunk, AudioDelta):
            break
    assert len(synthesizer.spoken) == 2
    generation.cancel()


async def test_a_tool_call_waits_for_the_speech_before_it() -> None:
    reply = [*say("Let me look that up"), Call("look_up", '{"what": "it"}'), EngineUsage(5, 0, 7)]
    chunks = [chunk for _, chunk in await run(reply, synthesizer=FakeSynthesizer(delay_ms=300))]
    kinds = [kind for kind, _ in itertools.groupby(type(chunk) for chunk in chunks)]
    assert kinds == [TextDelta, AudioDelta, ToolCallDelta, ToolCallDone, EngineUsage, Done]
    assert (
        sum(len(chunk.pcm) for chunk in chunks if isinstance(chunk, AudioDelta)) == len("Let me look that up") * 50 * 48
    )


async def test_text_behind_a_tool_call_is_spoken_too() -> None:
    reply: list[Step] = [TextDelta("One. "), Call("f", "{}"), TextDelta("Two is here.")]
    chunks = await run(reply)
    assert texts(chunks) == "One. Two is here."
    spans = [span for piece in audio(chunks) for span in piece.spans]
    assert heard("One. Two is here.", spans) == ["One.", "Two", "is", "here."]


async def test_markup_is_written_but_not_said() -> None:
    synthesizer = FakeSynthesizer()
    text = "Take **this** [road](http://x.y/z), it costs $5. 🎉\n```\ncode\n```"
    chunks = await run([TextDelta(text)], synthesizer=synthesizer)
    assert texts(chunks) == text
    said = [speech.text for speech in synthesizer.spoken]
    assert said == ["Take this road,", "it costs 5 dollars.", "Code shown on screen."]
    spans = [span for piece in audio(chunks) for span in piece.spans]
    assert "$5" in "".join(heard(text, spans))


async def test_thinking_aloud_is_neither_written_nor_said() -> None:
    synthesizer = FakeSynthesizer()
    chunks = await run(
        [TextDelta("<thi"), TextDelta("nk>Secret plan.</think>\n"), TextDelta("Hello there.")], synthesizer=synthesizer
    )
    assert texts(chunks) == "Hello there."
    assert [speech.text for speech in synthesizer.spoken] == ["Hello there."]


async def test_the_text_modality_needs_no_synthesizer() -> None:
    synthesizer = FakeSynthesizer()
    chunks = await run(
        list(say(TEXT)), synthesizer=synthesizer, context=generation_context(user_says("Hi"), output_modality="text")
    )
    assert texts(chunks) == TEXT
    assert not audio(chunks)
    assert synthesizer.spoken == []


async def test_an_answer_without_words_is_an_answer() -> None:
    replies: list[Reply] = [[], [TextDelta("🎉")], [TextDelta("  \n")], [Done("content_filter")]]
    for reply in replies:
        chunks = await run(reply)
        assert not audio(chunks)
        assert isinstance(chunks[-1][1], Done)


async def test_a_limit_passes_through_with_its_reason() -> None:
    context = generation_context(user_says("Hi"), max_output_tokens=3)
    chunks = await run(list(say(TEXT)), context=context)
    assert texts(chunks) == "The hall is "
    assert chunks[-1][1] == Done("max_output_tokens")
    assert audio(chunks)


async def test_voice_and_speed_reach_the_synthesizer() -> None:
    synthesizer = FakeSynthesizer()
    await run([TextDelta("Hello.")], synthesizer=synthesizer, context=generation_context(voice="amy", speed=1.5))
    assert [(speech.voice, speech.speed) for speech in synthesizer.spoken] == [("amy", 1.5)]


async def test_a_stalled_model_is_spoken_when_the_voice_runs_out_of_words() -> None:
    reply: list[Step] = [TextDelta("I will have to think about "), Wait(10_000), TextDelta("that.")]
    chunks = await run(reply)
    first = next(at for at, chunk in chunks if isinstance(chunk, AudioDelta))
    assert first == 350
    began = now_ms()
    long: list[Step] = [
        TextDelta("This sentence is a long one, it takes a while to say, "),
        Wait(10_000),
        TextDelta("see."),
    ]
    assert min(at for at, chunk in await run([TextDelta("Yes. "), *long]) if isinstance(chunk, AudioDelta)) == began


@pytest.mark.parametrize("at", range(0, 4000, 190))
async def test_a_cancel_at_any_moment_is_final_and_reaches_both_parts(at: int) -> None:
    chat = FakeChatModel([say(TEXT, first_ms=100, word_ms=120)])
    synthesizer = FakeSynthesizer(delay_ms=60, realtime_factor=0.3)
    cascade = Cascade(chat, synthesizer)
    generation = cascade.generate(generation_context(user_says("Hello?")))
    taken: list[Chunk] = []

    async def read() -> None:
        async for chunk in generation:
            taken.append(chunk)  # noqa: PERF401 - counted while it grows

    async with asyncio.TaskGroup() as group:
        reader = group.create_task(read())
        await asyncio.sleep(at / 1000)
        was_over = reader.done()
        generation.cancel()
        count = len(taken)
        emitted = [thought.emitted for thought in chat.generations], [speech.emitted for speech in synthesizer.spoken]
    assert len(taken) == count
    await generation.closed()
    await asyncio.sleep(5)
    if not was_over:
        assert all(thought.cancelled or thought.emitted for thought in chat.generations)
        after = [thought.emitted for thought in chat.generations], [speech.emitted for speech in synthesizer.spoken]
        assert after == emitted
    assert len(asyncio.all_tasks()) == 1


async def test_a_failing_model_is_named() -> None:
    with pytest.raises(EngineError) as caught:
        await run([TextDelta("Hello. "), EngineError("out of memory", retryable=True)])
    assert caught.value.code == "llm_error"
    assert caught.value.message == "The chat model fake failed: out of memory"
    assert caught.value.retryable


async def test_a_failing_synthesizer_is_named_and_stops_the_model() -> None:
    synthesizer = FakeSynthesizer(failure=lambda text: EngineError("no voice") if "today" in text else None)
    chat = FakeChatModel([[*say(TEXT), Hang()]])
    generation = Cascade(chat, synthesizer).generate(generation_context(user_says("Hello?")))
    with pytest.raises(EngineError) as caught:
        async for _ in generation:
            pass
    assert caught.value.code == "tts_error"
    assert "no voice" in caught.value.message
    await generation.closed()
    assert chat.generations[0].cancelled
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_that_names_its_stage_is_left_alone() -> None:
    with pytest.raises(EngineError) as caught:
        await run([EngineError("The LLM at http://x is gone.", code="llm_unreachable")])
    assert caught.value.code == "llm_unreachable"
    assert caught.value.message == "The LLM at http://x is gone."


async def test_closing_ends_what_is_being_answered() -> None:
    engines = engine_set(chat=FakeChatModel([[TextDelta("Hello."), Hang()]]))
    chunks = aiter(engines.responder.generate(generation_context(user_says("Hello?"))))
    assert isinstance(await anext(chunks), TextDelta)
    await engines.responder.aclose()
    assert await anext(chunks, None) is None
    assert len(asyncio.all_tasks()) == 1


def test_it_says_what_it_is_made_of() -> None:
    info = engine_set().responder.info
    assert (info.stage, info.name, info.model, info.licence) == ("speech", "fake+fake", "fake-llm", "Apache-2.0")


PIECES = st.lists(
    st.sampled_from(
        ["Hello ", "there. ", "my, ", "**friend** ", "$5 ", "🎉 ", "\n", "`x` ", "of the ", "U.S. ", "ok! "]
    )
    | st.integers(1, 600)
    | st.just(Call("f", '{"a": 1}')),
    max_size=25,
)


@given(PIECES, st.booleans(), st.integers(0, 300), st.sampled_from([0.0, 0.3, 1.5]))
def test_whatever_the_timing_nothing_is_lost_and_the_order_holds(
    pieces: list[str | int | Call], word_times: bool, delay_ms: int, realtime_factor: float
) -> None:
    reply: list[Step] = [
        TextDelta(piece) if isinstance(piece, str) else Wait(piece) if isinstance(piece, int) else piece
        for piece in pieces
    ]
    synthesizer = FakeSynthesizer(
        delay_ms=delay_ms, realtime_factor=realtime_factor, word_times=word_times, chunk_ms=70
    )
    chunks = run_virtual(run(reply, synthesizer=synthesizer))
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    assert texts(chunks) == text.lstrip()
    assert sum(isinstance(chunk, ToolCallDone) for _, chunk in chunks) == sum(
        isinstance(piece, Call) for piece in pieces
    )
    assert isinstance(chunks[-1][1], Done)
    said_ms = sum(round(len(speech.text) * 50) for speech in synthesizer.spoken)
    assert sum(len(piece.pcm) for piece in audio(chunks)) == said_ms * 48
    check_spans(chunks)


def check_spans(chunks: list[tuple[int, Chunk]]) -> None:
    chars = at_char = at_ms = 0
    audio_ms = 0.0
    for _, chunk in chunks:
        if isinstance(chunk, TextDelta):
            chars += len(chunk.text)
        elif isinstance(chunk, AudioDelta):
            audio_ms += len(chunk.pcm) / 48
            for span in chunk.spans:
                assert at_char <= span.char_start < span.char_end <= chars
                assert at_ms <= span.start_ms <= span.end_ms <= audio_ms + 1
                at_char, at_ms = span.char_end, span.end_ms
