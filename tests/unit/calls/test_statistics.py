"""What passed over a session, in the API's words."""

from __future__ import annotations

from calls_kit import CallsWorld

from parley.calls.session_statistics import session_statistics
from parley.calls.transceiver import Source, publication_id
from parley.media.peer_spec import PublicationId
from parley.media.statistics import LayerStatistics, PeerStatistics, PublicationStatistics, SubscriptionStatistics


async def test_numbers_of_the_plane_become_those_of_tracks() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.push("camera", kind="video")
    await bob.pull((alice, "mic"))
    session = world.service._roster.apps[world.access.app.app_id].members[bob.session_id].session  # type: ignore[index]
    peer = session.negotiation.peer
    assert peer is not None
    source = publication_id(Source(alice.session_id, "mic"))  # type: ignore[arg-type]
    layer = LayerStatistics("h", 10, 1_000, 1, 2.5, 80_000)
    given = PublicationStatistics("0", PublicationId("calls/x/camera"), 3, 2, (layer,))
    got = SubscriptionStatistics("1", source, None, 50, 8_000, 64_000, 1, 0.01, 3.0, 0, 0)
    stale = SubscriptionStatistics("1", PublicationId("calls/x/gone"), None, 1, 1, 1, 1, None, None, 0, 0)
    told = session_statistics(
        session,
        [
            PeerStatistics(peer, None, 20.0, (given,), ()),
            PeerStatistics(peer, 500_000, None, (), (got, stale)),
            PeerStatistics(alice.remote._spec.peer, 1, 1.0, (given,), (got,)),
        ],
    )
    assert (told.estimate_bits_per_second, told.round_trip_ms) == (500_000, 20.0)
    assert [(each.track_name, each.layers[0].rid, each.layers[0].lost) for each in told.local] == [("camera", "h", 1)]
    assert [(each.track_name, each.session_id, each.packets) for each in told.remote] == [("mic", alice.session_id, 50)]
    assert [each.loss for each in told.remote] == [0.01]
