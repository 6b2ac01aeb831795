"""Moonshine on speech of three synthetic voices and one human, on noise, and on turns longer than it was made for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from threading import Event

import numpy as np
import pytest
from speech_engines import SENTENCES, SHORT_ANSWERS, TALE, opened, pieces, read, spoken
from spoken import models_dir, noisy, say, silence, word_error_rate, words

from parley.audio import RATE_HZ
from parley.engines.base import Recognition
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.moonshine_model import Reading
from parley.engines.local.turn_audio import Passage

pytestmark = [pytest.mark.speech, pytest.mark.timeout(120)]


@pytest.mark.parametrize("sentence", [*SENTENCES, *SHORT_ANSWERS])
async def test_what_hibari_says_is_read_word_for_word(
    sentence: str, recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer
) -> None:
    said = await spoken(synthesizer, sentence)
    assert words((await read(recognizer, said.pcm)).text) == words(sentence)


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_noise_at_10_db_changes_no_word(
    sentence: str, recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer
) -> None:
    said = await spoken(synthesizer, sentence)
    room = noisy(silence(300) + said.pcm + silence(150), 10)
    assert words((await read(recognizer, room)).text) == words(sentence)


@pytest.mark.parametrize(("voice", "bound"), [("slt", 0.15), ("rms", 0.08)])
async def test_foreign_voices_stay_within_their_bound(
    voice: str, bound: float, recognizer: MoonshineRecognizer
) -> None:
    texts = [(await read(recognizer, say(sentence, voice))).text for sentence in SENTENCES]
    assert word_error_rate(" ".join(SENTENCES), " ".join(texts)) <= bound


async def test_a_human_reading_is_recognised(recognizer: MoonshineRecognizer, two_cities: bytes) -> None:
    transcript = await read(recognizer, two_cities)
    assert word_error_rate(TALE, transcript.text) <= 0.05
    assert transcript.confidence is not None
    assert transcript.confidence > -0.2


async def test_a_human_reading_in_noise_is_recognised(recognizer: MoonshineRecognizer, two_cities: bytes) -> None:
    assert word_error_rate(TALE, (await read(recognizer, noisy(two_cities, 10))).text) <= 0.15


async def test_quiet_speech_is_recognised(recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer) -> None:
    said = np.frombuffer((await spoken(synthesizer, SENTENCES[1])).pcm, "<i2")
    assert words((await read(recognizer, (said // 30).astype("<i2").tobytes())).text) == words(SENTENCES[1])


async def test_a_turn_of_more_than_a_minute(recognizer: MoonshineRecognizer, two_cities: bytes) -> None:
    turn = two_cities + silence(500) + two_cities
    assert len(turn) > 60 * 2 * RATE_HZ
    assert word_error_rate(f"{TALE} {TALE}", (await read(recognizer, turn)).text) <= 0.05


async def test_the_result_depends_on_the_audio_alone(recognizer: MoonshineRecognizer, two_cities: bytes) -> None:
    """Fed at once, or in pieces of random size with partials in between: the same words."""
    at_once = await read(recognizer, two_cities)
    recognition = opened(recognizer)
    sizes = np.random.default_rng(7)
    at = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(_collected(recognition))
        while at < len(two_cities):
            size = 2 * int(sizes.integers(1, 40_000))
            recognition.feed(two_cities[at : at + size])
            at += size
            await asyncio.sleep(0.01)
        in_pieces = await recognition.finish()
    assert in_pieces.text == at_once.text


def _noise(kind: str, level: float, seconds: float) -> bytes:
    rng = np.random.default_rng(3)
    count = int(seconds * RATE_HZ)
    match kind:
        case "white":
            sound = rng.standard_normal(count)
        case "pink" if count:
            spectrum = np.fft.rfft(rng.standard_normal(count))
            sound = np.fft.irfft(spectrum / np.sqrt(np.arange(spectrum.size) + 1), count)
            sound /= sound.std()
        case "hum":
            sound = np.sqrt(2) * np.sin(np.arange(count) * 2 * np.pi * 100 / RATE_HZ)
        case _:
            sound = np.zeros(count)
    return (np.clip(sound * level, -1, 1) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("kind", ["white", "pink", "hum", "silence"])
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.5, 2.0, 10.0, 30.0])
async def test_nothing_is_read_where_nobody_speaks(kind: str, seconds: float, recognizer: MoonshineRecognizer) -> None:
    for level in (0.001, 0.03, 0.2):
        transcript = await read(recognizer, _noise(kind, level, seconds))
        assert transcript.text == ""


async def _collected(recognition: Recognition) -> list[str]:
    return [transcript.text async for transcript in recognition.partials()]


async def test_partials_grow_towards_the_result_and_end_with_it(
    recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer
) -> None:
    said = await spoken(synthesizer, SENTENCES[10])
    recognition = opened(recognizer)
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(_collected(recognition))
        for piece in pieces(said.pcm, 100):
            recognition.feed(piece)
            await asyncio.sleep(0.05)
        final = await recognition.finish()
    seen = collecting.result()
    assert len(seen) >= 2
    assert len(set(seen)) == len(seen)
    assert all(len(words(text)) <= len(words(final.text)) + 1 for text in seen)
    assert words(seen[-1])[:3] == words(final.text)[:3]


class Counting(MoonshineRecognizer):
    """Counts the decodes whose result counts."""

    def __init__(self) -> None:
        super().__init__(models_dir())
        self.reads = 0

    def read(self, passage: Passage, stop: Event, *, awaited: bool) -> Future[Reading | None]:
        self.reads += 1
        return super().read(passage, stop, awaited=awaited)


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    engine = Counting()
    await engine.warm_up()
    yield engine
    await engine.aclose()


@pytest.mark.parametrize("snr_db", [None, 10])
@pytest.mark.parametrize("sentence", SENTENCES)
async def test_a_settled_turn_is_read_once(
    sentence: str, snr_db: float | None, counting: Counting, synthesizer: HibariSynthesizer
) -> None:
    """The decode that began with the silence is the result: finishing adds none."""
    said = await spoken(synthesizer, sentence)
    sound = said.pcm + silence(500)
    if snr_db is not None:
        sound = noisy(sound, snr_db)
    spoken_bytes = len(said.until(said.words[-1].end_ms + 30))
    recognition = opened(counting)
    for piece in pieces(sound[:spoken_bytes]):
        recognition.feed(piece)
    recognition.settle()
    for piece in pieces(sound[spoken_bytes:]):
        recognition.feed(piece)
    assert words((await recognition.finish()).text) == words(sentence)
    assert counting.reads == 1


async def test_speech_after_the_pause_is_not_lost(counting: Counting, synthesizer: HibariSynthesizer) -> None:
    first, second = [await spoken(synthesizer, sentence) for sentence in SENTENCES[1:3]]
    recognition = opened(counting)
    recognition.feed(first.pcm)
    recognition.settle()
    recognition.feed(silence(300))
    recognition.feed(second.pcm)
    assert words((await recognition.finish()).text) == words(first.text) + words(second.text)
    assert counting.reads == 2


async def test_settling_again_replaces_the_earlier_decode(counting: Counting, synthesizer: HibariSynthesizer) -> None:
    first, second = [await spoken(synthesizer, sentence) for sentence in SENTENCES[1:3]]
    recognition = opened(counting)
    for speech in (first, second):
        recognition.feed(speech.pcm)
        recognition.settle()
        recognition.feed(silence(300))
    assert words((await recognition.finish()).text) == words(first.text) + words(second.text)
    assert counting.reads == 2


async def test_two_speakers_at_the_same_moment_are_both_read(
    recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer
) -> None:
    said = [await spoken(synthesizer, sentence) for sentence in SENTENCES]
    read_together = await asyncio.gather(*(read(recognizer, speech.pcm) for speech in said))
    assert [words(transcript.text) for transcript in read_together] == [words(sentence) for sentence in SENTENCES]


async def test_a_partial_gives_way_to_someone_who_waits(
    recognizer: MoonshineRecognizer, two_cities: bytes, synthesizer: HibariSynthesizer
) -> None:
    said = await spoken(synthesizer, SENTENCES[0])
    long_passage = Passage(
        np.frombuffer(two_cities, "<i2")[: 20 * RATE_HZ].astype(np.float32) / np.float32(32768), 1000
    )
    partial = recognizer.read_partial(long_passage)
    transcript = await read(recognizer, said.pcm)
    assert words(transcript.text) == words(SENTENCES[0])
    assert await asyncio.wrap_future(partial) is None


async def test_cancel_ends_the_partials_and_frees_the_engine(
    recognizer: MoonshineRecognizer, two_cities: bytes, synthesizer: HibariSynthesizer
) -> None:
    said = await spoken(synthesizer, SENTENCES[0])
    recognition = opened(recognizer)
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(_collected(recognition))
        recognition.feed(two_cities)
        await asyncio.sleep(0.05)
        recognition.cancel()
        recognition.cancel()
        recognition.feed(two_cities)
        recognition.settle()
    assert collecting.result() == []
    assert words((await read(recognizer, said.pcm)).text) == words(SENTENCES[0])
