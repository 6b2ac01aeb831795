"""What passed over a session, in the API's words."""

from __future__ import annotations

import asyncio

import pytest
from calls_kit import APP, OTHER_APP, CallsWorld
from media_planes import tone

from parley.calls.session_statistics import session_statistics
from parley.calls.transceiver import SessionId, Source, publication_id
from parley.media.loopback_remote import LoopbackRemote
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


async def told(world: CallsWorld, name: str, *labels: str) -> float:
    """Read a metric after a look at what passes."""
    looking = asyncio.create_task(world.service.look())
    await world.pass_ms(40)
    assert await looking is not None
    for family in world.service.families():
        if family.name == name:
            return next(row.value for row in family.rows if row.labels == labels)
    raise AssertionError(f"there is no {name}")


async def test_a_session_s_listing_has_the_layer_that_is_sent_until_the_source_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("camera", "other", kind="video")
    wish = {"preferredRid": "f"}
    await bob.pull((alice, "camera"), (alice, "other"), simulcast=wish)
    sent = {"0": ("camera", "h"), "1": ("other", None)}
    peer = bob.remote._spec.peer

    def measured(remote: LoopbackRemote) -> PeerStatistics:
        """Say what a plane with real pictures would: this one has none, and so no layers."""
        if remote._spec.peer != peer:
            return PeerStatistics(remote._spec.peer)
        session_id = SessionId(alice.session_id)
        rows = [
            SubscriptionStatistics(mid, publication_id(Source(session_id, name)), rid, 9, 9, 9, 0, None, None, 0, 0)
            for mid, (name, rid) in sent.items()
        ]
        return PeerStatistics(peer, None, None, (), tuple(rows))

    monkeypatch.setattr(LoopbackRemote, "statistics", measured)

    def active() -> list[tuple[str, str, str | None]]:
        return [(each["mid"], each.get("rid"), each.get("activeRid")) for each in bob.listing()["tracks"]]

    assert active() == [("0", "f", None), ("1", "f", None)], "nobody looked yet"
    await told(world, "parley_calls_sent_packets", APP)
    assert active() == [("0", "f", "h"), ("1", "f", None)]
    sent["0"] = ("camera", "f")
    await told(world, "parley_calls_sent_packets", APP)
    assert active() == [("0", "f", "f"), ("1", "f", None)]
    await bob.update(bob.item(alice, "other", mid="0"))
    assert active()[0][2] is None, "what was told is of the source before"


async def test_the_totals_of_an_app_never_fall_while_tracks_come_and_go() -> None:
    world = CallsWorld()
    received, sent = [], []
    for _ in range(3):
        alice, bob = await world.client("a"), await world.client("b")
        await alice.push("mic")
        await bob.pull((alice, "mic"))
        for _ in range(2):
            alice.remote.speak("0", tone(24_000))
            await world.pass_ms(1_200)
            received.append(await told(world, "parley_calls_received_packets", APP))
            sent.append(await told(world, "parley_calls_sent_packets", APP))
        assert await told(world, "parley_calls_sessions", APP) == 2
        for client in (alice, bob):
            world.service.delete_session(client.access, client.session_id)
        assert await told(world, "parley_calls_sessions", APP) == 0
    assert received == sent == [50, 100, 150, 200, 250, 300]
    assert await told(world, "parley_calls_received_packets", OTHER_APP) == 0


async def test_sessions_and_tracks_are_labels_only_where_the_operator_wants_it() -> None:
    for wanted in (False, True):
        world = CallsWorld(track_metrics=wanted)
        alice = await world.client("a")
        await alice.push("mic")
        await told(world, "parley_calls_received_packets", APP)
        labels = {label for family in world.service.families() for row in family.rows for label in row.labels}
        assert (alice.session_id in labels) is wanted
        assert ("mic" in labels) is wanted
