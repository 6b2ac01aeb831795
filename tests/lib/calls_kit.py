"""The Calls service on a loopback plane in virtual time, and clients that speak its API without HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from scripted_browser import ScriptedBrowser

from parley.calls.access import Access
from parley.calls.limits import CallsLimits
from parley.calls.service import CallsService
from parley.calls.tokens import TokenStore
from parley.calls.turn_credentials import TurnCredentials
from parley.media.allotment import Allotment
from parley.media.loopback import LoopbackPlane
from parley.media.loopback_remote import LoopbackRemote
from parley.media.peer_spec import PeerId
from parley.media.switchboard import Switchboard
from parley.protocol.calls import (
    ChannelsRequest,
    CloseRequest,
    EstablishRequest,
    NewSessionRequest,
    RenegotiateRequest,
    TracksRequest,
)
from parley.testing.virtual_time import VirtualClock

__all__ = ["APP", "OTHER_APP", "SECRET", "CallsWorld", "Client"]

APP = "a" * 32
OTHER_APP = "b" * 32
SECRET = "secret-of-the-app"
T = TypeVar("T")


def _bytes() -> Iterator[int]:
    for number in itertools.count(1):
        yield number * 2_654_435_761 % 2**32


@dataclass
class CallsWorld:
    """A service, its plane, and time. Make it inside a loop of virtual time."""

    limits: CallsLimits = field(default_factory=CallsLimits)
    track_metrics: bool = False

    def __post_init__(self) -> None:
        numbers, ids = _bytes(), itertools.count(1)
        self.plane = LoopbackPlane()
        self.board = Switchboard(self.plane)
        self.board.start()
        self.unix = 1_000.0
        self.service = CallsService(
            [(APP, SECRET), (OTHER_APP, "another-secret")],
            switchboard=self.board,
            allotment=Allotment(
                shards=1,
                random_bytes=lambda n: b"".join(next(numbers).to_bytes(4, "big") for _ in range(-(-n // 4)))[:n],
            ),
            tokens=TokenStore(unix_seconds=lambda: self.unix, token=lambda: f"token-{next(ids):032}", capacity=100),
            turn=TurnCredentials((), "", (), lambda: self.unix, lambda: "user"),
            clock=VirtualClock(),
            new_id=lambda: f"{next(ids):032x}",
            limits=self.limits,
            track_metrics=self.track_metrics,
        )

    @property
    def access(self) -> Access:
        return self.service.authorize(APP, SECRET)

    async def pass_ms(self, ms: int) -> None:
        """Let the plane and the loop run."""
        for _ in range(0, max(ms, 1), 20):
            self.plane.advance(min(20, ms) if ms else 0)
            await asyncio.sleep(0.02 if ms else 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def client(self, name: str = "a", access: Access | None = None, **options: Any) -> Client:
        """Make a session and its browser."""
        asked = access or self.access
        made = await self.service.new_session(asked, NewSessionRequest(), **options)
        return Client(self, made.session_id, ScriptedBrowser(name), asked)


def _told(reply: Any) -> dict[str, Any]:
    """Give a reply as it goes over the wire."""
    decoded = msgspec.json.decode(msgspec.json.encode(reply))
    assert isinstance(decoded, dict)
    return decoded


@dataclass
class Client:
    """A session, spoken to in the API's own JSON."""

    world: CallsWorld
    session_id: str
    browser: ScriptedBrowser
    access: Access

    @property
    def remote(self) -> LoopbackRemote:
        """The far end on the plane: the newest peer of the session."""
        mine = [peer for peer in self.world.plane._remotes if peer.startswith(f"calls/{self.session_id}/")]
        return self.world.plane.remote(PeerId(mine[-1]))

    async def tracks(self, **body: Any) -> dict[str, Any]:
        """`tracks/new`"""
        request = msgspec.convert(body, TracksRequest)
        return _told(await self.world.service.new_tracks(self.access, self.session_id, request))

    async def update(self, *tracks: dict[str, Any]) -> dict[str, Any]:
        """`tracks/update`"""
        request = msgspec.convert({"tracks": list(tracks)}, TracksRequest)
        return _told(await self.world.service.update_tracks(self.access, self.session_id, request))

    async def close(self, *mids: str, force: bool = False, offer: bool = True) -> dict[str, Any]:
        """`tracks/close`"""
        body: dict[str, Any] = {"tracks": [{"mid": mid} for mid in mids], "force": force}
        if offer and not force:
            body["sessionDescription"] = {"type": "offer", "sdp": self.browser.offer()}
        request = msgspec.convert(body, CloseRequest)
        reply = _told(await self.world.service.close_tracks(self.access, self.session_id, request))
        if "sessionDescription" in reply:
            self.browser.accept(reply["sessionDescription"]["sdp"])
        return reply

    async def answer(self, sdp: str) -> dict[str, Any]:
        """`renegotiate` with an answer."""
        request = msgspec.convert({"sessionDescription": {"type": "answer", "sdp": sdp}}, RenegotiateRequest)
        return _told(await self.world.service.renegotiate(self.access, self.session_id, request))

    async def push(self, *names: str, kind: str = "audio", direction: str = "sendonly", **extra: Any) -> dict[str, Any]:
        """Publish tracks by an offer of the browser."""
        items = [
            {"location": "local", "trackName": name, "mid": self.browser.add(kind, direction), **extra}
            for name in names
        ]
        reply = await self.tracks(sessionDescription={"type": "offer", "sdp": self.browser.offer()}, tracks=items)
        self.browser.accept(reply["sessionDescription"]["sdp"])
        await self.world.pass_ms(0)
        return reply

    async def pull(self, *sources: tuple[Client, str], **extra: Any) -> dict[str, Any]:
        """Pull tracks by offers of the server, and answer."""
        reply = await self.tracks(tracks=[self.item(client, name, **extra) for client, name in sources])
        if reply["requiresImmediateRenegotiation"]:
            assert await self.answer(self.browser.answer(reply["sessionDescription"]["sdp"])) == {}
        await self.world.pass_ms(0)
        return reply

    @staticmethod
    def item(client: Client, name: str, **extra: Any) -> dict[str, Any]:
        return {"location": "remote", "sessionId": client.session_id, "trackName": name, **extra}

    async def establish(self) -> int:
        """Negotiate data channels by the server's offer; give the number of `server-events`."""
        reply = _told(await self.world.service.establish(self.access, self.session_id, EstablishRequest()))
        await self.answer(self.browser.answer(reply["sessionDescription"]["sdp"]))
        await self.world.pass_ms(0)
        return int(reply["dataChannel"]["id"])

    async def channels(self, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """`datachannels/new`"""
        request = msgspec.convert({"dataChannels": list(items)}, ChannelsRequest)
        reply = _told(await self.world.service.new_channels(self.access, self.session_id, request))
        await self.world.pass_ms(0)
        return list(reply["dataChannels"])

    def listing(self) -> dict[str, Any]:
        """`GET session`"""
        return _told(self.world.service.listing(self.access, self.session_id))
