"""A seat for an AI of this very process: a third-party session whose far end needs no connection.

A third-party session offers; whoever answers is a server. Where the answerer is this process it knows the offer by its
ufrag and sits down instead: the session's peer on the plane has no connection, the occupant's voice is the session's
track, and what the session pulls is heard on its slot. No packet is encrypted, sent and decoded for that, and the
session counts as connected at once.
What lives here: the seat and the roles around it. What does not: voices and ears (`parley.transports.seated`), and when
a seat's tracks change (`roster`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from parley.calls.transceiver import SessionId, Source, Transceiver, heard_as, publication_id
from parley.media.peer_spec import PublicationId

__all__ = ["Occupant", "Seat", "SeatedTracks", "seated_tracks"]


class Occupant(Protocol):
    """Who sits there."""

    def publish(self, publication: PublicationId, shard: int) -> None:
        """Speak as this publication from now on."""

    def hear(self, slot: PublicationId) -> None:
        """Listen to what is sent to this slot from now on."""

    def leave(self) -> None:
        """Go: the session is over."""


class Seat(Protocol):
    """A session that waits for its far end."""

    def take(self, occupant: Occupant) -> None:
        """Sit down."""

    def free(self) -> None:
        """Stand up: the session ends."""


@dataclass(frozen=True, slots=True)
class SeatedTracks:
    """What an occupant says, and where it hears."""

    publication: PublicationId | None = None
    slot: PublicationId | None = None


def seated_tracks(session_id: SessionId, transceivers: Iterable[Transceiver]) -> SeatedTracks:
    """Say which of a session's tracks are its occupant's: the first that it publishes, the first that it is sent."""
    places = list(transceivers)
    said = next((each.publishes for each in places if each.publishes is not None), None)
    slot = next((heard_as(session_id, each.mid) for each in places if each.can_send), None)
    return SeatedTracks(publication_id(Source(session_id, said)) if said is not None else None, slot)
