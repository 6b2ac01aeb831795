"""A realtime session that sits in a call of this process: a voice and an ear on the media plane, and no connection.

It fills the same place as `webrtc.WebRtcCall`, whose life it shares: it ends with its session or with its seat. What it
hears is a slot of the seat's peer: that runs on time, whoever is sent to it, from one speaker to the next or nobody.
Neighbours: `paced_speaker` (the voice), `ears`, `parley.calls.seat` (who sits where).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from parley.media.commands import SpeakerId
from parley.media.peer_spec import PeerSpec, PublicationId
from parley.media.switchboard import Switchboard
from parley.transports.ears import Ears
from parley.transports.paced_speaker import PacedSpeaker
from parley.transports.webrtc import CallEnd, CallSession
from parley.transports.websocket import Link

__all__ = ["SeatToTake", "SeatedCall"]


class SeatToTake(Protocol):
    """`parley.calls.seat.Seat`"""

    def take(self, occupant: SeatedCall) -> None: ...
    def free(self) -> None: ...


class SeatedCall:
    """See the module. `name` is unique in the process."""

    def __init__(self, board: Switchboard, name: str, seat: SeatToTake) -> None:
        self._seat = seat
        self._session: CallSession | None = None
        self._ears = Ears(board, name)
        self._over = asyncio.Event()
        self.speaker = PacedSpeaker(board, SpeakerId(f"{name}/mouth"))

    @property
    def blocks_dropped(self) -> int:
        """Sound that the session was too late to take."""
        return self._ears.blocks_dropped

    def change(self, spec: PeerSpec) -> None:
        """Nothing connects, so nothing is restarted."""

    async def run(self, session: CallSession, attach: Callable[[], Link | None]) -> CallEnd:
        """Sit until the session or the seat is over; give what ended it. Sidebands see the events."""
        self._session = session
        self.speaker.report = session.report_playout
        session.heed(self._ears)
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
            self._ears.close()
            self.speaker.close()
            self._seat.free()
            session.hang_up()

    # What the seat says.

    def publish(self, publication: PublicationId, shard: int) -> None:
        """Speak as this publication."""
        self.speaker.open(publication, shard)

    def hear(self, slot: PublicationId) -> None:
        """Listen to what is sent to this slot."""
        if self._session is not None:
            self._ears.open(slot, self._session.hear)

    def leave(self) -> None:
        """Go: the seat is no more."""
        self._over.set()


async def _ended(session: CallSession) -> None:
    await session.wait_ended()
