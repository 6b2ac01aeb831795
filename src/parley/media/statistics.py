"""What passed through the media plane, told on demand: plain numbers by peer, publication and subscription.

Rates are of the last seconds, counts since the beginning. Bytes are of payload, without headers and encryption.
Neighbours: `commands.AskStatistics` asks, `events.StatisticsTold` carries the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.media.peer_spec import PeerId, PublicationId

__all__ = ["LayerStatistics", "PeerStatistics", "PublicationStatistics", "SubscriptionStatistics"]


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """One simulcast layer of a publication, or all of it where there are none (`rid` is None)."""

    rid: str | None
    packets: int
    payload_bytes: int
    lost: int
    """Packets that never came, neither at first nor as a retransmission."""
    jitter_ms: float
    """RFC 3550 §6.4.1."""
    bits_per_second: int


@dataclass(frozen=True, slots=True)
class PublicationStatistics:
    """What a peer gives on one slot."""

    mid: str
    publication: PublicationId
    subscribers: int
    """Slots on this shard that are fed with it."""
    keyframes_asked: int
    """Of the peer."""
    layers: tuple[LayerStatistics, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionStatistics:
    """What a peer gets on one slot. What the peer reports is None or 0 until it does."""

    mid: str
    publication: PublicationId
    rid: str | None
    """The layer that is forwarded now."""
    packets: int
    payload_bytes: int
    bits_per_second: int
    switches: int
    """Changes of layer or source."""
    loss: float | None
    """As the peer reports, 0 to 1."""
    jitter_ms: float | None
    """As the peer reports."""
    nacks: int
    keyframes_wanted: int


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """One peer."""

    peer: PeerId
    estimate_bits_per_second: int | None = None
    """What its network carries from us, where that is estimated."""
    round_trip_ms: float | None = None
    publications: tuple[PublicationStatistics, ...] = ()
    subscriptions: tuple[SubscriptionStatistics, ...] = ()
