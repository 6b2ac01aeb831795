"""LiveKit's server, built from its Go module: one connection to send and one to receive, by its own signalling.

Source: `livekit_rtc.proto` of github.com/livekit/protocol, whose field numbers stand here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from benchmarks.meeting import Meeting
from benchmarks.sfu.process import free_port, stopped, wait_for
from benchmarks.sfu.protobuf import Fields, read, write
from benchmarks.sfu.room import Person, Room, UnavailableError

__all__ = ["running"]

MODULE = "github.com/livekit/livekit-server/cmd/server@v1.8.4"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "livekit-1.8.4"
KEY, SECRET = "benchmarks", "secret-of-the-benchmarks-that-is-long-enough"
# Requests and responses, by their place in the union.
ASK_OFFER, ASK_ANSWER, ASK_ADD_TRACK, ASK_SUBSCRIPTION = 1, 2, 4, 6
TOLD_ANSWER, TOLD_OFFER, TOLD_TRICKLE, TOLD_PUBLISHED, TOLD_LEAVE = 2, 3, 4, 6, 8
AT_ONCE = 25
_OF_INTEREST = frozenset({TOLD_ANSWER, TOLD_OFFER, TOLD_TRICKLE, TOLD_PUBLISHED})
AUDIO, VIDEO = 0, 1
CAMERA, MICROPHONE = 1, 2
PUBLISHER, SUBSCRIBER = 0, 1

_SETTINGS = """
port: {port}
bind_addresses: ["127.0.0.1"]
rtc:
  udp_port: {media}
  tcp_port: 0
  use_ice_lite: true
  use_external_ip: false
  node_ip: {address}
keys:
  {key}: {secret}
logging:
  level: error
"""


@dataclass
class _Person:
    """One participant: a WebSocket, and what was told of both connections."""

    socket: ClientConnection
    meeting: Meeting
    candidates: dict[int, list[str]] = field(default_factory=lambda: {PUBLISHER: [], SUBSCRIBER: []})
    offers: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    listener: int | None = None

    def ask(self, kind: int, fields: dict[int, int | str | bytes | list[str]]) -> None:
        """Send one request."""
        self.socket.send(write({kind: write(fields)}))

    def take(self) -> None:
        """Take the next response."""
        told = self.socket.recv(timeout=20)
        assert isinstance(told, bytes)
        for kind, (content, *_) in read(told).items():
            if kind == TOLD_LEAVE:
                raise RuntimeError("LiveKit ended the connection")
            if kind in _OF_INTEREST and isinstance(content, bytes):
                self._note(kind, read(content))

    def _note(self, kind: int, fields: Fields) -> None:
        if kind == TOLD_TRICKLE:
            target = PUBLISHER if fields.get(2, [0])[0] == PUBLISHER else SUBSCRIBER
            candidate = json.loads(_text(fields[1][0]))["candidate"]
            self.candidates[target].append(f"a={candidate}")
        elif kind == TOLD_PUBLISHED:
            track = fields[2][0]
            assert isinstance(track, bytes)
            self.published.append(_text(read(track)[1][0]))
        else:
            (self.answers if kind == TOLD_ANSWER else self.offers).append(_text(fields[2][0]))

    def publish(self, kinds: Sequence[str]) -> int:
        """Send tracks of these kinds; gives the client."""
        client, offer = self.meeting.offer(*(f"send:{kind}" for kind in kinds))
        for mid, kind in enumerate(kinds):
            source, number = (MICROPHONE, AUDIO) if kind == "audio" else (CAMERA, VIDEO)
            name = f"load{client}-{mid}"
            size: dict[int, int | str | bytes | list[str]] = {} if kind == "audio" else {4: 640, 5: 360}
            self.ask(ASK_ADD_TRACK, {1: name, 2: name, 3: number, **size, 8: source})
        self.ask(ASK_OFFER, {1: "offer", 2: offer})
        while not (self.answers and self.candidates[PUBLISHER] and len(self.published) == len(kinds)):
            self.take()
        self.meeting.accept(client, _with(self.answers[-1], self.candidates[PUBLISHER]))
        return client

    def settle(self, lines: int) -> None:
        """Answer offers until they have so many lines that send."""
        while True:
            while not (self.offers and self.candidates[SUBSCRIBER]):
                self.take()
            offer = self.offers.pop(0)
            whole = _with(offer, self.candidates[SUBSCRIBER])
            if self.listener is None:
                self.listener, answer = self.meeting.answer(whole)
            else:
                answer = self.meeting.again(self.listener, whole)
            self.ask(ASK_ANSWER, {1: "answer", 2: answer})
            media = [part for part in offer.split("\nm=")[1:] if not part.startswith("application")]
            if sum("a=sendonly" in part or "a=sendrecv" in part for part in media) >= lines:
                return


@dataclass
class _Room:
    port: int
    name: str
    meeting: Meeting
    sockets: ExitStack
    numbers: Iterator[int] = field(default_factory=itertools.count)
    people: dict[str, _Person] = field(default_factory=dict)

    def publish(self, kinds: Sequence[str]) -> Person:
        name, person = self._enter(auto_subscribe=0)
        person.settle(0)
        return Person(person.publish(kinds), name, tuple(kinds))

    def hear(self, who: Person, people: Sequence[Person]) -> None:
        tracks = self._tracks(people)
        person = self.people[who.name]
        person.ask(ASK_SUBSCRIPTION, {1: tracks, 2: 1})
        person.settle(len(tracks))

    def audience(self, count: int, people: Sequence[Person]) -> None:
        lines = len(self._tracks(people))
        while count:
            # Offers come 150 ms after the track. Whoever listens only is told to nobody, which is cheaper.
            entered = [self._enter(auto_subscribe=1, hidden=True)[1] for _ in range(min(count, AT_ONCE))]
            for person in entered:
                person.settle(lines)
            count -= len(entered)

    def _tracks(self, people: Sequence[Person]) -> list[str]:
        return [track for person in people for track in self.people[person.name].published]

    def _enter(self, *, auto_subscribe: int, hidden: bool = False) -> tuple[str, _Person]:
        name = f"p{next(self.numbers)}"
        token = _token(name, self.name, hidden=hidden)
        query = urlencode({"access_token": token, "auto_subscribe": auto_subscribe, "protocol": 12, "sdk": "js"})
        address = f"ws://127.0.0.1:{self.port}/rtc?{query}"
        # Nobody reads while media is measured.
        socket = connect(address, proxy=None, max_size=None, max_queue=None, ping_interval=None)
        self.people[name] = _Person(self.sockets.enter_context(closing(socket)), self.meeting)
        return name, self.people[name]


@dataclass
class _LiveKit:
    pid: int
    port: int
    sockets: ExitStack
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def room(self, meeting: Meeting) -> Room:
        return _Room(self.port, f"room{next(self.numbers)}", meeting, self.sockets)


@contextmanager
def running(address: str) -> Iterator[_LiveKit]:
    """Run LiveKit 1.8.4; media at `address`. Built once, which takes minutes."""
    program = _built()
    port, media = free_port(), free_port(socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory() as name, ExitStack() as sockets:
        settings = Path(name) / "livekit.yaml"
        settings.write_text(_SETTINGS.format(port=port, media=media, address=address, key=KEY, secret=SECRET))
        with (Path(name) / "log").open("w") as log:
            process = subprocess.Popen([str(program), "--config", str(settings)], stdout=log, stderr=subprocess.STDOUT)
        with stopped(process):
            wait_for(port, process, Path(name) / "log")
            with sockets:
                yield _LiveKit(process.pid, port, sockets)


def _built() -> Path:
    program = CACHE / "server"
    if not program.exists():
        go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
        if not go:
            raise UnavailableError("there is no Go to build it with: install Go 1.24 or newer")
        print(f"· building {MODULE} (once)", flush=True)
        build = subprocess.run(
            [go, "install", MODULE],
            env={**os.environ, "GOBIN": str(CACHE)},
            capture_output=True,
            text=True,
            check=False,
        )
        if build.returncode:
            raise UnavailableError(f"cannot be built: {build.stderr.strip().splitlines()[-1]}")
    return program


def _token(identity: str, room: str, *, hidden: bool) -> str:
    """A JSON Web Token (RFC 7519) for the length of a benchmark."""
    grant = {"roomJoin": True, "room": room, "canPublish": True, "canSubscribe": True, "hidden": hidden}
    claims = {"iss": KEY, "sub": identity, "exp": int(time.time()) + 3_600, "video": grant}
    body = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{body}.{_base64(hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).digest())}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text(value: int | bytes) -> str:
    assert isinstance(value, bytes)
    return value.decode()


def _with(description: str, candidates: Sequence[str]) -> str:
    return description.rstrip("\r\n") + "\r\n" + "\r\n".join(candidates) + "\r\n"
