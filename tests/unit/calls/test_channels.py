"""Data channels between sessions: fan-out, replies, acknowledgements, slow readers, and what the server tells."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from calls_kit import CallsWorld, Client
from media_planes import tone

from parley.calls.faults import CallsFault
from parley.calls.limits import CallsLimits
from parley.protocol.calls import ChannelsRequest, EstablishRequest


async def joined(world: CallsWorld, *names: str) -> list[Client]:
    clients = [await world.client(name) for name in names]
    for client in clients:
        await client.establish()
    return clients


def local(name: str, **extra: Any) -> dict[str, Any]:
    return {"location": "local", "dataChannelName": name, **extra}


def remote(client: Client, name: str, **extra: Any) -> dict[str, Any]:
    return {"location": "remote", "sessionId": client.session_id, "dataChannelName": name, **extra}


async def update(client: Client, *items: dict[str, Any], verb: str = "update_channels") -> list[dict[str, Any]]:
    request = msgspec.convert({"dataChannels": list(items)}, ChannelsRequest)
    reply = await getattr(client.world.service, verb)(client.access, client.session_id, request)
    await client.world.pass_ms(0)
    return list(msgspec.json.decode(msgspec.json.encode(reply))["dataChannels"])


async def test_a_channel_fans_out_to_its_subscribers_and_to_nobody_else() -> None:
    world = CallsWorld()
    alice, bob, carol = await joined(world, "a", "b", "c")
    (published,) = await alice.channels(local("controls", ordered=False))
    assert published == {**local("controls", ordered=False), "id": 3}
    (subscribed,) = await bob.channels(remote(alice, "controls"))
    alice.remote.send(published["id"], "one")
    alice.remote.send(published["id"], b"\x02")
    await world.pass_ms(40)
    mine = [data for number, data in bob.remote.messages if number == subscribed["id"]]
    assert mine == ["one", b"\x02"]
    assert carol.remote.messages == []
    bob.remote.send(subscribed["id"], "not allowed")
    await world.pass_ms(40)
    assert alice.remote.messages == []


async def test_one_subscriber_at_a_time_may_reply() -> None:
    world = CallsWorld()
    alice, bob, carol = await joined(world, "a", "b", "c")
    (published,) = await alice.channels(local("chat"))
    (of_bob,) = await bob.channels(remote(alice, "chat", canReply=True))
    (of_carol,) = await carol.channels(remote(alice, "chat"))
    bob.remote.send(of_bob["id"], "from bob")
    carol.remote.send(of_carol["id"], "from carol")
    await world.pass_ms(40)
    assert alice.remote.messages == [(published["id"], "from bob")]
    (granted,) = await update(carol, remote(alice, "chat", canReply=True))
    assert granted["id"] == of_carol["id"]
    bob.remote.send(of_bob["id"], "no more")
    carol.remote.send(of_carol["id"], "my turn")
    await world.pass_ms(40)
    assert alice.remote.messages[1:] == [(published["id"], "my turn")]
    await update(carol, remote(alice, "chat", canReply=False))
    carol.remote.send(of_carol["id"], "no more")
    await world.pass_ms(40)
    assert len(alice.remote.messages) == 2


async def test_a_subscriber_that_must_speak_first_hears_nothing_before() -> None:
    world = CallsWorld()
    alice, bob = await joined(world, "a", "b")
    (published,) = await alice.channels(local("chat"))
    (subscribed,) = await bob.channels(remote(alice, "chat", waitForAck=True, canReply=True))
    alice.remote.send(published["id"], "early")
    await world.pass_ms(40)
    bob.remote.send(subscribed["id"], "ready")
    await world.pass_ms(40)
    alice.remote.send(published["id"], "late")
    await world.pass_ms(40)
    assert [data for _, data in bob.remote.messages] == ["late"]
    assert alice.remote.messages == []


async def test_a_subscriber_that_never_speaks_is_dropped_after_30_seconds() -> None:
    world = CallsWorld()
    alice, bob = await joined(world, "a", "b")
    await alice.channels(local("chat"))
    (subscribed,) = await bob.channels(remote(alice, "chat", waitForAck=True))
    for _ in range(31):
        await world.pass_ms(1_000)
        world.service._roster.tick()
    await world.pass_ms(0)
    assert subscribed["id"] not in bob.remote.channels
    assert bob.listing()["dataChannels"][-1]["status"] == "inactive"


async def test_items_fail_alone_with_their_reason() -> None:
    world = CallsWorld()
    alice, bob = await joined(world, "a", "b")
    await alice.channels(local("chat"))
    rows = await alice.channels(local("chat"), local("other"))
    assert rows[0]["errorCode"] == "repeated_local_track_error"
    assert "errorCode" not in rows[1]
    await bob.channels(remote(alice, "chat"))
    rows = await bob.channels(remote(alice, "chat"), remote(alice, "nothing"))
    assert [row["errorCode"] for row in rows] == ["repeated_local_track_error", "not_found_track_error"]
    (row,) = await update(bob, remote(alice, "other", canReply=True))
    assert row["errorCode"] == "not_found_track_error"
    (row,) = await update(bob, {"id": 77}, verb="close_channels")
    assert row["errorCode"] == "close_track_error"


@pytest.mark.parametrize(
    ("item", "status", "words"),
    [
        ({"location": "local"}, 400, "dataChannelName is missing"),
        ({"dataChannelName": "x"}, 400, "location is missing"),
        ({"location": "remote", "dataChannelName": "x"}, 400, "sessionId is missing"),
        (local("server-events"), 406, "server's own"),
        (local("x" * 300), 406, "1 to 256 characters"),
        (local("x", maxRetransmits=1, maxPacketLifeTime=1), 406, "exclude each other"),
        (local("x", maxRetransmits=-1), 406, "0 to 65535"),
    ],
)
async def test_what_is_no_channel_is_refused(item: dict[str, Any], status: int, words: str) -> None:
    world = CallsWorld()
    (alice,) = await joined(world, "a")
    with pytest.raises(CallsFault, match=words) as caught:
        await alice.channels(item)
    assert caught.value.status == status


async def test_closing_a_published_channel_ends_its_subscriptions() -> None:
    world = CallsWorld()
    alice, bob = await joined(world, "a", "b")
    (published,) = await alice.channels(local("chat"))
    (subscribed,) = await bob.channels(remote(alice, "chat"))
    assert subscribed["id"] in bob.remote.channels
    assert await update(alice, {"id": published["id"]}, verb="close_channels") == [{"id": published["id"]}]
    assert subscribed["id"] not in bob.remote.channels
    (again,) = await alice.channels(local("chat"))
    assert again["id"] != published["id"]


async def test_numbers_are_odd_where_the_browser_has_the_even_ones() -> None:
    world = CallsWorld()
    (alice,) = await joined(world, "a")
    rows = await alice.channels(*[local(f"c{n}") for n in range(5)])
    assert [row["id"] for row in rows] == [3, 5, 7, 9, 11]


async def test_without_negotiated_channels_one_waits_and_is_told() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    with pytest.raises(CallsFault, match="datachannels/establish first") as caught:
        await alice.channels(local("chat"))
    assert (caught.value.status, caught.value.code) == (425, "session_error")
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.1)


async def test_channels_are_established_once() -> None:
    world = CallsWorld()
    (alice,) = await joined(world, "a")
    with pytest.raises(CallsFault, match="established already") as caught:
        await alice.establish()
    assert (caught.value.status, caught.value.code) == (400, "decoding_error")


async def test_channels_are_established_by_the_clients_offer() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    alice.browser.add("application")
    body = {"sessionDescription": {"type": "offer", "sdp": alice.browser.offer()}}
    reply = await world.service.establish(alice.access, alice.session_id, msgspec.convert(body, EstablishRequest))
    assert reply.requires_immediate_renegotiation is False
    assert reply.session_description
    alice.browser.accept(reply.session_description.sdp)
    await world.pass_ms(0)
    assert alice.remote.channels[1] == "server-events"


async def test_who_brought_channels_with_the_first_media_is_told_what_happens_as_well() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    for client in (alice, bob):
        client.browser.add("application")
    await alice.push("mic")
    await bob.push("mic")
    await bob.pull((alice, "mic"))
    reply = msgspec.to_builtins(await world.service.establish(bob.access, bob.session_id, EstablishRequest()))
    assert reply == {
        "requiresImmediateRenegotiation": False,
        "dataChannel": {"dataChannelName": "server-events", "id": 1},
    }
    await world.pass_ms(0)
    assert bob.remote.channels[1] == "server-events"
    assert 1 not in alice.remote.channels
    alice.remote.speak("1", tone(12_000))
    await world.pass_ms(600)
    await alice.close("1", force=True)
    await world.pass_ms(40)
    assert [notice["type"] for notice in told(bob)] == ["speaker.active", "track.ended"]
    with pytest.raises(CallsFault, match="established already") as caught:
        await bob.establish()
    assert (caught.value.status, caught.value.code) == (400, "decoding_error")


async def test_an_offer_without_channels_establishes_none() -> None:
    world = CallsWorld()
    bob = await world.client("b")
    bob.browser.add("audio")
    body = {"sessionDescription": {"type": "offer", "sdp": bob.browser.offer()}}
    request = msgspec.convert(body, EstablishRequest)
    with pytest.raises(CallsFault, match="no m=application"):
        await world.service.establish(bob.access, bob.session_id, request)


async def test_a_slow_reader_of_a_reliable_channel_loses_the_channel_and_of_another_messages() -> None:
    world = CallsWorld(CallsLimits(channel_backlog_bytes=1_000))
    alice, bob = await joined(world, "a", "b")
    whole, lossy = await alice.channels(local("whole"), local("lossy", maxRetransmits=0))
    of_whole, of_lossy = await bob.channels(remote(alice, "whole"), remote(alice, "lossy"))
    world.service._roster.hub(world.access.app)._wires.send = lambda *_: False  # type: ignore[method-assign]
    for _ in range(30):
        alice.remote.send(whole["id"], "x" * 100)
        alice.remote.send(lossy["id"], "x" * 100)
    await world.pass_ms(40)
    assert of_whole["id"] not in bob.remote.channels
    assert of_lossy["id"] in bob.remote.channels


# --- server-events ----------------------------------------------------------------------------------------------------


def told(client: Client) -> list[dict[str, Any]]:
    return [json.loads(data) for number, data in client.remote.messages if number == 1]


async def test_who_pulls_is_told_that_a_track_ended() -> None:
    world = CallsWorld()
    alice, bob = await joined(world, "a", "b")
    await alice.push("mic", "other")
    await bob.pull((alice, "mic"), (alice, "other"))
    await alice.close("1", force=True)
    world.service.delete_session(alice.access, alice.session_id)
    await world.pass_ms(40)
    ended = [notice for notice in told(bob) if notice["type"] == "track.ended"]
    assert [(notice["trackName"], notice["mid"]) for notice in ended] == [("mic", "1"), ("other", "2")]
    assert all(notice["sessionId"] == alice.session_id for notice in ended)


async def test_publisher_and_pullers_are_told_how_many_listen() -> None:
    world = CallsWorld()
    alice, bob, carol = await joined(world, "a", "b", "c")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    await carol.pull((alice, "mic"))
    world.service._roster.tick()
    await world.pass_ms(40)
    for client in (alice, bob, carol):
        assert told(client)[-1] == {
            "type": "track.subscribers",
            "sessionId": alice.session_id,
            "trackName": "mic",
            "count": 2,
        }
    assert alice.listing()["tracks"][0]["subscribers"] == 2


async def test_a_session_that_is_ended_by_us_is_told_why() -> None:
    world = CallsWorld()
    (alice,) = await joined(world, "a")
    remote_end = alice.remote
    world.service.close("the server stops")
    await world.pass_ms(40)
    assert [json.loads(data) for _, data in remote_end._unread] == [
        {"type": "session.closing", "reason": "the server stops"}
    ]


async def test_who_pulls_is_told_who_speaks() -> None:
    world = CallsWorld()
    alice, bob, carol = await joined(world, "a", "b", "c")
    await alice.push("mic")
    await bob.push("mic")
    await carol.pull((alice, "mic"), (bob, "mic"))
    for speaker, mid in ((alice, "1"), (bob, "2")):
        speaker.remote.speak("1", tone(12_000))
        await world.pass_ms(600)
        assert told(carol)[-1] == {
            "type": "speaker.active",
            "sessionId": speaker.session_id,
            "trackName": "mic",
            "mid": mid,
        }
    assert not [notice for notice in told(bob) if notice["type"] == "speaker.active"]
