"""Live AI sessions over WebRTC per core, the whole server at work, against a bare aiortc echo in the same run.

Every session has a microphone that sends speech and an answer that is spoken: all the time, or 40 % of it. The server
decodes, detects voice, makes turns and feeds recognition, keeps what was heard, paces and encodes; the engines cost
nothing. The echo decodes and encodes and does nothing else. Each server is pinned to one core, the generator to
another, and its CPU is read at as many sessions as it carries, once all of them talk. Engines are warm and one call was
made and hung up before anything is read.

Connecting is read at calls that nobody speaks in; what those cost that are connected already, on average half of them,
is read in a span as long, once all are, and half of that is taken off. An idle session's memory is the slope of the
server's resident memory between few and many of them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.child_server import child, cpu_seconds, wait_ready
from benchmarks.load_generator import SERVER_CORE, Generator, pin, unpin

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 20.0
PARLEY_SESSIONS = 48
ECHO_SESSIONS = 6
FRAMES_PER_SECOND = 50
FEW, MANY = 24, 96


@contextlib.contextmanager
def _echo() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    sys.path.insert(0, str(ROOT / "tests" / "lib"))
    from client_venvs import client_python

    command = [str(client_python("aiortc")), str(ROOT / "benchmarks" / "aiortc_echo.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        process.wait(timeout=20)


def _threads(process: subprocess.Popen[str]) -> int:
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def _memory_kib(process: subprocess.Popen[str]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def _warm(port: int, **options: object) -> None:
    """Make one call, say something and hang up."""
    first = Generator("calls", server=f"127.0.0.1:{port}", seconds=0.2, **options | {"sessions": 1})
    first.line()
    first.go()
    assert first.line() == "talking"
    first.figures()


def _talk(port: int, process: subprocess.Popen[str], **options: object) -> dict[str, float]:
    """CPU of the server while all sessions talk, as a share of a core each; and what the generator saw."""
    _warm(port, **options)
    generator = Generator("calls", server=f"127.0.0.1:{port}", seconds=SECONDS, **options)
    assert generator.line() == "connected"
    generator.go()
    assert generator.line() == "talking"
    before, started = cpu_seconds(process), time.perf_counter()
    figures = generator.figures()
    figures["share"] = (cpu_seconds(process) - before) / (time.perf_counter() - started) / figures["connected"]
    figures["threads"] = _threads(process)
    figures["talking"] = float(str(options["talking_percent"])) / 100
    return figures


def _connect(port: int, process: subprocess.Popen[str], few: int, many: int, **options: object) -> dict[str, float]:
    """CPU of the server for one call more, and memory for one that is idle, of which some are there already."""
    _warm(port, **options)
    found: dict[str, float] = {}
    before, started = cpu_seconds(process), time.perf_counter()
    with _idle(port, few, **options):
        span, connected = time.perf_counter() - started, cpu_seconds(process)
        time.sleep(span)
        found["raw_ms"] = (connected - before) / few * 1_000
        found["idle_ms"] = (cpu_seconds(process) - connected) / few * 1_000
        found["net_ms"] = found["raw_ms"] - found["idle_ms"] / 2
        time.sleep(1.0)
        memory = _memory_kib(process)
        with _idle(port, many - few, **options):
            time.sleep(1.0)
            found["kib"] = (_memory_kib(process) - memory) / (many - few)
    return found


@contextlib.contextmanager
def _idle(port: int, sessions: int, **options: object) -> Iterator[None]:
    """So many calls, connected, that nobody speaks in."""
    generator = Generator("calls", server=f"127.0.0.1:{port}", **options | {"sessions": sessions})
    assert generator.line() == "connected"
    try:
        yield
    finally:
        generator.end()


def main() -> None:
    """Print one row for each load, then what a call costs before anybody speaks."""
    rows: list[tuple[str, dict[str, float]]] = []
    local = f"{_own_address()}:0" if sys.platform == "linux" else "0.0.0.0:0"
    with _pinned(), _echo() as (port, process):
        rows.append(("aiortc echo", _talk(port, process, sessions=ECHO_SESSIONS, bind=local, talking_percent=100)))
    for name, percent in (("Parley, always talking", 100), ("Parley, 40 % talking", 40)):
        with _pinned(), child("webrtc") as (port, process):
            wait_ready(port)
            talks = {"sessions": PARLEY_SESSIONS, "ask": percent, "talking_percent": percent}
            rows.append((name, _talk(port, process, **talks)))
    print(f"{'':>23} {'sessions':>9} {'core each':>10} {'per core':>9} {'pacing p99':>11} {'packets/s':>10}")
    for name, figures in rows:
        rate = figures["received"] / figures["seconds"] / figures["connected"]
        print(
            f"{name:>23} {figures['connected']:>9.0f} {figures['share']:>10.2%} {1 / figures['share']:>9.0f} "
            f"{figures['pacing_p99_ms']:>8.1f} ms {rate:>10.1f}"
            f"{'' if rate >= 0.98 * FRAMES_PER_SECOND * figures['talking'] else '  starved: not to be used'}"
        )
    for name, figures in rows:
        print(
            f"{name}: connected after the offer p50 {figures['connect_p50_ms']:.0f}, p99 "
            f"{figures['connect_p99_ms']:.0f} ms; {figures['threads']:.0f} threads"
        )
    print(f"Parley costs {rows[1][1]['share'] / rows[0][1]['share']:.2f} times the bare echo.")
    with _pinned(), _echo() as (port, process):
        _print_idle("aiortc echo", _connect(port, process, ECHO_SESSIONS, 4 * ECHO_SESSIONS, bind=local))
    with _pinned(), child("webrtc") as (port, process):
        wait_ready(port)
        _print_idle("Parley", _connect(port, process, FEW, MANY))


def _print_idle(name: str, found: dict[str, float]) -> None:
    print(
        f"{name}: one call more takes {found['net_ms']:.2f} ms of CPU: {found['raw_ms']:.2f} while connecting, "
        f"less half of {found['idle_ms']:.2f} for idle calls in a span as long; {found['kib']:.0f} KiB while idle"
    )


@contextlib.contextmanager
def _pinned() -> Iterator[None]:
    """Children that are started here share the server's core."""
    pin(SERVER_CORE)
    try:
        yield
    finally:
        unpin()


def _own_address() -> str:
    """An address that aiortc offers: it leaves loopback out."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        address: str = probe.getsockname()[0]
        return address


if __name__ == "__main__":
    main()
