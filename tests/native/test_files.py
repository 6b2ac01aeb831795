"""Uploads: files of foreign encoders, damaged files, and files that are none."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.audio import (
    AudioError,
    AudioTooLong,
    CorruptAudio,
    OggOpusStream,
    UnsupportedAudio,
    decode_file,
    wav_bytes,
)

FILES = Path(__file__).parent / "files"
FOREIGN = ("tone.flac", "tone.mp3", "tone.ogg", "tone.webm")


def frequency(pcm: bytes) -> float:
    """Upward zero crossings a second, edges left out."""
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)[2_000:-2_000]
    return sum(1 for a, b in itertools.pairwise(samples) if a < 0 <= b) / (len(samples) / 24_000)


def decoded_or_nothing(data: bytes) -> bytes:
    """Anything but an `AudioError` passes through, and fails the test."""
    try:
        return decode_file(data, max_seconds=60)
    except AudioError:
        return b""


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_understood(name: str) -> None:
    pcm = decode_file((FILES / name).read_bytes())
    if name != "tone.webm":  # the browser's recording stops when it likes
        assert len(pcm) == 2 * 14_400
    assert 0.55 < len(pcm) / 48_000 < 0.75
    assert frequency(pcm) == pytest.approx(440, abs=3)
    assert 9_000 < max(struct.unpack(f"<{len(pcm) // 2}h", pcm)) < 11_500


def test_our_own_files_come_back() -> None:
    pcm = struct.pack("<5h", 0, 1, -1, 32767, -32768)
    assert decode_file(wav_bytes(pcm)) == pcm
    assert decode_file(memoryview(wav_bytes(pcm))) == pcm
    assert decode_file(wav_bytes(b"")) == b""


def test_a_tag_before_flac_is_skipped() -> None:
    flac = (FILES / "tone.flac").read_bytes()
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5)
    assert decode_file(tag + flac) == decode_file(flac)


def test_an_ogg_that_breaks_off_plays_up_to_there() -> None:
    ogg = (FILES / "tone.ogg").read_bytes()
    assert decode_file(ogg[:-10]) == b""  # its only page of sound is incomplete
    writer = OggOpusStream()
    pages = writer.push(bytes(2 * 24_000)) + writer.finish()
    assert 2 * 24_000 * 0.8 < len(decode_file(pages[:-10])) < 2 * 24_000


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "an empty file is not supported"),
        (b"plain text, not sound", "this kind of file is not supported"),
        (b"\x00\x00\x00\x18ftypmp42", r"MP4 or M4A \(AAC\) is not supported"),
    ],
)
def test_strangers_are_named_with_what_would_do(data: bytes, text: str) -> None:
    with pytest.raises(UnsupportedAudio, match=text + r"; send wav, flac, mp3, ogg \(opus\) or webm \(opus\)"):
        decode_file(data)


@pytest.mark.parametrize("name", ["tone.flac", "tone.ogg"])
def test_a_flipped_bit_is_noticed_where_there_are_checksums(name: str) -> None:
    data = bytearray((FILES / name).read_bytes())
    data[len(data) * 3 // 4] ^= 0x10
    with pytest.raises(CorruptAudio, match=rf"the {name[-4:].strip('.')} file is damaged"):
        decode_file(data)


def test_too_long_is_its_own_error() -> None:
    with pytest.raises(AudioTooLong, match="longer than 2 seconds; split it"):
        decode_file(wav_bytes(bytes(2 * 24_000 * 2 + 2)), max_seconds=2)
    assert len(decode_file(wav_bytes(bytes(2 * 24_000 * 2)), max_seconds=2)) == 2 * 24_000 * 2


def test_a_bomb_is_stopped() -> None:
    """Two bytes of Opus can stand for 120 ms: a small file must not fill the memory."""
    ogg = (FILES / "tone.ogg").read_bytes()
    with pytest.raises(AudioTooLong):
        decode_file(ogg, max_seconds=0)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FOREIGN), st.data())
def test_damage_is_an_error_and_never_a_crash(name: str, data: st.DataObject) -> None:
    raw = bytearray((FILES / name).read_bytes()[: data.draw(st.integers(0, 6_000), "length")])
    for _ in range(data.draw(st.integers(0, 6), "flips")):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert len(decoded_or_nothing(bytes(raw))) % 2 == 0


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"fLaC", b"OggS\x00", b"\x1aE\xdf\xa3", b"ID3\x04"]),
    st.binary(),
)
def test_noise_is_an_error_and_never_a_crash(beginning: bytes, rest: bytes) -> None:
    assert len(decoded_or_nothing(beginning + rest)) % 2 == 0
