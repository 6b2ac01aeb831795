"""A small device on aiortc, run in an environment of its own: no test itself.

Argument: a JSON object, see `Device`. Orders come as lines of JSON on standard input (`speak`, `send`, `open`, `show`,
`look`, `save`, `hangup`), and what happens goes out as lines of JSON, each with `at_ms` of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import array
import asyncio
import fractions
import itertools
import json
import sys
import time
import urllib.request
from collections import deque
from typing import Any

import aiortc
import aiortc.rtcrtpsender
import av
from aiortc.codecs.base import Encoder
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from aiortc.rtp import RtcpByePacket

RATE_HZ = 48_000
FRAME = 960
CONCEALED = 5 * 480


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps({"at_ms": time.monotonic_ns() // 1_000_000, **what}) + "\n")
    sys.stdout.flush()


class Microphone(AudioStreamTrack):  # type: ignore[misc]
    """Says what it is given, in real time; silence otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.words: deque[tuple[array.array[int], list[int]]] = deque()
        self.started: float | None = None
        self.frames = 0

    def speak(self, pcm_24k: bytes) -> None:
        samples = array.array("h", pcm_24k)
        wide = array.array("h", bytes(4 * len(samples)))
        wide[0::2] = samples
        wide[1::2] = array.array("h", [(a + b) // 2 for a, b in itertools.pairwise(samples)] + [0])
        self.words.append((wide, [0]))

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        if self.started is None:
            self.started = loop.time()
        await asyncio.sleep(max(0.0, self.started + self.frames * FRAME / RATE_HZ - loop.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        sound = bytes(2 * FRAME)
        if self.words:
            wide, position = self.words[0]
            at = position[0]
            sound = wide[at : at + FRAME].tobytes().ljust(2 * FRAME, b"\0")
            position[0] = at + FRAME
            if at + FRAME >= len(wide):
                self.words.popleft()
                tell(said=True)
        frame.planes[0].update(sound)
        frame.sample_rate = RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        frame.pts = self.frames * FRAME
        self.frames += 1
        return frame


class Camera(VideoStreamTrack):  # type: ignore[misc]
    """Shows one colour, 15 times a second, until it is switched off."""

    def __init__(self, colour: list[int]) -> None:
        super().__init__()
        self.colour = colour
        self.on = asyncio.Event()
        self.on.set()
        self.frames = 0

    async def recv(self) -> Any:
        await self.on.wait()
        await asyncio.sleep(1 / 15)
        frame = av.VideoFrame(320, 240, "rgb24")
        frame.planes[0].update(bytes(self.colour) * (320 * 240))
        frame = frame.reformat(format="yuv420p")
        frame.pts = self.frames * 6_000
        frame.time_base = fractions.Fraction(1, 90_000)
        self.frames += 1
        return frame


def look_at(path: str) -> None:
    """Tell the size of a picture and the colour of its middle."""
    with av.open(path) as file:
        frame = next(file.decode(video=0)).reformat(format="rgb24")
    plane = frame.planes[0]
    at = frame.height // 2 * plane.line_size + frame.width // 2 * 3
    tell(picture=path, width=frame.width, height=frame.height, colour=list(bytes(plane)[at : at + 3]))


class NarrowOpus(Encoder):  # type: ignore[misc]
    """Opus from 8 kHz sound, as the ESP32 SDK makes it."""

    def __init__(self) -> None:
        self.codec: Any = av.CodecContext.create("libopus", "w")
        self.codec.bit_rate = 30_000
        self.codec.format = "s16"
        self.codec.layout = "mono"
        self.codec.sample_rate = 8_000
        self.codec.options = {"application": "voip"}
        self.resampler = av.AudioResampler(format="s16", layout="mono", rate=8_000, frame_size=160)
        self.first: int | None = None

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int | None]:
        packets = [packet for narrow in self.resampler.resample(frame) for packet in self.codec.encode(narrow)]
        if not packets:
            return [], None
        if self.first is None:
            self.first = packets[0].pts
        timestamp = (packets[0].pts - self.first) * packets[0].time_base * RATE_HZ
        return [bytes(packet) for packet in packets], int(timestamp)

    def pack(self, packet: Any) -> Any:
        raise NotImplementedError


class Ears:
    """Keeps what was heard on the sender's own time line, 24 kHz mono, and when packets came off the wire."""

    def __init__(self) -> None:
        self.pieces: list[tuple[float, int, array.array[int]]] = []
        self.packets: list[tuple[int, float]] = []
        take = aiortc.RTCRtpReceiver._handle_rtp_packet

        async def noted(receiver: Any, packet: Any, arrival_time_ms: int) -> None:
            self.packets.append((packet.sequence_number, time.monotonic_ns() / 1e6))
            await take(receiver, packet, arrival_time_ms)

        aiortc.RTCRtpReceiver._handle_rtp_packet = noted
        take_report = aiortc.RTCRtpReceiver._handle_rtcp_packet

        async def noted_report(receiver: Any, packet: Any) -> None:
            if isinstance(packet, RtcpByePacket):
                tell(goodbye=packet.sources)
            await take_report(receiver, packet)

        aiortc.RTCRtpReceiver._handle_rtcp_packet = noted_report

    async def listen(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except aiortc.mediastreams.MediaStreamError:
                return
            samples = array.array("h", bytes(frame.planes[0])[: 2 * frame.samples * len(frame.layout.channels)])
            if len(frame.layout.channels) == 2:
                samples = samples[0::2]
            if frame.sample_rate == 48_000:
                heard = array.array("h", [(a + b) // 2 for a, b in zip(samples[0::2], samples[1::2], strict=False)])
            else:
                following = samples[1:] + samples[-1:]
                heard = array.array("h", bytes(6 * len(samples)))
                pairs = list(zip(samples, following, strict=True))
                for step in range(3):
                    heard[step::3] = array.array("h", [a + (b - a) * step // 3 for a, b in pairs])
            if not self.pieces:
                tell(hears=True)
            self.pieces.append((float(frame.pts * frame.time_base), time.monotonic_ns() // 1_000_000, heard))

    def save(self, path: str) -> None:
        """Write the recording. Lost packets sound like the one before, as any device conceals them; longer gaps are
        silence. The time line begins with the first packet.
        """
        begin = self.pieces[0][0] if self.pieces else 0.0
        length = max((round((at - begin) * 24_000) + len(heard) for at, _, heard in self.pieces), default=0)
        whole = array.array("h", bytes(2 * length))
        end = 0
        before: array.array[int] | None = None
        for at, _, heard in self.pieces:
            start = round((at - begin) * 24_000)
            whole[start : start + len(heard)] = heard[: length - start]
            if 0 < start - end <= CONCEALED and before is not None:
                copies = before * ((start - end) // len(before) + 1)
                whole[end:start] = copies[: start - end]
            end, before = start + len(heard), heard
        with open(path, "wb") as file:
            file.write(whole.tobytes())
        arrivals = [
            (round((at - begin) * 1000), arrived, max(map(abs, heard), default=0)) for at, arrived, heard in self.pieces
        ]
        tell(saved=path, arrivals=arrivals, packets=self.packets)


class Device:
    """`url`, `key`, `path`: where to call. `channel`: a label, or null for none; `channel_options`: its own. `codec`:
    opus or PCMU. `narrow`: 8 kHz Opus. `candidates`: whether the offer has any. `relay`: [host, port] to call instead
    of the server's addresses. `camera`: the colour that it shows, or null for none.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.peer = aiortc.RTCPeerConnection()
        self.microphone = Microphone()
        self.ears = Ears()
        self.camera = Camera(options["camera"]) if options.get("camera") else None
        self.channel: Any = None
        self.listening: asyncio.Task[None] | None = None

    def open(self, label: str, options: dict[str, Any]) -> None:
        self.channel = self.peer.createDataChannel(label, **options)
        self.channel.on("open", lambda: tell(open=label))
        self.channel.on("close", lambda: tell(closed=label))
        self.channel.on("message", lambda text: tell(event=json.loads(text)))

    async def call(self) -> None:
        options = self.options
        if options.get("narrow"):
            aiortc.rtcrtpsender.get_encoder = lambda codec: NarrowOpus()
        sender = self.peer.addTrack(self.microphone)
        if options.get("codec") == "PCMU":
            transceiver = next(each for each in self.peer.getTransceivers() if each.sender is sender)
            known = aiortc.RTCRtpSender.getCapabilities("audio").codecs
            transceiver.setCodecPreferences([codec for codec in known if codec.name == "PCMU"])
        if self.camera is not None:
            self.peer.addTrack(self.camera)
        if options.get("channel"):
            self.open(options["channel"], options.get("channel_options", {}))

        def on_track(track: Any) -> None:
            self.listening = asyncio.ensure_future(self.ears.listen(track))

        def on_state() -> None:
            tell(state=self.peer.connectionState)

        self.peer.on("track", on_track)
        self.peer.on("connectionstatechange", on_state)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        offer = self.peer.localDescription.sdp
        if not options.get("candidates", True):
            lines = offer.split("\r\n")
            offer = "\r\n".join(line for line in lines if "candidate" not in line)
        answer, location = await asyncio.to_thread(self.post, offer)
        tell(answer=answer, location=location)
        if options.get("relay"):
            answer = self.relayed(answer, *options["relay"])
        await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))

    def post(self, offer: str) -> tuple[str, str]:
        headers = {"content-type": "application/sdp"}
        if self.options.get("key"):
            headers["authorization"] = f"Bearer {self.options['key']}"
        address = self.options["url"] + self.options.get("path", "/v1/realtime/calls")
        with urllib.request.urlopen(urllib.request.Request(address, offer.encode(), headers), timeout=20) as answer:
            return answer.read().decode(), answer.headers["location"]

    @staticmethod
    def relayed(answer: str, host: str, port: int) -> str:
        """Keep one UDP candidate, and let it be the relay's."""
        lines, told = [], False
        for line in answer.split("\r\n"):
            if line.startswith("a=candidate:"):
                words = line.split(" ")
                if told or words[2].lower() != "udp":
                    continue
                told = True
                words[4], words[5] = host, str(port)
                lines.append(" ".join(words))
            else:
                lines.append(line)
        return "\r\n".join(lines)

    def obey(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "speak":
                with open(order["pcm"], "rb") as file:
                    self.microphone.speak(file.read())
            case "send":
                self.channel.send(json.dumps(order["event"]))
            case "open":
                self.open(order["label"], {})
            case "show" if self.camera is not None:
                self.camera.colour = order["colour"]
                (self.camera.on.set if order["colour"] else self.camera.on.clear)()
            case "look":
                look_at(order["path"])
            case "save":
                self.ears.save(order["path"])


async def main() -> None:
    device = Device(**json.loads(sys.argv[1]))
    await device.call()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        if order["do"] == "hangup":
            break
        device.obey(order)
    await device.peer.close()
    tell(state="gone")


asyncio.run(main())
