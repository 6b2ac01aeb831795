"""A peer of the Calls API on aiortc, for the scripts that run in aiortc's own environment."""

from __future__ import annotations

import array
import asyncio
import fractions
import itertools
import json
import math
import urllib.request
from typing import Any

import aiortc
import av
from aiortc.mediastreams import AudioStreamTrack

__all__ = ["Api", "Peer", "Tone", "apply", "described", "hear"]

RATE_HZ = 48_000
FRAME = 960
LISTEN_S = 1.5


class Tone(AudioStreamTrack):  # type: ignore[misc]
    """One frequency, in real time."""

    def __init__(self, hz: float) -> None:
        super().__init__()
        self.hz = hz
        self.frames = 0
        self.started: float | None = None

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self.started = self.started if self.started is not None else loop.time()
        await asyncio.sleep(max(0.0, self.started + self.frames * FRAME / RATE_HZ - loop.time()))
        start = self.frames * FRAME
        step = 2 * math.pi * self.hz / RATE_HZ
        samples = array.array("h", [round(8_000 * math.sin(step * (start + n))) for n in range(FRAME)])
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        frame.pts = start
        self.frames += 1
        return frame


async def hear(track: Any) -> int:
    """Give the frequency of a track in hertz by its zero crossings; 0 for silence."""
    samples: list[int] = []
    rate = RATE_HZ
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 20
    while loop.time() < deadline and len(samples) < LISTEN_S * rate:
        frame = await asyncio.wait_for(track.recv(), 20)
        rate = frame.sample_rate
        heard = array.array("h", bytes(frame.planes[0])[: 2 * frame.samples * len(frame.layout.channels)])
        mono = heard[:: len(frame.layout.channels)]
        if max(map(abs, mono)) > 500:
            samples += mono
    ups = sum(a < 0 <= b for a, b in itertools.pairwise(samples))
    return round(ups * rate / len(samples)) if samples else 0


class Api:
    """The requests of one app."""

    def __init__(self, base: str, secret: str) -> None:
        self.base = base
        self.secret = secret

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        def ask() -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(self.base + path, data, method=method)
            request.add_header("authorization", f"Bearer {self.secret}")
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)

        return await asyncio.to_thread(ask)


def described(pc: Any) -> dict[str, str]:
    return {"type": pc.localDescription.type, "sdp": pc.localDescription.sdp}


async def apply(pc: Any, description: dict[str, str]) -> None:
    await pc.setRemoteDescription(aiortc.RTCSessionDescription(description["sdp"], description["type"]))


class Peer:
    """One session."""

    def __init__(self, api: Api, session: str) -> None:
        self.api = api
        self.session = session
        self.pc = aiortc.RTCPeerConnection()
        self.tracks: dict[str, Any] = {}
        self.pc.on("track", lambda track: self.tracks.setdefault(track.kind + str(len(self.tracks)), track))

    @classmethod
    async def make(cls, api: Api, query: str = "") -> Peer:
        return cls(api, (await api.ask("POST", f"/sessions/new{query}"))["sessionId"])

    async def ask(self, path: str, body: Any, method: str = "POST") -> Any:
        return await self.api.ask(method, f"/sessions/{self.session}{path}", body)

    async def push(self, name: str, hz: float, direction: str, **more: Any) -> None:
        transceiver = self.pc.addTransceiver(Tone(hz), direction=direction)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        item = {"location": "local", "trackName": name, "mid": transceiver.mid, **more}
        reply = await self.ask("/tracks/new", {"sessionDescription": described(self.pc), "tracks": [item]})
        await apply(self.pc, reply["sessionDescription"])

    async def answer(self, reply: Any) -> None:
        await apply(self.pc, reply["sessionDescription"])
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        await self.ask("/renegotiate", {"sessionDescription": described(self.pc)}, "PUT")

    async def connected(self) -> None:
        async with asyncio.timeout(20):
            while self.pc.connectionState != "connected":
                await asyncio.sleep(0.05)

    @property
    def heard(self) -> Any:
        return next(track for name, track in self.tracks.items() if name.startswith("audio"))
