"""A realtime session that sits in a call of this process: a voice and an ear on the media plane, and no peer.

It fills the same place as `webrtc.WebRtcCall`, whose life it shares: it ends with its session or with its seat. What it
hears may change while it listens, from one speaker to the next or to nobody; its lane goes on where it was.
Neighbours: `paced_speaker` (the voice), `parley.calls.seat` (who sits where).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from parley.audio import AudioBlock
from parley.media.commands import CloseListener, ListenerId, OpenListener, SpeakerId
from parley.media.peer_spec import PeerSpec, PublicationId
from parley.media.switchboard import Switchboard
from parley.transports.paced_speaker import PacedSpeaker
from parley.transports.webrtc import CallEnd, CallSession
from parley.transports.websocket import Link

__all__ = ["SeatToTake", "SeatedCall"]

_LANE = "0"


class SeatToTake(Protocol):
    """`parley.calls.seat.Seat`"""

    def take(self, occupant: SeatedCall) -> None: ...
    def free(self) -> None: ...


class SeatedCall:
    """See the module. `name` is unique in the process."""

    def __init__(self, board: Switchboard, name: str, seat: SeatToTake) -> None:
        self._board = board
        self._name = name
        self._seat = seat
        self._session: CallSession | None = None
        self._listener: ListenerId | None = None
        self._listeners = 0
        self._lane_start = 0
        self._lane_end = 0
        self._over = asyncio.Event()
        self.speaker = PacedSpeaker(board, SpeakerId(f"{name}/mouth"))
        self.blocks_dropped = 0

    def change(self, spec: PeerSpec) -> None:
        """Nothing connects, so nothing is restarted."""

    async def run(self, session: CallSession, attach: Callable[[], Link | None]) -> CallEnd:
        """Sit until the session or the seat is over; give what ended it. Sidebands see the events."""
        self._session = session
        self.speaker.report = session.report_playout
        self._seat.take(self)
        try:
            async with asyncio.TaskGroup() as group:
                ended = group.create_task(_ended(session))
                left = group.create_task(self._over.wait())
                await asyncio.wait({ended, left}, return_when=asyncio.FIRST_COMPLETED)
                end: CallEnd = "remote" if left.done() else "hung_up"
                ended.cancel()
                left.cancel()
            return end
        finally:
            self.hear(None)
            self.speaker.close()
            self._seat.free()
            session.hang_up()

    # What the seat says.

    def publish(self, publication: PublicationId, shard: int) -> None:
        """Speak as this publication."""
        self.speaker.open(publication, shard)

    def hear(self, publication: PublicationId | None) -> None:
        """Listen to another publication, or to nothing."""
        if self._listener is not None:
            self._board.forget(self._listener)
            self._board.submit(CloseListener(self._listener))
            self._listener = None
        if publication is None:
            return
        self._listeners += 1
        self._lane_start = self._lane_end
        self._listener = ListenerId(f"{self._name}/ear{self._listeners}")
        self._board.on_listener(self._listener, lambda heard: self._heard(heard.block))
        self._board.submit(OpenListener(self._listener, publication, _LANE))

    def leave(self) -> None:
        """Go: the seat is no more."""
        self._over.set()

    def _heard(self, block: AudioBlock) -> None:
        """Pass a block on. Every listener counts from 0; the lane goes on."""
        moved = replace(
            block,
            start_sample=block.start_sample + self._lane_start,
            speech_start_sample=block.speech_start_sample + self._lane_start,
        )
        self._lane_end = moved.end_sample
        if self._session is not None:
            self.blocks_dropped += not self._session.hear(moved)


async def _ended(session: CallSession) -> None:
    await session.wait_ended()
