"""A seat for an AI of this very process: a third-party session whose far end needs no connection.

A third-party session offers; whoever answers is a server. Where the answerer is this process it knows the offer by its
ufrag and sits down instead: its voice becomes the session's track, and what the session pulls is what it hears. No
packet is encrypted, sent and decoded for that, and the session counts as connected at once.
What lives here: the seat and the roles around it. What does not: voices and ears (`parley.transports.seated`), and when
a seat's tracks change (`roster`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parley.calls.transceiver import SessionId, Source, publication_id
from parley.media.peer_spec import PublicationId

__all__ = ["Occupant", "Seat", "SeatedTracks", "seated_tracks"]


class Occupant(Protocol):
    """Who sits there."""

    def publish(self, publication: PublicationId, shard: int) -> None:
        """Speak as this publication from now on."""

    def hear(self, publication: PublicationId | None) -> None:
        """Listen to this publication instead of the last; None: to nothing."""

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
    """What an occupant says and hears."""

    publication: PublicationId | None = None
    heard: PublicationId | None = None


def seated_tracks(session_id: str, publishes: list[str], pulls: list[Source]) -> SeatedTracks:
    """Say which of a session's tracks are its occupant's: the first that it publishes, the first that it pulls."""
    own = Source(SessionId(session_id), publishes[0]) if publishes else None
    return SeatedTracks(publication_id(own) if own else None, publication_id(pulls[0]) if pulls else None)
