"""The live sessions of all apps: whose turn it is, when they end, and who is told.

An operation waits, never longer than `CallsLimits.answer_wait_ms`, for what must come first: its turn, and the answer
to an offer of ours. If our offer is still not answered then, an operation that brings the client's own offer wins (we
are the polite peer); any other is refused and told what it waited for.

What lives here: queues, waiting, time, endings, notices. What does not: what operations do (`session`), requests
(`service`). Who closes whom: a session ends when its client leaves, by `DELETE`, or by `tick` when nobody uses it; with
it end its tracks, data channels and peer; those who pulled are told and keep their m-lines.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from parley.calls.access import Access
from parley.calls.allowance import Allowance
from parley.calls.app import CallsApp, Member
from parley.calls.channels import ChannelHub
from parley.calls.faults import CallsFault, bad_description
from parley.calls.limits import CallsLimits
from parley.calls.notices import ActiveSpeaker, Notice, SessionClosing, SubscribersChanged, TrackEnded, encode
from parley.calls.seat import Occupant, Seat, seated_tracks
from parley.calls.survey import Surveyed
from parley.calls.transceiver import SessionId, Source, publication_id
from parley.calls.wires import PlaneWires
from parley.media.commands import WatchSpeakers
from parley.media.events import (
    ChannelClosed,
    ChannelDrained,
    ChannelOpened,
    MessageReceived,
    PeerClosed,
    PeerConnected,
)
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.switchboard import PeerEvent, Switchboard
from parley.runtime.clock import Clock

__all__ = ["Roster"]

_log = logging.getLogger(__name__)

_POLL_S = 0.05


class Roster:
    """See the module."""

    def __init__(
        self, apps: Iterable[tuple[str, str]], *, switchboard: Switchboard, clock: Clock, limits: CallsLimits
    ) -> None:
        self.limits = limits
        now = clock.now()
        self.apps = {
            app_id: CallsApp(app_id, secret, Allowance(limits.app_requests_per_second, now)) for app_id, secret in apps
        }
        self._switchboard = switchboard
        self._clock = clock
        self._hubs = {
            app_id: ChannelHub(PlaneWires(app.members, switchboard), limits) for app_id, app in self.apps.items()
        }
        self._counted: dict[str, Counter[Source]] = {app_id: Counter() for app_id in self.apps}

    def __len__(self) -> int:
        """How many sessions live."""
        return sum(len(app.members) for app in self.apps.values())

    def hub(self, app: CallsApp) -> ChannelHub:
        """Give the data channels of an app."""
        return self._hubs[app.app_id]

    def enter(self, app: CallsApp, member: Member) -> None:
        """Take up a session."""
        app.members[member.session.session_id] = member
        member.settled.set()
        self.settle(app, member)
        _log.info("calls session opened", extra=_logged(app, member))

    def member(self, access: Access, session_id: str) -> Member:
        """Find a session. Raises `CallsFault`."""
        member = access.app.members.get(SessionId(session_id))
        if member is None:
            words = "This session is unknown, closed or expired. Make a new one with sessions/new."
            raise CallsFault(410, "session_error", words)
        access.check_session(member)
        return member

    def find_seat(self, ufrag: str) -> Seat | None:
        """Find the third-party session whose offer waits under that ufrag: whoever answers here may sit down in it."""
        for app in self.apps.values():
            for member in app.members.values():
                negotiation = member.session.negotiation
                waits = negotiation.pending is not None and negotiation.peer is None and member.occupant is None
                if member.session.third_party and waits and negotiation.local_ufrag == ufrag:
                    return _Seat(self, app, member)
        return None

    def spend(self, member: Member) -> None:
        """Count a request that uses a session. Raises `CallsFault` when there were too many."""
        member.used_at = self._clock.now()
        self.count(member)

    def count(self, member: Member) -> None:
        """Count a request that only looks at a session. Raises `CallsFault` when there were too many."""
        if not member.allowance.take(self._clock.now()):
            words = f"More than {self.limits.requests_per_second} requests a second for this session. Wait, then go on."
            raise CallsFault(429, "rate_limited", words, retry_after_s=1)

    @asynccontextmanager
    async def mutation(self, access: Access, session_id: str, *, offers: bool) -> AsyncIterator[Member]:
        """Wait for this mutation's turn. `offers`: the client brings an offer of its own."""
        member = self.member(access, session_id)
        self.spend(member)
        async with member.queue:
            await self._wait_for_answer(member, offers=offers)
            if member.gone:
                raise CallsFault(410, "session_error", "This session ended while the request waited for its turn.")
            try:
                yield member
            finally:
                self.settle(access.app, member)

    async def wait_for_channels(self, member: Member) -> None:
        """Return when data channels are negotiated. Raises `CallsFault` after a while."""
        deadline = self._clock.now() + self.limits.answer_wait_ms
        while not member.session.negotiation.has_channels and not member.gone:
            if self._clock.now() >= deadline:
                words = "Data channels are not negotiated yet. POST datachannels/establish first, and answer its offer."
                raise CallsFault(425, "session_error", words)
            await asyncio.sleep(_POLL_S)

    async def _wait_for_answer(self, member: Member, *, offers: bool) -> None:
        try:
            async with asyncio.timeout(self.limits.answer_wait_ms / 1000):
                await member.settled.wait()
        except TimeoutError:
            pending = member.session.negotiation.pending
            if pending is None or offers:
                member.session.negotiation.withdraw()
                return
            raise bad_description(
                f"the offer of an earlier {pending.purpose} waits for its answer: send that with PUT renegotiate "
                "first, one operation at a time"
            ) from None

    def settle(self, app: CallsApp, member: Member) -> None:
        """Carry out what an operation decided: commands, waiting requests, tracks that began or ended."""
        session, negotiation = member.session, member.session.negotiation
        if member.gone:
            return
        if negotiation.pending is None:
            member.settled.set()
        elif member.settled.is_set():
            member.settled.clear()
            member.offered_at = self._clock.now()
        peer, hub = negotiation.peer, self._hubs[app.app_id]
        if peer != member.peer:
            member.connected = False
            if member.peer is not None:
                hub.forget(session.session_id)
            member.watches = False
            if peer is not None:
                self._switchboard.on_peer(peer, lambda event: self._heard(app, member, peer, event))
            member.peer = peer
            if peer is not None and negotiation.in_process:
                member.connected = member.was_connected = True
        for command in negotiation.commands:
            self._switchboard.submit(command)
        negotiation.commands.clear()
        if negotiation.has_channels:
            hub.connect(session.session_id)
        self.watch_speakers(app, member)
        self._tell_occupant(member)
        names = frozenset(session.publications())
        before, member.published = member.published, names
        for name in names - before:
            app.announce(Source(session.session_id, name))
        self._tell_ended(app, session.session_id, before - names)

    def watch_speakers(self, app: CallsApp, member: Member) -> None:
        """Have the plane tell who speaks, where the client hears of it."""
        peer, hub = member.peer, self._hubs[app.app_id]
        if peer is not None and not member.watches and hub.hears_events(member.session.session_id):
            member.watches = True
            self._switchboard.on_active_speaker(peer, lambda told: self._tell_speaker(app, member, told.publication))
            self._switchboard.submit(WatchSpeakers(peer))

    def _tell_speaker(self, app: CallsApp, member: Member, publication: PublicationId | None) -> None:
        for mid, source in member.session.pulls():
            if publication_id(source) == publication:
                notice = ActiveSpeaker(source.session_id, source.track_name, mid)
                self._tell(app, member.session.session_id, notice)

    def _tell_occupant(self, member: Member) -> None:
        occupant, session = member.occupant, member.session
        if occupant is None:
            return
        tracks = seated_tracks(session.session_id, session.transceivers.values())
        before, member.seated = member.seated, tracks
        if tracks.publication is not None and tracks.publication != before.publication:
            occupant.publish(tracks.publication, session.negotiation.shard)
        if tracks.slot is not None and tracks.slot != before.slot:
            occupant.hear(tracks.slot)

    def _heard(self, app: CallsApp, member: Member, peer: PeerId, event: PeerEvent) -> None:
        session = member.session
        if member.gone or session.negotiation.peer != peer:
            return
        hub = self._hubs[app.app_id]
        match event:
            case PeerConnected():
                member.connected = member.was_connected = True
            case PeerClosed(_, reason):
                self.end(app, member, f"connection: {reason}")
            case ChannelOpened(_, channel):
                hub.opened(session.session_id, channel)
            case MessageReceived(_, channel, data):
                hub.received(session.session_id, channel, data)
            case ChannelDrained(_, channel):
                hub.drained(session.session_id, channel)
            case ChannelClosed(_, channel):
                hub.closed(session.session_id, channel)

    def end(self, app: CallsApp, member: Member, reason: str) -> None:
        """End a session and all that is its own."""
        session = member.session
        hub = self._hubs[app.app_id]
        hub.notify(session.session_id, encode(SessionClosing(reason)))
        hub.forget(session.session_id)
        app.members.pop(session.session_id, None)
        member.gone = True
        member.settled.set()
        if member.occupant is not None:
            member.occupant.leave()
        session.negotiation.remove()
        for command in session.negotiation.commands:
            self._switchboard.submit(command)
        session.negotiation.commands.clear()
        self._tell_ended(app, session.session_id, member.published)
        _log.info("calls session ended", extra={**_logged(app, member), "reason": reason})

    def _tell_ended(self, app: CallsApp, session_id: SessionId, names: Iterable[str]) -> None:
        for name in names:
            for member, mid in app.pullers(Source(session_id, name)):
                self._tell(app, member.session.session_id, TrackEnded(session_id, name, mid))

    def _tell_counts(self, app: CallsApp, counts: Counter[Source]) -> None:
        before, self._counted[app.app_id] = self._counted[app.app_id], counts
        for source in before.keys() | counts.keys():
            if before[source] == counts[source]:
                continue
            notice = SubscribersChanged(source.session_id, source.track_name, counts[source])
            told = {source.session_id} | {member.session.session_id for member, _ in app.pullers(source)}
            for session_id in told:
                self._tell(app, session_id, notice)

    def _tell(self, app: CallsApp, session_id: SessionId, notice: Notice) -> None:
        self._hubs[app.app_id].notify(session_id, encode(notice))

    # Time.

    def tick(self) -> None:
        """End what nobody uses, and tell counts that changed."""
        now = self._clock.now()
        for app_id, app in self.apps.items():
            self._hubs[app_id].tick(now)
            counts = app.subscribers()
            for member in list(app.members.values()):
                if reason := self._overdue(app, member, now, counts):
                    self.end(app, member, reason)
                elif member.session.negotiation.pending and now - member.offered_at > self.limits.offer_lifetime_ms:
                    member.session.negotiation.withdraw()
                    self.settle(app, member)
            self._tell_counts(app, counts)

    def end_silent_tracks(self, told: Surveyed) -> None:
        """End the tracks on which nothing comes any more.

        A third-party session's stay: a server on the far end speaks when it has something to say.
        """
        now, limit = self._clock.now(), self.limits.silent_track_ms
        if limit is None:
            return
        for app in self.apps.values():
            for member in app.members.values():
                session = member.session
                if session.third_party or not member.connected or session.negotiation.pending is not None:
                    continue
                packets = {
                    given.mid: sum(layer.packets for layer in given.layers)
                    for each in told.get(member.peer or PeerId(""), ())
                    for given in each.publications
                }
                if silent := member.silence.review(now, session.transceivers.values(), packets, limit):
                    session.end_silent(silent)
                    self.settle(app, member)
                    _log.info("calls tracks ended", extra={"session_id": session.session_id, "reason": "no packets"})

    def close(self, reason: str) -> None:
        """End every session."""
        for app in self.apps.values():
            for member in list(app.members.values()):
                self.end(app, member, reason)

    def _overdue(self, app: CallsApp, member: Member, now: int, counts: Counter[Source]) -> str | None:
        if not member.connected:
            if now - member.used_at <= self.limits.never_connected_ms:
                return None
            return "without a connection" if member.was_connected else "never connected"
        if not member.session.third_party:
            return None
        session = member.session
        hears = any(app.find(source) for _, source in session.pulls())
        if hears or any(counts[Source(session.session_id, name)] for name in session.publications()):
            member.lonely_since = None
        elif member.lonely_since is None:
            member.lonely_since = now
        elif now - member.lonely_since > self.limits.idle_third_party_ms:
            return "nobody used this third-party session"
        return None


def _logged(app: CallsApp, member: Member) -> dict[str, object]:
    told: dict[str, object] = {"session_id": member.session.session_id, "active": len(app.members)}
    return told | {"correlation_id": member.correlation_id} if member.correlation_id else told


class _Seat:
    """See `seat.Seat`."""

    def __init__(self, roster: Roster, app: CallsApp, member: Member) -> None:
        self._roster = roster
        self._app = app
        self._member = member

    def take(self, occupant: Occupant) -> None:
        """Sit down."""
        if self._member.gone or self._member.occupant is not None:
            occupant.leave()
            return
        self._member.occupant = occupant
        self._member.session.negotiation.in_process = True
        self._roster.settle(self._app, self._member)

    def free(self) -> None:
        """Stand up: the session ends."""
        if not self._member.gone:
            self._roster.end(self._app, self._member, "its realtime session ended")
