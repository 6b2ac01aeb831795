"""Write WAV: a whole file, or the header of a stream whose length nobody knows yet. `decode_file` reads."""

from __future__ import annotations

import struct

from parley.audio.block import RATE_HZ, SAMPLE_BYTES

__all__ = ["wav_bytes", "wav_header"]

_UNKNOWN_SIZE = 0xFFFF_FFFF
_HEADER_BYTES = 44


def wav_header(data_bytes: int | None = None, *, rate_hz: int = RATE_HZ, channels: int = 1) -> bytes:
    """Make the 44 bytes before `data_bytes` of PCM16; None writes the sizes that mean "until the stream ends".

    Raises `ValueError` if the data is too long for the format (4 GiB).
    """
    if data_bytes is None:
        riff_bytes = data_bytes = _UNKNOWN_SIZE
    else:
        riff_bytes = data_bytes + _HEADER_BYTES - 8
        if riff_bytes > _UNKNOWN_SIZE:
            raise ValueError(f"{data_bytes} bytes do not fit into a WAV file; split the audio below 4 GiB")
    frame_bytes = channels * SAMPLE_BYTES
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        riff_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate_hz,
        rate_hz * frame_bytes,
        frame_bytes,
        SAMPLE_BYTES * 8,
        b"data",
        data_bytes,
    )


def wav_bytes(pcm: bytes | bytearray | memoryview, *, rate_hz: int = RATE_HZ, channels: int = 1) -> bytes:
    """Make a WAV file of PCM16."""
    return wav_header(len(pcm), rate_hz=rate_hz, channels=channels) + bytes(pcm)
