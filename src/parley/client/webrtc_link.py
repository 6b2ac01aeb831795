"""The conversation over WebRTC, by aiortc: events on a data channel, speech on tracks, playback paced by the server.

Needs `pip install 'parley[client]'`. Neighbours: `session` (uses it), `link` (the contract).
"""

from __future__ import annotations

import asyncio
import fractions
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import quote

import httpx2

from parley.audio import RATE_HZ, Resampler
from parley.client.errors import CannotConnect, MissingPackage
from parley.client.link import Event
from parley.client.play_buffer import PlayBuffer

try:
    import av
    from aiortc import (
        MediaStreamTrack,
        RTCConfiguration,
        RTCDataChannel,
        RTCPeerConnection,
        RTCSessionDescription,
    )
    from aiortc.mediastreams import MediaStreamError
except ImportError as error:
    raise MissingPackage(
        "WebRTC needs aiortc: pip install 'parley[client]'. Or use transport=\"websocket\"."
    ) from error

__all__ = ["WebRtcLink"]

FRAME_SAMPLES = RATE_HZ // 50
MAX_UNSENT_FRAMES = 100
MAX_UNREAD_EVENTS = 10_000
MAX_BEHIND_SAMPLES = RATE_HZ // 2
"""Of the server's paced sound at most half a second waits for a slow loudspeaker."""
CONNECT_TIMEOUT_S = 20


class WebRtcLink:
    """A `Link` over one PeerConnection."""

    def __init__(self, sound: PlayBuffer) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._speech = _SpeechTrack()
        self._sound = sound
        self._channel: RTCDataChannel = self._peer.createDataChannel("oai-events")
        self._events: asyncio.Queue[str | None] = asyncio.Queue(MAX_UNREAD_EVENTS)
        self._opened = asyncio.Event()
        self._track: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.closed_because: str | None = None
        self._peer.addTrack(self._speech)
        self._peer.on("track", self._speech_track_came)
        self._peer.on("connectionstatechange", self._state_changed)
        self._channel.on("open", self._opened.set)
        self._channel.on("message", self._received)
        self._channel.on("close", self._ended)

    @classmethod
    async def open(cls, base_url: str, api_key: str | None, model: str | None, sound: PlayBuffer) -> WebRtcLink:
        """Connect to `base_url` (http or https, without `/v1`). Raises `CannotConnect`."""
        link = cls(sound)
        async with AsyncExitStack() as unless_connected:
            unless_connected.push_async_callback(link.close)
            await link._negotiate(base_url, api_key, model)
            await link._opening(base_url)
            unless_connected.pop_all()
        return link

    async def _opening(self, base_url: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._opened.wait()
        except TimeoutError:
            raise CannotConnect(
                f"{base_url} answered, but its media port cannot be reached: `parley doctor` there says what a "
                "firewall must let through."
            ) from None

    async def _negotiate(self, base_url: str, api_key: str | None, model: str | None) -> None:
        await self._peer.setLocalDescription(await self._peer.createOffer())
        address = f"{base_url}/v1/realtime/calls" + (f"?model={quote(model)}" if model else "")
        headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=CONNECT_TIMEOUT_S) as http:
                answer = await http.post(address, content=self._peer.localDescription.sdp, headers=headers)
        except httpx2.HTTPError as error:
            raise CannotConnect(
                f"Cannot reach {base_url} ({type(error).__name__}). Is `parley serve` running there?"
            ) from error
        if answer.status_code != 201:
            raise CannotConnect(f"{base_url} refused the call with {answer.status_code}: {answer.text[:300]}")
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))

    async def send(self, event: Event) -> None:
        """Send one event on the data channel."""
        if self._channel.readyState == "open":
            self._channel.send(json.dumps(event))

    async def say(self, pcm: bytes) -> None:
        """Put speech on the track, which sends 20 ms every 20 ms."""
        self._speech.push(pcm)

    async def events(self) -> AsyncIterator[Event]:
        """Receive until the connection ends; sound goes to the play buffer meanwhile."""
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._hear())
            while (frame := await self._events.get()) is not None:
                yield json.loads(frame)
            hearing.cancel()

    async def close(self) -> None:
        """Say goodbye and close."""
        self._ended()
        await self._peer.close()

    async def _hear(self) -> None:
        track = await self._track.get()
        resampler: Resampler | None = None
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
            if resampler is None:
                resampler = Resampler(frame.sample_rate, RATE_HZ)
            mono = samples.mean(axis=1).astype("int16").tobytes()
            self._sound.push("", resampler.push(mono))
            self._sound.drop_oldest(MAX_BEHIND_SAMPLES)

    def _speech_track_came(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._track.put_nowait(track)

    def _received(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            if self._events.full():
                self._end("the device does not read its events")
            else:
                self._events.put_nowait(frame)

    def _state_changed(self) -> None:
        if self._peer.connectionState in {"failed", "closed"}:
            self._ended()

    def _ended(self) -> None:
        self._end("the server hung up")

    def _end(self, reason: str) -> None:
        if self.closed_because is None:
            self.closed_because = reason
            if self._events.full():
                self._events.get_nowait()
            self._events.put_nowait(None)


class _SpeechTrack(MediaStreamTrack):  # type: ignore[misc]
    """The microphone: 20 ms of what was pushed, or of silence, every 20 ms. Two seconds may wait, then the newest
    is dropped.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._frames: deque[bytes] = deque()
        self._rest = b""
        self._started_s: float | None = None
        self._sent = 0

    def push(self, pcm: bytes) -> None:
        data = self._rest + pcm
        whole = len(data) // (FRAME_SAMPLES * 2) * FRAME_SAMPLES * 2
        for start in range(0, whole, FRAME_SAMPLES * 2):
            if len(self._frames) < MAX_UNSENT_FRAMES:
                self._frames.append(data[start : start + FRAME_SAMPLES * 2])
        self._rest = data[whole:]

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._started_s is None:
            self._started_s = loop.time()
        await asyncio.sleep(max(0.0, self._started_s + self._sent * 0.02 - loop.time()))
        pcm = self._frames.popleft() if self._frames else bytes(FRAME_SAMPLES * 2)
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.planes[0].update(pcm)
        frame.sample_rate = RATE_HZ
        frame.pts = self._sent * FRAME_SAMPLES
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += 1
        return frame
