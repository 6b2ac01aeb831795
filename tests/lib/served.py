"""A real `parley serve` process for tests that come from outside: its own port, its own logs, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 120.0


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    certificate: Path | None = None
    """What the server shows, if it speaks https."""

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def logged(self) -> str:
        """Everything the process has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def parley_serve(
    *arguments: str,
    environment: dict[str, str] | None = None,
    inherit: bool = True,
    command: tuple[str, ...] = (sys.executable, "-m", "parley.cli"),
    certificate: Path | None = None,
) -> Iterator[Served]:
    """Run `parley serve` with `arguments` until the block ends; ready means that `/readyz` says so.

    `environment` is added to this process's own, or replaces it if `inherit` is False.
    `certificate` is what the server shows if `arguments` have it speak https.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*command, "serve", "--port", str(port), "--media-port", "0", *arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**(os.environ if inherit else {}), "NO_COLOR": "1", **(environment or {})},
                cwd=folder,
            )
        served = Served(port, process, log, certificate)
        try:
            _wait_until_ready(served)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(served: Served) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    trusted = ssl.create_default_context(cafile=served.certificate) if served.certificate else None
    while time.monotonic() < deadline:
        if served.process.poll() is not None:
            raise AssertionError(f"parley serve ended with {served.process.returncode}:\n{served.logged()}")
        try:
            with urllib.request.urlopen(f"{served.url}/readyz", timeout=2, context=trusted):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"parley serve was not ready in {READY_WITHIN_S:.0f} s:\n{served.logged()}")
