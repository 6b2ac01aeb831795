"""A listener of the loopback plane: a publication's frames as a lane's blocks, gated by voice, at most 5 s unread."""

from __future__ import annotations

from collections import deque

from parley.audio import RATE_HZ, SAMPLE_BYTES, AudioBlock, LaneFeed, ms_to_samples
from parley.media.commands import OpenListener
from parley.media.plane import FRAME_SAMPLES, MAX_UNDRAINED_AUDIO_SAMPLES

__all__ = ["Listening"]

_ONSET_PROBABILITY = 0.35
"""Where a resting listener wakes: below every sensible threshold of turn detection, so that it never decides a turn."""
_GAP_SAMPLES = RATE_HZ
_SILENCE = bytes(FRAME_SAMPLES * SAMPLE_BYTES)


class Listening:
    """One listener's state: its time line, its gate, and what nobody has fetched yet."""

    def __init__(self, command: OpenListener) -> None:
        self.publication = command.publication
        self._feed = LaneFeed(command.lane, detect_speech=command.detect_speech)
        self._gated = command.only_speech and command.detect_speech
        self._resting = self._gated
        self._pre_roll_samples = ms_to_samples(command.pre_roll_ms)
        self._pre_roll: deque[AudioBlock] = deque()
        self._unread_samples = 0
        self._missed_samples = 0

    def rest(self) -> None:
        """Close the gate until the next voice, if there is a gate."""
        self._resting = self._gated

    def fetched(self, samples: int) -> None:
        """Count audio as read."""
        self._unread_samples -= samples

    def hear(self, frame: bytes | None) -> list[AudioBlock] | None:
        """Take 20 ms, or silence, and give the blocks to post; None if this one is dropped."""
        if not self._resting and self._unread_samples >= MAX_UNDRAINED_AUDIO_SAMPLES:
            self._missed_samples += FRAME_SAMPLES
            return None
        blocks = self._gap()
        block = self._feed.push(_SILENCE if frame is None else frame)
        if self._resting:
            blocks += self._woken(block)
        else:
            blocks.append(block)
        self._unread_samples += sum(block.samples for block in blocks)
        return blocks

    def _gap(self) -> list[AudioBlock]:
        blocks = []
        while self._missed_samples:
            samples = min(self._missed_samples, _GAP_SAMPLES)
            self._missed_samples -= samples
            blocks.append(self._feed.gap(samples))
        return blocks

    def _woken(self, block: AudioBlock) -> list[AudioBlock]:
        self._pre_roll.append(block)
        if max(block.speech, default=0.0) >= _ONSET_PROBABILITY:
            self._resting = False
            blocks = list(self._pre_roll)
            self._pre_roll.clear()
            return blocks
        while sum(kept.samples for kept in self._pre_roll) - self._pre_roll[0].samples >= self._pre_roll_samples:
            self._pre_roll.popleft()
        return []
