"""From the bytes of `input_audio_buffer.append` to PCM16 24 kHz, in pieces short enough to share the loop.

One `AppendDecoder` per connection, since an odd byte or a resampler's history belongs to the stream it came from.
Neighbours: `parley.audio` (the codecs), `runner` (puts the pieces on the lane).
"""

from __future__ import annotations

from collections.abc import Iterator

from parley.audio import G711_RATE_HZ, RATE_HZ, G711Decoder, PcmCarry, pcm_slices
from parley.protocol.realtime.session_config import AudioFormat, PcmaFormat, PcmFormat, PcmuFormat

__all__ = ["AppendDecoder"]


class AppendDecoder:
    """Decode one connection's appended audio, whatever its pieces. A change of format begins a new stream."""

    def __init__(self, *, slice_ms: int) -> None:
        self._slice_ms = slice_ms
        self._format: AudioFormat = PcmFormat()
        self._carry = PcmCarry()
        self._g711: G711Decoder | None = None

    def slices(self, audio: bytes, audio_format: AudioFormat) -> Iterator[bytes]:
        """Yield PCM16 24 kHz of at most `slice_ms` each. Half a sample at the end waits for the next append."""
        if audio_format != self._format:
            self._format = audio_format
            self.clear()
        match audio_format:
            case PcmFormat():
                return self._pcm(audio)
            case PcmuFormat():
                self._g711 = self._g711 or G711Decoder("ulaw")
            case PcmaFormat():
                self._g711 = self._g711 or G711Decoder("alaw")
        return self._decoded(audio, self._g711)

    def clear(self) -> None:
        """Forget what waits for the next append: the input buffer was cleared."""
        self._carry.clear()
        self._g711 = None

    def _pcm(self, audio: bytes) -> Iterator[bytes]:
        step = self._slice_ms * RATE_HZ // 1000
        for piece in pcm_slices(self._carry.push(audio), step):
            yield bytes(piece)

    def _decoded(self, audio: bytes, decoder: G711Decoder) -> Iterator[bytes]:
        step = self._slice_ms * G711_RATE_HZ // 1000
        codes = memoryview(audio)
        for start in range(0, len(codes), step):
            yield decoder.push(codes[start : start + step])
