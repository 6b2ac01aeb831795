"""Fan-out through the whole server, against other servers that forward: the same clients, one run, both sides pinned.

Every server is one process, pinned to one core with all its threads; the clients (`parley-load`) and whoever does the
signalling have another. CPU is the whole process's. Packets are those that arrived, in a second of that CPU; delays are
from a client's socket to another's. Listeners are connected while nobody talks. LiveKit and Janus run with ICE-lite and
Janus with one event loop, which is their cheapest; an audience of LiveKit is hidden. aiortc decodes and encodes, as its
relay does; the others forward.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from benchmarks.load_generator import LOAD_CORE, SERVER_CORE, pin, unpin
from benchmarks.meeting import Meeting
from benchmarks.sfu import aiortc, janus, livekit, parley_calls
from benchmarks.sfu.process import cpu_seconds, memory_kib
from benchmarks.sfu.room import Person, Sfu, UnavailableError

SECONDS = 8.0
AUDIENCE, BIG_AUDIENCE, SMALL_AUDIENCE = 300, 1_000, 10
WATCHERS = 50
ROOMS, IN_A_ROOM = 10, 10
#: Of so many listeners one decrypts, to tell delays.
LISTENS_EVERY = 10
P95_GOAL_MS = 30.0
SETTLE_S = 1.0


@dataclass(frozen=True)
class Rival:
    """A server to be measured."""

    name: str
    running: Callable[[str], AbstractContextManager[Sfu]]
    #: What its publisher says: numbered packets, or real sound for those that decode.
    says: str = "sound"
    audience: int = AUDIENCE
    forwards: bool = True


RIVALS = (
    Rival("Parley", parley_calls.running),
    Rival("LiveKit 1.8.4", livekit.running),
    Rival("Janus", janus.running),
    Rival("aiortc MediaRelay", aiortc.running, "tone:440", SMALL_AUDIENCE, forwards=False),
)


@dataclass(frozen=True)
class Row:
    """What was measured of one server."""

    rate: float
    arrived: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    connect_ms: float
    kib: float


def main() -> None:
    """Print a table for each kind of load."""
    try:
        _compare(f"sound, 1 to {AUDIENCE}", RIVALS, lambda rival: _one_to_many(rival, ("audio",), rival.audience))
        forwarding = [rival for rival in RIVALS if rival.forwards]
        _compare(
            f"sound and pictures of 1.1 Mbit/s, 1 to {WATCHERS}",
            forwarding,
            lambda rival: _one_to_many(rival, ("audio", "video"), WATCHERS),
        )
        _compare(f"sound, {ROOMS} rooms of {IN_A_ROOM}, all talk", forwarding, _rooms)
        row = _one_to_many(RIVALS[0], ("audio",), BIG_AUDIENCE)
        reached = "reached" if row.p95_ms < P95_GOAL_MS else "MISSED"
        print(
            f"Parley, sound, 1 to {BIG_AUDIENCE}: {row.rate:,.0f} packets a CPU second, {row.arrived:.2%} arrived; "
            f"delay p50 {row.p50_ms:.1f}, p95 {row.p95_ms:.1f}, p99 {row.p99_ms:.1f} ms "
            f"(p95 under {P95_GOAL_MS:.0f} ms: {reached}); {row.connect_ms:.1f} ms of CPU, {row.kib:.0f} KiB a listener"
        )
    finally:
        unpin()


def _compare(title: str, rivals: Sequence[Rival], measured: Callable[[Rival], Row]) -> None:
    print(f"{title}:")
    head = f"{'packets a CPU second':>21} {'Parley is':>10} {'arrived':>8} {'delay p50, p95, p99':>23}"
    print(f"{'':>18} {head} {'CPU to connect':>15} {'memory':>9}")
    ours: float | None = None
    for rival in rivals:
        try:
            row = measured(rival)
        except UnavailableError as error:
            print(f"{rival.name:>18} not measured: {error}", flush=True)
            continue
        ours = ours or row.rate
        delay = f"{row.p50_ms:.1f}, {row.p95_ms:.1f}, {row.p99_ms:.1f} ms" if rival.forwards else "-"
        print(
            f"{rival.name:>18} {row.rate:>21,.0f} {ours / row.rate:>8.1f} x {row.arrived:>8.2%} {delay:>23} "
            f"{row.connect_ms:>12.1f} ms {row.kib:>5.0f} KiB",
            flush=True,
        )


@contextmanager
def _meeting(rival: Rival) -> Iterator[tuple[Sfu, Meeting]]:
    """The server on its core, the clients and us on another."""
    address = _own_address()
    pin(SERVER_CORE)
    with rival.running(address) as sfu:
        pin(LOAD_CORE)
        with Meeting(bind=f"{address}:0", listens_every=LISTENS_EVERY) as meeting:
            yield sfu, meeting


def _one_to_many(rival: Rival, kinds: Sequence[str], audience: int) -> Row:
    with _meeting(rival) as (sfu, meeting):
        room = sfu.room(meeting)
        publisher = room.publish(kinds)
        meeting.connect()
        _talk(rival, meeting, publisher)
        time.sleep(SETTLE_S)
        meeting.hush()
        before, memory = cpu_seconds(sfu.pid), memory_kib(sfu.pid)
        room.audience(audience, [publisher])
        meeting.connect()
        connecting, memory = cpu_seconds(sfu.pid) - before, memory_kib(sfu.pid) - memory
        return _measured(sfu, meeting, audience, connecting / audience, memory / audience)


def _rooms(rival: Rival) -> Row:
    with _meeting(rival) as (sfu, meeting):
        before, memory = cpu_seconds(sfu.pid), memory_kib(sfu.pid)
        for _ in range(ROOMS):
            room = sfu.room(meeting)
            people = [room.publish(("audio",)) for _ in range(IN_A_ROOM)]
            meeting.connect()
            for person in people:
                _talk(rival, meeting, person)
            for person in people:
                room.hear(person, [other for other in people if other is not person])
            meeting.connect()
            meeting.hush()
        everybody = ROOMS * IN_A_ROOM
        connecting, memory = cpu_seconds(sfu.pid) - before, memory_kib(sfu.pid) - memory
        return _measured(sfu, meeting, IN_A_ROOM - 1, connecting / everybody, memory / everybody)


def _talk(rival: Rival, meeting: Meeting, person: Person) -> None:
    for slot, kind in enumerate(person.sends):
        meeting.talk(person.client, "pictures" if kind == "video" else rival.says, slot)


def _measured(sfu: Sfu, meeting: Meeting, copies: int, connecting_s: float, kib: float) -> Row:
    """Measure; every packet that is sent should arrive so many times."""
    # What begins with the first packets is over then: handshakes, and waiting for a key picture.
    meeting.measure(SETTLE_S)
    before = cpu_seconds(sfu.pid)
    figures = meeting.measure(SECONDS)
    busy = cpu_seconds(sfu.pid) - before
    return Row(
        figures["received"] / busy,
        figures["received"] / (figures["sent"] * copies),
        figures["delay_p50_ms"],
        figures["delay_p95_ms"],
        figures["delay_p99_ms"],
        connecting_s * 1_000,
        kib,
    )


def _own_address() -> str:
    """An address of this machine that is not loopback, which some servers leave out; loopback where there is none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


if __name__ == "__main__":
    main()
