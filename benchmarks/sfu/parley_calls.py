"""Parley by its Calls API: one session a person, one connection for both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.child_server import CALLS_APP, CALLS_SECRET, child
from benchmarks.meeting import Meeting
from benchmarks.sfu.room import Person, Room

__all__ = ["CallsRoom", "ParleyCalls", "running"]


@dataclass
class CallsRoom:
    """Sessions of one app."""

    http: httpx.Client
    meeting: Meeting

    def publish(self, kinds: Sequence[str]) -> Person:
        client, offer = self.meeting.offer(*(f"send:{kind}" for kind in kinds))
        session = self._asked("POST", "/sessions/new")["sessionId"]
        tracks = [{"location": "local", "mid": str(mid), "trackName": f"{kind}{mid}"} for mid, kind in enumerate(kinds)]
        body = {"sessionDescription": {"type": "offer", "sdp": offer}, "tracks": tracks}
        reply = self._asked("POST", f"/sessions/{session}/tracks/new", body)
        self.meeting.accept(client, reply["sessionDescription"]["sdp"])
        return Person(client, session, tuple(kinds))

    def hear(self, who: Person, people: Sequence[Person]) -> None:
        self._pull(who.name, people, lambda offer: self.meeting.again(who.client, offer))

    def audience(self, count: int, people: Sequence[Person]) -> None:
        for _ in range(count):
            session = self._asked("POST", "/sessions/new")["sessionId"]
            self._pull(session, people, lambda offer: self.meeting.answer(offer)[1])

    def _pull(self, session: str, people: Sequence[Person], answered: Callable[[str], str]) -> None:
        tracks = [
            {"location": "remote", "sessionId": person.name, "trackName": f"{kind}{mid}"}
            for person in people
            for mid, kind in enumerate(person.sends)
        ]
        reply = self._asked("POST", f"/sessions/{session}/tracks/new", {"tracks": tracks})
        description = {"type": "answer", "sdp": answered(reply["sessionDescription"]["sdp"])}
        self._asked("PUT", f"/sessions/{session}/renegotiate", {"sessionDescription": description})

    def _asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        reply = self.http.request(method, path, json=body)
        found: dict[str, Any] = reply.json()
        if reply.is_error or any("errorCode" in track for track in found.get("tracks", ())):
            raise RuntimeError(f"{method} {path}: {reply.status_code} {found}")
        return found


@dataclass(frozen=True)
class ParleyCalls:
    """The server."""

    pid: int
    port: int

    def room(self, meeting: Meeting) -> Room:
        base = f"http://127.0.0.1:{self.port}/v1/apps/{CALLS_APP}"
        headers = {"authorization": f"Bearer {CALLS_SECRET}"}
        return CallsRoom(httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30), meeting)


@contextmanager
def running(address: str) -> Iterator[ParleyCalls]:
    """Run the whole server; media at `address`."""
    with child("calls", address) as (port, process):
        yield ParleyCalls(process.pid, port)
