"""Judging loudness, on levels that are known because the test made them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parley.engines.local.turn_audio import RATE_HZ, TurnAudio
from parley.engines.local.utterance import frame_levels, only_silence_follows, quietest_point

Samples = NDArray[np.float32]


def sound(level: float, duration_ms: int, seed: int = 1) -> Samples:
    count = RATE_HZ * duration_ms // 1000
    return (np.random.default_rng(seed).standard_normal(count) * level).astype(np.float32)


def test_levels_are_root_mean_square_per_20_ms() -> None:
    tone = np.sqrt(2) * np.sin(np.arange(RATE_HZ) * 2 * np.pi * 1000 / RATE_HZ).astype(np.float32)
    levels = frame_levels(tone)
    assert levels.size == 50
    assert np.allclose(levels, 1.0, atol=1e-3)


@given(pause_at_ms=st.integers(1200, 3500))
def test_the_quietest_point_lies_inside_the_pause(pause_at_ms: int) -> None:
    speech = sound(0.1, 4000)
    start = RATE_HZ * pause_at_ms // 1000
    speech[start : start + RATE_HZ * 3 // 10] *= 0.01
    point = quietest_point(speech, RATE_HZ)
    assert start <= point <= start + RATE_HZ * 3 // 10


def test_a_pause_before_the_earliest_point_does_not_count() -> None:
    speech = np.concatenate([sound(0.1, 500), sound(0.0001, 300), sound(0.1, 1000), sound(0.02, 300), sound(0.1, 500)])
    assert RATE_HZ * 18 // 10 <= quietest_point(speech, RATE_HZ) <= RATE_HZ * 21 // 10


def test_of_equally_quiet_points_the_last_is_taken() -> None:
    assert quietest_point(np.zeros(RATE_HZ * 4, np.float32), RATE_HZ) == RATE_HZ * 4 - RATE_HZ // 10


ROOM = 0.02
"""A noise floor 14 dB under the speech."""


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (np.zeros(0, np.float32), True),
        (np.zeros(RATE_HZ, np.float32), True),
        (sound(ROOM, 500, seed=3), True),
        (sound(0.1, 500, seed=3), False),
        (np.concatenate([sound(ROOM, 300, seed=3), sound(0.07, 60, seed=4), sound(ROOM, 300, seed=5)]), False),
    ],
    ids=["nothing", "digital silence", "the same room", "speech", "a short word"],
)
def test_only_silence_follows(after: Samples, expected: bool) -> None:
    before = np.concatenate([sound(0.1, 1000), sound(ROOM, 200, seed=2)])
    assert only_silence_follows(before, after) is expected


def test_a_turn_that_ended_in_mid_word_is_not_followed_by_silence() -> None:
    """The reference is taken from speech itself here; nothing as loud as speech may pass for silence."""
    assert not only_silence_follows(sound(0.1, 1000), sound(0.1, 100, seed=2))


def pcm(samples: Samples) -> bytes:
    """24 kHz PCM16 that sounds like `samples`; the spectrum does not matter here."""
    longer = np.interp(np.arange(samples.size * 3 // 2) * 2 / 3, np.arange(samples.size), samples)
    return (np.clip(longer, -1, 1) * 32767).astype("<i2").tobytes()


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_a_turns_audio_does_not_depend_on_how_it_was_cut_into_pieces(sizes: list[int]) -> None:
    data = pcm(sound(0.1, 800))
    whole, parts = TurnAudio(), TurnAudio()
    whole.push(data)
    at = 0
    for size in sizes:
        parts.push(data[at : at + 2 * size])
        at += 2 * size
    parts.push(data[at:])
    whole.flush()
    parts.flush()
    assert np.array_equal(whole.tail().samples, parts.tail().samples)
    assert whole.tail_samples == RATE_HZ * 8 // 10


def test_cutting_a_front_keeps_every_sample() -> None:
    audio = TurnAudio()
    audio.push(pcm(sound(0.1, 3000)))
    audio.flush()
    before = audio.tail().samples
    front = audio.cut_front(RATE_HZ * 2, RATE_HZ)
    assert RATE_HZ <= front.samples.size <= RATE_HZ * 2
    assert np.array_equal(np.concatenate([front.samples, audio.tail().samples]), before)
    assert audio.tail_samples == before.size - front.samples.size


def test_noise_has_no_voice() -> None:
    audio = TurnAudio()
    audio.push(pcm(sound(0.05, 3000)))
    assert audio.tail().voiced_windows < 4


def test_silent_since_sees_what_came_after() -> None:
    audio = TurnAudio()
    audio.push(pcm(np.concatenate([sound(0.1, 1000), sound(0.0005, 300, seed=2)])))
    at = audio.tail_samples
    assert audio.silent_since(at)
    audio.push(pcm(sound(0.0005, 500, seed=3)))
    assert audio.silent_since(at)
    audio.push(pcm(sound(0.1, 200, seed=4)))
    assert not audio.silent_since(at)
