"""What a session knows of one of its m-lines: what it publishes there, what is pulled into it. Plain data.

Neighbours: `session` (changes them), `parley.sdp` (their negotiated half).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

from parley.media.commands import LayerFallback
from parley.media.peer_spec import PublicationId
from parley.protocol.calls import MediaKind, Simulcast
from parley.sdp import LocalStream, NegotiatedSlot

__all__ = ["Publication", "Pull", "SessionId", "Source", "Transceiver", "heard_as", "publication_id"]

SessionId = NewType("SessionId", str)
"""32 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Source:
    """A track as any session of the app may name it."""

    session_id: SessionId
    track_name: str


def publication_id(source: Source) -> PublicationId:
    """Name a track for the media plane. It stays the same when the track moves to another m-line."""
    return PublicationId(f"calls/{source.session_id}/{source.track_name}")


def heard_as(session_id: SessionId, mid: str) -> PublicationId:
    """Name what is sent to an m-line, for ears of this process."""
    return PublicationId(f"heard/{session_id}/{mid}")


@dataclass(frozen=True, slots=True)
class Publication:
    """A track that can be pulled."""

    source: Source
    kind: MediaKind
    rids: tuple[str, ...] = ()
    """Its simulcast layers, if it has any."""


@dataclass(frozen=True, slots=True)
class Pull:
    """What is sent into an m-line."""

    source: Source
    simulcast: Simulcast | None = None

    @property
    def preferred_rid(self) -> str | None:
        """The layer that was asked for."""
        return self.simulcast.preferred_rid if self.simulcast else None

    @property
    def under_pressure(self) -> LayerFallback:
        """What is sent where the network does not carry that layer. What nobody said is measured."""
        return _fallback(self.simulcast.priority_ordering if self.simulcast else None)

    @property
    def when_missing(self) -> LayerFallback:
        """What is sent where that layer is not."""
        asked = self.simulcast
        if asked and asked.rid_not_available is None and asked.rid_unavailable_strategy is not None:
            return "asciibetical" if asked.rid_unavailable_strategy == "nextPriority" else "never"
        return _fallback(asked.rid_not_available if asked else None)


def _fallback(policy: Literal["none", "asciibetical"] | None) -> LayerFallback:
    # DEVIATION: the vendor's default is "none", which keeps a layer that the network does not carry.
    if policy is None:
        return "measured"
    return "never" if policy == "none" else policy


@dataclass(frozen=True, slots=True)
class Transceiver:
    """One m-line for media."""

    mid: str
    kind: MediaKind
    stream: LocalStream
    """What we send there if we send: its SSRCs stay for the m-line's life, whatever is pulled into it."""
    bidirectional: bool = False
    publishes: str | None = None
    pull: Pull | None = None
    slot: NegotiatedSlot | None = None
    """As negotiated last; None until then."""

    @property
    def wants_to_send(self) -> bool:
        """Whether our descriptions show that we send here."""
        return self.bidirectional or self.pull is not None

    @property
    def can_send(self) -> bool:
        """Whether the client receives here."""
        return self.slot is not None and self.slot.send is not None

    @property
    def receives(self) -> bool:
        """Whether the client sends here."""
        return self.slot is not None and bool(self.slot.receive)

    @property
    def rids(self) -> tuple[str, ...]:
        """The layers that the client sends here."""
        return tuple(stream.rid for stream in self.slot.receive if stream.rid) if self.slot else ()
