"""The data channels of one app: who publishes which, who subscribes, and where each message goes.

A published channel fans out to its subscribers; one of them at a time may answer (`canReply`). Every channel of an
application is negotiated by number, so that nothing is announced in band; only `server-events`, on which we tell a
client what happens, is opened by us. Numbers are odd or even as DTLS wants it of our side, so that they never clash
with channels that a browser opens by itself.

What lives here: names, numbers, grants, delivery and its bounds. What does not: SCTP (the media plane) and HTTP.
Bounds: messages wait for one slow subscriber up to `CallsLimits.channel_backlog_bytes`; above it a reliable channel is
closed, since a message may not be missing from it, and an unreliable one loses the newest.
Sources: Calls API, "Data channels"; RFC 8832 §6.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from msgspec import UNSET

from parley.calls.faults import bad_request, invalid
from parley.calls.limits import CallsLimits
from parley.calls.transceiver import SessionId, Source
from parley.protocol.calls import ChannelItem, ErrorCode, ListedChannel

__all__ = ["EVENTS", "ChannelHub", "Reliability", "Wires"]

EVENTS = "server-events"
_HIGHEST_NUMBER = 1_023
_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a channel delivers. Both bounds None: everything arrives."""

    ordered: bool = True
    max_retransmits: int | None = None
    max_lifetime_ms: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every message must arrive."""
        return self.max_retransmits is None and self.max_lifetime_ms is None


class Wires(Protocol):
    """What carries messages."""

    def open(self, session: SessionId, number: int, label: str, reliability: Reliability, *, negotiated: bool) -> bool:
        """Open a channel to a session's client; False if there is no way to it yet."""

    def send(self, session: SessionId, number: int, data: str | bytes) -> bool:
        """Send a message; False if it must wait for `drained`."""

    def close(self, session: SessionId, number: int) -> None:
        """Close a channel."""


@dataclass(slots=True)
class _End:
    """A channel as one session sees it. `publisher` is whose channel it is; None for `server-events`."""

    session: SessionId
    number: int
    source: Source | None
    reliability: Reliability
    announced: bool = False
    """Whether the wires were told of it."""
    opened: bool = False
    ended: bool = False
    waiting: deque[str | bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    ack_by: int | None = None
    """A subscriber that must speak first, until then."""


@dataclass(slots=True)
class _Published:
    end: _End
    subscribers: dict[SessionId, _End] = field(default_factory=dict)
    replier: SessionId | None = None


class ChannelHub:
    """See the module."""

    def __init__(self, wires: Wires, limits: CallsLimits) -> None:
        self._wires = wires
        self._limits = limits
        self._ends: dict[SessionId, dict[int, _End]] = {}
        self._published: dict[Source, _Published] = {}

    # Requests.

    def open_events(self, session: SessionId, *, odd: bool) -> int:
        """Open `server-events` to a client, once; give its number."""
        known = self._events(session)
        if known is not None:
            return known.number
        return self._add(session, None, Reliability(), odd=odd).number

    def new(self, session: SessionId, item: ChannelItem, now: int, *, odd: bool) -> ChannelItem:
        """Publish or subscribe one channel. Raises `CallsFault` for what is no request."""
        name = _name_of(item)
        if item.location == "local":
            return self._publish(item, Source(session, name), odd=odd)
        if item.location != "remote":
            raise bad_request("location is missing: local (publish) or remote (subscribe)")
        return self._subscribe(session, item, _source_of(item), now, odd=odd)

    def update(self, session: SessionId, item: ChannelItem) -> ChannelItem:
        """Give or take the right to answer."""
        if item.location == "local" or item.can_reply is UNSET:
            raise bad_request("canReply is missing: an update is of a remote channel and says true or false")
        source = _source_of(item)
        published = self._published.get(source)
        if published is None or session not in published.subscribers:
            words = f"this session is not subscribed to {_name_of(item)!r}; subscribe with datachannels/new first"
            return _failed(item, "not_found_track_error", words)
        if item.can_reply:
            published.replier = session
        elif published.replier == session:
            published.replier = None
        return _with_id(item, published.subscribers[session].number)

    def close(self, session: SessionId, item: ChannelItem) -> ChannelItem:
        """Close one channel by its number."""
        if item.id is UNSET:
            raise bad_request("id is missing: it says which data channel to close")
        end = self._ends.get(session, {}).get(item.id)
        if end is None or end.ended:
            words = f"no data channel with the id {item.id} is open on this session"
            return ChannelItem(id=item.id, error_code="close_track_error", error_description=words)
        self._end(end)
        return ChannelItem(id=item.id)

    def listed(self, session: SessionId) -> list[ListedChannel]:
        """List a session's channels."""
        return [self._listed(end) for end in self._ends.get(session, {}).values()]

    # What happens.

    def connect(self, session: SessionId) -> None:
        """Open what could not be opened before: there may be a way to the client now."""
        for end in self._ends.get(session, {}).values():
            if not end.announced and not end.ended:
                label = end.source.track_name if end.source else EVENTS
                negotiated = end.source is not None
                end.announced = self._wires.open(session, end.number, label, end.reliability, negotiated=negotiated)

    def opened(self, session: SessionId, number: int) -> None:
        """Note that a channel is open; what waits goes out."""
        if end := self._ends.get(session, {}).get(number):
            end.opened = True
            self._flush(end)

    def closed(self, session: SessionId, number: int) -> None:
        """Note that the client closed a channel."""
        if end := self._ends.get(session, {}).get(number):
            self._end(end, tell=False)

    def received(self, session: SessionId, number: int, data: str | bytes) -> None:
        """Pass a message on to whom it is for."""
        end = self._ends.get(session, {}).get(number)
        published = self._published.get(end.source) if end and end.source else None
        if end is None or published is None:
            return
        if published.end is end:
            for subscriber in list(published.subscribers.values()):
                if subscriber.ack_by is None:
                    self._deliver(subscriber, data)
        elif end.ack_by is not None:
            end.ack_by = None
        elif published.replier == session:
            self._deliver(published.end, data)

    def drained(self, session: SessionId, number: int) -> None:
        """Note that there is room again."""
        if end := self._ends.get(session, {}).get(number):
            self._flush(end)

    def notify(self, session: SessionId, notice: str) -> None:
        """Tell a client something on `server-events`, if it has that."""
        if end := self._events(session):
            self._deliver(end, notice)

    def hears_events(self, session: SessionId) -> bool:
        """Say whether a client is told anything."""
        return self._events(session) is not None

    def tick(self, now: int) -> None:
        """Drop subscribers that did not speak in time."""
        for published in list(self._published.values()):
            for subscriber in list(published.subscribers.values()):
                if subscriber.ack_by is not None and subscriber.ack_by <= now:
                    self._end(subscriber)

    def forget(self, session: SessionId) -> None:
        """Drop a session and all of its channels."""
        for end in list(self._ends.get(session, {}).values()):
            self._end(end, tell=False)
        self._ends.pop(session, None)

    # Inside.

    def _publish(self, item: ChannelItem, source: Source, *, odd: bool) -> ChannelItem:
        if source in self._published:
            words = f"this session publishes {source.track_name!r} already; close that channel or choose another name"
            return _failed(item, "repeated_local_track_error", words)
        end = self._add(source.session_id, source, _reliability(item), odd=odd)
        self._published[source] = _Published(end)
        return _with_id(item, end.number)

    def _subscribe(self, session: SessionId, item: ChannelItem, source: Source, now: int, *, odd: bool) -> ChannelItem:
        published = self._published.get(source)
        if published is None:
            words = f"no session {source.session_id!r} of this app publishes the data channel {source.track_name!r}"
            return _failed(item, "not_found_track_error", words)
        if session in published.subscribers:
            words = f"this session is subscribed to {source.track_name!r} already"
            return _failed(item, "repeated_local_track_error", words)
        end = self._add(session, source, published.end.reliability, odd=odd)
        if item.wait_for_ack is True:
            end.ack_by = now + self._limits.ack_wait_ms
        published.subscribers[session] = end
        if item.can_reply is True:
            published.replier = session
        return _with_id(item, end.number)

    def _add(self, session: SessionId, source: Source | None, reliability: Reliability, *, odd: bool) -> _End:
        ends = self._ends.setdefault(session, {})
        if sum(not end.ended for end in ends.values()) >= self._limits.max_channels:
            raise invalid(f"dataChannels: a session has at most {self._limits.max_channels}; close some first")
        number = next((each for each in _numbers(odd=odd) if each not in ends), None)
        if number is None:
            # Numbers of channels that ended are used again only when all others were.
            number = next(each for each in _numbers(odd=odd) if ends[each].ended)
        ends[number] = end = _End(session, number, source, reliability)
        self.connect(session)
        return end

    def _events(self, session: SessionId) -> _End | None:
        ends = self._ends.get(session, {}).values()
        return next((end for end in ends if end.source is None and not end.ended), None)

    def _deliver(self, end: _End, data: str | bytes) -> None:
        if end.opened and not end.waiting and self._wires.send(end.session, end.number, data):
            return
        size = len(data)
        if end.waiting_bytes + size <= self._limits.channel_backlog_bytes:
            end.waiting.append(data)
            end.waiting_bytes += size
        elif end.reliability.complete:
            self._end(end)

    def _flush(self, end: _End) -> None:
        while end.opened and end.waiting and self._wires.send(end.session, end.number, end.waiting[0]):
            end.waiting_bytes -= len(end.waiting.popleft())

    def _end(self, end: _End, *, tell: bool = True) -> None:
        if end.ended:
            return
        end.ended = True
        end.waiting.clear()
        end.waiting_bytes = 0
        if tell:
            self._wires.close(end.session, end.number)
        published = self._published.get(end.source) if end.source else None
        if published is None or end.source is None:
            return
        if published.end is end:
            del self._published[end.source]
            for subscriber in published.subscribers.values():
                self._end(subscriber)
        elif published.subscribers.get(end.session) is end:
            del published.subscribers[end.session]
            if published.replier == end.session:
                published.replier = None

    def _listed(self, end: _End) -> ListedChannel:
        state: Literal["initializing", "active", "inactive"]
        state = "inactive" if end.ended else "active" if end.opened else "initializing"
        if end.source is None:
            return ListedChannel("remote", EVENTS, end.number, state)
        if end.source.session_id == end.session:
            return ListedChannel("local", end.source.track_name, end.number, state)
        return ListedChannel("remote", end.source.track_name, end.number, state, end.source.session_id)


def _numbers(*, odd: bool) -> Iterator[int]:
    # Stream 0 is left to the client even where our numbers are even: many open their only channel there.
    return iter(range(1 if odd else 2, _HIGHEST_NUMBER, 2))


def _reliability(item: ChannelItem) -> Reliability:
    retransmits = None if item.max_retransmits is UNSET else item.max_retransmits
    lifetime = None if item.max_packet_life_time is UNSET else item.max_packet_life_time
    if retransmits is not None and lifetime is not None:
        raise invalid("dataChannels: maxRetransmits and maxPacketLifeTime exclude each other; choose one")
    for what, value in (("maxRetransmits", retransmits), ("maxPacketLifeTime", lifetime)):
        if value is not None and not 0 <= value <= 65_535:
            raise invalid(f"dataChannels: {what} is 0 to 65535, not {value}")
    return Reliability(item.ordered is not False, retransmits, lifetime)


def _name_of(item: ChannelItem) -> str:
    if item.data_channel_name is UNSET:
        raise bad_request("dataChannelName is missing")
    if not 0 < len(item.data_channel_name) <= _MAX_NAME:
        raise invalid(f"dataChannels: a dataChannelName has 1 to {_MAX_NAME} characters")
    if item.data_channel_name == EVENTS:
        raise invalid(f"dataChannels: the name {EVENTS} is the server's own; open it with datachannels/establish")
    return item.data_channel_name


def _source_of(item: ChannelItem) -> Source:
    if item.session_id is UNSET:
        raise bad_request("sessionId is missing: a remote data channel needs that of its publisher")
    return Source(SessionId(item.session_id), _name_of(item))


def _with_id(item: ChannelItem, number: int) -> ChannelItem:
    return ChannelItem(
        item.location,
        item.data_channel_name,
        item.session_id,
        number,
        item.ordered,
        item.max_retransmits,
        item.max_packet_life_time,
        item.wait_for_ack,
        item.can_reply,
    )


def _failed(item: ChannelItem, code: ErrorCode, words: str) -> ChannelItem:
    return ChannelItem(item.location, item.data_channel_name, item.session_id, error_code=code, error_description=words)
