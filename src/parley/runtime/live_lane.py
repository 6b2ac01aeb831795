"""The lane of a call: sound that arrives in real time beside the events, not inside them.

Its time line runs on time: blocks come whether or not anybody speaks, and a block that was lost shows as a hole. Events
travel on another path and may overtake the sound that they are about: a client that lets go of its talk button sends
`input_audio_buffer.commit` while its last word still waits in the jitter buffer. So a commit is held here until the
lane has gone on by `COMMIT_LAG_MS`, and whatever the client sends behind it waits as well.

Neighbours: `mailbox` (blocks wait there), `runner` (moves the machine), `appends` (the other way in).
"""

from __future__ import annotations

from parley.audio import AudioBlock, LaneFeed, ms_to_samples
from parley.protocol.realtime.ids import LaneId, Ms
from parley.protocol.realtime.inputs import LaneAdvanced
from parley.protocol.realtime.session_config import NoiseReduction
from parley.runtime.mailbox import Frame
from parley.runtime.noise import tune

__all__ = ["COMMIT_LAG_MS", "LiveLane"]

COMMIT_LAG_MS = 160
"""Two packets and what a jitter buffer usually holds (Realtime API: wait 100 to 200 ms)."""
_GATHERED_AT_MOST_MS = 100
"""A lane that has said nothing for longer stands still."""
_GIVE_UP_MS = 500
"""A commit waits no longer than this for a lane that stands still."""


class LiveLane:
    """Where the lane is, and the commit that waits for it. Touched by the owner task only."""

    def __init__(self, lane: LaneId) -> None:
        self.lane = lane
        self.end_sample = 0
        self._feed: LaneFeed | None = None
        """Cleans the lane's sound, if the session wants that."""
        self._held: Frame | None = None
        self._heard_at = Ms(0)
        self._until_sample = 0
        self._until: Ms | None = None

    @property
    def holding(self) -> bool:
        """Whether a commit waits, and client frames with it."""
        return self._held is not None

    @property
    def deadline(self) -> Ms | None:
        """When the wait is over whatever the lane does."""
        return self._until

    def cleaned(self, block: AudioBlock, wanted: NoiseReduction | None) -> AudioBlock:
        """Reduce the block's noise as `wanted`, and hear voices in what is left. A hole in the line begins anew."""
        if wanted is None:
            self._feed = None
            return block
        if self._feed is None or self._feed.next_sample != block.start_sample:
            self._feed = LaneFeed(self.lane, start_sample=block.start_sample)
        tune(self._feed, wanted)
        return self._feed.gap(block.samples) if block.gap else self._feed.push(block.pcm)

    def advance(self, block: AudioBlock, now: Ms) -> LaneAdvanced:
        """Take the next block."""
        self._heard_at = now
        self.end_sample = block.end_sample
        return LaneAdvanced(
            self.lane, block.start_sample, block.samples, block.speech, block.speech_start_sample, block.gap
        )

    def hold(self, commit: Frame, now: Ms) -> None:
        """Keep a commit until the sound it is about has come, what is being gathered included."""
        self._held = commit
        gathered_ms = min(now - self._heard_at, _GATHERED_AT_MOST_MS)
        self._until_sample = self.end_sample + ms_to_samples(gathered_ms + COMMIT_LAG_MS)
        self._until = Ms(now + _GIVE_UP_MS)

    def release(self, now: Ms) -> Frame | None:
        """Give the commit, once its sound is here or the wait has been long enough."""
        if self._until is None or (self.end_sample < self._until_sample and now < self._until):
            return None
        held, self._held, self._until = self._held, None, None
        return held
