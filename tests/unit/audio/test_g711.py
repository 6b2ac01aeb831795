"""G.711 streams at 24 kHz, and the codecs' sizes. The laws themselves are proven in `rust/media/src/g711.rs`."""

from __future__ import annotations

import math
import struct
from typing import get_args

import pytest

from parley.audio import (
    AudioError,
    G711Decoder,
    G711Encoder,
    Law,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)

LAWS: tuple[Law, ...] = get_args(Law)


def tone(hz: float, rate: int, samples: int) -> bytes:
    return b"".join(struct.pack("<h", round(12_000 * math.sin(2 * math.pi * hz * n / rate))) for n in range(samples))


def test_well_known_codes() -> None:
    assert ulaw_decode(b"\xff\x7f\x80\x00") == struct.pack("<4h", 0, 0, 32124, -32124)
    assert alaw_decode(b"\xd5\x55\xaa\x2a") == struct.pack("<4h", 8, -8, 32256, -32256)
    assert ulaw_encode(bytes(4)) == b"\xff\xff"
    assert alaw_encode(bytes(4)) == b"\xd5\xd5"


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_codes_survive(encode, decode) -> None:  # type: ignore[no-untyped-def]
    codes = bytes(code for code in range(256) if code != 0x7F)
    assert encode(decode(codes)) == codes


@pytest.mark.parametrize("law", LAWS)
def test_a_decoder_gives_three_samples_for_every_byte_at_once(law: Law) -> None:
    decoder = G711Decoder(law)
    for size in (1, 160, 799):
        assert len(decoder.push(bytes(size))) == 2 * 3 * size


@pytest.mark.parametrize("law", LAWS)
def test_an_encoder_gives_a_third_in_all(law: Law) -> None:
    encoder = G711Encoder(law)
    pcm = tone(400, 24_000, 1_000)
    codes = encoder.push(pcm[:600]) + encoder.push(pcm[600:]) + encoder.flush()
    assert len(codes) == 334


@pytest.mark.parametrize("law", LAWS)
def test_a_tone_makes_the_round_trip(law: Law) -> None:
    encoder, decoder = G711Encoder(law), G711Decoder(law)
    heard = decoder.push(encoder.push(tone(400, 24_000, 12_000)) + encoder.flush())
    late = 72  # 3 ms of the decoder's filter
    got = struct.unpack(f"<{len(heard) // 2}h", heard)[late + 1_000 : 11_000]
    want = struct.unpack("<12000h", tone(400, 24_000, 12_000))[1_000 : 11_000 - late]
    noise = sum((a - b) ** 2 for a, b in zip(got, want, strict=True))
    signal = sum(b * b for b in want)
    assert 10 * math.log10(signal / noise) > 34


def test_an_encoder_refuses_half_a_sample() -> None:
    with pytest.raises(AudioError, match="odd byte"):
        G711Encoder("ulaw").push(b"abc")
