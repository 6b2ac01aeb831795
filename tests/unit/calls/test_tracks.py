"""The decision table of `tracks/new`, and closing, updating and listing, with scripted browsers on a loopback plane."""

from __future__ import annotations

import asyncio

import pytest
from calls_kit import CallsWorld, Client
from media_planes import tone

from parley.calls.faults import CallsFault
from parley.media.commands import Subscribe

VOICE = tone(24_000)


async def test_a_published_track_is_pulled_and_heard() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    pushed = await alice.push("mic")
    assert pushed["tracks"] == [{"mid": "0", "trackName": "mic"}]
    assert pushed["requiresImmediateRenegotiation"] is False
    pulled = await bob.pull((alice, "mic"))
    assert pulled["tracks"] == [{"mid": "0", "sessionId": alice.session_id, "trackName": "mic"}]
    assert pulled["requiresImmediateRenegotiation"] is True
    assert bob.browser.receives("0")
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in bob.remote.heard["0"])[: len(VOICE)] == VOICE


async def test_one_connection_publishes_and_pulls() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await alice.push("camera", kind="video")
    await bob.push("mic")
    await bob.pull((alice, "mic"), (alice, "camera"))
    await bob.push("screen", kind="video")
    await alice.pull((bob, "mic"), (bob, "screen"))
    assert [section.mid for section in bob.browser.sections] == ["0", "1", "2", "3"]
    listed = bob.listing()["tracks"]
    assert [(track["location"], track["mid"], track["trackName"], track["status"]) for track in listed] == [
        ("local", "0", "mic", "active"),
        ("remote", "1", "mic", "active"),
        ("remote", "2", "camera", "active"),
        ("local", "3", "screen", "active"),
    ]


async def test_items_come_back_in_order_and_fail_alone() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "camera")
    reply = await bob.pull((alice, "camera"), (alice, "nothing"), (alice, "mic"))
    assert [track["trackName"] for track in reply["tracks"]] == ["camera", "nothing", "mic"]
    assert [track["mid"] for track in reply["tracks"]] == ["0", "", "1"]
    assert reply["tracks"][1]["errorCode"] == "not_found_track_error"
    assert "errorCode" not in reply["tracks"][0]


async def test_when_every_item_fails_nothing_is_negotiated() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    reply = await bob.tracks(tracks=[bob.item(alice, "mic")])
    assert reply["requiresImmediateRenegotiation"] is False
    assert "sessionDescription" not in reply
    await bob.push("mic")


async def test_a_pull_waits_for_a_track_that_is_about_to_come() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    async with asyncio.TaskGroup() as group:
        pulling = group.create_task(bob.pull((alice, "mic")))
        await asyncio.sleep(3)
        await alice.push("mic")
    assert "errorCode" not in pulling.result()["tracks"][0]
    assert asyncio.get_running_loop().time() < 4


async def test_an_unknown_session_is_not_waited_for() -> None:
    world = CallsWorld()
    bob = await world.client("b")
    reply = await bob.tracks(tracks=[{"location": "remote", "sessionId": "f" * 32, "trackName": "mic"}])
    assert reply["tracks"][0]["errorCode"] == "not_found_track_error"
    assert asyncio.get_running_loop().time() == 0


async def test_the_same_push_again_changes_nothing() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    item = {"location": "local", "trackName": "mic", "mid": "0"}
    for _ in range(3):
        reply = await alice.tracks(sessionDescription={"type": "offer", "sdp": alice.browser.offer()}, tracks=[item])
        alice.browser.accept(reply["sessionDescription"]["sdp"])
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in bob.remote.heard["0"])[: len(VOICE)] == VOICE
    assert len([track for track in alice.listing()["tracks"] if track["status"] == "active"]) == 1


async def test_a_name_moves_to_a_new_m_line_and_its_listeners_with_it() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    await alice.push("mic")
    alice.remote.speak("0", tone(24_000, 900.0))
    alice.remote.speak("1", VOICE)
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in bob.remote.heard["0"])[: len(VOICE)] == VOICE


async def test_auto_discovery_names_every_m_line_that_sends() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    alice.browser.add("audio")
    alice.browser.add("video")
    alice.browser.add("audio", "recvonly")
    offer = {"type": "offer", "sdp": alice.browser.offer()}
    reply = await alice.tracks(sessionDescription=offer, autoDiscover=True)
    alice.browser.accept(reply["sessionDescription"]["sdp"])
    assert [track["mid"] for track in reply["tracks"]] == ["0", "1"]
    names = [track["trackName"] for track in reply["tracks"]]
    assert len(set(names)) == 2
    await bob.pull((alice, names[0]))


async def test_a_pull_by_the_clients_offer_goes_into_its_m_lines_by_kind() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await alice.push("camera", kind="video")
    bob.browser.add("audio", "recvonly")
    bob.browser.add("video", "recvonly")
    offer = {"type": "offer", "sdp": bob.browser.offer()}
    reply = await bob.tracks(sessionDescription=offer, tracks=[bob.item(alice, "camera"), bob.item(alice, "mic")])
    bob.browser.accept(reply["sessionDescription"]["sdp"])
    assert [track["mid"] for track in reply["tracks"]] == ["1", "0"]
    assert reply["requiresImmediateRenegotiation"] is False
    with pytest.raises(CallsFault, match="no free audio m-line") as caught:
        await bob.tracks(sessionDescription=offer, tracks=[bob.item(alice, "mic")])
    assert (caught.value.status, caught.value.code) == (406, "invalid_session_description")


# --- servers that publish, and transceivers used both ways ------------------------------------------------------------


async def relay(world: CallsWorld) -> tuple[Client, Client]:
    """A person and a third-party endpoint, joined by the vendor's own requests (calls-api, relay example)."""
    human = await world.client("a")
    await human.push("user-mic", direction="sendrecv", kind="audio", bidirectionalMediaStream=True)
    endpoint = await world.client("z", third_party=True)
    reply = await endpoint.tracks(
        tracks=[
            {"location": "local", "trackName": "ai-generated-voice", "bidirectionalMediaStream": True, "kind": "audio"}
        ]
    )
    assert reply["requiresImmediateRenegotiation"] is True
    assert reply["tracks"] == [{"mid": "0", "trackName": "ai-generated-voice"}]
    offer = reply["sessionDescription"]["sdp"]
    assert reply["sessionDescription"]["type"] == "offer"
    assert "a=sendrecv" in offer
    assert "a=ice-lite" not in offer
    assert "a=end-of-candidates" in offer
    endpoint.browser.sections.clear()
    answer = endpoint.browser.answer(offer)
    answer = answer.replace("a=recvonly", "a=sendrecv").replace("a=rtcp-mux", "a=rtcp-mux\r\na=ssrc:4242 cname:z")
    endpoint.browser.sections[0].direction = "sendrecv"
    assert await endpoint.answer(answer) == {}
    await world.pass_ms(0)
    return human, endpoint


async def test_the_relay_between_a_person_and_an_endpoint_works_request_for_request() -> None:
    world = CallsWorld()
    human, endpoint = await relay(world)
    first = await human.tracks(tracks=[human.item(endpoint, "ai-generated-voice", mid="#user-mic")])
    second = await endpoint.tracks(tracks=[endpoint.item(human, "user-mic", mid="#ai-generated-voice")])
    for reply in (first, second):
        assert reply["requiresImmediateRenegotiation"] is False
        assert "sessionDescription" not in reply
        assert reply["tracks"][0]["mid"] == "0"
    await world.pass_ms(0)
    endpoint.remote.speak("0", VOICE)
    human.remote.speak("0", tone(24_000, 900.0))
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in human.remote.heard["0"])[: len(VOICE)] == VOICE
    assert b"".join(frame.pcm for frame in endpoint.remote.heard["0"])[: len(VOICE)] == tone(24_000, 900.0)


async def test_the_next_presser_replaces_the_source_without_a_description() -> None:
    world = CallsWorld()
    human, endpoint = await relay(world)
    other = await world.client("c")
    await other.push("talk")
    await endpoint.tracks(tracks=[endpoint.item(human, "user-mic", mid="#ai-generated-voice")])
    reply = await endpoint.tracks(tracks=[endpoint.item(other, "talk", mid="#ai-generated-voice")])
    assert reply == {
        "requiresImmediateRenegotiation": False,
        "tracks": [{"mid": "0", "sessionId": other.session_id, "trackName": "talk"}],
    }
    await world.pass_ms(0)
    other.remote.speak("0", VOICE)
    human.remote.speak("0", tone(24_000, 900.0))
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in endpoint.remote.heard["0"])[: len(VOICE)] == VOICE
    same = await endpoint.tracks(tracks=[endpoint.item(human, "user-mic", mid="0")])
    assert same["tracks"][0]["mid"] == "0"


async def test_an_m_line_that_only_received_is_turned_by_an_offer() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.push("mic", direction="sendrecv")
    reply = await bob.pull((alice, "mic"), mid="#mic")
    assert reply["requiresImmediateRenegotiation"] is True
    assert reply["tracks"][0]["mid"] == "0"
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in bob.remote.heard["0"])[: len(VOICE)] == VOICE
    assert len(bob.browser.sections) == 1


# --- closing ----------------------------------------------------------------------------------------------------------


async def test_closing_the_first_m_line_moves_the_bundle_and_its_place_is_used_again() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "second")
    await bob.push("mic")
    await bob.pull((alice, "mic"), (alice, "second"))
    bob.browser.stop("0")
    reply = await bob.close("0")
    assert reply["tracks"] == [{"mid": "0"}]
    assert reply["requiresImmediateRenegotiation"] is False
    await bob.push("again")
    assert [section.mid for section in bob.browser.sections] == ["3", "1", "2"]
    bob.browser.stop("1")
    await bob.close("1")
    pulled = await bob.pull((alice, "mic"))
    assert pulled["tracks"][0]["mid"] == "4"
    assert [section.mid for section in bob.browser.sections] == ["3", "4", "2"]
    alice.remote.speak("0", VOICE)
    await world.pass_ms(1_000)
    assert b"".join(frame.pcm for frame in bob.remote.heard["4"])[: len(VOICE)] == VOICE


async def test_a_hundred_pulls_and_stops_keep_the_m_lines_few() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.push("mic")
    for _ in range(100):
        mid = (await bob.pull((alice, "mic")))["tracks"][0]["mid"]
        bob.browser.stop(mid)
        await bob.close(mid)
        await world.pass_ms(100)
    assert len(bob.browser.sections) == 2


async def test_of_a_batch_whose_client_stopped_only_one_the_others_go_silent() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("one", "two", "three")
    await bob.pull((alice, "one"), (alice, "two"), (alice, "three"))
    bob.browser.stop("0")
    reply = await bob.close("0", "1")
    sections = reply["sessionDescription"]["sdp"].split("\r\nm=")[1:]
    assert sections[0].split()[1] == "0"
    assert "a=inactive" in sections[1]
    assert "a=sendonly" in sections[2]
    await world.pass_ms(0)
    alice.remote.speak("1", VOICE)
    alice.remote.speak("2", VOICE)
    await world.pass_ms(1_000)
    assert "1" not in bob.remote.heard
    assert bob.remote.heard["2"]
    assert [track["status"] for track in bob.listing()["tracks"]] == ["active", "inactive", "inactive"]


async def test_an_m_line_that_was_not_stopped_is_not_used_for_another_pull() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("one", "two")
    await bob.pull((alice, "one"), (alice, "two"))
    bob.browser.stop("0")
    await bob.close("0", "1")
    reply = await bob.pull((alice, "one"), (alice, "two"))
    assert [track["mid"] for track in reply["tracks"]] == ["2", "3"]
    assert [section.mid for section in bob.browser.sections] == ["2", "1", "3"]


async def test_a_close_is_answered_even_where_nothing_was_open() -> None:
    world = CallsWorld()
    alice = await world.client("a")
    await alice.push("mic")
    alice.browser.stop("0")
    await alice.close("0")
    reply = await alice.close("0", "17")
    assert {track["errorCode"] for track in reply["tracks"]} == {"close_track_error"}
    assert reply["sessionDescription"]["type"] == "answer"


async def test_force_closes_without_a_description() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic", "other")
    await bob.pull((alice, "mic"), (alice, "other"))
    reply = await bob.close("0", force=True)
    assert reply == {"requiresImmediateRenegotiation": False, "tracks": [{"mid": "0"}]}
    await alice.close("1", force=True)
    await world.pass_ms(0)
    alice.remote.speak("0", VOICE)
    alice.remote.speak("1", VOICE)
    await world.pass_ms(1_000)
    assert "0" not in bob.remote.heard
    assert "1" not in bob.remote.heard
    assert [track["status"] for track in bob.listing()["tracks"]] == ["inactive", "inactive"]


async def test_after_the_last_m_line_the_connection_begins_anew() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    before = alice.browser.remote
    alice.browser.stop("0")
    await alice.close("0")
    alice.browser.name = "a2"
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    ufrag = next(line for line in alice.browser.remote.split("\r\n") if line.startswith("a=ice-ufrag"))
    assert ufrag not in before
    await world.pass_ms(0)
    alice.remote.speak(alice.browser.sections[0].mid, VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["0"]


# --- updating ---------------------------------------------------------------------------------------------------------


async def test_an_update_switches_the_source() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("one", "two")
    await bob.pull((alice, "one"))
    reply = await bob.update(bob.item(alice, "two", mid="0"))
    assert reply == {
        "requiresImmediateRenegotiation": False,
        "tracks": [{"mid": "0", "sessionId": alice.session_id, "trackName": "two"}],
    }
    await world.pass_ms(0)
    alice.remote.speak("1", VOICE)
    await world.pass_ms(1_000)
    assert bob.remote.heard["0"]


async def test_an_update_chooses_the_layer_even_by_the_publishers_mid() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    mid = alice.browser.add("video", rids=("f", "h", "q"))
    offer = {"type": "offer", "sdp": alice.browser.offer()}
    item = {"location": "local", "trackName": "camera", "mid": mid}
    alice.browser.accept((await alice.tracks(sessionDescription=offer, tracks=[item]))["sessionDescription"]["sdp"])
    await bob.pull((alice, "camera"), simulcast={"preferredRid": "h"})
    assert [track["rid"] for track in bob.listing()["tracks"]] == ["h"]
    for given in ("0", "1"):
        reply = await bob.update(bob.item(alice, "camera", mid=given, simulcast={"preferredRid": "q"}))
        assert reply["tracks"][0]["mid"] == "0"
    assert [track["rid"] for track in bob.listing()["tracks"]] == ["q"]


async def test_updates_that_cannot_be_are_told_by_item() -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("mic")
    await bob.pull((alice, "mic"))
    rows = [
        (bob.item(alice, "mic", mid="0", simulcast={"preferredRid": "h"}), "update_track_error", "without simulcast"),
        (bob.item(alice, "mic", mid="9"), "update_track_error", "nothing is pulled on the mid '9'"),
        (bob.item(alice, "gone", mid="0"), "not_found_track_error", "publishes 'gone'"),
    ]
    for item, code, words in rows:
        failed = (await bob.update(item))["tracks"][0]
        assert failed["errorCode"] == code
        assert words in failed["errorDescription"]
        assert failed["mid"] == ""


@pytest.mark.parametrize(
    ("simulcast", "under_pressure", "when_missing"),
    [
        (None, "measured", "measured"),
        ({"preferredRid": "h"}, "measured", "measured"),
        ({"preferredRid": "h", "priorityOrdering": "none", "ridNotAvailable": "none"}, "never", "never"),
        ({"priorityOrdering": "asciibetical", "ridNotAvailable": "asciibetical"}, "asciibetical", "asciibetical"),
        ({"ridUnavailableStrategy": "nextPriority"}, "measured", "asciibetical"),
        ({"ridUnavailableStrategy": "none"}, "measured", "never"),
    ],
)
async def test_what_a_puller_says_of_layers_reaches_the_plane(
    simulcast: dict[str, str] | None, under_pressure: str, when_missing: str
) -> None:
    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    await alice.push("camera", kind="video")
    commands: list[object] = []
    submit = world.plane.submit

    def watched(command: object) -> None:
        commands.append(command)
        submit(command)  # type: ignore[arg-type]

    world.plane.submit = watched  # type: ignore[method-assign]
    await bob.pull((alice, "camera"), **({"simulcast": simulcast} if simulcast else {}))
    (subscribed,) = [command for command in commands if isinstance(command, Subscribe)]
    assert (subscribed.under_pressure, subscribed.when_missing) == (under_pressure, when_missing)
    assert subscribed.preferred_rid == (simulcast or {}).get("preferredRid")
