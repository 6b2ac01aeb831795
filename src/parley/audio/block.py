"""A lane's sound in blocks: `AudioBlock`, and `LaneFeed`, which makes blocks of a stream of PCM.

Here is the one place that fixes Python's audio format: 24 kHz, mono, 16 bits, little-endian. Codecs are in `g711`,
files and Opus come from the Rust module; nothing here knows sessions or the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parley._media import AudioError, Denoiser, VoiceActivity

__all__ = [
    "RATE_HZ",
    "SAMPLE_BYTES",
    "VAD_WINDOW_SAMPLES",
    "AudioBlock",
    "LaneFeed",
    "PcmCarry",
    "ms_to_samples",
    "pcm_slices",
    "samples_to_ms",
]

RATE_HZ = 24_000
SAMPLE_BYTES = 2
VAD_WINDOW_SAMPLES = 384
"""16 ms: what one voice probability covers."""


def samples_to_ms(samples: int) -> int:
    """Give the whole milliseconds that `samples` at 24 kHz last, rounded down."""
    return samples * 1000 // RATE_HZ


def ms_to_samples(ms: int) -> int:
    """Give the samples at 24 kHz that last `ms` milliseconds."""
    return ms * RATE_HZ // 1000


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A stretch of one lane, `[start_sample, start_sample + samples)` of its 24 kHz time line.

    `speech` holds a voice probability in 0..1 for each 16 ms window that ends inside the block, in order;
    `speech_start_sample` is where the first of them begins. `gap` says that the samples were never received: `pcm` is
    then silence in their place.
    """

    lane: str
    start_sample: int
    pcm: bytes
    speech: tuple[float, ...] = ()
    speech_start_sample: int = 0
    gap: bool = False

    @property
    def samples(self) -> int:
        """Length in samples."""
        return len(self.pcm) // SAMPLE_BYTES

    @property
    def end_sample(self) -> int:
        """One past the last sample."""
        return self.start_sample + self.samples


class LaneFeed:
    """Turn a lane's PCM, in pieces of any size, into `AudioBlock`s on its time line. One owner; never blocks long.

    Without `detect_speech` the blocks carry no probabilities and cost nothing but the copy. Where `reduce_noise` was
    asked for, blocks hold cleaned sound, and the probabilities are of that; it is late by some 25 ms.
    """

    def __init__(self, lane: str, *, start_sample: int = 0, detect_speech: bool = True) -> None:
        self._lane = lane
        self._next_sample = start_sample
        self._detects_speech = detect_speech
        self._activity: VoiceActivity | None = None  # 10 KiB, which a lane whose blocks come ready-made never needs
        self._window_start = start_sample
        self._denoiser: Denoiser | None = None

    def reduce_noise(self, *, far: bool, strength: float) -> None:
        """Clean what comes next: of a microphone across the room, or at the mouth. `strength` in 0..1."""
        if self._denoiser is None:
            self._denoiser = Denoiser(far=far, strength=strength)
        else:
            self._denoiser.set(far=far, strength=strength)

    def keep_noise(self) -> None:
        """Leave what comes next as it is."""
        self._denoiser = None

    @property
    def next_sample(self) -> int:
        """Where the next block will begin."""
        return self._next_sample

    def push(self, pcm: bytes | bytearray | memoryview) -> AudioBlock:
        """Append PCM16 at 24 kHz. Raises `AudioError` on half a sample."""
        return self._append(bytes(pcm), gap=False)

    def gap(self, samples: int) -> AudioBlock:
        """Append time in which nothing was received."""
        if samples < 0:
            raise AudioError(f"a gap of {samples} samples goes backwards; give 0 or more")
        return self._append(bytes(samples * SAMPLE_BYTES), gap=True)

    def _append(self, pcm: bytes, *, gap: bool) -> AudioBlock:
        if len(pcm) % SAMPLE_BYTES:
            raise AudioError(f"{len(pcm)} bytes are no whole number of 16-bit samples; use PcmCarry on a byte stream")
        if self._denoiser is not None:
            pcm = self._denoiser.push(pcm)
        speech = self._detect(pcm) if self._detects_speech else ()
        block = AudioBlock(self._lane, self._next_sample, pcm, speech, self._window_start, gap)
        self._next_sample = block.end_sample
        self._window_start += len(speech) * VAD_WINDOW_SAMPLES
        return block

    def _detect(self, pcm: bytes) -> tuple[float, ...]:
        if self._activity is None:
            self._activity = VoiceActivity()
        return tuple(self._activity.push(pcm))


class PcmCarry:
    """Join a byte stream of PCM16 whose pieces may end inside a sample: the odd byte waits for the next piece."""

    def __init__(self) -> None:
        self._odd = b""

    @property
    def pending(self) -> bool:
        """Whether half a sample waits."""
        return bool(self._odd)

    def push(self, data: bytes | bytearray | memoryview) -> bytes:
        """Give the whole samples known now."""
        joined = self._odd + bytes(data)
        whole = len(joined) - len(joined) % SAMPLE_BYTES
        self._odd = joined[whole:]
        return joined[:whole]

    def clear(self) -> None:
        """Forget a waiting half sample, as when its buffer is cleared."""
        self._odd = b""


def pcm_slices(pcm: bytes | bytearray | memoryview, samples: int) -> Iterator[memoryview]:
    """Yield `pcm` in views of at most `samples` samples, without copying. Raises `ValueError` unless `samples` > 0."""
    if samples <= 0:
        raise ValueError(f"slices of {samples} samples never end; give 1 or more")
    view = memoryview(pcm)
    step = samples * SAMPLE_BYTES
    for start in range(0, len(view), step):
        yield view[start : start + step]
