"""The core's statistics as the contract has them. Neighbours: `native` (the adapter), `statistics` (the types)."""

from __future__ import annotations

from typing import TypeAlias

from parley.media.events import StatisticsTold
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.statistics import LayerStatistics, PeerStatistics, PublicationStatistics, SubscriptionStatistics

__all__ = ["ToldPeer", "statistics_told"]

_Layer: TypeAlias = tuple[str | None, int, int, int, float, int]
_Publication: TypeAlias = tuple[str, str, int, int, tuple[_Layer, ...]]
_Sent: TypeAlias = tuple[int, int, int, int]
_Reported: TypeAlias = tuple[float | None, float | None, int, int]
_Subscription: TypeAlias = tuple[str, str, str | None, _Sent, _Reported]
ToldPeer: TypeAlias = tuple[str, int | None, float | None, tuple[_Publication, ...], tuple[_Subscription, ...]]
"""As `parley._media` tells it."""


def statistics_told(query: int, peers: tuple[ToldPeer, ...]) -> StatisticsTold:
    """Name the numbers of all peers of one shard."""
    return StatisticsTold(query, tuple(_peer(peer) for peer in peers))


def _peer(told: ToldPeer) -> PeerStatistics:
    peer, estimate, round_trip_ms, publications, subscriptions = told
    return PeerStatistics(
        PeerId(peer),
        estimate,
        round_trip_ms,
        tuple(
            PublicationStatistics(
                mid, PublicationId(name), subscribers, asked, tuple(LayerStatistics(*layer) for layer in layers)
            )
            for mid, name, subscribers, asked, layers in publications
        ),
        tuple(
            SubscriptionStatistics(mid, PublicationId(name), rid, *sent, *reported)
            for mid, name, rid, sent, reported in subscriptions
        ),
    )
