"""Tracks on which nothing comes end, and sessions that nobody uses: what is left, and what is answered then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from calls_kit import CallsWorld
from media_planes import tone

from parley.calls.faults import CallsFault
from parley.calls.limits import CallsLimits

FRAME = tone(480)


@asynccontextmanager
async def looked_after(world: CallsWorld) -> AsyncIterator[None]:
    """Have the service look after its sessions, as the server does, for the length of the block."""
    looking = asyncio.create_task(world.service.run())
    try:
        yield
    finally:
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking


async def test_a_track_without_packets_ends_after_30_s_for_all_who_use_it() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await alice.push("camera", kind="video")
    await bob.push("own")
    await bob.pull((alice, "mic"), (alice, "camera"))
    await bob.establish()
    async with looked_after(world):
        for _ in range(24):
            alice.remote.speak("0", FRAME)
            bob.remote.speak("0", FRAME)
            await world.pass_ms(1_000)
        assert [track["status"] for track in alice.listing()["tracks"]] == ["active", "active"]
        for _ in range(14):
            alice.remote.speak("0", FRAME)
            bob.remote.speak("0", FRAME)
            await world.pass_ms(1_000)
        assert {track["trackName"]: track["status"] for track in alice.listing()["tracks"]} == {
            "mic": "active",
            "camera": "inactive",
        }
        pulled = {track["trackName"]: track["status"] for track in bob.listing()["tracks"]}
        assert pulled == {"own": "active", "mic": "active", "camera": "inactive"}
        notices = [message for _, message in bob.remote.messages if "track.ended" in str(message)]
        assert len(notices) == 1
        assert '"trackName":"camera"' in str(notices[0])

        (failed,) = (await bob.tracks(tracks=[bob.item(alice, "camera")]))["tracks"]
        assert (failed["mid"], failed["errorCode"]) == ("", "empty_track_error")
        assert "no packet of it came" in failed["errorDescription"]
        (failed,) = (await bob.update(bob.item(alice, "camera", mid="2")))["tracks"]
        assert failed["errorCode"] == "empty_track_error"


async def test_who_publishes_the_track_again_is_heard_again_by_those_who_pulled_it() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    async with looked_after(world):
        await world.pass_ms(40_000)
        assert [track["status"] for track in bob.listing()["tracks"]] == ["inactive"]
        item = {"location": "local", "trackName": "mic", "mid": "0"}
        offer = {"type": "offer", "sdp": alice.browser.offer()}
        again = await alice.tracks(sessionDescription=offer, tracks=[item])
        assert again["tracks"] == [{"mid": "0", "trackName": "mic"}]
        await world.pass_ms(100)
        assert [track["status"] for track in bob.listing()["tracks"]] == ["active"]
        alice.remote.speak("0", FRAME * 20)
        await world.pass_ms(1_000)
        assert len(bob.remote.heard["0"]) == 20


async def test_silent_tracks_stay_where_the_operator_says_so_and_in_third_party_sessions() -> None:
    for limits, third_party in ((CallsLimits(silent_track_ms=None), False), (CallsLimits(), True)):
        world = CallsWorld(limits)
        alice, bob = await world.client("a", third_party=third_party), await world.client("b")
        await alice.push("mic")
        await bob.pull((alice, "mic"))
        async with looked_after(world):
            await world.pass_ms(90_000)
        assert [track["status"] for track in bob.listing()["tracks"]] == ["active"]


async def test_what_is_sent_into_a_silent_m_line_goes_on() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", direction="sendrecv", bidirectionalMediaStream=True)
    await bob.push("voice")
    await alice.tracks(tracks=[alice.item(bob, "voice", mid="#mic")])
    async with looked_after(world):
        for _ in range(40):
            bob.remote.speak("0", FRAME)
            await world.pass_ms(1_000)
        before = len(alice.remote.heard["0"])
        bob.remote.speak("0", FRAME * 10)
        await world.pass_ms(1_000)
        assert len(alice.remote.heard["0"]) == before + 10
        listed = {track["location"]: track["status"] for track in alice.listing()["tracks"]}
        assert listed == {"remote": "active", "local": "inactive"}


async def test_a_session_whose_every_m_line_was_closed_ends() -> None:
    world = CallsWorld(CallsLimits(never_connected_ms=20_000))
    alice = await world.client("a")
    await alice.push("mic")
    alice.browser.stop("0")
    await alice.close("0")
    async with looked_after(world):
        await world.pass_ms(19_000)
        assert alice.listing()["tracks"][0]["status"] == "inactive"
        await world.pass_ms(3_000)
        with pytest.raises(CallsFault, match="unknown, closed or expired") as caught:
            alice.listing()
    assert (caught.value.status, caught.value.code) == (410, "session_error")


async def test_a_plane_that_does_not_answer_stops_nothing() -> None:
    world = CallsWorld(CallsLimits(never_connected_ms=20_000))
    await world.client("a")
    async with looked_after(world):
        await asyncio.sleep(60)  # the plane's time stands still
        assert world.service.count(world.access.app.app_id) == (0, 0, 0)


async def test_who_asks_later_is_not_harmed_by_who_asked_in_vain() -> None:
    world = CallsWorld()
    await (alice := await world.client("a")).push("mic")
    first = asyncio.create_task(world.service.statistics(alice.access, alice.session_id))
    await asyncio.sleep(1.5)  # the plane's time stands still
    second = asyncio.create_task(world.service.look())
    with pytest.raises(CallsFault, match="The media plane is busy") as caught:
        await first
    assert caught.value.status == 503
    await world.pass_ms(100)
    assert await second is not None
    assert (await asyncio.gather(world.service.statistics(alice.access, alice.session_id), world.pass_ms(100)))[0].local
