"""Foreign peers of the Calls API on aiortc, run in an environment of its own: no test itself.

Argument: a JSON object with `api` (ending in /v1/apps/ID) and `secret`. It goes through the vendor's relay between a
person and a Realtime endpoint, request for request, a plain pull and a data channel, and prints what was heard as JSON.
"""

from __future__ import annotations

import array
import asyncio
import fractions
import itertools
import json
import math
import sys
import urllib.request
from typing import Any

import aiortc
import av
from aiortc.mediastreams import AudioStreamTrack

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


async def main() -> None:
    asked = json.loads(sys.argv[1])
    api = Api(asked["api"], asked["secret"])
    report: dict[str, Any] = {}

    human = await Peer.make(api)
    await human.push("user-mic", 500, "sendrecv", kind="audio", bidirectionalMediaStream=True)

    endpoint = await Peer.make(api, "?thirdparty=true")
    invited = await endpoint.ask(
        "/tracks/new",
        {"tracks": [{"location": "local", "trackName": "voice", "kind": "audio", "bidirectionalMediaStream": True}]},
    )
    report["controlling"] = "a=ice-lite" not in invited["sessionDescription"]["sdp"]
    endpoint.pc.addTrack(Tone(900))
    await endpoint.answer(invited)
    to_human = {"location": "remote", "sessionId": endpoint.session, "trackName": "voice", "mid": "#user-mic"}
    to_endpoint = {"location": "remote", "sessionId": human.session, "trackName": "user-mic", "mid": "#voice"}
    first = await human.ask("/tracks/new", {"tracks": [to_human]})
    second = await endpoint.ask("/tracks/new", {"tracks": [to_endpoint]})
    report["descriptions"] = ["sessionDescription" in first, "sessionDescription" in second]
    await asyncio.gather(human.connected(), endpoint.connected())
    report["human"], report["endpoint"] = await asyncio.gather(hear(human.heard), hear(endpoint.heard))

    listener = await Peer.make(api)
    pulled = await listener.ask(
        "/tracks/new", {"tracks": [{"location": "remote", "sessionId": human.session, "trackName": "user-mic"}]}
    )
    await listener.answer(pulled)
    await listener.connected()
    report["listener"] = await hear(listener.heard)
    report["statistics"] = await api.ask("GET", f"/sessions/{listener.session}/statistics")
    report["published"] = await api.ask("GET", f"/sessions/{human.session}/statistics")
    switched = {"location": "remote", "sessionId": endpoint.session, "trackName": "voice", "mid": "0"}
    await listener.ask("/tracks/update", {"tracks": [switched]}, "PUT")
    await asyncio.sleep(0.5)
    while not listener.heard._queue.empty():
        listener.heard._queue.get_nowait()
    report["switched"] = await hear(listener.heard)

    told: asyncio.Queue[Any] = asyncio.Queue()
    listener.pc.on("datachannel", lambda channel: channel.on("message", lambda text: told.put_nowait(json.loads(text))))
    await listener.answer(await listener.ask("/datachannels/establish", {}))
    await human.answer(await human.ask("/datachannels/establish", {}))
    published = await human.ask(
        "/datachannels/new", {"dataChannels": [{"location": "local", "dataChannelName": "chat"}]}
    )
    wanted = {"location": "remote", "sessionId": human.session, "dataChannelName": "chat", "canReply": True}
    subscribed = await listener.ask("/datachannels/new", {"dataChannels": [wanted]})
    mouth = human.pc.createDataChannel("chat", negotiated=True, id=published["dataChannels"][0]["id"])
    ear = listener.pc.createDataChannel("chat", negotiated=True, id=subscribed["dataChannels"][0]["id"])
    said: asyncio.Queue[Any] = asyncio.Queue()
    ear.on("message", said.put_nowait)
    mouth.on("message", said.put_nowait)
    for _ in range(40):
        if mouth.readyState == "open":
            mouth.send("hello")
        if not said.empty():
            break
        await asyncio.sleep(0.25)
    report["message"] = await asyncio.wait_for(said.get(), 10)
    ear.send("and back")
    while (message := await asyncio.wait_for(said.get(), 10)) == "hello":
        pass
    report["reply"] = message

    await api.ask("DELETE", f"/sessions/{endpoint.session}")
    while (notice := await asyncio.wait_for(told.get(), 10))["type"] != "track.ended":
        pass
    report["ended"] = notice["trackName"]
    sys.stdout.write(json.dumps(report) + "\n")
    for peer in (human, endpoint, listener):
        await peer.pc.close()


asyncio.run(asyncio.wait_for(main(), 120))
