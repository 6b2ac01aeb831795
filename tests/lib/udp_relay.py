"""A network between peers and the media port: a relay of datagrams on loopback that is as bad as a test wants it.

Every peer has its own leg, told apart by its address; the ICE user name of the server's side, which its checks carry,
gives the leg a name. Whoever runs the peer says over HTTP what its leg is like: `PUT /UFRAG` with the fields of `Leg`.
`GET /` tells what became of all datagrams. Rate and queue bound the way down; loss, jitter and death go either way.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from parley.media.native import NativePlane

__all__ = ["Leg", "Passed", "UdpRelay", "udp_relay"]

_QUEUE_S = 0.25
"""How long a datagram waits for its turn on a leg with a rate before it is dropped, as in a small router."""


@dataclass(frozen=True)
class Leg:
    """What the network of one peer does."""

    down_bits_per_second: int = 0
    """0: no bound."""
    loss: float = 0.0
    jitter_ms: float = 0.0
    """Each datagram waits for up to so long by itself, so that they overtake each other."""
    dead: bool = False


@dataclass
class Passed:
    """What became of datagrams, of all legs."""

    carried: int = 0
    lost: int = 0
    overtaken: int = 0
    queue_full: int = 0
    died: int = 0


@dataclass
class _Way:
    """One direction of one leg."""

    send: Callable[[bytes], object]
    free_at: float = 0.0
    taken: int = 0
    newest: int = 0


@dataclass
class _Peer:
    upstream: socket.socket
    up: _Way
    down: _Way
    ufrag: str = ""


@dataclass
class UdpRelay:
    """The relay; a server is put behind it by `stand_before`, while its loop runs on the relay's thread."""

    loop: asyncio.AbstractEventLoop
    seed: int
    door: socket.socket
    usual: Leg = field(default_factory=Leg)
    legs: dict[str, Leg] = field(default_factory=dict)
    passed: Passed = field(default_factory=Passed)
    control_port: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._peers: dict[tuple[str, int], _Peer] = {}
        self._server = ("127.0.0.1", 0)

    @property
    def control(self) -> str:
        """Where legs are described."""
        return f"http://127.0.0.1:{self.control_port}"

    def stand_before(self, plane: NativePlane) -> None:
        """Lead to this plane's UDP port, and have the plane announce the relay instead, and nothing else."""
        identity = plane.identity
        place = next(each for each in identity.candidates if each.protocol == "udp")
        self._server = ("127.0.0.1", place.port)
        plane._identity = replace(identity, candidates=(replace(place, port=self.door.getsockname()[1]),))

    def listen(self) -> None:
        """Begin. On the relay's thread."""
        self.loop.add_reader(self.door, self._from_peers)

    def close(self) -> None:
        """End. On the relay's thread."""
        for each in (self.door, *(peer.upstream for peer in self._peers.values())):
            self.loop.remove_reader(each)
            each.close()

    def _from_peers(self) -> None:
        for data, address in _received(self.door):
            peer = self._peers.get(address) or self._open(address)
            peer.ufrag = _server_ufrag(data) or peer.ufrag
            self._carry(peer, peer.up, data, 0)

    def _open(self, address: tuple[str, int]) -> _Peer:
        upstream = _socket()
        upstream.connect(self._server)
        peer = _Peer(upstream, _Way(upstream.send), _Way(lambda data: self.door.sendto(data, address)))
        self._peers[address] = peer
        self.loop.add_reader(upstream, self._from_server, peer)
        return peer

    def _from_server(self, peer: _Peer) -> None:
        for data, _ in _received(peer.upstream):
            self._carry(peer, peer.down, data, self._leg(peer).down_bits_per_second)

    def _leg(self, peer: _Peer) -> Leg:
        return self.legs.get(peer.ufrag, self.usual)

    def _carry(self, peer: _Peer, way: _Way, data: bytes, bits_per_second: int) -> None:
        leg, now = self._leg(peer), self.loop.time()
        if leg.dead:
            self.passed.died += 1
            return
        if self._random.random() < leg.loss:
            self.passed.lost += 1
            return
        wait = self._random.random() * leg.jitter_ms / 1_000
        if bits_per_second:
            if way.free_at - now > _QUEUE_S:
                self.passed.queue_full += 1
                return
            way.free_at = max(now, way.free_at) + len(data) * 8 / bits_per_second
            wait += way.free_at - now
        way.taken += 1
        if wait:
            self.loop.call_later(wait, self._send, way, way.taken, data)
        else:
            self._send(way, way.taken, data)

    def _send(self, way: _Way, number: int, data: bytes) -> None:
        self.passed.overtaken += number < way.newest
        way.newest = max(way.newest, number)
        try:
            way.send(data)
        except OSError:
            return  # a full buffer or a socket that is gone loses a datagram, as networks do
        self.passed.carried += 1


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def _received(source: socket.socket) -> Iterator[tuple[bytes, tuple[str, int]]]:
    for _ in range(64):
        try:
            yield source.recvfrom(65_536)
        except OSError:
            return


def _server_ufrag(data: bytes) -> str:
    """The server's half of the USERNAME of a binding request (RFC 8445 §7.2.2); empty for anything else."""
    if len(data) < 20 or data[:2] != b"\x00\x01":
        return ""
    at = 20
    while at + 4 <= len(data):
        kind, length = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
        if kind == 0x0006:
            return data[at + 4 : at + 4 + length].decode("ascii", "replace").partition(":")[0]
        at += 4 + (length + 3) // 4 * 4
    return ""


def _control(relay: UdpRelay) -> ThreadingHTTPServer:
    class Control(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            relay.legs[self.path.removeprefix("/")] = Leg(**body)
            self._reply()

        def do_GET(self) -> None:
            self._reply()

        def _reply(self) -> None:
            body = json.dumps(asdict(relay.passed)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    return ThreadingHTTPServer(("127.0.0.1", 0), Control)


@contextmanager
def udp_relay(usual: Leg | None = None, *, seed: int = 1) -> Iterator[UdpRelay]:
    """Run a relay until the block ends. `usual` is what legs are like of which nothing was said."""
    loop = asyncio.new_event_loop()
    relay = UdpRelay(loop, seed, _socket(), usual or Leg())
    control = _control(relay)
    relay.control_port = control.server_address[1]
    threads = [threading.Thread(target=loop.run_forever), threading.Thread(target=control.serve_forever)]
    for thread in threads:
        thread.start()
    loop.call_soon_threadsafe(relay.listen)
    try:
        yield relay
    finally:
        control.shutdown()
        control.server_close()
        loop.call_soon_threadsafe(relay.close)
        loop.call_soon_threadsafe(loop.stop)
        for thread in threads:
            thread.join()
        loop.close()
