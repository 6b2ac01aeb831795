"""The native plane on real sockets: two planes of one machine talk, and an event loop is woken."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from media_planes import peer_spec, tone

from parley.audio import AudioBlock
from parley.media.commands import (
    AddPeer,
    EndSpeech,
    ListenerId,
    OpenChannel,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    SendMessage,
    SpeakerId,
    Subscribe,
)
from parley.media.errors import BadPeerSpec, MediaError, PlaneClosed
from parley.media.events import AudioHeard, ChannelOpened, Event, MessageReceived, PeerClosed, PeerConnected
from parley.media.native import NativePlane
from parley.media.peer_spec import PeerId, PeerSpec, PublicationId

ANN = PeerId("ann")
VOICE = SpeakerId("voice")
EAR = ListenerId("ear")


@pytest.fixture
def planes() -> Iterator[tuple[NativePlane, NativePlane]]:
    pair = [NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1", shards=shards) for shards in (2, 1)]
    yield pair[0], pair[1]
    for plane in pair:
        plane.close()


def specs(ours: NativePlane, theirs: NativePlane, protocol: str) -> tuple[PeerSpec, PeerSpec]:
    """What our plane is told of the caller, on the second shard, and what the caller's plane is told of us."""
    spec = replace(peer_spec("ann"), shard=1, remote_fingerprint=theirs.identity.fingerprint)
    slot = spec.slots[0]
    assert slot.send is not None
    far = replace(
        spec,
        shard=0,
        local_ice=spec.remote_ice,
        remote_ice=spec.local_ice,
        remote_fingerprint=ours.identity.fingerprint,
        dtls_role="passive",
        ice_lite=False,
        slots=(replace(slot, publication=PublicationId("far"), receive=(slot.send,), send=slot.receive[0]),),
        remote_candidates=tuple(c for c in ours.identity.candidates if c.protocol == protocol),
    )
    return spec, far


def run_until(so: Callable[[list[Event], list[Event]], bool], *planes: NativePlane) -> tuple[list[Event], list[Event]]:
    told: tuple[list[Event], list[Event]] = ([], [])
    for _ in range(1_500):
        for events, plane in zip(told, planes, strict=True):
            events.extend(plane.drain())
        if so(*told):
            return told
        time.sleep(0.01)
    pytest.fail(f"not in time; so far {[type(event).__name__ for events in told for event in events][-40:]}")


def sound(events: list[Event]) -> bytes:
    blocks: list[AudioBlock] = [event.block for event in events if isinstance(event, AudioHeard)]
    return b"".join(block.pcm for block in blocks)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_call_over_sockets(planes: tuple[NativePlane, NativePlane], protocol: str) -> None:
    ours, theirs = planes
    near, far = specs(ours, theirs, protocol)
    ours.submit(OpenListener(EAR, PublicationId("ann/mic"), "lane"))
    ours.submit(AddPeer(near))
    theirs.submit(AddPeer(far))
    theirs.submit(OpenListener(EAR, PublicationId("far"), "far", detect_speech=False))
    for plane, shard in ((ours, 1), (theirs, 0)):
        plane.submit(OpenSpeaker(VOICE, PublicationId("ai"), shard))
        plane.submit(Subscribe(ANN, "0", PublicationId("ai")))
        plane.submit(OpenChannel(ANN, 1, "oai-events", negotiated=True))
    run_until(lambda a, b: all(any(isinstance(e, ChannelOpened) for e in events) for events in (a, b)), *planes)
    for plane in planes:
        plane.submit(PushSpeech(VOICE, "a", tone(12_000)))
        plane.submit(EndSpeech(VOICE, "a"))
        plane.submit(SendMessage(ANN, 1, "grüß dich"))
    told = run_until(
        lambda a, b: all(
            sum(map(abs, memoryview(sound(e)).cast("h"))) > 12_000 * 3_000 and MessageReceived(ANN, 1, "grüß dich") in e
            for e in (a, b)
        ),
        *planes,
    )
    heard = next(event for event in told[0] if isinstance(event, AudioHeard))
    assert heard.block.lane == "lane"
    assert abs(heard.at_ms - time.monotonic() * 1_000) < 20_000, "the clock of the event loop"
    ours.close()
    run_until(lambda a, b: PeerClosed(ANN, "closed") in a and PeerClosed(ANN, "remote") in b, *planes)


async def test_an_event_loop_is_woken(planes: tuple[NativePlane, NativePlane]) -> None:
    ours, theirs = planes
    woken = asyncio.Event()
    ours.watch(woken.set)
    near, far = specs(ours, theirs, "udp")
    ours.submit(AddPeer(near))
    theirs.submit(AddPeer(far))
    await asyncio.wait_for(woken.wait(), 15)
    assert ours.drain() == [PeerConnected(ANN)]
    woken.clear()
    ours.submit(RemovePeer(ANN))
    await asyncio.wait_for(woken.wait(), 15)
    assert ours.drain() == [PeerClosed(ANN, "removed")]


def test_what_cannot_be_opened_is_named_with_the_fix() -> None:
    with pytest.raises(MediaError, match=r'"localhost" is no IP address; give one such as'):
        NativePlane.open(announced=["localhost"])
    with pytest.raises(MediaError, match="4 announced addresses; choose 1 to 3"):
        NativePlane.open(announced=["127.0.0.1"] * 4)
    with pytest.raises(MediaError, match="0 media threads; choose 1 to 256"):
        NativePlane.open(announced=["127.0.0.1"], shards=0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MediaError, match=f"cannot listen on 127.0.0.1:{port} .*; choose another media port"):
            NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1", port=port)


def test_what_only_the_core_can_check_is_refused(planes: tuple[NativePlane, NativePlane]) -> None:
    ours, _ = planes
    spec = peer_spec("ann")
    with pytest.raises(BadPeerSpec, match="shard: 2 is beyond the last, 1"):
        ours.submit(AddPeer(replace(spec, shard=2)))
    with pytest.raises(BadPeerSpec, match="letters, digits"):
        ours.submit(AddPeer(replace(spec, local_ice=replace(spec.local_ice, ufrag="aa\r\na=b"))))
    ours.submit(AddPeer(spec))
    with pytest.raises(BadPeerSpec, match="the ufrag is that of another peer"):
        ours.submit(AddPeer(replace(peer_spec("bob"), local_ice=spec.local_ice)))


def test_threads_end_and_ports_are_free_after_closing() -> None:
    plane = NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1")
    port = plane.identity.candidates[0].port
    plane.close()
    plane.close()
    with pytest.raises(PlaneClosed):
        plane.submit(RemovePeer(ANN))
    NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1", port=port).close()


def _use_after_fork(plane: NativePlane, answers: multiprocessing.queues.Queue[str]) -> None:
    try:
        plane.submit(RemovePeer(ANN))
    except PlaneClosed as error:
        answers.put(str(error))
    plane.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_is_refused_and_disturbs_nobody(planes: tuple[NativePlane, NativePlane]) -> None:
    ours, _ = planes
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_use_after_fork, args=(ours, answers))
    child.start()
    assert "open a new one after a fork" in answers.get(timeout=15)
    child.join(15)
    assert child.exitcode == 0
    ours.submit(RemovePeer(ANN))
