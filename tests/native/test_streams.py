"""The Python skin over resampling and voice activity: sizes, state, buffers, threads."""

from __future__ import annotations

import math
import struct
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio import AudioError, Resampler, VoiceActivity

RATES = (8_000, 16_000, 24_000, 48_000, 44_100, 22_050)


def tone(hz: float, rate: int, samples: int, level: float = 0.5) -> bytes:
    wave = (round(level * 32767 * math.sin(2 * math.pi * hz * n / rate)) for n in range(samples))
    return b"".join(struct.pack("<h", value) for value in wave)


def convert(resampler: Resampler, pieces: list[bytes]) -> bytes:
    return b"".join([resampler.push(piece) for piece in pieces]) + resampler.flush()


@given(
    st.sampled_from(RATES),
    st.sampled_from(RATES),
    st.lists(st.binary(max_size=700).filter(lambda b: len(b) % 2 == 0), max_size=8),
)
def test_pieces_make_the_same_stream_as_the_whole(from_hz: int, to_hz: int, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    samples = len(whole) // 2
    out = convert(Resampler(from_hz, to_hz), pieces)
    assert out == convert(Resampler(from_hz, to_hz), [whole])
    assert len(out) // 2 == -(-samples * to_hz // from_hz)


def test_a_tone_keeps_its_level_and_its_place() -> None:
    resampler = Resampler(24_000, 16_000)
    out = convert(resampler, [tone(1000, 24_000, 24_000)])
    expected = tone(1000, 16_000, 16_000)
    got = struct.unpack("<16000h", out)
    want = struct.unpack("<16000h", expected)
    assert max(abs(a - b) for a, b in zip(got[200:-200], want[200:-200], strict=True)) <= 2


def test_flush_leaves_it_as_new() -> None:
    resampler = Resampler(8_000, 24_000)
    first = convert(resampler, [tone(300, 8_000, 500)])
    assert convert(resampler, [tone(300, 8_000, 500)]) == first


def test_rates_and_delay_are_reported() -> None:
    resampler = Resampler(8_000, 24_000)
    assert (resampler.from_hz, resampler.to_hz, resampler.delay_ms) == (8_000, 24_000, 3.0)
    assert Resampler(24_000, 24_000).delay_ms == 0


@pytest.mark.parametrize("samples", [1, 7, 160, 800])
def test_causal_conversion_holds_nothing_back(samples: int) -> None:
    resampler = Resampler(8_000, 24_000, causal=True)
    for _ in range(5):
        assert len(resampler.push(bytes(2 * samples))) == 2 * 3 * samples


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda raw: memoryview(b"xx" + raw + b"y")[2:-1]])
def test_any_bytes_like_object_will_do(kind: type) -> None:
    pcm = tone(500, 24_000, 384)
    assert Resampler(24_000, 24_000).push(kind(pcm)) == pcm


@pytest.mark.parametrize("value", ["text", 5, None, [1, 2]])
def test_anything_else_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="expected bytes, bytearray or a memoryview of bytes"):
        Resampler(24_000, 16_000).push(value)  # type: ignore[arg-type]


def test_half_a_sample_is_refused_and_names_the_fix() -> None:
    with pytest.raises(AudioError, match="carry the odd byte over"):
        VoiceActivity().push(b"abc")


@pytest.mark.parametrize("rate", [0, 3_999, 384_001])
def test_silly_rates_are_refused(rate: int) -> None:
    with pytest.raises(AudioError, match=f"{rate} Hz is outside"):
        Resampler(rate, 24_000)


def test_one_probability_per_window_whatever_the_blocks() -> None:
    pcm = tone(200, 24_000, 24_000)
    whole = VoiceActivity().push(pcm)
    vad = VoiceActivity()
    pieces = [p for start in range(0, len(pcm), 1_000) for p in vad.push(pcm[start : start + 1_000])]
    assert pieces == whole
    assert len(whole) == 24_000 // 384
    assert all(0 <= p <= 1 for p in whole)


def test_reset_forgets() -> None:
    vad = VoiceActivity()
    pcm = tone(200, 24_000, 5_000)
    first = vad.push(pcm)
    vad.reset()
    assert vad.push(pcm) == first


def test_work_runs_without_the_interpreter_lock() -> None:
    """While one thread listens to ten minutes of audio, this one keeps running Python."""
    done = threading.Event()

    def listen() -> None:
        VoiceActivity().push(bytes(2 * 24_000 * 600))
        done.set()

    worker = threading.Thread(target=listen)
    worker.start()
    turns = 0
    while not done.is_set():
        turns += 1
        time.sleep(0)
    worker.join()
    assert turns > 50
