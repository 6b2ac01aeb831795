"""A thousand handshakes at once: clients of the load generator, over sockets, against two shards."""

from __future__ import annotations

import pytest
from benchmarks.forwarding import load_spec
from benchmarks.load_generator import Generator

from parley.media.commands import AddPeer
from parley.media.events import PeerClosed, PeerConnected
from parley.media.native import NativePlane

pytestmark = pytest.mark.timeout(180)

PEERS = 1_000
SHARDS = 2


def test_a_thousand_handshakes_at_once_all_end_well() -> None:
    plane = NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1", shards=SHARDS)
    try:
        identity = plane.identity
        server = f"127.0.0.1:{identity.candidates[0].port}"
        generator = Generator(
            "forward", peers=PEERS, seconds=1, at_once=PEERS, server=server, fingerprint=identity.fingerprint.value
        )
        fingerprint = generator.line()
        events = []
        for number in range(PEERS):
            plane.submit(AddPeer(load_spec(number, fingerprint, number % SHARDS)))
            events += plane.drain()
        generator.go()
        assert generator.line() == "connected"
        generator.go()
        figures = generator.figures()
        generator.end()
        events += plane.drain()
        counters = plane.counters
    finally:
        plane.close()
    connected = [event.peer for event in events if isinstance(event, PeerConnected)]
    assert figures["connected"] == PEERS
    assert (len(connected), len(set(connected))) == (PEERS, PEERS)
    assert not [event for event in events if isinstance(event, PeerClosed)]
    assert counters.peers_broken == 0
