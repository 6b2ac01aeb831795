"""What a session hears of one publication: a listener on the media plane, and its place on the lane.

The lane's time line begins when the first listener does and goes on for the session's life; a listener opened in place
of another counts from 0 and is put where the lane is by then. Implements `runtime.attention.Ears` by shape.
Neighbours: `webrtc` and `seated` (own one each), `paced_speaker` (the other direction).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from parley.audio import AudioBlock, ms_to_samples
from parley.media.commands import CloseListener, GatherSound, ListenerId, OpenListener, RestListener
from parley.media.events import AudioHeard
from parley.media.peer_spec import PublicationId
from parley.media.switchboard import Switchboard

__all__ = ["Ears"]

_LANE = "0"


class Ears:
    """See the module. `name` is unique in the process."""

    def __init__(self, board: Switchboard, name: str) -> None:
        self._board = board
        self._name = name
        self._publication: PublicationId | None = None
        self._hear: Callable[[AudioBlock], bool] = lambda block: True
        self._listener: ListenerId | None = None
        self._opened = 0
        self._only_speech = False
        self._pre_roll_ms = 500
        self._gather_up_to_ms = 0
        self._gather_above = 0.0
        self._lane_began_at: float | None = None
        """By the loop's clock, when the first listener was opened."""
        self._offset = 0
        self._end_sample = 0
        self.blocks_dropped = 0
        """Sound that the session was too late to take."""

    def open(self, publication: PublicationId, hear: Callable[[AudioBlock], bool]) -> None:
        """Hand what is heard to `hear`, which says whether it was taken."""
        self._publication, self._hear = publication, hear
        self._listen(publication)

    def attend(self, *, only_speech: bool, pre_roll_ms: int) -> None:
        """Listen to everything, or hold silence back from now on."""
        self._only_speech, self._pre_roll_ms = only_speech, pre_roll_ms
        if self._publication is not None:
            self._listen(self._publication)

    def gather(self, *, up_to_ms: int, above: float) -> None:
        """Let blocks be so long from now on, while voice probabilities are not below `above`."""
        self._gather_up_to_ms, self._gather_above = up_to_ms, above
        if self._listener is not None:
            self._board.submit(GatherSound(self._listener, up_to_ms, above))

    def rest(self) -> None:
        """Hold silence back until the next voice."""
        if self._listener is not None:
            self._board.submit(RestListener(self._listener))

    def close(self) -> None:
        """Hear nothing more."""
        self._publication = None
        self._stop()

    def _listen(self, publication: PublicationId) -> None:
        """Open a listener, in place of the one there was."""
        self._stop()
        now = asyncio.get_running_loop().time()
        if self._lane_began_at is None:
            self._lane_began_at = now
        self._offset = max(self._end_sample, ms_to_samples(round((now - self._lane_began_at) * 1000)))
        self._opened += 1
        self._listener = ListenerId(f"{self._name}/ear{self._opened}")
        self._board.on_listener(self._listener, self._heard)
        self._board.submit(
            OpenListener(
                self._listener, publication, _LANE, only_speech=self._only_speech, pre_roll_ms=self._pre_roll_ms
            )
        )
        if self._gather_up_to_ms:
            self._board.submit(GatherSound(self._listener, self._gather_up_to_ms, self._gather_above))

    def _stop(self) -> None:
        if self._listener is not None:
            self._board.forget(self._listener)
            self._board.submit(CloseListener(self._listener))
            self._listener = None

    def _heard(self, heard: AudioHeard) -> None:
        block = replace(
            heard.block,
            start_sample=heard.block.start_sample + self._offset,
            speech_start_sample=heard.block.speech_start_sample + self._offset,
        )
        self._end_sample = block.end_sample
        self.blocks_dropped += not self._hear(block)
