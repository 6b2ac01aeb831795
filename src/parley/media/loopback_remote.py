"""The far end of a loopback peer: a test speaks, listens, sends and reads through it as a browser would."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from parley.audio import RATE_HZ, SAMPLE_BYTES
from parley.media.errors import MediaError
from parley.media.events import ChannelClosed, ChannelDrained, ChannelOpened, Event, MessageReceived, StillSeen
from parley.media.peer_spec import PeerSpec, PublicationId
from parley.media.plane import FRAME_SAMPLES
from parley.media.statistics import LayerStatistics, PeerStatistics, PublicationStatistics, SubscriptionStatistics

__all__ = ["HeardFrame", "LoopbackRemote"]

_PACKET_BYTES = FRAME_SAMPLES * SAMPLE_BYTES
_MAX_HEARD_FRAMES = 50 * 3_600
"""An hour for each slot; a test that hears more loses the oldest."""


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """A frame that came in on a slot, and when it left."""

    at_ms: int
    pcm: bytes


class LoopbackRemote:
    """One peer's far end. What it does is seen by the plane at its next step."""

    def __init__(self, spec: PeerSpec) -> None:
        self._spec = spec
        self._voices: dict[str, deque[bytes]] = {}
        self._subscriptions: dict[str, PublicationId | None] = {}
        self._events: list[Event] = []
        self._unread: deque[tuple[int, str | bytes]] = deque()
        self._packets_given: Counter[str] = Counter()
        self._packets_got: Counter[str] = Counter()
        self.heard: dict[str, deque[HeardFrame]] = {}
        self.channels: dict[int, str] = {}
        self.reading = True
        """Whether messages are read as they come; if not they stay unsent on our side."""
        self.messages: list[tuple[int, str | bytes]] = []
        self.hung_up = False
        self.watched: str | None = None
        """The slot that stills are taken of."""

    # What a test does.

    def speak(self, mid: str, pcm: bytes) -> None:
        """Send PCM16 24 kHz on a slot in real time, behind what is still to be sent. Padded to frames of 20 ms."""
        frame_bytes = FRAME_SAMPLES * SAMPLE_BYTES
        frames = self._voices.setdefault(mid, deque())
        for start in range(0, len(pcm), frame_bytes):
            frames.append(pcm[start : start + frame_bytes].ljust(frame_bytes, b"\0"))

    def recording(self, mid: str, until_ms: int) -> bytes:
        """Give what was heard on a slot from 0 to `until_ms`, silence where nothing came."""
        out = bytearray(until_ms * RATE_HZ // 1000 * SAMPLE_BYTES)
        for frame in self.heard.get(mid, ()):
            start = frame.at_ms * RATE_HZ // 1000 * SAMPLE_BYTES
            out[start : start + len(frame.pcm)] = frame.pcm
        return bytes(out[: until_ms * RATE_HZ // 1000 * SAMPLE_BYTES])

    def open_channel(self, channel: int, label: str) -> None:
        """Open a data channel. Raises `MediaError` where none were negotiated."""
        if not self.has_channels:
            raise MediaError("this peer negotiated no data channels; give its spec an `sctp`")
        self.channels[channel] = label
        self._events.append(ChannelOpened(self._spec.peer, channel, label))

    def close_channel(self, channel: int) -> None:
        """Close a data channel."""
        del self.channels[channel]
        self._events.append(ChannelClosed(self._spec.peer, channel))

    def send(self, channel: int, data: str | bytes) -> None:
        """Send a message."""
        self._events.append(MessageReceived(self._spec.peer, channel, data))

    def show(self, mid: str, webp: bytes, *, width: int = 640, height: int = 480) -> None:
        """Send a picture on a slot. Nobody sees it who does not watch."""
        if mid == self.watched:
            self._events.append(StillSeen(self._spec.peer, webp, width, height))

    def hang_up(self) -> None:
        """Close the connection."""
        self.hung_up = True

    # What the plane does.

    @property
    def publications(self) -> set[PublicationId]:
        """What this peer publishes."""
        return {slot.publication for slot in self._spec.slots if slot.publication}

    @property
    def subscriptions(self) -> set[PublicationId]:
        """What this peer is fed with."""
        return {publication for publication in self._subscriptions.values() if publication}

    @property
    def has_channels(self) -> bool:
        """Whether the peer negotiated data channels."""
        return self._spec.sctp is not None

    def change(self, spec: PeerSpec) -> set[PublicationId]:
        """Become what `spec` says; give what is published from now on."""
        self._spec = spec
        mids = {slot.mid for slot in spec.slots if slot.send}
        self._subscriptions = {mid: name for mid, name in self._subscriptions.items() if mid in mids}
        return self.publications

    def source(self, publication: PublicationId) -> Callable[[], tuple[bytes | None, list[Event]]]:
        """Give the tick of a publication: its next frame, None while the peer is silent."""

        def tick() -> tuple[bytes | None, list[Event]]:
            mid = next((slot.mid for slot in self._spec.slots if slot.publication == publication), "")
            frames = self._voices.get(mid)
            self._packets_given[mid] += bool(frames)
            return (frames.popleft() if frames else None), []

        return tick

    def subscribe(self, mid: str, publication: PublicationId | None) -> bool:
        """Point a slot at a publication; False if the peer does not receive there."""
        if not any(slot.mid == mid and slot.send for slot in self._spec.slots):
            return False
        self._subscriptions[mid] = publication
        return True

    def watch(self, mid: str | None) -> bool:
        """Take stills of a slot, or of none."""
        self.watched = mid
        return True

    def hear(self, publication: PublicationId, at_ms: int, frame: bytes) -> None:
        """Receive a frame on every slot that is subscribed to `publication`."""
        for mid, wanted in self._subscriptions.items():
            if wanted == publication:
                self._packets_got[mid] += 1
                frames = self.heard.setdefault(mid, deque(maxlen=_MAX_HEARD_FRAMES))
                frames.append(HeardFrame(at_ms, frame))

    def statistics(self) -> PeerStatistics:
        """Tell what passed: packets, and what else a wire without loss has."""
        given = (
            PublicationStatistics(
                slot.mid,
                slot.publication,
                0,
                0,
                (LayerStatistics(None, count := self._packets_given[slot.mid], count * _PACKET_BYTES, 0, 0.0, 0),),
            )
            for slot in self._spec.slots
            if slot.publication
        )
        got = (
            SubscriptionStatistics(
                mid, source, None, count := self._packets_got[mid], count * _PACKET_BYTES, 0, 0, None, None, 0, 0
            )
            for mid, source in self._subscriptions.items()
            if source
        )
        return PeerStatistics(self._spec.peer, None, None, tuple(given), tuple(got))

    def deliver(self, channel: int, data: str | bytes) -> bool:
        """Take a message that was sent to us; False if there is no such channel."""
        if channel not in self.channels:
            return False
        self._unread.append((channel, data))
        return True

    def lose_channel(self, channel: int) -> bool:
        """Close a channel from our side, with what was not read; False if there is none."""
        self._unread = deque(message for message in self._unread if message[0] != channel)
        return self.channels.pop(channel, None) is not None

    def take_events(self) -> list[Event]:
        """Give what happened here since the last call, in order."""
        events, self._events = self._events, []
        while self.reading and self._unread:
            channel, data = self._unread.popleft()
            self.messages.append((channel, data))
            size = len(data.encode()) if isinstance(data, str) else len(data)
            events.append(ChannelDrained(self._spec.peer, channel, size))
        return events
