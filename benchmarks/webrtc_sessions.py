"""Live AI sessions over WebRTC per core, the whole server at work, against a bare aiortc echo in the same run.

Every session has a microphone that sends speech and an answer that is spoken: all the time, or 40 % of it. The server
decodes, detects voice, keeps what was heard, runs the conversation, paces and encodes; the engines cost nothing. The
echo decodes and encodes and does nothing else. Each server is pinned to one core, the generator to another, and its
CPU is read at as many sessions as it carries without falling behind. Engines are warm and one call was made and hung up
before anything is read; memory and the CPU of connecting are read when all are connected and nobody has said anything.
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


def _measure(port: int, process: subprocess.Popen[str], **options: object) -> dict[str, float]:
    """CPU of the server while sessions talk, as a share of a core each; and what the generator saw."""
    first = Generator("calls", server=f"127.0.0.1:{port}", seconds=0.2, **options | {"sessions": 1})
    first.line()
    first.go()
    first.figures()
    before_connecting, memory = cpu_seconds(process), _memory_kib(process)
    generator = Generator("calls", server=f"127.0.0.1:{port}", seconds=SECONDS, **options)
    assert generator.line() == "connected"
    connected = cpu_seconds(process)
    memory = _memory_kib(process) - memory
    time.sleep(0.5)
    before, started = cpu_seconds(process), time.perf_counter()
    generator.go()
    figures = generator.figures()
    figures["share"] = (cpu_seconds(process) - before) / (time.perf_counter() - started) / figures["connected"]
    figures["connect_cpu_ms"] = (connected - before_connecting) / figures["connected"] * 1_000
    figures["kib"] = memory / figures["connected"]
    figures["threads"] = _threads(process)
    return figures


def main() -> None:
    """Print one row for each load."""
    rows: list[tuple[str, dict[str, float]]] = []
    with _pinned(), _echo() as (port, process):
        local = "0.0.0.0:0" if sys.platform != "linux" else f"{_own_address()}:0"
        options = {"sessions": ECHO_SESSIONS, "bind": local, "talking_percent": 100}
        rows.append(("aiortc echo", _measure(port, process, **options)))
    for name, percent in (("Parley, always talking", 100), ("Parley, 40 % talking", 40)):
        with _pinned(), child("webrtc") as (port, process):
            wait_ready(port)
            options = {"sessions": PARLEY_SESSIONS, "ask": percent, "talking_percent": percent}
            rows.append((name, _measure(port, process, **options)))
    print(f"{'':>23} {'sessions':>9} {'core each':>10} {'per core':>9} {'pacing p99':>11} {'packets/s':>10}")
    for name, figures in rows:
        rate = figures["received"] / figures["seconds"] / figures["connected"]
        print(
            f"{name:>23} {figures['connected']:>9.0f} {figures['share']:>10.2%} {1 / figures['share']:>9.0f} "
            f"{figures['pacing_p99_ms']:>8.1f} ms {rate:>10.1f}"
        )
    for name, figures in rows:
        print(
            f"{name}: connecting, from the offer on, p50 {figures['connect_p50_ms']:.0f}, p99 "
            f"{figures['connect_p99_ms']:.0f} ms, {figures['connect_cpu_ms']:.1f} ms of the server's CPU; "
            f"{figures['kib']:.0f} KiB an idle session; {figures['threads']:.0f} threads"
        )
    print(f"Parley costs {rows[1][1]['share'] / rows[0][1]['share']:.2f} times the bare echo.")


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
