"""WAV as others read it: the standard library is the judge."""

from __future__ import annotations

import io
import struct
import wave

import pytest

from parley.audio import wav_bytes, wav_header


def test_the_standard_library_reads_what_we_write() -> None:
    pcm = struct.pack("<4h", 1, -2, 32767, -32768)
    with wave.open(io.BytesIO(wav_bytes(memoryview(pcm), rate_hz=8_000, channels=2))) as reader:
        assert reader.getparams()[:4] == (2, 2, 8_000, 2)
        assert reader.readframes(9) == pcm


def test_the_default_is_our_own_format() -> None:
    with wave.open(io.BytesIO(wav_bytes(bytes(480)))) as reader:
        assert reader.getparams()[:4] == (1, 2, 24_000, 240)


def test_a_stream_says_that_its_length_is_unknown() -> None:
    header = wav_header()
    assert len(header) == 44
    assert header[4:8] == header[40:44] == b"\xff" * 4
    assert header[:4] + header[8:12] + header[36:40] == b"RIFFWAVEdata"


def test_too_much_for_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="below 4 GiB"):
        wav_header(2**32)
