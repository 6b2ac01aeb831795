"""The operations of the Calls API: requests checked, sources found, each carried out by its session in its turn.

What lives here: what a request may say, and whose permission it needs. What does not: turns and endings (`roster`),
signalling (`session`), data channels' delivery (`channels`), HTTP (`parley.server`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import UNSET

from parley.calls.access import Access, authorize
from parley.calls.allowance import Allowance
from parley.calls.app import Member
from parley.calls.channels import EVENTS, ChannelHub
from parley.calls.faults import CallsFault, bad_description, bad_request, invalid
from parley.calls.limits import CallsLimits
from parley.calls.negotiation import Negotiation, TransportFacts
from parley.calls.reading import name_of, shown, source_of
from parley.calls.roster import Roster
from parley.calls.seat import Seat
from parley.calls.session import MAX_TRACKS, CallsSession, Sources
from parley.calls.session_statistics import session_statistics
from parley.calls.survey import Survey, Surveyed
from parley.calls.tokens import TokenScope, TokenStore
from parley.calls.traffic import Traffic
from parley.calls.transceiver import SessionId, Source
from parley.calls.turn_credentials import TurnCredentials
from parley.media.allotment import Allotment
from parley.media.errors import Busy
from parley.media.switchboard import Switchboard
from parley.observe.families import Family, Row
from parley.protocol.calls import (
    ChannelItem,
    ChannelsRequest,
    CloseRequest,
    EstablishChannel,
    EstablishReply,
    EstablishRequest,
    ListedSession,
    NegotiationReply,
    NewSessionReply,
    NewSessionRequest,
    RenegotiateRequest,
    SessionDescription,
    SessionListing,
    SessionStatistics,
    TokenReply,
    TokenRequest,
    TrackItem,
    TracksReply,
    TracksRequest,
)
from parley.runtime.clock import Clock
from parley.sdp import Fingerprint, LocalCandidate

__all__ = ["CallsService"]

_LOOKS_EVERY_S = 5
_APP_COUNTS = (
    ("parley_calls_sessions", "Live sessions of a Calls app."),
    ("parley_calls_local_tracks", "Tracks that sessions of a Calls app publish."),
    ("parley_calls_remote_tracks", "Tracks that sessions of a Calls app pull."),
)


class CallsService:
    """See the module. `new_id` gives 32 unguessable hexadecimal digits."""

    def __init__(
        self,
        apps: Iterable[tuple[str, str]],
        *,
        switchboard: Switchboard,
        allotment: Allotment,
        tokens: TokenStore,
        turn: TurnCredentials,
        clock: Clock,
        new_id: Callable[[], str],
        limits: CallsLimits | None = None,
        track_metrics: bool = False,
    ) -> None:
        self.turn = turn
        self._limits = limits or CallsLimits()
        self._roster = Roster(apps, switchboard=switchboard, clock=clock, limits=self._limits)
        self._switchboard = switchboard
        self._allotment = allotment
        self._tokens = tokens
        self._clock = clock
        self._new_id = new_id
        self._survey = Survey(switchboard)
        self._traffic = Traffic(self._roster.apps)
        self._track_metrics = track_metrics

    @property
    def app_ids(self) -> Iterable[str]:
        """Name the apps."""
        return self._roster.apps.keys()

    @property
    def max_body_bytes(self) -> int:
        """How large a request may be."""
        return self._limits.max_body_bytes

    def find_seat(self, ufrag: str) -> Seat | None:
        """Give the seat that an offer of ours left, by the offer's ufrag: for an answerer in this very process."""
        return self._roster.find_seat(ufrag)

    def count(self, app_id: str) -> tuple[int, int, int]:
        """Count an app's sessions, local tracks and remote tracks."""
        sessions = [member.session for member in self._roster.apps[app_id].members.values()]
        local = sum(len(list(session.publications())) for session in sessions)
        return len(sessions), local, sum(len(list(session.pulls())) for session in sessions)

    def authorize(self, app_id: str, bearer: str | None) -> Access:
        """Recognise who asks, and count the request. Raises `CallsFault`."""
        access = authorize(self._roster.apps, self._tokens, app_id, bearer)
        if not access.app.allowance.take(self._clock.now()):
            words = f"More than {self._limits.app_requests_per_second} requests a second of this app. Wait, then go on."
            raise CallsFault(429, "rate_limited", words, retry_after_s=1)
        return access

    async def run(self) -> None:
        """Look after sessions until cancelled."""
        while True:
            for _ in range(_LOOKS_EVERY_S):
                await asyncio.sleep(1)
                self._roster.tick()
            told = await self.look()
            if told is not None:
                self._roster.end_silent_tracks(told)

    async def look(self) -> Surveyed | None:
        """See what passes, and count it; None where the plane is busy, and there is nothing new."""
        if not len(self._roster) or not self._switchboard.live:
            told: Surveyed = {}
        else:
            try:
                told = await self._survey.ask()
            except (TimeoutError, Busy):
                return None
        self._traffic.take(self._roster.apps.values(), told)
        return told

    def families(self) -> Iterator[Family]:
        """Give what Prometheus is told of calls; `look` before."""
        for place, (name, words) in enumerate(_APP_COUNTS):
            rows = [Row((app_id,), self.count(app_id)[place]) for app_id in self.app_ids]
            yield Family(name, words, "gauge", ("app",), rows)
        yield from self._traffic.families(tracks=self._track_metrics)

    def close(self, reason: str) -> None:
        """End every session."""
        self._roster.close(reason)

    # Sessions.

    async def new_session(
        self, access: Access, request: NewSessionRequest, *, third_party: bool = False, correlation_id: str = ""
    ) -> NewSessionReply:
        """Make a session; an offer that comes with the request is answered."""
        access.check_new_session(third_party=third_party)
        if not self._switchboard.live:
            words = "The media port is not open, or the server stops. Start the server with a free --media-port."
            raise CallsFault(503, "temporarily_unavailable_error", words, retry_after_s=5)
        if len(self._roster) >= self._limits.max_sessions:
            words = f"All {self._limits.max_sessions} sessions are taken. Try again later."
            raise CallsFault(503, "temporarily_unavailable_error", words, retry_after_s=5)
        now = self._clock.now()
        session_id = SessionId(self._new_id())
        identity = self._switchboard.identity
        facts = TransportFacts(
            Fingerprint(identity.fingerprint.algorithm, identity.fingerprint.value),
            tuple(LocalCandidate(each.host, each.port, each.protocol) for each in identity.candidates),
            self._allotment.shard(),
        )
        negotiation = Negotiation(session_id, facts, self._allotment, full_ice=third_party)
        session = CallsSession(session_id, negotiation, third_party=third_party, max_tracks=self._limits.max_tracks)
        member = Member(session, now, now, Allowance(self._limits.requests_per_second, now))
        member.owner = access.scope.token_id if access.scope else None
        member.correlation_id = "".join(filter(str.isprintable, correlation_id))[:64]
        description: SessionDescription | None = None
        if request.session_description is not None:
            offer = _offer_of(request.session_description)
            description = session.renegotiate(SessionDescription("offer", offer or "")).session_description or None
        self._roster.enter(access.app, member)
        return NewSessionReply(session_id, description) if description else NewSessionReply(session_id)

    def listing(self, access: Access, session_id: str) -> SessionListing:
        """List a session's tracks and data channels."""
        member = self._roster.member(access, session_id)
        self._roster.count(member)
        counts = access.app.subscribers()
        peer = member.session.negotiation.peer
        passed = session_statistics(member.session, self._survey.newest.get(peer, ()) if peer else ())
        tracks = member.session.tracks(
            lambda source: access.app.find(source) is not None,
            lambda source: counts[source],
            {each.mid: each.rid for each in passed.remote if each.rid is not None},
        )
        return SessionListing(tracks, self._roster.hub(access.app).listed(member.session.session_id))

    async def statistics(self, access: Access, session_id: str) -> SessionStatistics:
        """Tell what passed over a session so far."""
        member = self._roster.member(access, session_id)
        self._roster.count(member)
        try:
            told = await self._survey.ask()
        except (TimeoutError, Busy):
            raise CallsFault(503, "temporarily_unavailable_error", "The media plane is busy. Ask again.") from None
        peer = member.session.negotiation.peer
        return session_statistics(member.session, told.get(peer, ()) if peer else ())

    def sessions(self, access: Access) -> list[ListedSession]:
        """List an app's sessions, for its operator."""
        access.check_secret()
        now, counts = self._clock.now(), access.app.subscribers()
        return [self._listed(member, now, counts) for member in access.app.members.values()]

    def delete_session(self, access: Access, session_id: str) -> None:
        """End a session."""
        self._roster.end(access.app, self._roster.member(access, session_id), "deleted by request")

    def mint_token(self, access: Access, request: TokenRequest) -> TokenReply:
        """Make a client token."""
        access.check_secret()
        if not 1 <= request.ttl <= self._limits.max_token_seconds:
            raise invalid(f"ttl is 1 to {self._limits.max_token_seconds} seconds, not {request.ttl}")
        if not 1 <= request.max_sessions <= self._limits.max_sessions:
            raise invalid(f"maxSessions is 1 to {self._limits.max_sessions}, not {request.max_sessions}")
        publish: Sequence[str] | None = [] if request.listen_only else request.publish

        def make(token_id: str, expires_at: int) -> TokenScope:
            return TokenScope(
                access.app.app_id,
                token_id,
                expires_at,
                SessionId(request.session_id) if request.session_id is not None else None,
                None if publish is None else frozenset(publish),
                None
                if request.pull is None
                else frozenset(Source(SessionId(each.session_id), each.track_name or "") for each in request.pull),
                request.listen_only,
                request.max_sessions,
            )

        value, scope = self._tokens.mint(make, request.ttl)
        return TokenReply(value, scope.expires_at)

    # Tracks.

    async def new_tracks(self, access: Access, session_id: str, request: TracksRequest) -> TracksReply:
        """Publish or pull tracks."""
        items = _checked_items(request.tracks, may_be_empty=request.auto_discover)
        offer = _offer_of(request.session_description)
        if items and items[0].location == "remote":
            return await self._pull(access, session_id, items, offer)
        if not items:
            return await self._discover(access, session_id, offer)
        access.check_publish([name_of(item) for item in items])
        async with self._roster.mutation(access, session_id, offers=offer is not None) as member:
            return member.session.invite(items) if offer is None else member.session.publish(items, offer)

    async def update_tracks(self, access: Access, session_id: str, request: TracksRequest) -> TracksReply:
        """Change layers or sources of what is pulled."""
        items = _checked_items(request.tracks)
        found = await self._sources(access, session_id, items)
        async with self._roster.mutation(access, session_id, offers=False) as member:
            return member.session.update(items, found)

    async def close_tracks(self, access: Access, session_id: str, request: CloseRequest) -> TracksReply:
        """End tracks."""
        mids = [item.mid for item in request.tracks]
        if not 0 < len(mids) <= MAX_TRACKS:
            raise invalid(f"tracks: name 1 to {MAX_TRACKS} mids to close, not {len(mids)}")
        offer = _offer_of(request.session_description)
        async with self._roster.mutation(access, session_id, offers=offer is not None) as member:
            return member.session.close(mids, offer, force=request.force)

    async def renegotiate(self, access: Access, session_id: str, request: RenegotiateRequest) -> NegotiationReply:
        """Take an answer at once, or an offer in its turn."""
        if request.session_description.type == "offer":
            async with self._roster.mutation(access, session_id, offers=True) as member:
                return member.session.renegotiate(request.session_description)
        member = self._roster.member(access, session_id)
        self._roster.spend(member)
        try:
            return member.session.renegotiate(request.session_description)
        finally:
            self._roster.settle(access.app, member)

    # Data channels.

    async def establish(self, access: Access, session_id: str, request: EstablishRequest) -> EstablishReply:
        """Negotiate data channels, and open the one on which we tell what happens."""
        asked = request.data_channel
        if asked.data_channel_name != EVENTS or asked.location != "remote":
            raise invalid(
                f"dataChannel: only the remote channel {EVENTS} is opened this way; others by datachannels/new"
            )
        offer = _offer_of(request.session_description)
        hub = self._roster.hub(access.app)
        async with self._roster.mutation(access, session_id, offers=offer is not None) as member:
            session = member.session
            if offer is None and session.negotiation.has_channels and not hub.hears_events(session.session_id):
                # The client's first offer brought m=application: only our channel is missing.
                ours, description = False, None
            else:
                ours, description = session.establish(offer)
        number = hub.open_events(session.session_id, odd=not session.negotiation.dtls_active)
        self._roster.watch_speakers(access.app, member)
        return EstablishReply(ours, EstablishChannel(EVENTS, "remote", number), description or UNSET)

    async def new_channels(self, access: Access, session_id: str, request: ChannelsRequest) -> ChannelsRequest:
        """Publish or subscribe data channels."""
        items = _checked_channels(request)
        for item in items:
            if item.location == "local" or item.can_reply is True:
                access.check_channels()
            if item.location == "remote" and item.session_id:
                access.check_pull([Source(SessionId(item.session_id), item.data_channel_name or "")])
        async with self._roster.mutation(access, session_id, offers=False) as member:
            await self._roster.wait_for_channels(member)
            hub, now = self._roster.hub(access.app), self._clock.now()
            odd = not member.session.negotiation.dtls_active
            return ChannelsRequest([hub.new(member.session.session_id, item, now, odd=odd) for item in items])

    async def update_channels(self, access: Access, session_id: str, request: ChannelsRequest) -> ChannelsRequest:
        """Give or take the right to answer on channels."""
        if any(item.can_reply is True for item in request.data_channels):
            access.check_channels()
        return await self._on_channels(access, session_id, request, ChannelHub.update)

    async def close_channels(self, access: Access, session_id: str, request: ChannelsRequest) -> ChannelsRequest:
        """Close channels by their ids."""
        return await self._on_channels(access, session_id, request, ChannelHub.close)

    async def _on_channels(
        self,
        access: Access,
        session_id: str,
        request: ChannelsRequest,
        act: Callable[[ChannelHub, SessionId, ChannelItem], ChannelItem],
    ) -> ChannelsRequest:
        items = _checked_channels(request)
        async with self._roster.mutation(access, session_id, offers=False) as member:
            hub = self._roster.hub(access.app)
            return ChannelsRequest([act(hub, member.session.session_id, item) for item in items])

    async def _pull(
        self, access: Access, session_id: str, items: Sequence[TrackItem], offer: str | None
    ) -> TracksReply:
        found = await self._sources(access, session_id, items)
        async with self._roster.mutation(access, session_id, offers=offer is not None) as member:
            return member.session.pull(items, found, offer)

    async def _discover(self, access: Access, session_id: str, offer: str | None) -> TracksReply:
        if offer is None:
            raise invalid("autoDiscover: send the offer whose tracks shall be published as sessionDescription")
        if access.scope is not None and access.scope.publish is not None:
            access.check_publish([""])
        async with self._roster.mutation(access, session_id, offers=True) as member:
            return member.session.discover(offer, self._new_id)

    async def _sources(self, access: Access, session_id: str, items: Sequence[TrackItem]) -> Sources:
        """Find what the items name, and wait a while for what is not there yet: publishers are often just behind."""
        wanted = dict.fromkeys(source_of(item) for item in items)
        access.check_pull(wanted)
        self._roster.member(access, session_id)
        found = {}
        try:
            async with asyncio.timeout(self._limits.answer_wait_ms / 1000):
                for source in wanted:
                    if source.session_id in access.app.members:
                        await access.app.wait_for(source)
        except TimeoutError:
            pass
        for source in wanted:
            if publication := access.app.find(source):
                found[source] = publication
        return Sources(found, frozenset(source for source in wanted if access.app.fell_silent(source)))

    def _listed(self, member: Member, now: int, counts: Counter[Source]) -> ListedSession:
        session = member.session
        names = list(session.publications())
        return ListedSession(
            session_id=session.session_id,
            state="connected" if member.connected else "connecting" if session.negotiation.peer else "new",
            third_party=session.third_party,
            age_seconds=(now - member.created_at) // 1000,
            local_tracks=len(names),
            remote_tracks=len(list(session.pulls())),
            subscribers=sum(counts[Source(session.session_id, name)] for name in names),
            correlation_id=member.correlation_id,
        )


def _offer_of(description: SessionDescription | None) -> str | None:
    if description is None:
        return None
    if description.type != "offer":
        raise bad_description("an offer is expected here; answers go to PUT renegotiate")
    return description.sdp


def _checked_channels(request: ChannelsRequest) -> list[ChannelItem]:
    if not 0 < len(request.data_channels) <= MAX_TRACKS:
        raise invalid(f"dataChannels: name 1 to {MAX_TRACKS} channels, not {len(request.data_channels)}")
    return request.data_channels


def _checked_items(given: list[TrackItem] | None, *, may_be_empty: bool = False) -> list[TrackItem]:
    if given is None and not may_be_empty:
        raise bad_request("tracks is missing: list the tracks, or set autoDiscover and send an offer")
    items = given or []
    if not items and not may_be_empty:
        raise invalid(f"tracks: name 1 to {MAX_TRACKS} tracks, or set autoDiscover with an offer")
    if len(items) > MAX_TRACKS:
        raise invalid(f"tracks: at most {MAX_TRACKS} in one request, not {len(items)}; send the rest in another")
    if len({item.location for item in items}) > 1:
        raise invalid("tracks: all local (publish) or all remote (pull); send two requests")
    mids = Counter(item.mid for item in items if item.mid is not None)
    names = Counter(item.track_name for item in items if item.location == "local" and item.track_name)
    for what, counts in (("mid", mids), ("trackName", names)):
        if twice := [value for value, count in counts.items() if count > 1]:
            raise invalid(f"tracks: the {what} {shown(twice[0])} stands there twice; each track has its own")
    return items
