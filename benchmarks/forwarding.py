"""Forwarding through the router: one voice to many peers, and what connecting and idling cost. The generator is ours.

The server's process, all its threads, is pinned to one core and the generator to another; CPU is the whole process's.
The floor is a bare loop of AES-GCM and sendto in the same run: no forwarder can beat it.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.load_generator import SERVER_CORE, Generator, pin, unpin
from parley.media.commands import AddPeer, Subscribe
from parley.media.native import NativePlane
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

SUBSCRIBERS = (50, 150, 300)
SECONDS = 8.0
ONE_BY_ONE = 100
AT_ONCE = 1_000
FRAMES_PER_SECOND = 50


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _memory_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _serve(pipe: Connection, peers: int, forward: bool) -> None:
    """A plane with so many peers; the first is heard by all others. Answers each word with its figures."""
    pin(SERVER_CORE)
    plane = NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1")
    pipe.send((plane.identity.candidates[0].port, plane.identity.fingerprint.value))
    fingerprint = pipe.recv()
    memory, cpu = _memory_kib(), _cpu()
    for number in range(peers):
        spec = load_spec(number, fingerprint)
        plane.submit(AddPeer(spec))
        if number and forward:
            plane.submit(Subscribe(spec.peer, "0", PublicationId("load0000/mic")))
        if number % 100 == 99:
            time.sleep(0.05)  # the queue of commands is bounded
            plane.drain()
    pipe.send(None)
    while (word := pipe.recv()) != "end":
        plane.drain()
        if word == "mark":
            memory, cpu = _memory_kib(), _cpu()
        pipe.send((_cpu() - cpu, _memory_kib() - memory, _threads(), plane.counters))
    plane.close()


def load_spec(number: int, fingerprint: str, shard: int = 0) -> PeerSpec:
    """Give what a plane is told of the client of that number of a generator that has this fingerprint."""
    name = f"load{number:04}"
    slot = Slot(
        "0",
        "audio",
        (Codec(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1"),),
        PublicationId(f"{name}/mic"),
        (StreamIds(ssrc=10_000 + number),),
        StreamIds(ssrc=20_000 + number),
    )
    return PeerSpec(
        PeerId(name),
        shard,
        IceCredentials(f"{name}s", f"{name}s-with-enough-letters"),
        IceCredentials(f"{name}c", f"{name}c-with-enough-letters"),
        Fingerprint("sha-256", fingerprint),
        "active",
        (slot,),
        sctp=SctpSpec("1"),
    )


def _run(
    peers: int, seconds: float, at_once: int, *, forward: bool, settled: Callable[[Connection], object]
) -> tuple[dict[str, float], object, object]:
    """One plane and one generator; gives the generator's figures, the server's after connecting and at the end."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, peers, forward))
    server.start()
    theirs.close()  # so that a server that ends early is noticed
    port, fingerprint = ours.recv()
    generator = Generator(
        "forward", peers=peers, seconds=seconds, at_once=at_once, server=f"127.0.0.1:{port}", fingerprint=fingerprint
    )
    ours.send(generator.line())
    ours.recv()
    generator.go()
    assert generator.line() == "connected"
    ours.send("read")
    connected = ours.recv()
    settled(ours)
    generator.go()
    figures = generator.figures()
    ours.send("read")
    after = ours.recv()
    ours.send("end")
    server.join()
    return figures, connected, after


def _mark(pipe: Connection) -> None:
    time.sleep(1.0)
    pipe.send("mark")
    pipe.recv()


def _forward(subscribers: int) -> tuple[float, dict[str, float]]:
    """Packets forwarded in a second of the server's CPU."""
    figures, _, after = _run(subscribers + 1, SECONDS, subscribers + 1, forward=True, settled=_mark)
    assert isinstance(after, tuple)
    figures["expected"] = subscribers * FRAMES_PER_SECOND * SECONDS
    return figures["received"] / float(after[0]), figures


def main() -> None:
    """Print forwarding against the floor, then connecting and idling."""
    pin(SERVER_CORE)
    floor = Generator("floor").figures()
    unpin()
    print(f"floor: {floor['encrypted']:,.0f} packets a CPU second encrypted, {floor['plain']:,.0f} plain")
    print(f"{'1 to':>6} {'packets a CPU second':>21} {'of the floor':>13} {'arrived':>9} {'delay p50, p99':>16}")
    for subscribers in SUBSCRIBERS:
        rate, figures = _forward(subscribers)
        arrived = figures["received"] / figures["expected"]
        delay = f"{figures['delay_p50_ms']:.1f}, {figures['delay_p99_ms']:.1f} ms"
        print(f"{subscribers:>6} {rate:>21,.0f} {rate / floor['encrypted']:>12.0%} {arrived:>9.2%} {delay:>16}")
    for peers, at_once in ((ONE_BY_ONE, 1), (AT_ONCE, AT_ONCE)):
        figures, connected, after = _run(peers, 0, at_once, forward=False, settled=lambda _pipe: time.sleep(2))
        assert isinstance(connected, tuple)
        assert isinstance(after, tuple)
        how = "one by one" if at_once == 1 else f"all at once in {figures['all_connected_ms']:,.0f} ms"
        print(
            f"{figures['connected']:.0f} of {peers} connected, {how}: wall p50 {figures['connect_p50_ms']:.1f}, p99 "
            f"{figures['connect_p99_ms']:.1f} ms; server CPU {connected[0] / peers * 1_000:.2f} ms a peer; "
            f"memory {after[1] / peers:.0f} KiB a peer with its data channel's association; {after[2]} threads"
        )


if __name__ == "__main__":
    main()
