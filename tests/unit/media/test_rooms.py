"""Contract of every plane: who hears whom, peers without a connection, who speaks, what passed."""

from __future__ import annotations

from dataclasses import replace

from media_planes import PlaneHarness, connected, of, peer_spec, samples_of, tone

from parley.media.commands import (
    AddInternalPeer,
    AddPeer,
    AskStatistics,
    EndSpeech,
    ListenerId,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    SpeakerId,
    Subscribe,
    Unsubscribe,
    WatchSpeakers,
)
from parley.media.events import ActiveSpeaker, AudioHeard, Event, LevelsHeard, PeerClosed, PeerConnected, StatisticsTold
from parley.media.peer_spec import HeaderExtension, InternalSlot, PeerId, PublicationId

ANN, BOB, AI = PeerId("ann"), PeerId("bob"), PeerId("ai")
HEARS = PublicationId("ai/hears")
VOICE = PublicationId("ai/voice")
EAR = ListenerId("ear")


def internal(harness: PlaneHarness) -> list[Event]:
    """Add the AI's peer, on another shard than the others where there is one."""
    shard = harness.plane.identity.shards - 1
    harness.plane.submit(AddInternalPeer(AI, (InternalSlot("0", HEARS),), shard))
    harness.plane.submit(OpenListener(EAR, HEARS, "lane", detect_speech=False))
    return harness.run(20)


def heard(events: list[Event]) -> bytes:
    return b"".join(event.block.pcm for event in of(AudioHeard, events))


def is_a_second(pcm: bytes) -> bool:
    """Whether a second of sound is in it; behind a lossy wire its end is drawn out for 100 ms at most."""
    return 960 <= sounding_ms(pcm) <= 1_120


def sounding_ms(pcm: bytes) -> int:
    """How much of it is sound, in whole windows of 5 ms."""
    samples = samples_of(pcm)
    windows = [samples[at : at + 120] for at in range(0, len(samples), 120)]
    return 5 * sum(max(map(abs, window)) > 1_000 for window in windows)


def test_a_peer_without_a_connection_is_connected_at_once_and_hears_what_it_is_sent(harness: PlaneHarness) -> None:
    connected(harness, "ann", "bob")
    assert of(PeerConnected, internal(harness)) == [PeerConnected(AI)]
    for name in ("ann", "bob"):
        harness.plane.submit(Subscribe(AI, "0", PublicationId(f"{name}/mic")))
        harness.run(100)
        harness.remote(name).speak("0", tone(24_000))
        events = harness.run(1_500)
        assert is_a_second(heard(events)), name
        assert sum(event.block.samples for event in of(AudioHeard, events)) == 36_000, "the lane runs on time"
    harness.plane.submit(Unsubscribe(AI, "0"))
    harness.run(100)
    harness.remote("ann").speak("0", tone(24_000))
    assert sounding_ms(heard(harness.run(1_500))) == 0
    harness.plane.submit(RemovePeer(AI))
    assert of(PeerClosed, harness.run(40)) == [PeerClosed(AI, "removed")]


def test_its_speaker_is_heard_by_peers_and_by_other_peers_without_a_connection(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    internal(harness)
    speaker = SpeakerId("voice")
    harness.plane.submit(OpenSpeaker(speaker, VOICE))
    harness.plane.submit(Subscribe(ANN, "0", VOICE))
    harness.plane.submit(Subscribe(AI, "0", VOICE))
    begun_ms = harness.now_ms
    harness.plane.submit(PushSpeech(speaker, "a", tone(24_000)))
    harness.plane.submit(EndSpeech(speaker, "a"))
    events = harness.run(1_500)
    assert is_a_second(heard(events))
    assert is_a_second(harness.remote("ann").recording("0", begun_ms + 1_500))


def test_a_peer_without_a_connection_changes_its_slots_and_never_replaces_one_that_has_one(
    harness: PlaneHarness,
) -> None:
    connected(harness, "ann")
    internal(harness)
    harness.plane.submit(AddInternalPeer(ANN, (InternalSlot("0", HEARS),)))
    harness.run(20)
    assert harness.plane.counters.commands_ignored == 1
    harness.plane.submit(Subscribe(AI, "0", PublicationId("ann/mic")))
    harness.plane.submit(AddInternalPeer(AI, (InternalSlot("1", PublicationId("ai/other")),)))
    harness.run(100)
    harness.remote("ann").speak("0", tone(24_000))
    assert sounding_ms(heard(harness.run(1_500))) == 0, "the slot is gone"
    assert of(PeerConnected, harness.run(0)) == []


def test_who_speaks_is_told_to_whoever_watches(harness: PlaneHarness) -> None:
    level = HeaderExtension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")
    harness.plane.submit(AddPeer(replace(peer_spec("ann"), extensions=(level,))))
    internal(harness)
    harness.plane.submit(Subscribe(AI, "0", PublicationId("ann/mic")))
    harness.plane.submit(WatchSpeakers(AI))
    harness.run(100)
    harness.remote("ann").speak("0", tone(48_000))
    events = harness.run(2_500)
    assert of(ActiveSpeaker, events) == [ActiveSpeaker(AI, PublicationId("ann/mic"))]
    levels = [dbov for event in of(LevelsHeard, events) for _, dbov in event.levels]
    assert -17 <= max(levels) <= -13, "a tone of 8 000 of 32 767"
    harness.plane.submit(WatchSpeakers(AI, on=False))
    harness.remote("ann").speak("0", tone(24_000))
    events = harness.run(1_500)
    assert not of(ActiveSpeaker, events)
    assert not of(LevelsHeard, events)


def test_every_shard_answers_what_passed(harness: PlaneHarness) -> None:
    connected(harness, "ann", "bob")
    internal(harness)
    harness.plane.submit(Subscribe(BOB, "0", PublicationId("ann/mic")))
    harness.run(100)
    harness.remote("ann").speak("0", tone(24_000))
    harness.run(1_500)
    harness.plane.submit(AskStatistics(7))
    told = of(StatisticsTold, harness.run(40))
    assert len(told) == harness.plane.identity.shards
    assert {event.query for event in told} == {7}
    assert sorted(one.peer for event in told for one in event.peers) == [AI, ANN, BOB]
    given = {one.peer: one.publications for event in told for one in event.peers}[ANN][0]
    got = {one.peer: one.subscriptions for event in told for one in event.peers}[BOB][0]
    assert (given.mid, given.publication, got.mid, got.publication) == ("0", "ann/mic", "0", "ann/mic")
    assert 45 <= got.packets <= given.layers[0].packets <= 51
