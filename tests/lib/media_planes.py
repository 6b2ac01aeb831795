"""What the contract suite needs of a plane: a way to let time pass, far ends, and specs of peers."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

from native_far_ends import NativeHarness

from parley.media.commands import AddPeer
from parley.media.events import AudioHeard, Event
from parley.media.loopback import LoopbackPlane
from parley.media.loopback_remote import LoopbackRemote
from parley.media.peer_spec import (
    Codec,
    Fingerprint,
    IceCredentials,
    PeerId,
    PeerSpec,
    PublicationId,
    SctpSpec,
    Slot,
    StreamIds,
)
from parley.media.plane import MediaPlane

E = TypeVar("E", bound=Event)

OPUS = Codec(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1")


@cache
def tone(samples: int, hz: float = 400.0, level: int = 8_000) -> bytes:
    """A tone that is never zero for two samples in a row, so that silence is recognised in recordings."""
    step = 2 * math.pi * hz / 24_000
    return b"".join(struct.pack("<h", round(level * math.sin(step * n + 0.3)) or 1) for n in range(samples))


def samples_of(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def peer_spec(peer: str, *, channels: bool = True) -> PeerSpec:
    """A browser's call: one audio slot both ways, published as `<peer>/mic`, and data channels."""
    seed = 1 + sum(peer.encode())
    slot = Slot(
        "0", "audio", (OPUS,), PublicationId(f"{peer}/mic"), (StreamIds(ssrc=seed),), StreamIds(ssrc=seed + 100_000)
    )
    return PeerSpec(
        PeerId(peer),
        0,
        IceCredentials(f"{peer}aaaa", "p" * 22),
        IceCredentials(f"{peer}bbbb", "q" * 22),
        Fingerprint("sha-256", ":".join(["AB"] * 32)),
        "active",
        (slot,),
        sctp=SctpSpec("1") if channels else None,
    )


class FarEnd(Protocol):
    """The other end of a peer, as a test plays it."""

    reading: bool

    @property
    def channels(self) -> dict[int, str]: ...

    @property
    def messages(self) -> list[tuple[int, str | bytes]]: ...

    def speak(self, mid: str, pcm: bytes) -> None: ...

    def recording(self, mid: str, until_ms: int) -> bytes: ...

    def open_channel(self, channel: int, label: str) -> None: ...

    def close_channel(self, channel: int) -> None: ...

    def send(self, channel: int, data: str | bytes) -> None: ...

    def hang_up(self) -> None: ...


class PlaneHarness(Protocol):
    """A plane under test."""

    @property
    def plane(self) -> MediaPlane: ...

    @property
    def now_ms(self) -> int: ...

    def run(self, ms: int) -> list[Event]:
        """Let time pass, draining; give the events."""

    def run_undrained(self, ms: int) -> None:
        """Let time pass while nobody drains."""

    def remote(self, peer: str) -> FarEnd:
        """The far end of a peer."""

    def tap(self, publication: PublicationId) -> None:
        """Record what a speaker says."""

    def spoken(self) -> list[tuple[int, bytes]]:
        """When frames of the tapped speaker with sound left, and what they were."""

    def alike(self, got: bytes, sent: bytes) -> bool:
        """Whether one is the other, as far as this plane keeps sound."""


class LoopbackHarness:
    """The loopback plane under test."""

    def __init__(self) -> None:
        self.plane = LoopbackPlane()

    @property
    def now_ms(self) -> int:
        return self.plane.now_ms

    def run(self, ms: int) -> list[Event]:
        events: list[Event] = []
        for step in range(0, max(ms, 1), 100):
            self.plane.advance(min(100, ms - step))
            events += self.plane.drain()
        return events

    def run_undrained(self, ms: int) -> None:
        self.plane.advance(ms)

    def remote(self, peer: str) -> LoopbackRemote:
        return self.plane.remote(PeerId(peer))

    def tap(self, publication: PublicationId) -> None:
        """Every far end hears what is sent, to the sample: the first peer's will do."""

    def spoken(self) -> list[tuple[int, bytes]]:
        return [(frame.at_ms, frame.pcm) for frame in self.remote("ann").heard.get("0", ())]

    def alike(self, got: bytes, sent: bytes) -> bool:
        return got.strip(b"\0") == sent.strip(b"\0")


HARNESSES: dict[str, Callable[[], PlaneHarness]] = {"loopback": LoopbackHarness, "native": NativeHarness}


def connected(harness: PlaneHarness, *peers: str) -> None:
    """Add peers and let them connect."""
    for peer in peers:
        harness.plane.submit(AddPeer(peer_spec(peer)))
    harness.run(0)


def of(kind: type[E], events: list[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def control(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, AudioHeard)]
