"""Contract of every plane: peers, channels, credits, bounds, the one wake-up and the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from media_planes import PlaneHarness, connected, control, of, peer_spec, tone

from parley.media.commands import (
    AddPeer,
    CloseChannel,
    ListenerId,
    OpenChannel,
    OpenListener,
    OpenSpeaker,
    RemovePeer,
    SendMessage,
    SpeakerId,
    Subscribe,
)
from parley.media.errors import BadPeerSpec, Busy, MediaError, PlaneClosed
from parley.media.events import (
    AudioHeard,
    ChannelClosed,
    ChannelDrained,
    ChannelOpened,
    MessageReceived,
    PeerClosed,
    PeerConnected,
)
from parley.media.peer_spec import (
    Codec,
    HeaderExtension,
    IceCredentials,
    PeerId,
    PeerSpec,
    PublicationId,
    Slot,
    StreamIds,
)
from parley.media.plane import MAX_COMMANDS, MAX_UNDRAINED_MESSAGE_BYTES, MAX_UNSENT_BYTES

ANN = PeerId("ann")


def with_channel(harness: PlaneHarness, *peers: str) -> None:
    connected(harness, *peers)
    for peer in peers:
        harness.remote(peer).open_channel(1, "oai-events")
    harness.run(0)


def test_a_peer_connects_and_is_removed(harness: PlaneHarness) -> None:
    harness.plane.submit(AddPeer(peer_spec("ann")))
    assert harness.run(20) == [PeerConnected(ANN)]
    harness.plane.submit(RemovePeer(ANN))
    assert harness.run(20) == [PeerClosed(ANN, "removed")]
    harness.plane.submit(RemovePeer(ANN))
    assert harness.run(20) == []
    assert harness.plane.counters.commands_ignored == 1


def test_a_new_spec_changes_the_peer(harness: PlaneHarness) -> None:
    spec = peer_spec("ann")
    harness.plane.submit(AddPeer(spec))
    harness.plane.submit(OpenListener(ListenerId("ear"), PublicationId("ann/mic"), "ann"))
    assert of(AudioHeard, harness.run(40))
    camera = Slot("2", "video", (Codec(96, "VP8", 90_000),), PublicationId("ann/cam"), (StreamIds(rid="h"),))
    harness.plane.submit(AddPeer(replace(spec, slots=(replace(spec.slots[0], publication=None, receive=()), camera))))
    events = harness.run(40)
    assert not of(PeerConnected, events)
    assert not of(AudioHeard, events), "the microphone is no longer published"


def test_messages_go_both_ways_whole_and_typed(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    remote = harness.remote("ann")
    remote.open_channel(1, "oai-events")
    remote.send(1, "hello")
    remote.send(1, b"\x00\x01")
    assert harness.run(20) == [
        ChannelOpened(ANN, 1, "oai-events"),
        MessageReceived(ANN, 1, "hello"),
        MessageReceived(ANN, 1, b"\x00\x01"),
    ]
    harness.plane.submit(SendMessage(ANN, 1, "grüß dich"))
    harness.plane.submit(SendMessage(ANN, 1, b"\x02"))
    assert sum(event.drained_bytes for event in of(ChannelDrained, harness.run(20))) == 12
    assert remote.messages == [(1, "grüß dich"), (1, b"\x02")]


def test_we_may_open_and_close_a_channel(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    harness.plane.submit(OpenChannel(ANN, 2, "chat", ordered=False, max_retransmits=0))
    assert harness.run(20) == [ChannelOpened(ANN, 2, "chat", ordered=False, max_retransmits=0)]
    harness.plane.submit(CloseChannel(ANN, 2))
    assert harness.run(20) == [ChannelClosed(ANN, 2)]
    harness.remote("ann").open_channel(1, "late")
    harness.run(0)
    harness.remote("ann").close_channel(1)
    assert harness.run(20) == [ChannelClosed(ANN, 1)]


def test_a_channel_may_give_its_messages_a_time_to_live(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    harness.plane.submit(OpenChannel(ANN, 2, "cursor", max_lifetime_ms=200))
    assert harness.run(20) == [ChannelOpened(ANN, 2, "cursor", max_lifetime_ms=200)]
    harness.plane.submit(SendMessage(ANN, 2, "at once"))
    harness.run(100)
    assert [data for _, data in harness.remote("ann").messages] == ["at once"]


def test_a_reader_that_stops_makes_us_wait_and_nobody_else(harness: PlaneHarness) -> None:
    with_channel(harness, "ann", "bob")
    remote = harness.remote("ann")
    remote.reading = False
    message = bytes(256 * 1024)
    for _ in range(MAX_UNSENT_BYTES // len(message)):
        harness.plane.submit(SendMessage(ANN, 1, message))
    with pytest.raises(Busy, match="bytes of messages wait already"):
        harness.plane.submit(SendMessage(ANN, 1, b"x"))
    harness.plane.submit(SendMessage(PeerId("bob"), 1, b"x"))
    assert harness.run(100) == [ChannelDrained(PeerId("bob"), 1, 1)]
    with pytest.raises(Busy):
        harness.plane.submit(SendMessage(ANN, 1, b"x"))
    remote.reading = True
    assert sum(event.drained_bytes for event in of(ChannelDrained, harness.run(15_000))) == MAX_UNSENT_BYTES
    harness.plane.submit(SendMessage(ANN, 1, b"x"))
    harness.run(20)
    assert len(remote.messages) == 17


def test_credit_for_a_channel_that_is_not_there_is_not_lost(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    for _ in range(40):
        harness.plane.submit(SendMessage(ANN, 9, bytes(256 * 1024)))
        harness.run(0)
    assert harness.plane.counters.commands_ignored == 40


def test_a_message_above_the_peers_limit_is_refused(harness: PlaneHarness) -> None:
    with_channel(harness, "ann")
    with pytest.raises(MediaError, match=r"300000 bytes is above the peer's 262144; split it"):
        harness.plane.submit(SendMessage(ANN, 1, bytes(300_000)))


def test_a_peer_that_floods_us_is_closed_alone(harness: PlaneHarness) -> None:
    with_channel(harness, "ann", "bob")
    harness.remote("bob").send(1, "still here")
    for _ in range(MAX_UNDRAINED_MESSAGE_BYTES // 65_536 + 1):
        harness.remote("ann").send(1, bytes(65_536))
    harness.run_undrained(40)
    events = control(harness.plane.drain())
    assert PeerClosed(ANN, "overflow") in events
    assert MessageReceived(PeerId("bob"), 1, "still here") in events
    harness.remote("bob").send(1, "and here")
    assert harness.run(20) == [MessageReceived(PeerId("bob"), 1, "and here")]


def test_a_flood_that_is_read_is_no_flood(harness: PlaneHarness) -> None:
    with_channel(harness, "ann")
    for _ in range(40):
        harness.remote("ann").send(1, bytes(65_536))
        assert len(harness.run(20)) == 1


def test_one_wake_up_for_many_events(harness: PlaneHarness) -> None:
    wakes: list[int] = []
    harness.plane.watch(lambda: wakes.append(harness.now_ms))
    harness.run_undrained(100)
    assert not wakes
    for peer in ("ann", "bob"):
        harness.plane.submit(AddPeer(peer_spec(peer)))
    harness.run_undrained(100)
    harness.remote("ann").open_channel(1, "x")
    harness.run_undrained(100)
    assert len(wakes) == 1
    assert len(harness.plane.drain()) == 3
    harness.remote("ann").send(1, "x")
    harness.run_undrained(100)
    assert len(wakes) == 2


def test_a_late_watcher_is_woken_at_once(harness: PlaneHarness) -> None:
    harness.plane.submit(AddPeer(peer_spec("ann")))
    harness.run_undrained(20)
    wakes: list[int] = []
    harness.plane.watch(lambda: wakes.append(1))
    assert wakes == [1]


def test_too_many_commands_are_busy(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    for _ in range(MAX_COMMANDS):
        harness.plane.submit(Subscribe(ANN, "0", PublicationId("nobody")))
    with pytest.raises(Busy, match="1024 commands wait already"):
        harness.plane.submit(RemovePeer(ANN))
    harness.run(20)
    harness.plane.submit(RemovePeer(ANN))


def test_closing_says_goodbye_once_and_ends_everything(harness: PlaneHarness) -> None:
    connected(harness, "ann", "bob")
    harness.remote("ann").speak("0", tone(480))
    harness.plane.close()
    harness.plane.close()
    assert harness.plane.drain() == [PeerClosed(ANN, "closed"), PeerClosed(PeerId("bob"), "closed")]
    assert harness.plane.drain() == []
    with pytest.raises(PlaneClosed, match="open a new one"):
        harness.plane.submit(OpenSpeaker(SpeakerId("voice"), PublicationId("ai")))


def broken(spec: PeerSpec) -> dict[str, PeerSpec]:
    slot = spec.slots[0]
    return {
        "local_ice: a ufrag": replace(spec, local_ice=IceCredentials("abc", "p" * 22)),
        "remote_ice: a ufrag": replace(spec, remote_ice=IceCredentials("abcd", "short")),
        "shard: -1": replace(spec, shard=-1),
        "remote_fingerprint": replace(spec, remote_fingerprint=replace(spec.remote_fingerprint, value="AB:CD")),
        "mid '0' occurs twice": replace(spec, slots=(slot, replace(slot, publication=None, receive=(), send=None))),
        "mid '1' occurs twice": replace(spec, slots=(replace(slot, mid="1"),)),
        "at least one codec": replace(spec, slots=(replace(slot, codecs=()),)),
        "payload type 128 is outside": replace(spec, slots=(replace(slot, codecs=(Codec(128, "opus", 48_000),)),)),
        "payload type 96 occurs twice": replace(
            spec, slots=(replace(slot, codecs=(Codec(96, "VP8", 90_000, rtx_payload_type=96),)),)
        ),
        "extension id 15 is outside": replace(spec, extensions=(HeaderExtension(15, "urn:x"),)),
        "extension id 1 occurs twice": replace(spec, extensions=(HeaderExtension(1, "u:x"), HeaderExtension(1, "u:y"))),
        "SSRC 7 occurs twice": replace(spec, slots=(replace(slot, receive=(StreamIds(7), StreamIds(7))),)),
        "SSRC 0 is outside": replace(spec, slots=(replace(slot, send=StreamIds(0)),)),
        "needs an SSRC": replace(spec, slots=(replace(slot, send=StreamIds()),)),
        "without a stream": replace(spec, slots=(replace(slot, receive=()),)),
    }


@pytest.mark.parametrize("text", sorted(broken(peer_spec("ann"))))
def test_a_spec_that_contradicts_itself_is_refused_by_name(harness: PlaneHarness, text: str) -> None:
    with pytest.raises(BadPeerSpec, match=text):
        harness.plane.submit(AddPeer(broken(peer_spec("ann"))[text]))
    assert harness.run(20) == []
