"""Noise reduction of a lane: what is left of noise, of a voice, and of the time line."""

from __future__ import annotations

import array
import random

import pytest
from spoken import FLITE_VOICES, say, silence

from parley.audio import AudioError, Denoiser, LaneFeed

VOICE = 0.5


def hiss(ms: int, level: int) -> bytes:
    chance = random.Random(1)
    return array.array("h", [round(chance.gauss(0, level)) for _ in range(24 * ms)]).tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    a, b = array.array("h", one), array.array("h", other)
    return array.array("h", [max(-32768, min(32767, x + y)) for x, y in zip(a, b, strict=False)]).tobytes()


def power(pcm: bytes) -> float:
    samples = array.array("h", pcm)
    return sum(sample * sample for sample in samples) / len(samples)


def fed(feed: LaneFeed, pcm: bytes) -> tuple[bytes, list[float]]:
    blocks = [feed.push(pcm[start : start + 4800]) for start in range(0, len(pcm), 4800)]
    assert blocks[-1].end_sample == len(pcm) // 2
    return b"".join(block.pcm for block in blocks), [chance for block in blocks for chance in block.speech]


def feed(*, far: bool, strength: float = 1.0) -> LaneFeed:
    made = LaneFeed("0")
    made.reduce_noise(far=far, strength=strength)
    return made


@pytest.mark.parametrize(("far", "most"), [(False, 0.05), (True, 0.01)])
def test_noise_becomes_quiet_and_quieter_across_a_room(far: bool, most: float) -> None:
    noise = hiss(3000, 600)
    clean, speech = fed(feed(far=far), noise)
    assert len(clean) == len(noise)
    assert power(clean[96_000:]) < most * power(noise[96_000:])
    assert max(speech[30:]) < VOICE


@pytest.mark.parametrize("far", [False, True])
def test_a_voice_in_noise_is_still_heard_and_its_pauses_are_quieter(far: bool) -> None:
    words = silence(1000) + say("the quick brown fox jumps over the lazy dog", FLITE_VOICES[0]) + silence(1000)
    noisy = mixed(words, hiss(len(words) // 48, 400))
    clean, speech = fed(feed(far=far), noisy)
    heard = [index for index, chance in enumerate(speech) if chance > VOICE]
    assert len(heard) > 40
    assert 900 < heard[0] * 16 < 1500
    pause, voice = clean[24_000:46_000], clean[60_000:120_000]
    assert power(voice) / power(pause) > 5 * power(noisy[60_000:120_000]) / power(noisy[24_000:46_000])


def test_a_clean_voice_stays() -> None:
    words = say("the quick brown fox jumps over the lazy dog", FLITE_VOICES[0])
    clean, speech = fed(feed(far=False), words)
    assert 0.4 < power(clean) / power(words) < 1.3
    assert sum(chance > VOICE for chance in speech) > 60


def test_strength_mixes_the_original_back_in() -> None:
    noise = hiss(3000, 600)
    left = [power(fed(feed(far=True, strength=strength), noise)[0][48_000:]) for strength in (0.0, 0.5, 1.0)]
    assert left[0] > 2 * left[1] > 8 * left[2]
    assert left[0] == pytest.approx(power(noise[48_000:]), rel=0.05)


def test_it_may_be_switched_while_the_lane_runs() -> None:
    lane = LaneFeed("0")
    noise = hiss(2000, 600)
    assert fed(lane, noise)[0] == noise
    lane.reduce_noise(far=False, strength=1.0)
    lane.push(noise)
    lane.reduce_noise(far=True, strength=1.0)
    assert power(lane.push(noise).pcm) < power(noise) / 20
    lane.keep_noise()
    assert lane.push(noise).pcm == noise


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioError):
        Denoiser().push(b"abc")
    assert Denoiser().delay_samples < 30 * 24
