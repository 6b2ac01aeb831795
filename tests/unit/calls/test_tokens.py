"""Client tokens: what their bearers may do and what not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from calls_kit import APP, SECRET, CallsWorld, Client

from parley.calls.access import Access
from parley.calls.faults import CallsFault
from parley.protocol.calls import ChannelsRequest, NewSessionRequest, TokenRequest


def token(world: CallsWorld, **body: Any) -> Access:
    minted = world.service.mint_token(world.access, msgspec.convert(body, TokenRequest))
    assert minted.token.startswith("ct_")
    return world.service.authorize(APP, minted.token)


async def refused(call: Any, words: str) -> None:
    with pytest.raises(CallsFault, match=words) as caught:
        await call
    assert (caught.value.status, caught.value.code) == (403, "forbidden")


async def test_a_token_for_one_session_opens_no_other() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    access = token(world, sessionId=alice.session_id)
    mine = Client(world, alice.session_id, alice.browser, access)
    await mine.push("mic")
    await refused(Client(world, bob.session_id, bob.browser, access).push("mic"), "bound to another")
    await refused(world.service.new_session(access, NewSessionRequest()), "bound to one session")


async def test_a_token_makes_sessions_of_its_own_up_to_its_number() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    access = token(world, maxSessions=2)
    first, second = await world.client("x", access), await world.client("y", access)
    await refused(world.client("z", access), "2 sessions of this token live already")
    await first.push("mic")
    await refused(Client(world, alice.session_id, alice.browser, access).push("mic"), "did not make this one")
    world.service.delete_session(second.access, second.session_id)
    await world.client("z", access)


async def test_a_listen_only_token_pulls_what_it_names_and_publishes_nothing() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.push("mic", "private")
    access = token(world, listenOnly=True, pull=[{"sessionId": alice.session_id, "trackName": "mic"}], maxSessions=100)
    listener = await world.client("x", access)
    assert "errorCode" not in (await listener.pull((alice, "mic")))["tracks"][0]
    await refused(listener.pull((alice, "private")), "may not pull 'private'")
    await refused(listener.push("mic"), "may not publish 'mic'")
    item = {"location": "local", "dataChannelName": "chat"}
    asked = msgspec.convert({"dataChannels": [item]}, ChannelsRequest)
    await refused(world.service.new_channels(access, listener.session_id, asked), "nor answer on them")
    offer = {"type": "offer", "sdp": listener.browser.offer()}
    await refused(listener.tracks(sessionDescription=offer, autoDiscover=True), "may not publish")
    await refused(listener.update(listener.item(alice, "private", mid="0")), "may not pull 'private'")


async def test_a_listen_only_token_subscribes_to_channels_and_never_answers_on_them() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.establish()
    (chat,) = await alice.channels({"location": "local", "dataChannelName": "chat"})
    pull = [{"sessionId": alice.session_id}]
    listener = await world.client("x", token(world, listenOnly=True, pull=pull))
    await listener.establish()
    item = {"location": "remote", "sessionId": alice.session_id, "dataChannelName": "chat"}
    await refused(listener.channels(item | {"canReply": True}), "nor answer on them")
    (subscribed,) = await listener.channels(item | {"canReply": False})
    asked = msgspec.convert({"dataChannels": [item | {"canReply": True}]}, ChannelsRequest)
    await refused(world.service.update_channels(listener.access, listener.session_id, asked), "nor answer on them")
    listener.remote.send(subscribed["id"], "let me speak")
    alice.remote.send(chat["id"], "only hear")
    await world.pass_ms(40)
    assert alice.remote.messages == []
    assert listener.remote.messages == [(subscribed["id"], "only hear")]
    stranger = await world.client("y", token(world, pull=[]))
    await stranger.establish()
    await refused(stranger.channels(item | {"canReply": True}), "may not pull 'chat'")


async def test_a_listen_only_token_makes_no_third_party_session() -> None:
    world = CallsWorld()
    access = token(world, listenOnly=True)
    await refused(world.client("x", access, third_party=True), "may not make a third-party session")
    assert world.service.sessions(world.access) == []
    await world.client("x", access)
    await world.client("y", token(world), third_party=True)


async def test_a_whole_session_may_be_named() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.push("mic", "other")
    listener = await world.client("x", token(world, pull=[{"sessionId": alice.session_id}]))
    await listener.pull((alice, "mic"), (alice, "other"))


async def test_a_token_mints_nothing_and_lists_nothing() -> None:
    world = CallsWorld()
    access = token(world)
    for call in (
        lambda: world.service.mint_token(access, TokenRequest()),
        lambda: world.service.sessions(access),
    ):
        with pytest.raises(CallsFault, match="Send the app's secret"):
            call()


async def test_a_token_expires() -> None:
    world = CallsWorld()
    minted = world.service.mint_token(world.access, TokenRequest(ttl=60))
    assert minted.expires_at == 1_060
    world.unix += 60
    with pytest.raises(CallsFault, match="unknown, expired"):
        world.service.authorize(APP, minted.token)
    world.service.authorize(APP, SECRET)


@pytest.mark.parametrize("body", [{"ttl": 0}, {"ttl": 10**9}, {"maxSessions": 0}, {"maxSessions": 10**9}])
async def test_numbers_out_of_bounds_are_refused(body: dict[str, int]) -> None:
    world = CallsWorld()
    with pytest.raises(CallsFault) as caught:
        world.service.mint_token(world.access, msgspec.convert(body, TokenRequest))
    assert caught.value.status == 406
