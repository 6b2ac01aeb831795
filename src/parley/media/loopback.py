"""The loopback plane: the whole contract in memory and in virtual time, for tests.

Nothing happens but in `advance`: it carries out commands, then runs every 20 ms tick that is due, in order of time and
of opening, so equal calls give equal events. A peer's far end is a `LoopbackRemote`, which a test plays.
Sound is PCM all the way, no codec and no loss; what the native plane adds to that is not this plane's business.

Neighbours: `plane` (the contract), `loopback_speech` (a speaker), `loopback_listening` (a listener), `loopback_remote`
(a far end), `loopback_internal` (a peer without one), `loopback_watching` (who speaks).
"""

from __future__ import annotations

from collections.abc import Callable

from parley.audio import SAMPLE_BYTES
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
from parley.media.errors import Busy, MediaError, PlaneClosed
from parley.media.events import (
    AudioHeard,
    ChannelClosed,
    ChannelDrained,
    ChannelOpened,
    CloseReason,
    Event,
    MessageReceived,
    PeerClosed,
    PeerConnected,
    SpeakerProgress,
    StatisticsTold,
)
from parley.media.loopback_internal import LoopbackInternal
from parley.media.loopback_listening import Listening
from parley.media.loopback_remote import LoopbackRemote
from parley.media.loopback_speech import SpeechQueue
from parley.media.loopback_watching import Watching
from parley.media.peer_spec import Candidate, Fingerprint, PeerId, PublicationId, check_peer_spec
from parley.media.plane import (
    MAX_COMMANDS,
    MAX_QUEUED_SPEECH_SAMPLES,
    MAX_UNDRAINED_MESSAGE_BYTES,
    MAX_UNSENT_BYTES,
    TICK_MS,
    PlaneCounters,
    PlaneIdentity,
)
from parley.media.statistics import PeerStatistics

__all__ = ["LoopbackPlane"]

_SILENT_FINGERPRINT = Fingerprint("sha-256", ":".join(["00"] * 32))

Tick = Callable[[], tuple[bytes | None, list[Event]]]


class LoopbackPlane:
    """A `MediaPlane` without a network. Owned by one test or room."""

    def __init__(self) -> None:
        self._now_ms = 0
        self._closed = False
        self._wake: Callable[[], None] = lambda: None
        self._awake = False
        self._commands: list[Command] = []
        self._events: list[Event] = []
        self._ignored = 0
        self._dropped_blocks = 0
        self._remotes: dict[PeerId, LoopbackRemote] = {}
        self._internals: dict[PeerId, LoopbackInternal] = {}
        self._watching = Watching()
        self._max_message_bytes: dict[PeerId, int] = {}
        self._speakers: dict[SpeakerId, tuple[PublicationId, SpeechQueue]] = {}
        self._listeners: dict[ListenerId, Listening] = {}
        self._sources: dict[PublicationId, tuple[int, Tick]] = {}
        self._speech_credits: Credits[SpeakerId] = Credits(MAX_QUEUED_SPEECH_SAMPLES, "samples of speech")
        self._channel_credits: Credits[tuple[PeerId, int]] = Credits(MAX_UNSENT_BYTES, "bytes of messages")
        self._unread_bytes: dict[PeerId, int] = {}

    # The contract.

    @property
    def identity(self) -> PlaneIdentity:
        """An address that nobody can reach."""
        return PlaneIdentity(_SILENT_FINGERPRINT, (Candidate("127.0.0.1", 9),))

    @property
    def counters(self) -> PlaneCounters:
        """What was lost so far."""
        return PlaneCounters(audio_blocks_dropped=self._dropped_blocks, commands_ignored=self._ignored)

    def submit(self, command: Command) -> None:
        """Take a command; it is carried out by the next `advance`."""
        if self._closed:
            raise PlaneClosed("the media plane is closed; open a new one")
        if len(self._commands) >= MAX_COMMANDS:
            raise Busy(f"{MAX_COMMANDS} commands wait already; go on after the next event")
        match command:
            case AddPeer(spec):
                check_peer_spec(spec)
                self._max_message_bytes[spec.peer] = spec.sctp.max_message_bytes if spec.sctp else 0
            case PushSpeech(speaker, _, pcm):
                if len(pcm) % SAMPLE_BYTES:
                    raise MediaError(f"{len(pcm)} bytes are no whole number of 16-bit samples; carry the odd byte over")
                self._speech_credits.take(speaker, len(pcm) // SAMPLE_BYTES)
            case SendMessage(peer, channel, data):
                size, most = _message_bytes(data), self._max_message_bytes.get(peer, 0)
                if most and size > most:
                    raise MediaError(f"a message of {size} bytes is above the peer's {most}; split it")
                self._channel_credits.take((peer, channel), size)
            case _:
                pass
        self._commands.append(command)

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` once when events wait; at once if some do."""
        self._wake = wake
        self._awake = False
        self._wake_up()

    def drain(self) -> list[Event]:
        """Take all events."""
        events, self._events = self._events, []
        self._awake = False
        self._unread_bytes.clear()
        for event in events:
            match event:
                case SpeakerProgress(speaker, samples):
                    self._speech_credits.give(speaker, samples)
                case ChannelDrained(peer, channel, drained):
                    self._channel_credits.give((peer, channel), drained)
                case AudioHeard(listener, block, _):
                    if listening := self._listeners.get(listener):
                        listening.fetched(block.samples)
                case _:
                    pass
        return events

    def close(self) -> None:
        """Close every peer and stop."""
        if self._closed:
            return
        self._closed = True
        self._commands.clear()
        for peer in [*self._remotes, *self._internals]:
            self._close_peer(peer, "closed")
        self._speakers.clear()
        self._listeners.clear()
        self._sources.clear()

    # Virtual time, and the far ends.

    @property
    def now_ms(self) -> int:
        """The plane's clock."""
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Carry out the commands, then let `ms` of virtual time pass."""
        self._carry_out()
        until = self._now_ms + ms
        while due := [at for at, _ in self._sources.values() if at <= until]:
            self._now_ms = min(due)
            self._tick()
            self._read_remotes()
        self._now_ms = until
        self._read_remotes()

    def remote(self, peer: PeerId) -> LoopbackRemote:
        """Give the far end of a peer that was added."""
        return self._remotes[peer]

    # Inside.

    def _wake_up(self) -> None:
        if self._events and not self._awake:
            self._awake = True
            self._wake()

    def _post(self, *events: Event) -> None:
        self._events.extend(events)
        self._wake_up()

    def _carry_out(self) -> None:
        commands, self._commands = self._commands, []
        for command in commands:
            if not self._execute(command):
                self._ignored += 1
        self._read_remotes()

    def _execute(self, command: Command) -> bool:
        match command:
            case AddPeer() | RemovePeer() | Subscribe() | Unsubscribe():
                return self._execute_for_peer(command)
            case AddInternalPeer():
                return self._add_internal(command)
            case WatchSpeakers(peer, on):
                self._watching.watch(peer, on)
                return peer in self._remotes or peer in self._internals
            case WatchCamera(peer, mid):
                remote = self._remotes.get(peer)
                return remote is not None and remote.watch(mid)
            case AskStatistics(query):
                told = [remote.statistics() for remote in self._remotes.values()]
                told += [PeerStatistics(peer) for peer in self._internals]
                self._post(StatisticsTold(query, tuple(sorted(told, key=lambda each: each.peer))))
                return True
            case OpenChannel() | SendMessage() | CloseChannel():
                return self._execute_for_channel(command)
            case OpenSpeaker() | PushSpeech() | EndSpeech() | FlushSpeech() | CloseSpeaker():
                return self._execute_for_speaker(command)
            case OpenListener() | RestListener() | GatherSound() | CloseListener():
                return self._execute_for_listener(command)

    def _execute_for_peer(self, command: AddPeer | RemovePeer | Subscribe | Unsubscribe) -> bool:
        if isinstance(command, AddPeer):
            self._add_peer(command)
            return True
        if internal := self._internals.get(command.peer):
            return self._execute_for_internal(internal, command)
        remote = self._remotes.get(command.peer)
        if remote is None:
            return False
        match command:
            case RemovePeer(peer):
                self._close_peer(peer, "removed")
            case Subscribe(_, mid, publication):
                return remote.subscribe(mid, publication)
            case Unsubscribe(_, mid):
                return remote.subscribe(mid, None)
        return True

    def _add_internal(self, command: AddInternalPeer) -> bool:
        if command.peer in self._remotes:
            return False
        internal = self._internals.get(command.peer)
        if internal is None:
            internal = self._internals[command.peer] = LoopbackInternal()
            self._post(PeerConnected(command.peer))
        gone, new = internal.change(command.slots)
        for publication in gone:
            self._sources.pop(publication, None)
        for publication in new:
            self._sources[publication] = (self._now_ms + TICK_MS, internal.source(publication))
        return True

    def _execute_for_internal(self, internal: LoopbackInternal, command: RemovePeer | Subscribe | Unsubscribe) -> bool:
        match command:
            case RemovePeer(peer):
                self._close_peer(peer, "removed")
            case Subscribe(_, mid, publication):
                return internal.subscribe(mid, publication)
            case Unsubscribe(_, mid):
                return internal.subscribe(mid, None)
        return True

    def _add_peer(self, command: AddPeer) -> None:
        spec = command.spec
        remote = self._remotes.get(spec.peer)
        before = remote.publications if remote else set()
        if remote is None:
            remote = self._remotes[spec.peer] = LoopbackRemote(spec)
            self._post(PeerConnected(spec.peer))
        after = remote.change(spec)
        for publication in before - after:
            self._sources.pop(publication, None)
        for publication in sorted(after - before):
            self._sources[publication] = (self._now_ms + TICK_MS, remote.source(publication))

    def _execute_for_channel(self, command: OpenChannel | SendMessage | CloseChannel) -> bool:
        remote = self._remotes.get(command.peer)
        if remote is None or not remote.has_channels:
            self._channel_credits.forget(lambda key: key == (command.peer, command.channel))
            return False
        match command:
            case OpenChannel(peer, channel, label, ordered, max_retransmits, max_lifetime_ms):
                remote.channels[channel] = label
                self._post(ChannelOpened(peer, channel, label, ordered, max_retransmits, max_lifetime_ms))
            case SendMessage(peer, channel, data):
                if not remote.deliver(channel, data):
                    self._channel_credits.forget(lambda key: key == (peer, channel))
                    return False
            case CloseChannel(peer, channel):
                if not remote.lose_channel(channel):
                    return False
                self._channel_credits.forget(lambda key: key == (peer, channel))
                self._post(ChannelClosed(peer, channel))
        return True

    def _execute_for_speaker(self, command: OpenSpeaker | PushSpeech | EndSpeech | FlushSpeech | CloseSpeaker) -> bool:
        if isinstance(command, OpenSpeaker):
            queue = SpeechQueue(command.speaker)
            self._speakers[command.speaker] = (command.publication, queue)
            self._sources[command.publication] = (self._now_ms + TICK_MS, queue.tick)
            return True
        if command.speaker not in self._speakers:
            self._speech_credits.forget(lambda key: key == command.speaker)
            return False
        publication, queue = self._speakers[command.speaker]
        match command:
            case PushSpeech(_, item, pcm):
                self._post(*queue.push(item, pcm))
            case EndSpeech(_, item):
                self._post(*queue.end(item))
            case FlushSpeech(_, item):
                self._post(*queue.flush(item))
            case CloseSpeaker(speaker):
                del self._speakers[speaker]
                self._sources.pop(publication, None)
                self._speech_credits.forget(lambda key: key == speaker)
        return True

    def _execute_for_listener(self, command: OpenListener | RestListener | GatherSound | CloseListener) -> bool:
        match command:
            case OpenListener(listener):
                self._listeners[listener] = Listening(command)
                return True
            case RestListener(listener):
                if listener in self._listeners:
                    self._listeners[listener].rest()
                    return True
                return False
            case GatherSound(listener):
                return listener in self._listeners
            case CloseListener(listener):
                return self._listeners.pop(listener, None) is not None

    def _tick(self) -> None:
        for publication, (at, tick) in list(self._sources.items()):
            if at != self._now_ms or publication not in self._sources:
                continue
            self._sources[publication] = (at + TICK_MS, tick)
            frame, events = tick()
            self._post(*events)
            if frame is not None:
                for remote in self._remotes.values():
                    remote.hear(publication, self._now_ms, frame)
                for internal in self._internals.values():
                    internal.hear(publication, frame)
                heard = {peer: remote.subscriptions for peer, remote in self._remotes.items()}
                heard |= {peer: internal.subscriptions for peer, internal in self._internals.items()}
                self._post(*self._watching.hear(publication, frame, heard))
            for listener, listening in self._listeners.items():
                if listening.publication == publication:
                    blocks = listening.hear(frame)
                    self._dropped_blocks += blocks is None
                    self._post(*(AudioHeard(listener, block, self._now_ms) for block in blocks or ()))

    def _read_remotes(self) -> None:
        """Post what the far ends did since the last look."""
        for peer, remote in list(self._remotes.items()):
            events = remote.take_events()
            unread = self._unread_bytes.get(peer, 0) + sum(
                _message_bytes(event.data) for event in events if isinstance(event, MessageReceived)
            )
            if unread > MAX_UNDRAINED_MESSAGE_BYTES:
                self._close_peer(peer, "overflow")
                continue
            self._unread_bytes[peer] = unread
            self._post(*events)
            if remote.hung_up:
                self._close_peer(peer, "remote")

    def _close_peer(self, peer: PeerId, reason: CloseReason) -> None:
        self._watching.watch(peer, False)
        end = self._internals.pop(peer, None) or self._remotes.pop(peer)
        for publication in end.publications:
            self._sources.pop(publication, None)
        self._channel_credits.forget(lambda key: key[0] == peer)
        self._max_message_bytes.pop(peer, None)
        self._unread_bytes.pop(peer, None)
        self._post(PeerClosed(peer, reason))


def _message_bytes(data: str | bytes) -> int:
    return len(data.encode()) if isinstance(data, str) else len(data)
