"""Keep the audio of one turn as a recogniser at 16 kHz wants it: what is unread, and whether anybody spoke in it.

PCM16 at 24 kHz comes in; out come *passages*, stretches of samples with the amount of voice heard in them. Reading
them is `moonshine`'s business, judging loudness `utterance`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley.audio import RATE_HZ as SESSION_RATE_HZ
from parley.audio import Resampler, VoiceActivity
from parley.engines.local.utterance import only_silence_follows, quietest_point

__all__ = ["RATE_HZ", "Passage", "TurnAudio"]

RATE_HZ = 16_000
_WINDOW_SAMPLES = RATE_HZ * 16 // 1000
_VOICE = 0.5
_NO_VOICE = 0.35


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a turn: its samples (16 kHz, -1..1) and for how many of its 16 ms windows there was a voice."""

    samples: NDArray[np.float32]
    voiced_windows: int


class TurnAudio:
    """The turn's unread end, its *tail*, and the voice heard in all of it. Never blocks; costs about 1 % of a core."""

    def __init__(self) -> None:
        self._resampler = Resampler(SESSION_RATE_HZ, RATE_HZ)
        self._voice_activity = VoiceActivity()
        self._voice: list[float] = []
        self._pieces: list[NDArray[np.float32]] = []
        self._start = 0
        self._samples = 0

    @property
    def tail_samples(self) -> int:
        """Length of the tail."""
        return self._samples

    def push(self, pcm: bytes) -> int:
        """Add PCM16 mono 24 kHz and give the samples by which the tail grew."""
        self._voice += self._voice_activity.push(pcm)
        return self._append(self._resampler.push(pcm))

    def flush(self) -> None:
        """Add what the resampler held back: the turn is over."""
        self._append(self._resampler.flush())

    def tail(self) -> Passage:
        """Give all of the tail."""
        samples = self._gather()
        return Passage(samples, self._voiced_windows(0, samples.size))

    def cut_front(self, longest_samples: int, shortest_samples: int) -> Passage:
        """Cut a tail of at least `longest_samples` at its quietest point after `shortest_samples`; give the front."""
        samples = self._gather()
        at = quietest_point(samples[:longest_samples], shortest_samples)
        front = Passage(samples[:at], self._voiced_windows(0, at))
        self._pieces = [samples[at:]]
        self._samples -= at
        self._start += at
        return front

    def silent_since(self, at_samples: int) -> bool:
        """Whether nothing but silence came after the tail's first `at_samples`."""
        first = (self._start + at_samples) // _WINDOW_SAMPLES + 1
        if any(probability >= _NO_VOICE for probability in self._voice[first:]):
            return False
        samples = self._gather()
        return only_silence_follows(samples[:at_samples], samples[at_samples:])

    def clear(self) -> None:
        """Forget the tail."""
        self._pieces.clear()
        self._samples = 0

    def _append(self, pcm: bytes) -> int:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._pieces.append(samples)
        self._samples += samples.size
        return samples.size

    def _voiced_windows(self, from_samples: int, to_samples: int) -> int:
        first = (self._start + from_samples) // _WINDOW_SAMPLES
        last = -(-(self._start + to_samples) // _WINDOW_SAMPLES)
        return sum(probability >= _VOICE for probability in self._voice[first:last])

    def _gather(self) -> NDArray[np.float32]:
        """Give the tail in one piece; the pieces stay merged, so that asking again is cheap."""
        whole = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        self._pieces = [whole]
        return whole
