"""What passed over one session, in the API's words: from the media plane's numbers to tracks. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from parley.calls.session import CallsSession
from parley.calls.transceiver import publication_id
from parley.media.statistics import PeerStatistics, PublicationStatistics, SubscriptionStatistics
from parley.protocol.calls import LayerStatistics, LocalTrackStatistics, RemoteTrackStatistics, SessionStatistics

__all__ = ["session_statistics"]


def session_statistics(session: CallsSession, peers: Iterable[PeerStatistics]) -> SessionStatistics:
    """Tell of `session`, out of what all shards told. A peer may be told of by several: they are put together."""
    mine = [each for each in peers if each.peer == session.negotiation.peer]
    local = [_local(session, each) for peer in mine for each in peer.publications]
    remote = [_remote(session, each) for peer in mine for each in peer.subscriptions]
    return SessionStatistics(
        next((each.estimate_bits_per_second for each in mine if each.estimate_bits_per_second is not None), None),
        next((each.round_trip_ms for each in mine if each.round_trip_ms is not None), None),
        [each for each in local if each],
        [each for each in remote if each],
    )


def _local(session: CallsSession, told: PublicationStatistics) -> LocalTrackStatistics | None:
    known = session.transceivers.get(told.mid)
    if known is None or known.publishes is None:
        return None
    layers = [
        LayerStatistics(each.rid, each.packets, each.payload_bytes, each.lost, each.jitter_ms, each.bits_per_second)
        for each in told.layers
    ]
    return LocalTrackStatistics(told.mid, known.publishes, told.keyframes_asked, layers)


def _remote(session: CallsSession, told: SubscriptionStatistics) -> RemoteTrackStatistics | None:
    known = session.transceivers.get(told.mid)
    if known is None or known.pull is None or publication_id(known.pull.source) != told.publication:
        return None
    source = known.pull.source
    return RemoteTrackStatistics(
        told.mid,
        source.session_id,
        source.track_name,
        told.rid,
        told.packets,
        told.payload_bytes,
        told.bits_per_second,
        told.switches,
        told.loss,
        told.jitter_ms,
        told.nacks,
        told.keyframes_wanted,
    )
