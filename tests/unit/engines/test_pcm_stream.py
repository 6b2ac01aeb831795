"""Whatever a speech server streams becomes PCM16 mono 24 kHz, or an error that says what it was."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio import wav_bytes, wav_header
from parley.engines.tts.pcm_stream import PcmStream, UnusableAudio
from parley.testing import tone

PCM = tone(2400)


def read(data: bytes, sizes: list[int], stream: PcmStream | None = None) -> bytes:
    stream = stream or PcmStream()
    out, at, step = b"", 0, 0
    while at < len(data):
        size = sizes[step % len(sizes)]
        out += stream.push(data[at : at + size])
        at, step = at + size, step + 1
    return out + stream.flush()


SIZES = st.lists(st.integers(1, 900), min_size=1, max_size=5)


@given(SIZES)
def test_bare_pcm_comes_through_however_it_is_cut(sizes: list[int]) -> None:
    assert read(PCM, sizes) == PCM


@given(SIZES)
def test_half_a_sample_at_the_end_is_dropped(sizes: list[int]) -> None:
    assert read(PCM + b"\x01", sizes) == PCM


@pytest.mark.parametrize("size", [len(PCM), 0, 0xFFFF_FFFF, 0x7FFF_FFFF])
@given(sizes=SIZES)
def test_a_wav_header_is_taken_off_whatever_size_it_claims(size: int, sizes: list[int]) -> None:
    header = bytearray(wav_header(len(PCM)))
    struct.pack_into("<I", header, 40, size)
    assert read(bytes(header) + PCM, sizes) == PCM


def test_what_follows_the_sound_in_a_wav_file_is_no_sound() -> None:
    assert read(wav_bytes(PCM) + b"LIST\x04\x00\x00\x00abcd", [100]) == PCM


def test_chunks_before_the_sound_are_passed_over() -> None:
    plain = wav_bytes(PCM)
    listed = plain[:36] + b"LIST\x05\x00\x00\x00abcde\x00" + plain[36:]
    for size in (1, 7, 5000):
        assert read(listed, [size]) == PCM


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_are_made_to_fit(rate_hz: int) -> None:
    pcm = tone(rate_hz)
    for out in (
        read(wav_bytes(pcm, rate_hz=rate_hz), [999]),
        read(pcm, [777], PcmStream(rate_hz)),
        read(pcm, [777], PcmStream(content_type=f"audio/pcm; rate={rate_hz}")),
    ):
        assert abs(len(out) // 2 - 24_000) <= 24


@given(SIZES)
def test_stereo_is_mixed(sizes: list[int]) -> None:
    both = b"".join(PCM[at : at + 2] * 2 for at in range(0, len(PCM), 2))
    assert read(wav_bytes(both, channels=2), sizes) == PCM


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ID3\x04aaaaaa", "sends MP3"),
        (b"\xff\xfb\x90\x64aaaa", "sends MP3"),
        (b"OggS\x00aaaa", "sends Ogg"),
        (b"fLaC\x00aaaa", "sends FLAC"),
        (b'{"error": "no"}', "text instead of sound"),
        (b"<html><body>", "text instead of sound"),
        (b"RIFF\x00\x00\x00\x00WAVE", "without sound"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", "without a format"),
        (wav_header(4).replace(b"\x10\x00data", b"\x18\x00data") + b"abcd", "24 bits"),
    ],
)
def test_what_is_no_pcm_is_named(data: bytes, says: str) -> None:
    for size in (1, 1000):
        with pytest.raises(UnusableAudio, match=says):
            read(data, [size])


def test_sound_that_happens_to_begin_like_text_is_sound() -> None:
    quiet = b"<\x00" * 500
    assert read(quiet, [64]) == quiet


@given(st.binary(max_size=200), SIZES)
def test_no_bytes_break_it(data: bytes, sizes: list[int]) -> None:
    with contextlib.suppress(UnusableAudio):
        assert len(read(data, sizes)) % 2 == 0
