"""Opus packets and streams through the Python skin."""

from __future__ import annotations

import math
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio import AudioError, CorruptAudio, OggOpusStream, OpusDecoder, OpusEncoder, decode_file

FRAME = 480


def tone(samples: int) -> bytes:
    return b"".join(struct.pack("<h", round(9_000 * math.sin(n * 2 * math.pi * 440 / 24_000))) for n in range(samples))


def packets(pcm: bytes, encoder: OpusEncoder) -> list[bytes]:
    return [encoder.encode(pcm[at : at + 2 * FRAME]) for at in range(0, len(pcm), 2 * FRAME)]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_frames_go_through(rate: int) -> None:
    decoder = OpusDecoder(rate)
    assert decoder.rate_hz == rate
    sent = packets(tone(24_000), OpusEncoder())
    heard = b"".join(decoder.decode(packet) for packet in sent)
    assert len(heard) == 2 * rate
    assert max(struct.unpack(f"<{rate}h", heard)) > 7_000


def test_lost_packets_are_recovered_or_concealed() -> None:
    encoder = OpusEncoder(32_000)
    encoder.expect_loss(20)
    sent = packets(tone(9_600), encoder)
    decoder = OpusDecoder()
    for packet in sent[:10]:
        decoder.decode(packet)
    assert len(decoder.recover(sent[11], FRAME)) == 2 * FRAME
    assert len(decoder.decode(sent[11])) == 2 * FRAME
    assert len(decoder.conceal(FRAME)) == 2 * FRAME


def test_wrong_use_names_the_fix() -> None:
    with pytest.raises(AudioError, match=r"480 samples \(20 ms at 24 kHz\), not 240"):
        OpusEncoder().encode(bytes(480))
    with pytest.raises(AudioError, match="8000, 12000, 16000, 24000 or 48000 Hz, not 44100"):
        OpusDecoder(44_100)
    with pytest.raises(AudioError, match="bit rate 1 is outside"):
        OpusEncoder(1)
    with pytest.raises(AudioError, match=r"multiple of 2\.5 ms"):
        OpusDecoder().conceal(5_000)


@given(st.binary(max_size=64))
def test_any_bytes_decode_or_are_refused(packet: bytes) -> None:
    try:
        pcm = OpusDecoder().decode(packet)
    except CorruptAudio:
        return
    assert 0 < len(pcm) // 2 <= 2_880


def test_lookahead_is_a_few_milliseconds() -> None:
    assert 60 <= OpusEncoder().lookahead_samples <= 240


def test_one_encoder_may_be_shared_by_threads() -> None:
    encoder = OpusEncoder()
    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(lambda _: len(encoder.encode(tone(FRAME))), range(64)))
    assert all(sizes)


@given(st.lists(st.integers(0, 1_000), max_size=8))
def test_a_stream_is_as_long_as_what_was_pushed(sizes: list[int]) -> None:
    writer = OggOpusStream()
    stream = b"".join(writer.push(tone(size)) for size in sizes) + writer.finish()
    assert len(decode_file(stream)) == 2 * sum(sizes)


def test_a_finished_stream_takes_no_more() -> None:
    writer = OggOpusStream()
    writer.finish()
    with pytest.raises(AudioError, match="make a new writer"):
        writer.push(b"")
    with pytest.raises(AudioError, match="make a new writer"):
        writer.finish()
