"""The WebRTC transport: one call of one session: a peer, a listener, a speaker, perhaps a data channel and a camera.

What lives here: which ends of the media plane a call has, which of the peer's data channels carries events, and when
the call is over. What does not: SDP, ids and who may call (the server), pacing and codecs (the plane), turns and
truncation (the session's machine). Who ends whom:

| event | what follows |
|---|---|
| the peer is gone (goodbye, consent lost, handshake failed), or never comes | the session is hung up |
| the session is over (hang-up, expiry, drain, a bug) | last events leave the channel, then the peer is removed |
| the data channel closes | its connection ends; the call goes on, and another channel may be opened |
| the client does not read its events, or sends more than we can | the call ends |

The first reliable and ordered channel carries events, whatever its label and whoever opened it; a call without one is
a call by voice alone. A client may also have agreed with itself on channel 0 (`negotiated: true`), which is announced
nowhere: it is there for the first message that comes on it.
Neighbours: `ears`, `event_channel`, `paced_speaker`, `parley.media.switchboard`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from parley.audio import AudioBlock
from parley.media.commands import (
    AddPeer,
    OpenChannel,
    RemovePeer,
    SpeakerId,
    Subscribe,
    WatchCamera,
)
from parley.media.events import (
    ChannelClosed,
    ChannelDrained,
    ChannelOpened,
    MessageReceived,
    PeerClosed,
    PeerConnected,
    StillSeen,
)
from parley.media.peer_spec import PeerSpec, PublicationId, Slot
from parley.media.switchboard import PeerEvent, Switchboard
from parley.transports.ears import Ears
from parley.transports.event_channel import EventChannel
from parley.transports.paced_speaker import PacedSpeaker, PlayoutReport
from parley.transports.websocket import Link

__all__ = ["CallEnd", "CallSession", "WebRtcCall", "camera_of", "microphone_of"]

CallEnd = Literal["hung_up", "remote", "timeout", "failed", "overflow", "never_connected", "slow_reader", "closed"]
"""`hung_up`: the session ended first. The plane's reasons are kept as they are."""

_CONNECT_S = 30.0
_LAST_EVENTS_S = 2.0


class CallSession(Protocol):
    """The session that a call carries (`runtime.supervisor.SessionHandle`)."""

    def hear(self, block: AudioBlock) -> bool: ...
    def see(self, webp: bytes) -> None: ...
    def heed(self, ears: Ears) -> None: ...
    def report_playout(self, report: PlayoutReport) -> None: ...
    def hang_up(self) -> None: ...
    def wait_ended(self) -> Awaitable[None]: ...


def microphone_of(peer: str) -> PublicationId:
    """Name what the peer of that id sends."""
    return PublicationId(f"{peer}/microphone")


def camera_of(peer: str) -> PublicationId:
    """Name what the camera of the peer of that id sends."""
    return PublicationId(f"{peer}/camera")


@dataclass(slots=True)
class _State:
    """What has become of the call."""

    connected: bool = False
    closed: CallEnd | None = None


class WebRtcCall:
    """See the module. `speaker` exists before the session, which is made with it; `run` is the call's life."""

    def __init__(self, board: Switchboard, spec: PeerSpec) -> None:
        self._board = board
        self._spec = spec
        self._ears = Ears(board, spec.peer)
        self._voice = PublicationId(f"{spec.peer}/voice")
        audio = [slot for slot in spec.slots if slot.kind == "audio"]
        self._slot: Slot | None = audio[0] if audio else None
        self._camera = next((slot.mid for slot in spec.slots if slot.kind == "video" and slot.publication), None)
        self.speaker = PacedSpeaker(board, SpeakerId(f"{spec.peer}/mouth")) if audio else None
        self._state = _State()
        self._changed = asyncio.Event()
        self._channels: dict[int, ChannelOpened] = {}
        self._events: EventChannel | None = None
        self._unannounced: int | None = None
        self._hear: Callable[[AudioBlock], bool] = lambda block: True
        self._see: Callable[[bytes], None] = lambda webp: None

    @property
    def blocks_dropped(self) -> int:
        """Sound that the session was too late to take."""
        return self._ears.blocks_dropped

    def change(self, spec: PeerSpec) -> None:
        """Take a new description of the peer: its ICE was restarted."""
        self._spec = spec
        self._board.submit(AddPeer(spec))

    async def run(
        self, session: CallSession, attach: Callable[[], Link | None], *, connect_s: float = _CONNECT_S
    ) -> CallEnd:
        """Carry `session` until one of both is over; give what ended it. `attach` gives None if it has ended."""
        if self.speaker is not None:
            self.speaker.report = session.report_playout
        self._hear = session.hear
        self._see = session.see
        session.heed(self._ears)
        self._board.on_peer(self._spec.peer, self._take)
        self._board.submit(AddPeer(self._spec))
        try:
            async with asyncio.TaskGroup() as group:
                carrying = group.create_task(self._carry(attach))
                over = group.create_task(_ended(session))
                late = group.create_task(self._never_connected(connect_s))
                gone = group.create_task(self._until(lambda: self._state.closed is not None))
                await asyncio.wait({carrying, over, late, gone}, return_when=asyncio.FIRST_COMPLETED)
                if self._events is not None and not gone.done() and not late.done():
                    await asyncio.wait({carrying, gone}, timeout=_LAST_EVENTS_S, return_when=asyncio.FIRST_COMPLETED)
                end = self._end(over=over.done(), late=late.done())
                for task in (carrying, over, late, gone):
                    task.cancel()
            return end
        finally:
            self._release()
            session.hang_up()

    def _end(self, *, over: bool, late: bool) -> CallEnd:
        if self._state.closed is not None:
            return self._state.closed
        if over:
            return "hung_up"
        return "never_connected" if late else "slow_reader"

    def _release(self) -> None:
        self._ears.close()
        self._board.forget(self._spec.peer)
        if self.speaker is not None:
            self.speaker.close()
        self._board.submit(RemovePeer(self._spec.peer))

    # What the plane says.

    def _take(self, event: PeerEvent) -> None:
        match event:
            case PeerConnected():
                self._connected()
            case PeerClosed():
                self._closed("hung_up" if event.reason == "removed" else event.reason)
            case StillSeen():
                self._see(event.webp)
            case _:
                self._take_of_channel(event)
        self._changed.set()

    def _take_of_channel(self, event: ChannelOpened | ChannelClosed | MessageReceived | ChannelDrained) -> None:
        match event:
            case ChannelOpened():
                if (
                    event.ordered
                    and event.max_retransmits is event.max_lifetime_ms is None
                    and event.channel != self._unannounced
                ):
                    self._channels[event.channel] = event
                    self._choose()
            case ChannelClosed():
                self._channels.pop(event.channel, None)
                if self._events is not None and self._events.channel == event.channel:
                    self._events.closed()
            case MessageReceived():
                if event.channel == self._unannounced and self._events is None:
                    self._events = self._event_channel(event.channel)
                if (
                    self._events is not None
                    and event.channel == self._events.channel
                    and not self._events.received(event.data)
                ):
                    self._closed("overflow")
            case ChannelDrained():
                if self._events is not None and event.channel == self._events.channel:
                    self._events.drained(event.drained_bytes)

    def _connected(self) -> None:
        if self._state.connected:
            return
        self._state.connected = True
        # As DTLS client we leave odd numbers to the peer's announced channels (RFC 8832 §6), so 0 is nobody else's.
        if self._spec.sctp is not None and self._spec.dtls_role == "active":
            self._unannounced = 0
            self._board.submit(OpenChannel(self._spec.peer, 0, "", negotiated=True))
        if self._camera is not None:
            self._board.submit(WatchCamera(self._spec.peer, self._camera))
        slot = self._slot
        if slot is None:
            return
        if slot.publication is not None:
            self._ears.open(slot.publication, self._hear)
        if self.speaker is not None:
            self.speaker.open(self._voice, self._spec.shard)
        if slot.send is not None:
            self._board.submit(Subscribe(self._spec.peer, slot.mid, self._voice))

    def _closed(self, end: CallEnd) -> None:
        self._state.closed = self._state.closed or end
        if self._events is not None:
            self._events.closed()
        self._changed.set()

    def _choose(self) -> None:
        """Let the oldest usable channel carry events, if none does."""
        if self._events is None and self._channels:
            self._events = self._event_channel(next(iter(self._channels)))

    def _event_channel(self, channel: int) -> EventChannel:
        sctp = self._spec.sctp
        return EventChannel(self._board, self._spec.peer, channel, sctp.max_message_bytes if sctp is not None else 0)

    # What the call does.

    async def _carry(self, attach: Callable[[], Link | None]) -> None:
        """Carry events by one channel after the other. Returns when the session closes the link."""
        while True:
            await self._until(lambda: self._events is not None)
            channel = self._events
            link = attach()
            if link is None or channel is None:
                return
            try:
                await channel.carry(link)
            finally:
                link.detach()
            if channel.open:
                return
            self._events = None
            self._choose()

    async def _never_connected(self, connect_s: float) -> None:
        """Return if the peer has not connected after `connect_s`; never if it has."""
        await asyncio.sleep(connect_s)
        await self._until(lambda: not self._state.connected)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()


async def _ended(session: CallSession) -> None:
    await session.wait_ended()
