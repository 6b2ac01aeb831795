"""The native plane: the Rust media core behind the contract, on real sockets and threads.

What lives here: turning commands into calls and the core's tuples into events, counting credits, and the one wake-up.
What does not: sockets, codecs, ICE, timers (`rust/`), and SDP. Neighbours: `plane` (the contract), `native_virtual`
(the same core in virtual time), `loopback` (without a core).
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from parley._media import MediaCore, MediaCoreBusy, MediaCoreClosed, MediaCoreError, MediaCoreRefused
from parley.audio import SAMPLE_BYTES, AudioBlock
from parley.media.commands import (
    AddInternalPeer,
    AddPeer,
    AskStatistics,
    CloseChannel,
    CloseListener,
    CloseSpeaker,
    Command,
    EndSpeech,
    FlushSpeech,
    GatherSound,
    ListenerId,
    OpenChannel,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    RestListener,
    SendMessage,
    SpeakerId,
    Subscribe,
    Unsubscribe,
    WatchCamera,
    WatchSpeakers,
)
from parley.media.credits import Credits
from parley.media.errors import BadPeerSpec, Busy, MediaError, PlaneClosed
from parley.media.events import (
    ActiveSpeaker,
    AudioHeard,
    ChannelClosed,
    ChannelDrained,
    ChannelOpened,
    Event,
    LevelsHeard,
    MessageReceived,
    PeerClosed,
    PeerConnected,
    SpeakerProgress,
    SpeechDrained,
    SpeechFlushed,
    SpeechStarted,
    StillSeen,
)
from parley.media.native_statistics import statistics_told
from parley.media.peer_spec import Candidate, Fingerprint, PeerId, check_peer_spec
from parley.media.plane import MAX_QUEUED_SPEECH_SAMPLES, MAX_UNSENT_BYTES, PlaneCounters, PlaneIdentity

__all__ = ["NativePlane"]

EVENTS: Mapping[str, Callable[..., Event]] = MappingProxyType(
    {
        "peer_connected": PeerConnected,
        "peer_closed": PeerClosed,
        "channel_opened": ChannelOpened,
        "message_received": MessageReceived,
        "channel_drained": ChannelDrained,
        "channel_closed": ChannelClosed,
        "message_dropped": ChannelDrained,
        "speech_started": SpeechStarted,
        "speech_drained": SpeechDrained,
        "speech_flushed": SpeechFlushed,
        "speaker_progress": SpeakerProgress,
        "speech_dropped": SpeakerProgress,
        "active_speaker": ActiveSpeaker,
        "levels_heard": LevelsHeard,
        "still_seen": StillSeen,
        "statistics_told": statistics_told,
    }
)
"""What the core tells, by the first member of its tuples; the others are the fields, in order."""
DROPPED = frozenset({"message_dropped", "speech_dropped"})
"""What had nowhere to go: credits come back, and nobody is told."""


class NativePlane:
    """A `MediaPlane` over the Rust core. Owned by one process; refuses use after a fork.

    `at_ms` of what it hears counts on `time.monotonic`, which is an event loop's clock.
    A peer with `ice_lite=False` connects to its `remote_candidates`, over TCP where they are. All peers share one
    socket, so two of one plane cannot connect to the same remote address.
    """

    def __init__(self, core: MediaCore) -> None:
        """Make the plane of a core; `open` makes the core as well."""
        self._core = core
        self._end = weakref.finalize(self, core.close)
        self._lanes: dict[ListenerId, str] = {}
        self._speech_credits: Credits[SpeakerId] = Credits(MAX_QUEUED_SPEECH_SAMPLES, "samples of speech")
        self._channel_credits: Credits[tuple[PeerId, int]] = Credits(MAX_UNSENT_BYTES, "bytes of messages")
        self._wake: Callable[[], None] = lambda: None
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._identity = PlaneIdentity(
            Fingerprint("sha-256", core.fingerprint),
            tuple(Candidate(host, port, protocol) for host, port, protocol in core.candidates),
            core.shards,
        )

    @classmethod
    def open(cls, *, announced: Sequence[str], bind: str = "0.0.0.0", port: int = 0, shards: int = 1) -> NativePlane:  # noqa: S104
        """Listen on UDP and TCP `port` (0: any that is free for both) of `bind`; `::` hears IPv4 as well.

        `announced` are 1 to 3 addresses at which peers reach us, `shards` the threads that serve them. Raises
        `MediaError` with the cause and the fix, most often a port in use.
        """
        clock_us = time.monotonic_ns() // 1_000
        try:
            core = MediaCore(bind=bind, port=port, announced=list(announced), shards=shards, clock_us=clock_us)
        except (MediaCoreError, OverflowError) as error:
            raise MediaError(str(error)) from error
        return cls(core)

    @property
    def identity(self) -> PlaneIdentity:
        """One certificate, and every announced address with UDP and TCP."""
        return self._identity

    @property
    def counters(self) -> PlaneCounters:
        """What was lost and worked so far."""
        dropped, ignored, datagrams, broken, decoded, encoded = self._core.counters
        return PlaneCounters(dropped, ignored, datagrams, broken, decoded, encoded)

    def submit(self, command: Command) -> None:
        """Take a command; it is carried out by its shard at once."""
        give_back = self._take_credit(command)
        try:
            self._submit(command)
        except MediaCoreError as error:
            give_back()
            raise _media_error(error, command) from error

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` once when events wait; at once if some do.

        Under a running event loop its reader calls; elsewhere the caller waits for `fileno` and calls `on_readable`.
        """
        self._wake = wake
        self._forget_loop()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        else:
            self._loop.add_reader(self._core.fileno(), self.on_readable)
        self._woken = False
        self.poll()

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when events wait."""
        return self._core.fileno()

    def on_readable(self) -> None:
        """Tell the watcher; the descriptor is not readable again before the next `drain`."""
        self._core.quiet()
        self._woken = True
        self._wake()

    def poll(self) -> None:
        """Tell the watcher if events wait that it was not told of: for time that no event loop drives."""
        if self._core.has_events() and not self._woken:
            self.on_readable()

    def drain(self) -> list[Event]:
        """Take all events."""
        self._woken = False
        events = []
        for told in self._core.drain():
            event = self._event(told)
            if event is not None:
                events.append(event)
        return events

    def close(self) -> None:
        """Say goodbye to every peer and stop all threads."""
        self._forget_loop()
        self._end()

    def _forget_loop(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._core.fileno())
        self._loop = None

    def _take_credit(self, command: Command) -> Callable[[], None]:
        """Count what the command will use; give what takes that back."""
        match command:
            case AddPeer(spec):
                check_peer_spec(spec)
            case PushSpeech(speaker, _, pcm):
                if len(pcm) % SAMPLE_BYTES:
                    raise MediaError(f"{len(pcm)} bytes are no whole number of 16-bit samples; carry the odd byte over")
                samples = len(pcm) // SAMPLE_BYTES
                self._speech_credits.take(speaker, samples)
                return lambda: self._speech_credits.give(speaker, samples)
            case SendMessage(peer, channel, data):
                size = len(data.encode()) if isinstance(data, str) else len(data)
                self._channel_credits.take((peer, channel), size)
                return lambda: self._channel_credits.give((peer, channel), size)
            case _:
                pass
        return lambda: None

    def _submit(self, command: Command) -> None:
        core = self._core
        match command:
            case AddPeer() | AddInternalPeer() | RemovePeer() | WatchSpeakers() | WatchCamera() | AskStatistics():
                self._submit_for_peer(command)
            case Subscribe(peer, mid, publication, preferred_rid, under_pressure, when_missing):
                core.subscribe(peer, mid, publication, preferred_rid, under_pressure, when_missing)
            case Unsubscribe(peer, mid):
                core.unsubscribe(peer, mid)
            case OpenListener() | RestListener() | GatherSound() | CloseListener():
                self._submit_for_listener(command)
            case OpenSpeaker() | PushSpeech() | EndSpeech() | FlushSpeech() | CloseSpeaker():
                self._submit_for_speaker(command)
            case OpenChannel(peer, channel, label, ordered, max_retransmits, max_lifetime_ms, negotiated):
                core.open_channel(peer, channel, label, (ordered, max_retransmits, max_lifetime_ms), negotiated)
            case SendMessage(peer, channel, data):
                core.send_message(peer, channel, data)
            case CloseChannel(peer, channel):
                core.close_channel(peer, channel)

    def _submit_for_peer(
        self, command: AddPeer | AddInternalPeer | RemovePeer | WatchSpeakers | WatchCamera | AskStatistics
    ) -> None:
        match command:
            case AddPeer(spec):
                self._core.add_peer(spec)
            case AddInternalPeer(peer, slots, shard):
                self._core.add_internal(peer, shard, [(slot.mid, slot.heard_as) for slot in slots])
            case RemovePeer(peer):
                self._core.remove_peer(peer)
            case WatchSpeakers(peer, on):
                self._core.watch_speakers(peer, on)
            case WatchCamera(peer, mid):
                self._core.watch_camera(peer, mid)
            case AskStatistics(query):
                self._core.tell_statistics(query)

    def _submit_for_listener(self, command: OpenListener | RestListener | GatherSound | CloseListener) -> None:
        match command:
            case OpenListener(listener, publication, lane, detect_speech, only_speech, pre_roll_ms):
                self._core.open_listener(listener, publication, detect_speech, only_speech, pre_roll_ms)
                self._lanes[listener] = lane
            case RestListener(listener):
                self._core.rest_listener(listener)
            case GatherSound(listener, up_to_ms, above):
                self._core.gather_sound(listener, up_to_ms, above)
            case CloseListener(listener):
                self._core.close_listener(listener)
                self._lanes.pop(listener, None)

    def _submit_for_speaker(self, command: OpenSpeaker | PushSpeech | EndSpeech | FlushSpeech | CloseSpeaker) -> None:
        match command:
            case OpenSpeaker(speaker, publication, shard):
                self._core.open_speaker(speaker, publication, shard)
            case PushSpeech(speaker, item, pcm):
                self._core.push_speech(speaker, item, pcm)
            case EndSpeech(speaker, item):
                self._core.end_speech(speaker, item)
            case FlushSpeech(speaker, item):
                self._core.flush_speech(speaker, item)
            case CloseSpeaker(speaker):
                self._core.close_speaker(speaker)
                self._speech_credits.forget(lambda key: key == speaker)

    def _event(self, told: tuple[object, ...]) -> Event | None:
        """Make an event of what the core told and count the credits that it carries; None if that was all."""
        kind, *fields = told
        if kind == "audio_heard":
            return self._heard(*fields)  # type: ignore[arg-type]
        event = EVENTS[cast("str", kind)](*fields)
        match event:
            case PeerClosed(peer):
                self._channel_credits.forget(lambda key: key[0] == peer)
            case ChannelDrained(peer, channel, drained):
                self._channel_credits.give((peer, channel), drained)
            case ChannelClosed(peer, channel):
                self._channel_credits.forget(lambda key: key == (peer, channel))
            case SpeakerProgress(speaker, released):
                self._speech_credits.give(speaker, released)
            case _:
                pass
        return None if kind in DROPPED else event

    def _heard(
        self,
        listener: ListenerId,
        start_sample: int,
        pcm: bytes,
        speech: tuple[float, ...],
        speech_start_sample: int,
        gap: bool,
        at_ms: int,
    ) -> AudioHeard | None:
        lane = self._lanes.get(listener)
        if lane is None:
            return None
        block = AudioBlock(lane, start_sample, pcm, speech, speech_start_sample, gap)
        return AudioHeard(listener, block, at_ms)


def _media_error(error: MediaCoreError, command: Command) -> MediaError:
    match error:
        case MediaCoreBusy():
            return Busy(str(error))
        case MediaCoreClosed():
            return PlaneClosed(str(error))
        case MediaCoreRefused() if isinstance(command, AddPeer):
            return BadPeerSpec(str(error))
        case _:
            return MediaError(str(error))
