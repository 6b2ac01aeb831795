"""The plane's owner: everybody gets their own events, in order; commands wait where they may, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from media_planes import peer_spec, tone

from parley.media.allotment import Allotment
from parley.media.commands import (
    AddPeer,
    Command,
    ListenerId,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    SpeakerId,
)
from parley.media.errors import Busy
from parley.media.events import AudioHeard, ChannelOpened, Event, MessageReceived, PeerClosed, PeerConnected
from parley.media.loopback import LoopbackPlane
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.plane import PlaneCounters, PlaneIdentity
from parley.media.switchboard import Switchboard

ANN, BOB = PeerId("ann"), PeerId("bob")


async def turn() -> None:
    """Let the loop do what it was asked to."""
    for _ in range(3):
        await asyncio.sleep(0)


def switchboard(plane: LoopbackPlane) -> Switchboard:
    made = Switchboard(plane)
    made.start()
    return made


async def test_everybody_hears_of_their_own_and_in_order() -> None:
    plane = LoopbackPlane()
    board = switchboard(plane)
    told: dict[str, list[Any]] = {"ann": [], "bob": []}
    for peer in (ANN, BOB):
        board.on_peer(peer, told[peer].append)
        board.submit(AddPeer(peer_spec(peer)))
    plane.advance(20)
    await turn()
    plane.remote(ANN).open_channel(1, "oai-events")
    plane.remote(ANN).send(1, "hello")
    plane.advance(20)
    await turn()
    assert told == {
        "ann": [PeerConnected(ANN), ChannelOpened(ANN, 1, "oai-events"), MessageReceived(ANN, 1, "hello")],
        "bob": [PeerConnected(BOB)],
    }
    board.submit(RemovePeer(BOB))
    plane.advance(20)
    await turn()
    assert told["bob"][-1] == PeerClosed(BOB, "removed")
    assert len(board) == 1


async def test_a_listener_is_heard_until_it_is_forgotten() -> None:
    plane = LoopbackPlane()
    board = switchboard(plane)
    heard: list[AudioHeard] = []
    board.submit(AddPeer(peer_spec("ann")))
    board.on_listener(ListenerId("ear"), heard.append)
    board.submit(OpenListener(ListenerId("ear"), PublicationId("ann/mic"), "0"))
    plane.advance(100)
    await turn()
    assert [event.block.start_sample for event in heard] == [0, 480, 960, 1440, 1920]
    board.forget(ListenerId("ear"))
    plane.advance(100)
    await turn()
    assert len(heard) == 5


async def test_a_registrant_that_raises_hurts_nobody_else() -> None:
    plane = LoopbackPlane()
    board = switchboard(plane)
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def broken(_event: object) -> None:
        raise ValueError("a bug")

    told: list[object] = []
    board.on_peer(ANN, broken)
    board.on_peer(BOB, told.append)
    for peer in (ANN, BOB):
        board.submit(AddPeer(peer_spec(peer)))
    plane.advance(20)
    await turn()
    await turn()
    assert told == [PeerConnected(BOB)]
    assert [type(context["exception"]) for context in reported] == [ValueError]


class FullPlane:
    """A plane whose command queue is full until `room` is given."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[Command] = []
        self.identity = PlaneIdentity(LoopbackPlane().identity.fingerprint, ())
        self.counters = PlaneCounters()

    def submit(self, command: Command) -> None:
        if len(self.taken) >= self.room:
            raise Busy("full")
        self.taken.append(command)

    def watch(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def drain(self) -> list[Event]:
        return []

    def close(self) -> None:
        self.room = -1


async def test_commands_wait_for_a_full_plane_in_their_order_and_speech_is_refused_meanwhile() -> None:
    plane = FullPlane()
    board = Switchboard(plane)
    board.start()
    speaker = SpeakerId("voice")
    opening: list[Command] = [OpenSpeaker(speaker, PublicationId("ai")), RemovePeer(ANN)]
    for command in opening:
        board.submit(command)
    with pytest.raises(Busy):
        board.submit(PushSpeech(speaker, "item", tone(480)))
    plane.room = 10
    with pytest.raises(Busy):
        board.submit(PushSpeech(speaker, "item", tone(480)))  # it would overtake
    async with asyncio.timeout(5):
        while len(plane.taken) < 2:
            await asyncio.sleep(0.005)
    assert plane.taken == opening
    board.submit(PushSpeech(speaker, "item", tone(480)))
    assert len(plane.taken) == 3


async def test_closing_says_goodbye_to_everybody_and_is_final() -> None:
    plane = LoopbackPlane()
    board = switchboard(plane)
    told: list[object] = []
    board.on_peer(ANN, told.append)
    board.submit(AddPeer(peer_spec("ann")))
    plane.advance(20)
    board.close()
    board.close()
    assert told == [PeerConnected(ANN), PeerClosed(ANN, "closed")]
    assert not board.live
    board.submit(AddPeer(peer_spec("bob")))
    await turn()
    assert len(told) == 2


def test_allotments_are_legal_and_name_their_shard() -> None:
    counter = iter(range(1, 1_000))
    allotment = Allotment(shards=3, random_bytes=lambda size: next(counter).to_bytes(size, "big"), node="n")
    assert [allotment.shard() for _ in range(4)] == [0, 1, 2, 0]
    ice = allotment.ice(2)
    assert ice.ufrag.startswith("n2")
    assert (len(ice.ufrag), len(ice.password)) == (10, 24)
    assert allotment.ice(2).ufrag != ice.ufrag
    assert 0 < allotment.ssrc() < 2**32
    assert 0 <= allotment.session_number() < 2**62
    silent = Allotment(shards=1, random_bytes=bytes)
    assert silent.ssrc() == 1
