"""Make PCM16 mono 24 kHz of whatever a speech server streams when it is asked for PCM. Pure.

Servers send bare PCM, or WAV with sizes that are wrong (0, 0xFFFFFFFF), in pieces of any length that split samples and
headers. Neighbour: `openai_http`, which reads the connection.
"""

from __future__ import annotations

import array
import re
import struct
from dataclasses import dataclass

from parley.audio import RATE_HZ, Resampler

__all__ = ["PcmStream", "UnusableAudio"]

_LONGEST_HEADER_BYTES = 64 * 1024
_FOREIGN = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"\xff\xf1": "AAC"}
_TEXT = (b"{", b"<")


class UnusableAudio(ValueError):  # noqa: N818 - what it is, in the words of the audio package
    """The bytes are no PCM16; the text says what they are, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class _Format:
    header_bytes: int
    rate_hz: int
    channels: int
    data_bytes: int | None


class PcmStream:
    """Push bytes as they come, take PCM; then `flush`. `rate_hz` holds for bare PCM."""

    def __init__(self, rate_hz: int = RATE_HZ, *, content_type: str = "") -> None:
        told = re.search(r"rate=(\d{4,6})", content_type)
        self._rate_hz = int(told.group(1)) if told else rate_hz
        self._head = bytearray()
        self._format: _Format | None = None
        self._resampler: Resampler | None = None
        self._carry = b""
        self._left: int | None = None

    def push(self, data: bytes) -> bytes:
        """Give the PCM that is complete. Raises `UnusableAudio`."""
        if self._format is None:
            self._head += data
            found = self._sniff(bytes(self._head), at_end=False)
            if found is None:
                return b""
            data = self._begin(found)
        return self._convert(data)

    def flush(self) -> bytes:
        """Give the rest. Half a sample at the end is dropped."""
        pcm = b""
        if self._format is None and self._head:
            found = self._sniff(bytes(self._head), at_end=True)
            if found is not None:
                pcm = self._convert(self._begin(found))
        if self._resampler is not None:
            pcm += self._resampler.flush()
        return pcm

    def _begin(self, found: _Format) -> bytes:
        self._format = found
        self._left = found.data_bytes
        if found.rate_hz != RATE_HZ:
            self._resampler = Resampler(found.rate_hz, RATE_HZ)
        data = bytes(self._head[found.header_bytes :])
        self._head.clear()
        return data

    def _convert(self, data: bytes) -> bytes:
        assert self._format is not None
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        data = self._carry + data
        frame_bytes = 2 * self._format.channels
        whole = len(data) // frame_bytes * frame_bytes
        self._carry = data[whole:]
        pcm = _mono(data[:whole], self._format.channels)
        return self._resampler.push(pcm) if self._resampler is not None else pcm

    def _sniff(self, head: bytes, *, at_end: bool) -> _Format | None:
        """Say what the stream is; None as long as its beginning does not tell."""
        if head[:4] == b"RIFF"[: len(head)] and (len(head) >= 4 or not at_end):
            found = _read_header(head)
            if found is None and (at_end or len(head) > _LONGEST_HEADER_BYTES):
                raise UnusableAudio("sent a WAV header without sound")
            return found
        if len(head) < 4 and not at_end:
            return None
        for magic, name in _FOREIGN.items():
            if head.startswith(magic):
                raise UnusableAudio(f"sends {name} although PCM was asked for")
        if head.lstrip()[:1] in _TEXT and _is_text(head[:64]):
            raise UnusableAudio("sent text instead of sound")
        return _Format(0, self._rate_hz, 1, None)


def _is_text(head: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in head)


def _read_header(head: bytes) -> _Format | None:
    """Find format and data in a RIFF file's beginning; None if it is not all there yet. Raises `UnusableAudio`."""
    at, rate_hz, channels = 12, 0, 0
    while at + 8 <= len(head):
        kind, size = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if kind == b"data":
            if not rate_hz:
                raise UnusableAudio("sent a WAV header without a format")
            return _Format(at + 8, rate_hz, channels, size if 0 < size < 0x7FFF_0000 else None)
        if kind == b"fmt ":
            if at + 24 > len(head):
                return None
            code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", head, at + 8)
            if code not in {1, 0xFFFE} or bits != 16 or channels not in {1, 2} or not 4_000 <= rate_hz <= 192_000:
                raise UnusableAudio(f"sends WAV of {bits} bits and {channels} channels, not PCM16")
        at += 8 + size + size % 2
    return None


def _mono(pcm: bytes, channels: int) -> bytes:
    if channels == 1:
        return pcm
    samples = array.array("h", pcm)
    return array.array(
        "h", ((left + right) // 2 for left, right in zip(samples[::2], samples[1::2], strict=True))
    ).tobytes()
