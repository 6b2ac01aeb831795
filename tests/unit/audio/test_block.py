"""Lanes in blocks: time lines, windows, gaps, the odd byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio import (
    RATE_HZ,
    VAD_WINDOW_SAMPLES,
    AudioError,
    LaneFeed,
    PcmCarry,
    ms_to_samples,
    pcm_slices,
    samples_to_ms,
)


def test_milliseconds_and_samples() -> None:
    assert ms_to_samples(100) == 2_400
    assert samples_to_ms(2_400) == 100
    assert samples_to_ms(2_399) == 99
    assert samples_to_ms(RATE_HZ * 3_600) == 3_600_000


@given(st.lists(st.integers(0, 1_500), max_size=12), st.integers(0, 10**9))
def test_blocks_tile_the_time_line_and_windows_tile_the_blocks(sizes: list[int], start: int) -> None:
    feed = LaneFeed("0", start_sample=start)
    sample, window = start, start
    for size in sizes:
        block = feed.push(bytes(2 * size))
        assert (block.lane, block.start_sample, block.samples, block.gap) == ("0", sample, size, False)
        sample += size
        assert block.end_sample == feed.next_sample == sample
        assert block.speech_start_sample == window
        assert len(block.speech) == (sample - window) // VAD_WINDOW_SAMPLES
        window += len(block.speech) * VAD_WINDOW_SAMPLES


def test_a_gap_is_silence_that_takes_its_time() -> None:
    feed = LaneFeed("0")
    feed.push(bytes(200))
    block = feed.gap(VAD_WINDOW_SAMPLES)
    assert block.gap
    assert (block.start_sample, block.samples, len(block.speech)) == (100, VAD_WINDOW_SAMPLES, 1)
    assert set(block.pcm) == {0}
    with pytest.raises(AudioError, match="goes backwards"):
        feed.gap(-1)


def test_without_detection_there_are_no_probabilities() -> None:
    block = LaneFeed("0", detect_speech=False).push(bytes(9_600))
    assert (block.speech, block.speech_start_sample, block.samples) == ((), 0, 4_800)


def test_half_a_sample_is_refused() -> None:
    for detect in (True, False):
        feed = LaneFeed("0", detect_speech=detect)
        with pytest.raises(AudioError, match="PcmCarry"):
            feed.push(b"abc")
        assert feed.next_sample == 0


@given(st.lists(st.binary(max_size=9), max_size=20))
def test_the_carry_loses_no_byte(pieces: list[bytes]) -> None:
    carry = PcmCarry()
    out = [carry.push(piece) for piece in pieces]
    assert all(len(piece) % 2 == 0 for piece in out)
    whole = b"".join(pieces)
    assert b"".join(out) == whole[: len(whole) // 2 * 2]
    assert carry.pending == (len(whole) % 2 == 1)


def test_a_cleared_carry_starts_afresh() -> None:
    carry = PcmCarry()
    assert carry.push(b"\x01") == b""
    carry.clear()
    assert not carry.pending
    assert carry.push(memoryview(b"\x02\x03")) == b"\x02\x03"


@given(st.binary(max_size=200).filter(lambda b: len(b) % 2 == 0), st.integers(1, 40))
def test_slices_cover_everything_in_order(pcm: bytes, samples: int) -> None:
    pieces = list(pcm_slices(pcm, samples))
    assert b"".join(pieces) == pcm
    assert all(len(piece) == 2 * samples for piece in pieces[:-1])
    assert all(0 < len(piece) <= 2 * samples for piece in pieces)


def test_slices_need_a_size() -> None:
    with pytest.raises(ValueError, match="never end"):
        list(pcm_slices(b"", 0))
