"""From `make serve`, everything built, to a listening server, against starting Python and importing the web framework.

Goal: a second `make serve` listens within three seconds.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve_once() -> tuple[float, float]:
    """Seconds until it listens, and until it is ready to talk."""
    port = _free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        ["make", "serve", f"ARGS=--port {port}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        listening = _until(f"http://127.0.0.1:{port}/healthz", started)
        return listening, _until(f"http://127.0.0.1:{port}/readyz", started)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)


def _until(url: str, started: float) -> float:
    while time.perf_counter() - started < 120:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return time.perf_counter() - started
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(url)


def _baseline() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import litestar, uvicorn"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the medians."""
    baseline = statistics.median(_baseline() for _ in range(ROUNDS))
    rounds = [_serve_once() for _ in range(ROUNDS)]
    for name, seconds in (
        ("listens", statistics.median(listening for listening, _ in rounds)),
        ("ready to talk", statistics.median(ready for _, ready in rounds)),
    ):
        print(
            f"{name:>14}: {seconds:5.2f} s, {seconds / baseline:4.1f} times importing the framework ({baseline:.2f} s)"
        )


if __name__ == "__main__":
    main()
