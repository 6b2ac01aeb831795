"""Hibari: that its word times are true is judged by cutting its sound there and having the rest read back."""

from __future__ import annotations

import asyncio
import re

import pytest
from speech_engines import SENTENCES, read, spoken
from spoken import word_error_rate, words

from parley.audio import RATE_HZ
from parley.engines.base import SpeechChunk
from parley.engines.local.hibari_model import HibariModel
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.turn_audio import TurnAudio

pytestmark = [pytest.mark.speech, pytest.mark.timeout(120)]

LONG = (
    "We walked along the river until it was dark. Then the lights of the old town came on, one after another. "
    "Nobody spoke for a long while. In the morning we bought bread, cheese and apples at the market."
)
WRITTEN = 'On March 3rd, Dr. Smith paid $9.99 for 12 kg of "fresh" apples at 7:30 pm — that\'s 50% off!'


def spans(text: str) -> list[tuple[int, int]]:
    return [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]


@pytest.mark.parametrize("text", [*SENTENCES, LONG])
async def test_every_word_has_its_time(text: str, synthesizer: HibariSynthesizer) -> None:
    said = await spoken(synthesizer, text)
    assert [(word.char_start, word.char_end) for word in said.words] == spans(text)
    times = [moment for word in said.words for moment in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= said.duration_ms
    assert all(word.end_ms > word.start_ms for word in said.words)


async def test_words_that_are_spoken_otherwise_than_written_have_times_too(synthesizer: HibariSynthesizer) -> None:
    said = await spoken(synthesizer, WRITTEN)
    timed = [WRITTEN[word.char_start : word.char_end] for word in said.words]
    assert timed == [word for word in WRITTEN.split() if word != "—"]
    longest = max(said.words, key=lambda word: word.end_ms - word.start_ms)
    assert WRITTEN[longest.char_start : longest.char_end] == "$9.99"


async def test_sound_cut_after_a_word_holds_the_words_so_far(
    synthesizer: HibariSynthesizer, recognizer: MoonshineRecognizer
) -> None:
    """Within one word, as the recogniser may guess at an ending; on average within a quarter of one."""
    misses = []
    for sentence in (SENTENCES[2], SENTENCES[3], *SENTENCES[9:]):
        said = await spoken(synthesizer, sentence)
        for count in range(2, len(said.words)):
            audio = TurnAudio()
            audio.push(said.until(said.words[count - 1].end_ms))
            reading = recognizer._loaded().read(audio.tail().samples)  # as it is: half sentences look made up
            assert reading is not None
            misses.append(abs(len(words(reading.text)) - count))
    assert len(misses) >= 25
    assert max(misses) <= 1
    assert sum(misses) / len(misses) <= 0.25


async def test_times_go_on_across_sentences(synthesizer: HibariSynthesizer, recognizer: MoonshineRecognizer) -> None:
    said = await spoken(synthesizer, LONG)
    cut = LONG.index(" In the morning")
    last = next(word for word in said.words if word.char_end == cut)
    heard = (await read(recognizer, said.until(last.end_ms + 100))).text
    assert word_error_rate(LONG[:cut], heard) <= 0.05


async def test_chunks_are_short_and_carry_the_words_that_end_in_them(synthesizer: HibariSynthesizer) -> None:
    at_ms = 0
    async for chunk in synthesizer.speak(LONG, voice="", speed=1.0):
        assert len(chunk.pcm) % 2 == 0
        length_ms = len(chunk.pcm) * 1000 // (2 * RATE_HZ)
        assert 0 < length_ms <= 200
        assert all(at_ms < word.end_ms <= at_ms + length_ms for word in chunk.words)
        at_ms += length_ms


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0])
async def test_speed_changes_the_length_and_keeps_the_words(
    speed: float, synthesizer: HibariSynthesizer, recognizer: MoonshineRecognizer
) -> None:
    natural = await spoken(synthesizer, SENTENCES[3])
    said = await spoken(synthesizer, SENTENCES[3], speed=speed)
    assert said.duration_ms == pytest.approx(natural.duration_ms / speed, rel=0.12)
    assert said.words[-1].end_ms == pytest.approx(natural.words[-1].end_ms / speed, rel=0.12)
    assert word_error_rate(SENTENCES[3], (await read(recognizer, said.pcm)).text) <= (0.25 if speed > 1.5 else 0.0)


async def test_a_speed_out_of_range_is_the_nearest_possible(synthesizer: HibariSynthesizer) -> None:
    assert (await spoken(synthesizer, "Hello.", speed=99)).pcm == (await spoken(synthesizer, "Hello.", speed=4)).pcm
    assert (await spoken(synthesizer, "Hello.", speed=0)).pcm == (await spoken(synthesizer, "Hello.", speed=0.25)).pcm


@pytest.mark.parametrize("voice", ["alloy", "emma", "fable", "no such voice"])
async def test_every_voice_name_gets_the_one_voice(voice: str, synthesizer: HibariSynthesizer) -> None:
    """Some of these names would make the package fetch weights from the network."""
    assert await spoken(synthesizer, "Hello there.", voice=voice) == await spoken(synthesizer, "Hello there.")


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "\N{PARTY POPPER}"])
async def test_what_cannot_be_spoken_is_silence(text: str, synthesizer: HibariSynthesizer) -> None:
    assert (await spoken(synthesizer, text)).pcm == b""


@pytest.mark.parametrize("text", ["x" * 2000, "word " * 300, "a" * 50 + "\n" + "-" * 50, "日本語です。", "?!..."])
async def test_odd_texts_are_survived(text: str, synthesizer: HibariSynthesizer) -> None:
    said = await spoken(synthesizer, text)
    times = [(word.start_ms, word.end_ms) for word in said.words]
    assert times == sorted(times)
    assert all(0 <= word.char_start < word.char_end <= len(text) for word in said.words)


async def test_the_phonemes_are_the_packages_own(synthesizer: HibariSynthesizer) -> None:
    model = HibariModel()
    for text in (*SENTENCES, LONG, WRITTEN):
        assert [piece.phonemes for piece in model.pieces(text)] == model._tts.phonemize(text)


def test_without_the_graphs_durations_words_are_timed_evenly() -> None:
    model = HibariModel(durations_tensor="/no/such/tensor")
    assert not model.word_times
    (piece,) = model.pieces(SENTENCES[2])
    said = model.speak(piece, 1.0)
    assert [(word.char_start, word.char_end) for word in said.words] == spans(SENTENCES[2])
    assert 0.8 * len(said.pcm) / 48 <= said.words[-1].end_ms <= len(said.pcm) / 48


async def test_cancel_after_a_chunk_yields_nothing_more(synthesizer: HibariSynthesizer) -> None:
    stream = synthesizer.speak(LONG, voice="", speed=1.0)
    chunks: list[SpeechChunk] = []
    async for chunk in stream:
        chunks.append(chunk)
        stream.cancel()
        stream.cancel()
    assert len(chunks) == 1


async def test_cancel_before_the_first_chunk_yields_nothing(synthesizer: HibariSynthesizer) -> None:
    stream = synthesizer.speak(LONG, voice="", speed=1.0)
    stream.cancel()
    assert [chunk async for chunk in stream] == []


async def test_cancel_while_waiting_for_the_thread_ends_the_stream(synthesizer: HibariSynthesizer) -> None:
    first, second = (synthesizer.speak(LONG, voice="", speed=1.0) for _ in range(2))

    async def collect() -> list[SpeechChunk]:
        return [chunk async for chunk in second]

    async with asyncio.TaskGroup() as group:
        group.create_task(anext(aiter(first)))  # type: ignore[arg-type]
        waiting = group.create_task(collect())
        await asyncio.sleep(0)
        second.cancel()
    assert waiting.result() == []


async def test_speakers_at_the_same_moment_sound_as_if_alone(synthesizer: HibariSynthesizer) -> None:
    alone = [await spoken(synthesizer, text) for text in (LONG, *SENTENCES[:3])]
    together = await asyncio.gather(*(spoken(synthesizer, text) for text in (LONG, *SENTENCES[:3])))
    assert together == alone
