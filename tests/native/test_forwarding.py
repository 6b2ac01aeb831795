"""Forwarding on the core, by the numbers that it tells: on one shard and between two, in the wire's codec."""

from __future__ import annotations

from dataclasses import replace

import pytest
from media_planes import connected, of, peer_spec, tone
from native_far_ends import NativeHarness

from parley.media.commands import AddPeer, AskStatistics, Subscribe
from parley.media.events import AudioHeard, StatisticsTold
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.statistics import PeerStatistics


@pytest.fixture
def harness() -> NativeHarness:
    return NativeHarness()


def statistics(harness: NativeHarness) -> dict[str, PeerStatistics]:
    harness.plane.submit(AskStatistics(1))
    return {one.peer: one for event in of(StatisticsTold, harness.run(40)) for one in event.peers}


@pytest.mark.parametrize("shard", [0, 1])
def test_a_microphone_is_forwarded_packet_by_packet(harness: NativeHarness, shard: int) -> None:
    connected(harness, "ann")
    harness.plane.submit(AddPeer(replace(peer_spec("bob"), shard=shard)))
    harness.run(100)
    harness.plane.submit(Subscribe(PeerId("bob"), "0", PublicationId("ann/mic")))
    harness.run(100)
    harness.remote("ann").speak("0", tone(24_000))
    harness.run(1_500)
    told = statistics(harness)
    (given,) = told["ann"].publications
    (got,) = told["bob"].subscriptions
    assert (given.layers[0].packets, given.layers[0].lost) == (51, 0)
    assert (got.packets, got.payload_bytes) == (51, given.layers[0].payload_bytes)
    assert given.subscribers == (1 if shard == 0 else 0), "those of its own shard"


def test_what_is_forwarded_on_two_shards_is_counted_once_and_never_enters_python(harness: NativeHarness) -> None:
    connected(harness, "ann")
    viewers = {"bob": 0, "carol": 1, "dave": 1}
    for name, shard in viewers.items():
        harness.plane.submit(AddPeer(replace(peer_spec(name), shard=shard)))
    harness.run(100)
    for name in viewers:
        harness.plane.submit(Subscribe(PeerId(name), "0", PublicationId("ann/mic")))
    harness.run(100)
    harness.remote("ann").speak("0", tone(24_000))
    events = harness.run(1_500)
    assert not of(AudioHeard, events)
    counters = harness.plane.counters
    assert (counters.frames_decoded, counters.frames_encoded) == (0, 0)
    told = statistics(harness)
    (given,) = told["ann"].publications
    assert (given.layers[0].packets, given.layers[0].lost) == (51, 0)
    assert {name: told[name].subscriptions[0].packets for name in viewers} == dict.fromkeys(viewers, 51)
