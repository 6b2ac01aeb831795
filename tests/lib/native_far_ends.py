"""The native plane as the contract suite's plane: virtual time, two shards, and a client of the core for every peer.

Specs of the suite name no real certificate, so the far end's is put in on the way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from parley.audio import RATE_HZ, SAMPLE_BYTES
from parley.media.commands import (
    AddPeer,
    CloseChannel,
    Command,
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
from parley.media.events import AudioHeard, ChannelClosed, ChannelOpened, Event, MessageReceived
from parley.media.native import NativePlane
from parley.media.native_virtual import VirtualNet
from parley.media.peer_spec import PeerId, PeerSpec, PublicationId, Slot, StreamIds
from parley.media.plane import PlaneCounters, PlaneIdentity

__all__ = ["NativeFarEnd", "NativeHarness"]

EAR = ListenerId("ear")
VOICE = SpeakerId("voice")
TAP = ListenerId("tap")


class NativeFarEnd:
    """One peer's far end: a plane of its own that connects to ours."""

    def __init__(self, net: VirtualNet, peer: PeerId, host: str) -> None:
        self._net = net
        self._peer = peer
        self._host = host
        self.plane = net.plane(host)
        self._says = 0
        self._begun_ms = net.now_ms
        self._reading = True
        self._heard: list[AudioHeard] = []
        self.channels: dict[int, str] = {}
        self.messages: list[tuple[int, str | bytes]] = []

    def connect(self, spec: PeerSpec, ours: PlaneIdentity) -> None:
        """Begin to check and to shake hands."""
        self.plane.submit(AddPeer(self._mirrored(spec, ours)))
        self.plane.submit(OpenListener(EAR, PublicationId("far"), "far", detect_speech=False))
        self.plane.submit(OpenSpeaker(VOICE, PublicationId("mouth")))
        self.plane.submit(Subscribe(self._peer, "0", PublicationId("mouth")))

    def _mirrored(self, spec: PeerSpec, ours: PlaneIdentity) -> PeerSpec:
        def mirrored(slot: Slot) -> Slot:
            receive = (slot.send,) if slot.send else ()
            send = StreamIds(ssrc=slot.receive[0].ssrc) if slot.receive else None
            publication = PublicationId("far") if receive else None
            return replace(slot, publication=publication, receive=receive, send=send)

        return replace(
            spec,
            shard=0,
            local_ice=spec.remote_ice,
            remote_ice=spec.local_ice,
            remote_fingerprint=ours.fingerprint,
            dtls_role="passive" if spec.dtls_role == "active" else "active",
            slots=tuple(mirrored(slot) for slot in spec.slots),
            ice_lite=False,
            remote_candidates=tuple(c for c in ours.candidates if c.protocol == "udp"),
        )

    # What a test does.

    def speak(self, mid: str, pcm: bytes) -> None:
        """Send PCM16 24 kHz in real time, behind what is still to be sent."""
        assert mid == "0"
        self._says += 1
        self.plane.submit(PushSpeech(VOICE, str(self._says), pcm))
        self.plane.submit(EndSpeech(VOICE, str(self._says)))

    def recording(self, mid: str, until_ms: int) -> bytes:
        """Give what was heard from 0 to `until_ms`, as the jitter buffer played it."""
        assert mid == "0"
        out = bytearray(until_ms * RATE_HZ // 1000 * SAMPLE_BYTES)
        for event in self._heard:
            start = (self._begun_ms * RATE_HZ // 1000 + event.block.start_sample) * SAMPLE_BYTES
            out[start : start + len(event.block.pcm)] = event.block.pcm
        return bytes(out[: until_ms * RATE_HZ // 1000 * SAMPLE_BYTES])

    def open_channel(self, channel: int, label: str) -> None:
        """Open a data channel; its number is agreed."""
        self.plane.submit(OpenChannel(self._peer, channel, label))

    def close_channel(self, channel: int) -> None:
        """Close a data channel."""
        self.plane.submit(CloseChannel(self._peer, channel))

    def send(self, channel: int, data: str | bytes) -> None:
        """Send a message."""
        self.plane.submit(SendMessage(self._peer, channel, data))

    @property
    def reading(self) -> bool:
        """Whether it takes anything from the wire."""
        return self._reading

    @reading.setter
    def reading(self, reading: bool) -> None:
        self._reading = reading
        self._net.set_reachable(self._host, reading)
        # On a wire without latency everything that waited would come at once, more than a plane takes unread.
        self._net.set_conditions(latency_ms=5)

    def hang_up(self) -> None:
        """Close the connection."""
        self.plane.submit(RemovePeer(self._peer))

    def read(self) -> None:
        """Take what has come."""
        for event in self.plane.drain():
            match event:
                case AudioHeard():
                    self._heard.append(event)
                case ChannelOpened(_, channel, label):
                    self.channels[channel] = label
                case ChannelClosed(_, channel):
                    self.channels.pop(channel, None)
                case MessageReceived(_, channel, data):
                    self.messages.append((channel, data))
                case _:
                    pass


class _Fitted:
    """Our plane, whose peers get the certificate of the far end that is made for them."""

    def __init__(self, plane: NativePlane, far_end: Callable[[PeerId], NativeFarEnd]) -> None:
        self._plane = plane
        self._far_end = far_end
        self._connected: set[PeerId] = set()

    @property
    def identity(self) -> PlaneIdentity:
        return self._plane.identity

    @property
    def counters(self) -> PlaneCounters:
        return self._plane.counters

    def submit(self, command: Command) -> None:
        if not isinstance(command, AddPeer):
            self._plane.submit(command)
            return
        spec = command.spec
        far = self._far_end(spec.peer)
        if set(spec.remote_fingerprint.value.split(":")) == {"AB"}:
            spec = replace(spec, remote_fingerprint=far.plane.identity.fingerprint)
        self._plane.submit(AddPeer(spec))
        if spec.peer not in self._connected:
            self._connected.add(spec.peer)
            far.connect(spec, self._plane.identity)

    def watch(self, wake: Callable[[], None]) -> None:
        self._plane.watch(wake)

    def drain(self) -> list[Event]:
        return self._plane.drain()

    def close(self) -> None:
        self._plane.close()


class NativeHarness:
    """The native plane under test, on two shards."""

    def __init__(self) -> None:
        self.net = VirtualNet()
        self._native = self.net.plane("192.0.2.1", shards=2)
        self._remotes: dict[str, NativeFarEnd] = {}
        self._spoken: list[AudioHeard] = []
        self.plane = _Fitted(self._native, self._far_end)

    def _far_end(self, peer: PeerId) -> NativeFarEnd:
        if peer not in self._remotes:
            self._remotes[peer] = NativeFarEnd(self.net, peer, f"192.0.2.{2 + len(self._remotes)}")
        return self._remotes[peer]

    @property
    def now_ms(self) -> int:
        return self.net.now_ms

    def run(self, ms: int) -> list[Event]:
        events: list[Event] = []
        for step in range(0, max(ms, 1), 100):
            self.run_undrained(min(100, ms - step))
            for event in self._native.drain():
                if isinstance(event, AudioHeard) and event.listener == TAP:
                    self._spoken.append(event)
                else:
                    events.append(event)
        return events

    def run_undrained(self, ms: int) -> None:
        for step in range(0, max(ms, 1), 10):
            self.net.advance(min(10, ms - step))
            for remote in self._remotes.values():
                remote.read()

    def remote(self, peer: str) -> NativeFarEnd:
        return self._remotes[peer]

    def tap(self, publication: PublicationId) -> None:
        """Hear what a speaker says before it is encoded, to the sample."""
        self._native.submit(OpenListener(TAP, publication, "tap", detect_speech=False))

    def spoken(self) -> list[tuple[int, bytes]]:
        """When frames with sound left, and what they were."""
        return [(event.at_ms, event.block.pcm) for event in self._spoken if any(event.block.pcm)]

    def alike(self, got: bytes, sent: bytes) -> bool:
        """Whether it is the same sound behind a lossy codec: as long within a frame and a half, of the same pitch."""
        mine, theirs = _sounding(got), _sounding(sent)
        return abs(len(mine) - len(theirs)) <= 720 and abs(_crossings(mine) - _crossings(theirs)) <= 4


def _sounding(pcm: bytes) -> list[int]:
    """From the first loud sample to the last."""
    samples = list(memoryview(pcm).cast("h"))
    loud = [at for at, sample in enumerate(samples) if abs(sample) > 1_000]
    return samples[loud[0] : loud[-1] + 1] if loud else []


def _crossings(samples: list[int]) -> int:
    return sum(before < 0 <= after for before, after in itertools.pairwise(samples))
