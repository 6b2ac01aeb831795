"""Parley by its Calls API: one session a person, one connection for both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    def hear(self, people: Sequence[Person], who: Person | None = None) -> None:
        session = who.name if who else self._asked("POST", "/sessions/new")["sessionId"]
        tracks = [
            {"location": "remote", "sessionId": person.name, "trackName": f"{kind}{mid}"}
            for person in people
            for mid, kind in enumerate(person.sends)
        ]
        reply = self._asked("POST", f"/sessions/{session}/tracks/new", {"tracks": tracks})
        offer = reply["sessionDescription"]["sdp"]
        answer = self.meeting.again(who.client, offer) if who else self.meeting.answer(offer)[1]
        self._asked(
            "PUT", f"/sessions/{session}/renegotiate", {"sessionDescription": {"type": "answer", "sdp": answer}}
        )

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
