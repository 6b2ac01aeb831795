"""A device made of a media plane of our own, as a client: full ICE, UDP or TCP, a session description written by hand.

It calls like a small device does: it posts an offer in the shape of its firmware and reads four things out of the
answer. Its voice and its ears are the plane's speaker and listener.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx

from parley.media.commands import (
    AddPeer,
    EndSpeech,
    ListenerId,
    OpenChannel,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    SendMessage,
    SpeakerId,
    Subscribe,
)
from parley.media.events import AudioHeard, ChannelOpened, MessageReceived, PeerConnected, SpeechDrained
from parley.media.native import NativePlane
from parley.media.peer_spec import (
    Candidate,
    Codec,
    Fingerprint,
    IceCredentials,
    PeerId,
    PeerSpec,
    PublicationId,
    SctpSpec,
    Slot,
    StreamIds,
)
from parley.media.switchboard import PeerEvent, SpeakerEvent, Switchboard

__all__ = ["PlaneDevice", "calling_plane"]

Event = dict[str, Any]
WAIT_S = 60

_SERVER = PeerId("server")
_VOICE = PublicationId("voice")
_MOUTH, _EAR = SpeakerId("mouth"), ListenerId("ear")
_SSRC = 5


class PlaneDevice:
    """One call."""

    def __init__(self, plane: NativePlane) -> None:
        self.events: list[Event] = []
        self.heard = bytearray()
        """All that was heard since the connection, in real time."""
        self.connected = False
        self.answer = ""
        self._plane = plane
        self._board = Switchboard(plane)
        self._news = asyncio.Event()
        self._read = 0
        self._said = 0
        self._drained = 0
        self._channel: int | None = None
        self._ice = _credentials()

    async def call(self, address: str, offer: str, protocol: Literal["udp", "tcp"]) -> None:
        """Post `offer` with our own credentials in it, and connect by `protocol` alone."""
        self._address, self._offer, self._protocol = address, offer, protocol
        posted = await self._post(address)
        assert posted.status_code == 201, posted.text
        self.answer, self.location = posted.text, posted.headers["location"]
        self._board.start()
        self._board.on_peer(_SERVER, self._take)
        self._board.on_speaker(_MOUTH, self._spoke)
        self._board.on_listener(_EAR, self._hear)
        self._board.submit(AddPeer(self._spec(self.answer, protocol)))
        await self._until(lambda: self.connected)
        await asyncio.sleep(0.2)
        if "m=application" in self.answer and not re.search(r"m=application 0 ", self.answer):
            self._board.submit(OpenChannel(_SERVER, 1 if self._active else 0, "DATA_CHANNEL_STRING"))
        self._board.submit(OpenSpeaker(_MOUTH, _VOICE))
        self._board.submit(Subscribe(_SERVER, self._mid, _VOICE))
        self._board.submit(OpenListener(_EAR, PublicationId("server/voice"), "0", detect_speech=False))

    async def restart(self) -> None:
        """Restart ICE: new credentials on both sides, the same call."""
        self._ice = _credentials()
        posted = await self._post(self._address.partition("/v1/")[0] + self.location)
        assert posted.status_code == 200, posted.text
        self._board.submit(AddPeer(self._spec(posted.text, self._protocol)))

    async def _post(self, address: str) -> httpx.Response:
        offer = self._offer
        fingerprint = self._plane.identity.fingerprint.value
        for name, value in (("ice-ufrag", self._ice.ufrag), ("ice-pwd", self._ice.password)):
            offer = re.sub(rf"a={name}:\S+", f"a={name}:{value}", offer)
        offer = re.sub(r"a=fingerprint:sha-256 \S+", f"a=fingerprint:sha-256 {fingerprint}", offer)
        offer = re.sub(r"a=ssrc:\d+", f"a=ssrc:{_SSRC}", offer)
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return await http.post(address, content=offer, headers={"content-type": "application/sdp"})

    async def speak(self, pcm: bytes) -> None:
        """Say something in real time."""
        self._said += 1
        item = str(self._said)
        self._board.submit(PushSpeech(_MOUTH, item, pcm))
        self._board.submit(EndSpeech(_MOUTH, item))
        await self._until(lambda: self._drained >= self._said)

    async def send(self, type: str, **fields: Any) -> None:
        """Send an event."""
        await self._until(lambda: self._channel is not None)
        assert self._channel is not None
        self._board.submit(SendMessage(_SERVER, self._channel, json.dumps({"type": type, **fields})))

    async def until(self, type: str) -> Event:
        """Wait for the next event of `type`; skip what comes before it."""
        found: list[Event] = []

        def came() -> bool:
            while self._read < len(self.events) and not found:
                self._read += 1
                if self.events[self._read - 1]["type"] == type:
                    found.append(self.events[self._read - 1])
            return bool(found)

        await self._until(came)
        return found[0]

    def close(self) -> None:
        """Hang up."""
        self._board.submit(RemovePeer(_SERVER))
        self._board.close()

    def _spec(self, answer: str, protocol: Literal["udp", "tcp"]) -> PeerSpec:
        def field(pattern: str) -> str:
            found = re.search(pattern, answer)
            assert found is not None, (pattern, answer)
            return found.group(1)

        section = answer[answer.index("m=audio") :]
        self._mid = field(r"m=audio[\s\S]*?a=mid:(\S+)")
        self._active = field(r"a=setup:(\S+)") == "passive"
        payload_type, name, rate = re.findall(r"a=rtpmap:(\d+) (\w+)/(\d+)", section)[0]
        candidates = [
            Candidate(host, int(port), protocol)
            for kind, host, port in re.findall(r"a=candidate:\S+ 1 (\w+) \d+ (\S+) (\d+)", answer)
            if kind == protocol
        ]
        slot = Slot(
            self._mid,
            "audio",
            (Codec(int(payload_type), name, int(rate), 2 if name == "opus" else 1),),
            publication=PublicationId("server/voice"),
            receive=(StreamIds(ssrc=int(field(r"a=ssrc:(\d+)"))),),
            send=StreamIds(ssrc=_SSRC),
        )
        data = "m=application" in answer and not re.search(r"m=application 0 ", answer)
        return PeerSpec(
            _SERVER,
            0,
            self._ice,
            IceCredentials(field(r"a=ice-ufrag:(\S+)"), field(r"a=ice-pwd:(\S+)")),
            Fingerprint("sha-256", field(r"a=fingerprint:sha-256 (\S+)")),
            "active" if self._active else "passive",
            (slot,),
            sctp=SctpSpec(field(r"m=application[\s\S]*?a=mid:(\S+)")) if data else None,
            ice_lite=False,
            remote_candidates=tuple(candidates[:1]),
        )

    def _take(self, event: PeerEvent) -> None:
        match event:
            case PeerConnected():
                self.connected = True
            case ChannelOpened():
                self._channel = event.channel
            case MessageReceived():
                self.events.append(json.loads(event.data))
            case _:
                pass
        self._news.set()

    def _spoke(self, event: SpeakerEvent) -> None:
        self._drained += isinstance(event, SpeechDrained)
        self._news.set()

    def _hear(self, heard: AudioHeard) -> None:
        self.heard += heard.block.pcm

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                self._news.clear()
                await self._news.wait()


def _credentials() -> IceCredentials:
    return IceCredentials(secrets.token_hex(4), secrets.token_hex(16))


@asynccontextmanager
async def calling_plane(
    address: str, offer: str, *, protocol: Literal["udp", "tcp"] = "udp"
) -> AsyncIterator[PlaneDevice]:
    """Call the server at `address` with an offer of the given shape; leaving hangs up."""
    device = PlaneDevice(NativePlane.open(announced=["127.0.0.1"]))
    try:
        await device.call(address, offer, protocol)
        yield device
    finally:
        device.close()
