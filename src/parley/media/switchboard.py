"""The one owner of the process's media plane: fetches its events, and hands each to whoever it concerns.

Sessions, calls and rooms share one plane. Each registers for its own peers, listeners and speakers and gets their
events as plain calls on the loop, in order; events about things that nobody registered for are dropped. Commands go the
other way: those that give credit (`PushSpeech`, `SendMessage`) raise `Busy` at a bound, all others wait here until the
plane's queue takes them, so that a goodbye is never lost.

Neighbours: `plane` (the contract), `allotment` (ids for new peers). What is done with an event is the registrant's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from parley.media.commands import Command, ListenerId, PushSpeech, SendMessage, SpeakerId
from parley.media.errors import Busy
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
    StatisticsTold,
    StillSeen,
)
from parley.media.peer_spec import PeerId
from parley.media.plane import TICK_MS, MediaPlane, PlaneCounters, PlaneIdentity

__all__ = ["PeerEvent", "SpeakerEvent", "Switchboard"]

PeerEvent = PeerConnected | PeerClosed | ChannelOpened | MessageReceived | ChannelDrained | ChannelClosed | StillSeen
SpeakerEvent = SpeechStarted | SpeechDrained | SpeechFlushed | SpeakerProgress

MAX_DEFERRED = 16_384
"""Commands that wait for the plane's queue; the plane has been stuck for long when so many do."""


class Switchboard:
    """See the module. `start` once inside the loop; all methods are called on the loop's thread."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane
        self._peers: dict[PeerId, Callable[[PeerEvent], None]] = {}
        self._listeners: dict[ListenerId, Callable[[AudioHeard], None]] = {}
        self._speakers: dict[SpeakerId, Callable[[SpeakerEvent], None]] = {}
        self._audiences: dict[PeerId, Callable[[ActiveSpeaker], None]] = {}
        self._meters: dict[object, Callable[[LevelsHeard], None]] = {}
        self._queries: dict[int, tuple[int, Callable[[StatisticsTold], None]]] = {}
        self._events: deque[Event] = deque()
        self._deferred: deque[Command] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def identity(self) -> PlaneIdentity:
        """What our SDP says about the plane."""
        return self._plane.identity

    @property
    def counters(self) -> PlaneCounters:
        """What was lost so far."""
        return self._plane.counters

    @property
    def live(self) -> bool:
        """Whether peers can be added now."""
        return self._loop is not None and not self._closed

    def __len__(self) -> int:
        """How many peers are registered."""
        return len(self._peers)

    def start(self) -> None:
        """Begin to fetch events on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._plane.watch(self._woken)

    def close(self) -> None:
        """Say goodbye to every peer, hand over the last events, and stop. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._deferred.clear()
        self._plane.close()
        self._pump()

    # Who hears what. Registering again replaces; forgetting what is unknown is no mistake.

    def on_peer(self, peer: PeerId, take: Callable[[PeerEvent], None]) -> None:
        """Hand the events of `peer` to `take`, until its `PeerClosed`, which is the last."""
        self._peers[peer] = take

    def on_listener(self, listener: ListenerId, take: Callable[[AudioHeard], None]) -> None:
        """Hand what `listener` hears to `take`."""
        self._listeners[listener] = take

    def on_speaker(self, speaker: SpeakerId, take: Callable[[SpeakerEvent], None]) -> None:
        """Hand what becomes of `speaker`'s speech to `take`."""
        self._speakers[speaker] = take

    def on_active_speaker(self, peer: PeerId, take: Callable[[ActiveSpeaker], None]) -> None:
        """Hand over who speaks of those that `peer` hears, once `WatchSpeakers` was submitted; until it is closed."""
        self._audiences[peer] = take

    def on_levels(self, owner: object, take: Callable[[LevelsHeard], None] | None) -> None:
        """Hand all levels that are told to `take`, in place of what `owner` registered before; to nobody if None."""
        self._meters.pop(owner, None)
        if take is not None:
            self._meters[owner] = take

    def on_statistics(self, query: int, take: Callable[[StatisticsTold], None]) -> None:
        """Hand over what each shard answers to `AskStatistics(query)`: as many answers as `identity.shards`."""
        self._queries[query] = (self.identity.shards, take)

    def forget(self, *names: PeerId | ListenerId | SpeakerId) -> None:
        """Hand over nothing more of these."""
        for name in names:
            self._peers.pop(PeerId(name), None)
            self._listeners.pop(ListenerId(name), None)
            self._speakers.pop(SpeakerId(name), None)
            self._audiences.pop(PeerId(name), None)

    # Commands.

    def submit(self, command: Command) -> None:
        """Pass a command on. Ignored once closed.

        Raises `Busy` for `PushSpeech` and `SendMessage` at a bound (nothing was done), `BadPeerSpec`, `MediaError`.
        """
        if self._closed:
            return
        credited = isinstance(command, PushSpeech | SendMessage)
        if not self._deferred:
            try:
                self._plane.submit(command)
            except Busy:
                if credited:
                    raise
            else:
                return
        elif credited:
            raise Busy("commands wait for the media plane; go on after the next event")
        if len(self._deferred) >= MAX_DEFERRED:
            raise Busy(f"{MAX_DEFERRED} commands wait for the media plane, which has stopped taking them")
        self._deferred.append(command)
        self._retry_later()

    def _retry_later(self) -> None:
        if self._retry is None and self._loop is not None:
            self._retry = self._loop.call_later(TICK_MS / 1000, self._retried)

    def _retried(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        while self._deferred and not self._closed:
            try:
                self._plane.submit(self._deferred[0])
            except Busy:
                self._retry_later()
                return
            self._deferred.popleft()

    # Events.

    def _woken(self) -> None:
        """Fetch in a turn of the loop's own: a plane may call this from within `submit`."""
        if self._loop is not None:
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._events.extend(self._plane.drain())
        self._retried()
        try:
            while self._events:
                self._hand_over(self._events.popleft())
        finally:
            # A registrant that raises is a bug of ours: the loop reports it, and the others still get their events.
            if self._events and self._loop is not None:
                self._loop.call_soon(self._pump)

    def _hand_over(self, event: Event) -> None:
        match event:
            case AudioHeard():
                if (hears := self._listeners.get(event.listener)) is not None:
                    hears(event)
            case SpeechStarted() | SpeechDrained() | SpeechFlushed() | SpeakerProgress():
                if (speaks := self._speakers.get(event.speaker)) is not None:
                    speaks(event)
            case ActiveSpeaker() | LevelsHeard() | StatisticsTold():
                self._hand_over_news(event)
            case PeerClosed():
                self._audiences.pop(event.peer, None)
                if (take := self._peers.pop(event.peer, None)) is not None:
                    take(event)
            case _:
                if (take := self._peers.get(event.peer)) is not None:
                    take(event)

    def _hand_over_news(self, event: ActiveSpeaker | LevelsHeard | StatisticsTold) -> None:
        match event:
            case ActiveSpeaker(peer):
                if (looks := self._audiences.get(peer)) is not None:
                    looks(event)
            case LevelsHeard():
                for take in list(self._meters.values()):
                    take(event)
            case StatisticsTold(query):
                missing, counts = self._queries.pop(query, (0, None))
                if counts is not None:
                    if missing > 1:
                        self._queries[query] = (missing - 1, counts)
                    counts(event)
