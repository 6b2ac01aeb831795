"""One mutation at a time, offers that cross, sessions that end: everything about when, in virtual time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from calls_kit import APP, OTHER_APP, CallsWorld
from media_planes import tone

from parley.calls.faults import CallsFault
from parley.calls.limits import CallsLimits
from parley.protocol.calls import RenegotiateRequest

VOICE = tone(24_000)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_mutation_waits_for_the_answer_to_our_offer() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "other")
    reply = await bob.tracks(tracks=[bob.item(alice, "mic")])
    async with asyncio.TaskGroup() as group:
        second = group.create_task(bob.tracks(tracks=[bob.item(alice, "other")]))
        await asyncio.sleep(2)
        assert not second.done()
        await bob.answer(bob.browser.answer(reply["sessionDescription"]["sdp"]))
    await bob.answer(bob.browser.answer(second.result()["sessionDescription"]["sdp"]))
    assert [section.mid for section in bob.browser.sections] == ["0", "1"]


async def test_two_mutations_at_once_both_succeed_in_order() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "other")
    await bob.pull((alice, "mic"))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(bob.update(bob.item(alice, "other", mid="0")))
        second = group.create_task(bob.update(bob.item(alice, "mic", mid="0")))
    assert "errorCode" not in first.result()["tracks"][0]
    assert "errorCode" not in second.result()["tracks"][0]
    await world.pass_ms(0)
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["0"]


async def test_who_waits_in_vain_is_told_for_what() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "other")
    await bob.tracks(tracks=[bob.item(alice, "mic")])
    with pytest.raises(CallsFault, match="an earlier tracks/new waits for its answer") as caught:
        await bob.tracks(tracks=[bob.item(alice, "other")])
    assert (caught.value.status, caught.value.code) == (406, "invalid_session_description")
    assert now() == 5


async def test_a_clients_own_offer_wins_and_ours_is_made_again() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    lost = await bob.tracks(tracks=[bob.item(alice, "mic")])
    pushed = await bob.push("mic")  # waits for the answer first, which never comes
    assert now() == 5
    assert pushed["tracks"][0]["mid"] == "0"
    again = await bob.pull((alice, "mic"))
    assert lost["tracks"][0]["mid"] == "0"
    assert again["tracks"][0]["mid"] == "1"
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["1"]


async def test_an_answer_to_an_offer_that_gave_way_is_answered_by_a_fresh_offer() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.push("first")
    reply = await bob.tracks(tracks=[bob.item(alice, "mic")])
    stale = bob.browser.answer(reply["sessionDescription"]["sdp"])
    bob.browser.sections.pop()
    bob.browser._next_mid = 5
    await bob.push("second")
    fresh = await bob.answer(stale)
    assert fresh["requiresImmediateRenegotiation"] is True
    assert await bob.answer(bob.browser.answer(fresh["sessionDescription"]["sdp"])) == {}
    assert [section.mid for section in bob.browser.sections] == ["0", "5", "1"]
    await world.pass_ms(0)
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["1"]


async def test_an_answer_out_of_turn_is_refused() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    reply = await bob.tracks(tracks=[bob.item(alice, "mic")])
    answer = bob.browser.answer(reply["sessionDescription"]["sdp"])
    await bob.answer(answer)
    for _ in range(2):
        with pytest.raises(CallsFault, match="no offer of this server waits") as caught:
            await bob.answer(answer)
        assert (caught.value.status, caught.value.code) == (406, "invalid_session_description")


async def test_a_bad_answer_leaves_the_offer_waiting() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    reply = await bob.tracks(tracks=[bob.item(alice, "mic")])
    good = bob.browser.answer(reply["sessionDescription"]["sdp"])
    with pytest.raises(CallsFault, match="line 6"):
        await bob.answer(good.replace("m=audio", "m=video"))
    assert await bob.answer(good) == {}


async def test_an_offer_by_renegotiate_restarts_ice_and_keeps_the_tracks() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    before = bob.browser.remote
    bob.browser.name = "restarted"
    request = {"type": "offer", "sdp": bob.browser.offer()}
    asked = msgspec.convert({"sessionDescription": request}, RenegotiateRequest)
    reply = await world.service.renegotiate(bob.access, bob.session_id, asked)
    assert reply.session_description
    bob.browser.accept(reply.session_description.sdp)
    ufrags = [
        next(line for line in text.split("\r\n") if line.startswith("a=ice-ufrag"))
        for text in (before, bob.browser.remote)
    ]
    assert ufrags[0] != ufrags[1]
    await world.pass_ms(0)
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["0"]


async def test_too_many_requests_are_refused_for_a_moment() -> None:
    world = CallsWorld(CallsLimits(requests_per_second=5))
    alice, bob = await world.client("a"), await world.client("b")
    for _ in range(5):
        await alice.close("9", force=True)
    with pytest.raises(CallsFault) as caught:
        await alice.close("9", force=True)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 1)
    await bob.close("9", force=True)
    await asyncio.sleep(0.3)
    await alice.close("9", force=True)


# --- the end of sessions ----------------------------------------------------------------------------------------------


async def run_for(world: CallsWorld, seconds: int) -> None:
    for _ in range(seconds):
        await world.pass_ms(1_000)
        world.service._roster.tick()


async def test_a_deleted_session_is_gone_for_everybody() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    world.service.delete_session(alice.access, alice.session_id)
    with pytest.raises(CallsFault) as caught:
        alice.listing()
    assert (caught.value.status, caught.value.code) == (410, "session_error")
    assert [track["status"] for track in bob.listing()["tracks"]] == ["inactive"]
    assert (await bob.tracks(tracks=[bob.item(alice, "mic")]))["tracks"][0]["errorCode"] == "not_found_track_error"
    await world.pass_ms(0)
    assert len(world.plane._remotes) == 1


async def test_a_session_ends_with_its_connection() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.push("mic")
    alice.remote.hang_up()
    await world.pass_ms(20)
    with pytest.raises(CallsFault, match="unknown, closed or expired"):
        alice.listing()


async def test_a_session_that_never_connects_expires() -> None:
    world = CallsWorld()
    idle, used = await world.client("a"), await world.client("b")
    await used.push("mic")
    await run_for(world, 62)
    used.listing()
    with pytest.raises(CallsFault):
        idle.listing()


async def test_a_third_party_session_that_nobody_uses_expires_and_one_in_use_does_not() -> None:
    world = CallsWorld()
    human = await world.client("a")
    lonely, heard = [await world.client(name, third_party=True) for name in ("y", "z")]
    for endpoint in (lonely, heard):
        item = {"location": "local", "trackName": "voice", "kind": "audio"}
        reply = await endpoint.tracks(tracks=[item])
        await endpoint.answer(endpoint.browser.answer(reply["sessionDescription"]["sdp"]))
    await world.pass_ms(0)
    await human.pull((heard, "voice"))
    await run_for(world, 63)
    heard.listing()
    with pytest.raises(CallsFault):
        lonely.listing()


async def test_apps_share_nothing() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.push("mic")
    stranger = await world.client("s", access=world.service.authorize(OTHER_APP, "another-secret"))
    reply = await stranger.tracks(tracks=[stranger.item(alice, "mic")])
    assert reply["tracks"][0]["errorCode"] == "not_found_track_error"
    with pytest.raises(CallsFault) as caught:
        world.service.listing(stranger.access, alice.session_id)
    assert caught.value.status == 410


@pytest.mark.parametrize(
    ("app", "secret", "status", "code"),
    [
        (APP, None, 401, "unauthorized"),
        (APP, "another-secret", 401, "unauthorized"),
        (APP, "ct_unknown", 401, "unauthorized"),
        ("nobody", "x", 404, "not_found"),
    ],
)
async def test_strangers_are_turned_away(app: str, secret: str | None, status: int, code: str) -> None:
    with pytest.raises(CallsFault) as caught:
        CallsWorld().service.authorize(app, secret)
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_a_third_party_session_ends_with_the_last_who_is_heard_in_it() -> None:
    world = CallsWorld()
    person, endpoint = await world.client("a"), await world.client("b", third_party=True)
    await person.push("mic")
    await endpoint.push("voice", direction="sendrecv", bidirectionalMediaStream=True)
    await endpoint.tracks(tracks=[endpoint.item(person, "mic", mid="#voice")])
    await world.pass_ms(100)
    for _ in range(3):
        await asyncio.sleep(60)
        world.service._roster.tick()
    assert endpoint.listing()["tracks"]
    world.service.delete_session(person.access, person.session_id)
    for _ in range(3):
        world.service._roster.tick()
        await asyncio.sleep(40)
    with pytest.raises(CallsFault, match="unknown, closed or expired"):
        endpoint.listing()
