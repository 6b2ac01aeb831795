"""Take the silence off both ends of a synthesised clause, as it streams.

Many voices put a quarter of a second or more of digital silence before and behind every utterance: before the first
word it is latency, between clauses it makes pauses nobody meant. Neighbour: `clause_speech`, which says how much stays.
"""

from __future__ import annotations

import array

__all__ = ["SilenceTrim"]

_BYTES_PER_MS = 48
_WINDOW_BYTES = 10 * _BYTES_PER_MS
_LOUD = 120
"""Peak of a 10 ms window, of 32768, above which there is sound (-49 dB)."""


class SilenceTrim:
    """Push PCM16 mono 24 kHz, take what is to be heard. Sound is never held back, only silence that may be the end."""

    def __init__(self, *, lead_ms: int, tail_ms: int) -> None:
        """Leave `lead_ms` before the first sound and `tail_ms` behind the last."""
        self._lead_bytes = lead_ms * _BYTES_PER_MS
        self._tail_bytes = tail_ms * _BYTES_PER_MS
        self._held = b""
        self._begun = False
        self._quiet_out = 0
        self._trimmed_bytes = 0

    @property
    def trimmed_lead_ms(self) -> int:
        """How much earlier everything sounds than the synthesizer thinks."""
        return self._trimmed_bytes // _BYTES_PER_MS

    def push(self, pcm: bytes) -> bytes:
        """Give what may be played already."""
        data = self._held + pcm
        known_quiet = max(0, len(self._held) - _WINDOW_BYTES)
        if not self._begun:
            onset = _first_loud(data, known_quiet)
            self._begun = onset is not None
            start = max(0, (len(data) if onset is None else onset) - self._lead_bytes)
            start -= start % _BYTES_PER_MS
            self._trimmed_bytes += start
            data = data[start:]
            known_quiet = 0
            if not self._begun:
                self._held = data
                return b""
        end = _last_loud(data, known_quiet)
        out = min(len(data), end + self._tail_bytes if end else max(0, self._tail_bytes - self._quiet_out))
        self._quiet_out = out - end if end else self._quiet_out + out
        self._held = data[out:]
        return data[:out]

    def flush(self) -> bytes:
        """Drop the silence at the end; give what there is of a clause that was nothing but silence."""
        held, self._held = self._held, b""
        return b"" if self._begun else held


def _is_loud(window: bytes) -> bool:
    samples = array.array("h", window)
    return max(samples) > _LOUD or min(samples) < -_LOUD


def _first_loud(data: bytes, from_byte: int) -> int | None:
    for at in range(from_byte, len(data) - 1, _WINDOW_BYTES):
        if _is_loud(data[at : at + _WINDOW_BYTES]):
            return at
    return None


def _last_loud(data: bytes, to_byte: int) -> int:
    """Give where the last loud window behind `to_byte` ends, 0 if there is none."""
    for end in range(len(data), to_byte, -_WINDOW_BYTES):
        if _is_loud(data[max(0, end - _WINDOW_BYTES) : end]):
            return end
    return 0
