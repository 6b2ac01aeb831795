"""aiortc's `MediaRelay`, in its own environment (`benchmarks/aiortc_relay.py`). One publisher, sound only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.meeting import Meeting
from benchmarks.sfu.process import stopped
from benchmarks.sfu.room import Person, Room, UnavailableError

__all__ = ["running"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class _Room:
    http: httpx.Client
    meeting: Meeting

    def publish(self, kinds: Sequence[str]) -> Person:
        return Person(self._come_in("/publish", "send:audio"), "publisher", tuple(kinds))

    def hear(self, who: Person, people: Sequence[Person]) -> None:
        raise NotImplementedError("one publisher, who hears nobody")

    def audience(self, count: int, people: Sequence[Person]) -> None:
        for _ in range(count):
            self._come_in("/subscribe", "recv:audio")

    def _come_in(self, path: str, wish: str) -> int:
        client, offer = self.meeting.offer(wish)
        reply = self.http.post(path, content=offer, headers={"content-type": "application/sdp"}).raise_for_status()
        self.meeting.accept(client, reply.text)
        return client


@dataclass(frozen=True)
class _Relay:
    pid: int
    port: int

    def room(self, meeting: Meeting) -> Room:
        return _Room(httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30), meeting)


@contextmanager
def running(address: str) -> Iterator[_Relay]:
    """Run the relay. It offers all addresses of this machine but loopback."""
    sys.path.insert(0, str(ROOT / "tests" / "lib"))
    from client_venvs import client_python

    if address.startswith("127."):
        raise UnavailableError("aiortc needs another address than loopback")
    command = [str(client_python("aiortc")), str(ROOT / "benchmarks" / "aiortc_relay.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    with stopped(process):
        assert process.stdout is not None
        yield _Relay(process.pid, int(process.stdout.readline()))
