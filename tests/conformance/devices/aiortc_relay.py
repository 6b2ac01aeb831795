"""The vendor's relay between a person and a Realtime endpoint, request for request, on aiortc: no test itself.

Argument: a JSON object with `api` (ending in /v1/apps/ID), `secret`, `folder`, and `realtime`, the endpoint's URL;
without one a stand-in is served here: it answers a posted offer with an aiortc peer. `folder` holds what is said, as
PCM16 mono 48 kHz: `person.pcm`, and `endpoint.pcm` for the stand-in. What was heard is written beside it:
`person.heard.pcm` and `endpoint.heard.pcm`. What the API said is printed as JSON. An endpoint that is no stand-in then
hears `other.pcm`, which somebody else says in the first person's place; what the first hears then is `after.heard.pcm`.
"""

from __future__ import annotations

import array
import asyncio
import fractions
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import aiortc
import av
from aiortc.mediastreams import AudioStreamTrack

RATE_HZ = 48_000
FRAME = 960
PATIENCE_S = 60.0
QUERY = "?voice=ash&instructions=Repeat%20what%20you%20hear.&model=gpt-4o-realtime-preview-2024-10-01"


class Mouth(AudioStreamTrack):  # type: ignore[misc]
    """Says its words once they are due, in real time; silence before and after."""

    def __init__(self, words: bytes) -> None:
        super().__init__()
        self.words = words
        self.at: int | None = None
        self.frames = 0
        self.started: float | None = None

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self.started = self.started if self.started is not None else loop.time()
        await asyncio.sleep(max(0.0, self.started + self.frames * FRAME / RATE_HZ - loop.time()))
        sound = b""
        if self.at is not None:
            sound = self.words[self.at : self.at + 2 * FRAME]
            self.at += 2 * FRAME
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(sound.ljust(2 * FRAME, b"\0"))
        frame.sample_rate = RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        frame.pts = self.frames * FRAME
        self.frames += 1
        return frame

    async def said(self) -> None:
        while self.at is None or self.at < len(self.words):
            await asyncio.sleep(0.05)


class Ear:
    """Keeps what comes in on a track, and knows when a voice has come and gone."""

    def __init__(self, track: Any) -> None:
        self.samples = array.array("h")
        self.loud_at: float | None = None
        self.task = asyncio.ensure_future(self.listen(track))

    async def listen(self, track: Any) -> None:
        while True:
            frame = await track.recv()
            channels = len(frame.layout.channels)
            heard = array.array("h", bytes(frame.planes[0])[: 2 * frame.samples * channels])[::channels]
            self.samples += heard
            if max(map(abs, heard)) > 500:
                self.loud_at = asyncio.get_running_loop().time()

    async def voice(self) -> None:
        """Return when a voice was heard and has been silent for 2 s."""
        async with asyncio.timeout(PATIENCE_S):
            while self.loud_at is None or asyncio.get_running_loop().time() < self.loud_at + 2.0:
                await asyncio.sleep(0.1)


class Asking:
    """Requests to the Calls API; every reply is kept."""

    def __init__(self, base: str, secret: str) -> None:
        self.base = base
        self.secret = secret
        self.replies: dict[str, Any] = {}

    async def ask(self, step: str, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        status, _, text = await posted(self.base + path, data, self.secret, "text/plain;charset=UTF-8", method)
        self.replies[step] = {"status": status, "body": json.loads(text)}
        return self.replies[step]["body"]


async def posted(
    url: str, data: bytes | None, bearer: str, content_type: str, method: str = "POST"
) -> tuple[int, Any, str]:
    def ask() -> tuple[int, Any, str]:
        request = urllib.request.Request(url, data, method=method)
        request.add_header("authorization", f"Bearer {bearer}")
        request.add_header("content-type", content_type)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()

    return await asyncio.to_thread(ask)


class StandIn:
    """A Realtime endpoint: an offer in, an answer out, one peer that speaks and listens."""

    def __init__(self, words: bytes) -> None:
        self.mouth = Mouth(words)
        self.ear: Ear | None = None
        self.pc = aiortc.RTCPeerConnection()
        self.pc.on("track", lambda track: setattr(self, "ear", Ear(track)))
        self.asked = ""
        self.content_type = ""

    async def serve(self) -> str:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1/realtime"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self.asked, self.content_type = head[0], headers["content-type"]
        offer = (await reader.readexactly(int(headers["content-length"]))).decode()
        await self.pc.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        self.pc.addTrack(self.mouth)
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        body = self.pc.localDescription.sdp.encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/sdp\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


async def published(api: Asking, step: str, person: Any, name: str, **more: Any) -> str:
    """Make a session and push its one track; give the session's id."""
    await person.setLocalDescription(await person.createOffer())
    session = (await api.ask(step, "POST", "/sessions/new"))["sessionId"]
    item = {"location": "local", "trackName": name, "mid": person.getTransceivers()[0].mid, "kind": "audio", **more}
    body = {"sessionDescription": {"type": "offer", "sdp": person.localDescription.sdp}, "tracks": [item]}
    pushed = await api.ask(f"{step}1", "POST", f"/sessions/{session}/tracks/new", body)
    await person.setRemoteDescription(aiortc.RTCSessionDescription(pushed["sessionDescription"]["sdp"], "answer"))
    return str(session)


async def connected(*peers: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while any(each.connectionState != "connected" for each in peers):
            await asyncio.sleep(0.05)


async def next_holds_the_button(api: Asking, session_b: str, words: bytes) -> Any:
    """Have another person's track take the place of the first one's, and speak."""
    other, mouth = aiortc.RTCPeerConnection(), Mouth(words)
    other.addTransceiver(mouth, direction="sendonly")
    session = await published(api, "C", other, "other-mic")
    item = {"location": "remote", "sessionId": session, "trackName": "other-mic", "mid": "#ai-generated-voice"}
    await api.ask("X3", "POST", f"/sessions/{session_b}/tracks/new", {"tracks": [item]})
    await connected(other)
    await asyncio.sleep(0.5)
    mouth.at = 0
    await mouth.said()
    return other


async def main() -> None:
    asked = json.loads(sys.argv[1])
    folder, api = Path(asked["folder"]), Asking(asked["api"], asked["secret"])
    stand_in = None if asked["realtime"] else StandIn((folder / "endpoint.pcm").read_bytes())
    realtime = await stand_in.serve() if stand_in else asked["realtime"]

    # A1: the browser's offer, with the data channel of the vendor's page; its answer goes back at once.
    person = aiortc.RTCPeerConnection()
    mouth = Mouth((folder / "person.pcm").read_bytes())
    ears: list[Ear] = []
    person.on("track", lambda track: ears.append(Ear(track)))
    person.addTransceiver(mouth, direction="sendrecv")
    person.createDataChannel("response")
    session_a = await published(api, "A", person, "user-mic", bidirectionalMediaStream=True)

    # B1 to B3: the endpoint's session, by our offer.
    session_b = (await api.ask("B", "POST", "/sessions/new?thirdparty=true"))["sessionId"]
    voice = {"location": "local", "trackName": "ai-generated-voice", "bidirectionalMediaStream": True, "kind": "audio"}
    invited = await api.ask("B1", "POST", f"/sessions/{session_b}/tracks/new", {"tracks": [voice]})
    offer = invited["sessionDescription"]["sdp"].encode()
    status, headers, answer = await posted(realtime + QUERY, offer, "key-of-the-endpoint", "application/sdp")
    api.replies["B2"] = {"status": status, "location": headers.get("location")}
    described = {"sessionDescription": {"type": "answer", "sdp": answer}}
    await api.ask("B3", "PUT", f"/sessions/{session_b}/renegotiate", described)

    # X1 and X2: each is sent down the transceiver that the other came up on.
    to_person = {"location": "remote", "sessionId": session_b, "trackName": "ai-generated-voice", "mid": "#user-mic"}
    to_endpoint = {"location": "remote", "sessionId": session_a, "trackName": "user-mic", "mid": "#ai-generated-voice"}
    await api.ask("X1", "POST", f"/sessions/{session_a}/tracks/new", {"tracks": [to_person]})
    await api.ask("X2", "POST", f"/sessions/{session_b}/tracks/new", {"tracks": [to_endpoint]})

    await connected(person, *([stand_in.pc] if stand_in else []))
    await asyncio.sleep(0.5)
    mouth.at = 0
    await mouth.said()
    if stand_in:
        assert stand_in.ear is not None
        await stand_in.ear.voice()
        stand_in.mouth.at = 0
        (folder / "endpoint.heard.pcm").write_bytes(stand_in.ear.samples.tobytes())
    await ears[0].voice()
    (folder / "person.heard.pcm").write_bytes(ears[0].samples.tobytes())

    for step, session in (("listing A", session_a), ("listing B", session_b)):
        await api.ask(step, "GET", f"/sessions/{session}")
        await api.ask(f"statistics{step[-2:]}", "GET", f"/sessions/{session}/statistics")
    await api.ask("sessions", "GET", "/sessions")
    _, _, metrics = await posted(asked["api"].partition("/v1/")[0] + "/metrics", None, "", "text/plain", "GET")
    if not stand_in:
        cut, ears[0].loud_at = len(ears[0].samples), None
        other = await next_holds_the_button(api, session_b, (folder / "other.pcm").read_bytes())
        await ears[0].voice()
        (folder / "after.heard.pcm").write_bytes(ears[0].samples[cut:].tobytes())
        await other.close()

    report: dict[str, Any] = {"replies": api.replies, "metrics": metrics, "sessions": {"A": session_a, "B": session_b}}
    if stand_in:
        report["asked"] = [stand_in.asked, stand_in.content_type]
        await stand_in.pc.close()
    sys.stdout.write(json.dumps(report) + "\n")
    await person.close()


asyncio.run(asyncio.wait_for(main(), 150))
