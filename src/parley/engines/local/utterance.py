"""Judge the loudness of an utterance: where it can be cut, and whether only silence followed. Pure functions.

Everything is measured on root-mean-square levels of 20 ms frames at 16 kHz, full scale 1.0. What is said in them is
none of this module's business; `turn_audio` is its user.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_levels", "only_silence_follows", "quietest_point"]

_RATE_HZ = 16_000
_FRAME_SAMPLES = _RATE_HZ // 50
_FAINT = 10 ** (-50 / 20)
_PAUSE_FRAMES = 10
"""A cut lies in the middle of the quietest 200 ms."""
_REFERENCE_FRAMES = 5
"""What silence sounds like is taken from the last 100 ms before it was noticed."""
_ABOVE_REFERENCE = 1.8
_BELOW_SPEECH = 0.4


def frame_levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the level of every whole 20 ms frame."""
    whole = samples.size // _FRAME_SAMPLES * _FRAME_SAMPLES
    frames = samples[:whole].reshape(-1, _FRAME_SAMPLES)
    levels: NDArray[np.float32] = np.sqrt(np.mean(np.square(frames, dtype=np.float32), axis=1))
    return levels


def quietest_point(samples: NDArray[np.float32], earliest_samples: int) -> int:
    """Find the sample after `earliest_samples` in the middle of the quietest 200 ms; of equals, the last."""
    first = earliest_samples // _FRAME_SAMPLES
    energy = np.square(frame_levels(samples)[first:], dtype=np.float64)
    pauses = np.convolve(energy, np.ones(_PAUSE_FRAMES), mode="valid")
    last_best = pauses.size - 1 - int(np.argmin(pauses[::-1]))
    return (first + last_best + _PAUSE_FRAMES // 2) * _FRAME_SAMPLES


def only_silence_follows(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether `after` is no more than the silence that `before` ended with.

    Strict on purpose: a wrong yes loses words, a wrong no costs one more decode. The last frames of `before` say what
    silence sounds like here; nothing nearly as loud as its speech ever counts as silence.
    """
    then = frame_levels(after)
    if then.size == 0 or float(then.max()) < _FAINT:
        return True
    levels = frame_levels(before)
    if levels.size < _REFERENCE_FRAMES:
        return False
    ceiling = min(
        float(levels[-_REFERENCE_FRAMES:].max()) * _ABOVE_REFERENCE,
        float(np.percentile(levels, 90)) * _BELOW_SPEECH,
    )
    return float(then.max()) <= max(ceiling, _FAINT)
