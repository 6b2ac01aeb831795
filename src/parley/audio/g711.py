"""G.711 both ways: the stateless codecs, and streams between 8 kHz law bytes and Parley's 24 kHz PCM.

`ulaw_*` and `alaw_*` convert sample by sample at whatever rate. `G711Decoder` and `G711Encoder` also change the rate;
they keep a filter's state, so use one per stream.
"""

from __future__ import annotations

from typing import Literal

from parley._media import Resampler, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from parley.audio.block import RATE_HZ

__all__ = [
    "G711_RATE_HZ",
    "G711Decoder",
    "G711Encoder",
    "Law",
    "alaw_decode",
    "alaw_encode",
    "ulaw_decode",
    "ulaw_encode",
]

G711_RATE_HZ = 8_000

Law = Literal["ulaw", "alaw"]


class G711Decoder:
    """Law bytes at 8 kHz in, PCM16 at 24 kHz out: three samples for every byte, at once, and 3 ms late."""

    def __init__(self, law: Law) -> None:
        self._decode = ulaw_decode if law == "ulaw" else alaw_decode
        self._resampler = Resampler(G711_RATE_HZ, RATE_HZ, causal=True)

    def push(self, codes: bytes | bytearray | memoryview) -> bytes:
        """Decode a piece of any size."""
        return self._resampler.push(self._decode(codes))


class G711Encoder:
    """PCM16 at 24 kHz in, law bytes at 8 kHz out. The filter holds 3 ms back until `flush`."""

    def __init__(self, law: Law) -> None:
        self._encode = ulaw_encode if law == "ulaw" else alaw_encode
        self._resampler = Resampler(RATE_HZ, G711_RATE_HZ)

    def push(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Encode a piece of whole samples. Raises `AudioError` on half a sample."""
        return self._encode(self._resampler.push(pcm))

    def flush(self) -> bytes:
        """End the stream: encode what was held back, and be as new."""
        return self._encode(self._resampler.flush())
