"""A session of the Calls API: one PeerConnection and what is published and pulled over it. No I/O.

Each operation of the API is one method: it takes a request, and what must be known of other sessions, and gives the
reply; commands for the media plane are in `negotiation.commands` afterwards. An operation either happens as a whole
(items may fail alone) or raises `CallsFault` and changes nothing.

Calls API, decision table of `tracks/new`:

| items | client offers | mid | done |
|---|---|---|---|
| local | yes | given | publish, answer |
| local | no | none | offer an m-line for each |
| none, `autoDiscover` | yes | none | publish every new m-line that the client sends, answer |
| remote | no | absent | offer an m-line for each |
| remote | yes | absent | send into the offer's next m-lines that receive, answer |
| remote | no | `7` or `#name` | attach; an offer only where that m-line does not send yet |

What lives here: that table, `close`, `update`, listing. What does not: descriptions (`negotiation`), queues, time and
other sessions (`service`, `app`), data channels (`channels`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import UNSET

from parley.calls.faults import bad_description, bad_request, invalid
from parley.calls.negotiation import Draft, Negotiation
from parley.calls.reading import fell_silent, media_of, name_of, not_found, receiving, shown, source_of
from parley.calls.transceiver import Publication, Pull, SessionId, Source, Transceiver
from parley.protocol.calls import (
    ListedTrack,
    MediaKind,
    NegotiationReply,
    SessionDescription,
    TrackItem,
    TrackReply,
    TracksReply,
)
from parley.sdp import Offer, OfferedMedia

__all__ = ["MAX_TRACKS", "CallsSession", "Sources"]

MAX_TRACKS = 64
"""In one request."""
_MAX_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Sources:
    """What can be pulled, of all that a request names."""

    found: Mapping[Source, Publication]
    silent: frozenset[Source] = frozenset()
    """Tracks that ended because nothing came on them."""

    def get(self, source: Source) -> Publication | None:
        """Give a track that can be pulled."""
        return self.found.get(source)

    def missing(self, source: Source) -> TrackReply:
        """Say why a track cannot be pulled."""
        return fell_silent(source) if source in self.silent else not_found(source)


class CallsSession:
    """See the module."""

    def __init__(self, session_id: SessionId, negotiation: Negotiation, *, third_party: bool, max_tracks: int) -> None:
        self.session_id = session_id
        self.negotiation = negotiation
        self.third_party = third_party
        self._max_tracks = max_tracks
        self._silent: set[str] = set()
        self._closed: deque[ListedTrack] = deque(maxlen=_MAX_REMEMBERED)

    @property
    def transceivers(self) -> Mapping[str, Transceiver]:
        """By mid."""
        return self.negotiation.transceivers

    def publication(self, track_name: str) -> Publication | None:
        """Give a track that can be pulled: one that is negotiated, whether packets flow or not."""
        found = self._publisher(track_name)
        if found is None:
            return None
        return Publication(Source(self.session_id, track_name), found.kind, found.rids)

    def publications(self) -> Iterable[str]:
        """Name every track that can be pulled."""
        return [each.publishes for each in self.transceivers.values() if each.publishes is not None]

    def pulls(self) -> Iterable[tuple[str, Source]]:
        """Give every m-line into which something is pulled."""
        return [(mid, each.pull.source) for mid, each in self.transceivers.items() if each.pull]

    # tracks/new

    def publish(self, items: Sequence[TrackItem], offer_text: str) -> TracksReply:
        """Take the client's tracks, which its offer shows."""
        offer = self.negotiation.read_offer(offer_text)
        draft = self._draft()
        for item in items:
            name, mid = name_of(item), item.mid
            if mid is None:
                raise bad_request(f"mid is missing: {shown(name)} needs that of its m-line in the offer")
            media = media_of(offer, mid)
            if not media.sends:
                raise bad_description(f"the m-line with the mid {mid} does not send; make it sendonly or sendrecv")
            if item.bidirectional_media_stream and not media.receives:
                raise bad_description(f"the m-line with the mid {mid} must be sendrecv for bidirectionalMediaStream")
            self._put(draft, media, name, bidirectional=item.bidirectional_media_stream)
        self._check_size(draft)
        answer = self._answer(offer, draft)
        return TracksReply(False, [TrackReply(mid=item.mid or "", track_name=name_of(item)) for item in items], answer)

    def discover(self, offer_text: str, new_name: Callable[[], str]) -> TracksReply:
        """Publish every m-line that the client sends and that has no name yet."""
        offer = self.negotiation.read_offer(offer_text)
        draft = self._draft()
        found = []
        for media in offer.media:
            known = draft.get(media.mid)
            if media.usable or not media.sends or media.description.kind == "application":
                continue
            if known is None or known.publishes is None:
                found.append((media.mid, new_name()))
                self._put(draft, media, found[-1][1], bidirectional=False)
        if not found:
            raise invalid("autoDiscover: the offer has no new m-line that sends; add a track, then offer")
        self._check_size(draft)
        answer = self._answer(offer, draft)
        return TracksReply(False, [TrackReply(mid=mid, track_name=name) for mid, name in found], answer)

    def invite(self, items: Sequence[TrackItem]) -> TracksReply:
        """Offer m-lines for tracks that the far end shall publish."""
        draft = self._draft()
        replies = []
        for item in items:
            name = name_of(item)
            if item.mid is not None:
                raise invalid(f"tracks: the local track {shown(name)} names a mid; send the offer that has it")
            if item.kind is None:
                raise bad_request(f"kind is missing: {shown(name)} is audio or video, and no offer shows which")
            made = self.negotiation.new_transceiver(item.kind, draft)
            _take_name(draft, name)
            draft[made.mid] = replace(made, publishes=name, bidirectional=item.bidirectional_media_stream)
            replies.append(TrackReply(mid=made.mid, track_name=name))
        self._check_size(draft)
        text = self.negotiation.offer(draft, "tracks/new")
        return TracksReply(True, replies, SessionDescription("offer", text))

    def pull(self, items: Sequence[TrackItem], sources: Sources, offer_text: str | None) -> TracksReply:
        """Send other sessions' tracks to this client, by its offer, by ours, or by none where an m-line sends."""
        offer = self.negotiation.read_offer(offer_text) if offer_text is not None else None
        draft = self._draft()
        places = receiving(offer, draft) if offer else {}
        replies: list[TrackReply] = []
        for item in items:
            source = source_of(item)
            found = sources.get(source)
            if found is None:
                replies.append(sources.missing(source))
                continue
            if item.mid is not None:
                place = self._resolve(item.mid, draft)
            elif offer is not None:
                place = self._in_offer(found, places, draft)
            else:
                place = self._in_our_offer(found, draft)
            if place.kind != found.kind:
                raise invalid(f"the mid {place.mid} is {place.kind}, and {shown(source.track_name)} is {found.kind}")
            draft[place.mid] = replace(place, pull=Pull(source, item.simulcast))
            replies.append(TrackReply(place.mid, source.session_id, source.track_name))
        self._check_size(draft)
        if offer is not None:
            return TracksReply(False, replies, self._answer(offer, draft))
        return self._attached(draft, replies)

    def _attached(self, draft: Draft, replies: list[TrackReply]) -> TracksReply:
        """Change what can be changed without a description, and offer the rest."""
        unsent = []
        for mid, wanted in draft.items():
            known = self.transceivers.get(mid)
            if known is None or (wanted.pull and not known.can_send and wanted != known):
                unsent.append(mid)
            elif wanted != known:
                self.negotiation.place(wanted)
        if not unsent:
            return TracksReply(False, replies)
        text = self.negotiation.offer(draft, "tracks/new")
        return TracksReply(True, replies, SessionDescription("offer", text))

    # The rest.

    def renegotiate(self, description: SessionDescription) -> NegotiationReply:
        """Take an answer to our offer, or an offer that changes no tracks, as for an ICE restart."""
        if description.type == "offer":
            offer = self.negotiation.read_offer(description.sdp)
            return NegotiationReply(session_description=self._answer(offer, self._draft()))
        if self.negotiation.pending is None and self.negotiation.abandoned is not None:
            # The client answers an offer that gave way to its own: here it is again, on top of what was agreed.
            text = self.negotiation.offer(self._draft(), "renegotiate")
            return NegotiationReply(True, SessionDescription("offer", text))
        self.negotiation.accept_answer(description.sdp)
        return NegotiationReply()

    def close(self, mids: Sequence[str], offer_text: str | None, *, force: bool) -> TracksReply:
        """End what is published and pulled on these m-lines."""
        offer = self.negotiation.read_offer(offer_text) if offer_text is not None else None
        if offer is None and not force:
            raise bad_description("stop the transceivers and send the offer that shows it, or set force to true")
        draft = self._draft()
        replies = []
        ended: dict[str, list[ListedTrack]] = {}
        for mid in mids:
            known = draft.get(mid)
            if known is None or (known.publishes is None and known.pull is None):
                words = f"no track is open on the mid {shown(mid)}; it was closed before, or never was"
                replies.append(TrackReply(mid, error_code="close_track_error", error_description=words))
                continue
            ended[mid] = _ended(known)
            draft[mid] = replace(known, publishes=None, pull=None, bidirectional=False)
            replies.append(TrackReply(mid))
        answer = self._answer(offer, draft) if offer else None
        if answer is None:
            for mid, wanted in draft.items():
                if wanted != self.transceivers[mid]:
                    self.negotiation.place(wanted)
            self.negotiation.refresh()
        for mid, tracks in ended.items():
            if mid in self.transceivers:  # else the offer stopped it, and it is remembered already
                self._closed.extend(tracks)
        return TracksReply(False, replies, answer) if answer else TracksReply(False, replies)

    def update(self, items: Sequence[TrackItem], sources: Sources) -> TracksReply:
        """Change the layer or the source of what is pulled."""
        replies = []
        for item in items:
            if item.mid is None:
                raise bad_request("mid is missing: it says which pull to change")
            source = source_of(item)
            found = sources.get(source)
            if found is None:
                replies.append(sources.missing(source))
                continue
            replies.append(self._updated(item, found))
        return TracksReply(False, replies)

    def _updated(self, item: TrackItem, found: Publication) -> TrackReply:
        source = found.source
        holders = [each for each in self.transceivers.values() if each.pull and each.pull.source == source]
        place = self.transceivers.get(item.mid or "")
        if item.simulcast and place not in holders and holders:
            place = holders[0]
        if place in holders and not found.rids and item.simulcast:
            words = f"{shown(source.track_name)} is published without simulcast, so there are no layers to choose from"
        elif place is None or not place.can_send:
            words = f"nothing is pulled on the mid {shown(item.mid or '')}; pull with tracks/new first"
        elif place.kind != found.kind:
            words = f"the mid {place.mid} is {place.kind}, and {shown(source.track_name)} is {found.kind}"
        else:
            self.negotiation.place(replace(place, pull=Pull(source, item.simulcast)))
            return TrackReply(place.mid, source.session_id, source.track_name)
        return TrackReply("", source.session_id, source.track_name, "update_track_error", words)

    def end_silent(self, mids: Iterable[str]) -> None:
        """End what is published on these m-lines, since nothing comes there; what is sent into them goes on."""
        for mid in mids:
            known = self.transceivers[mid]
            if known.publishes is not None:
                self._closed.append(ListedTrack("local", mid, known.publishes, "inactive", kind=known.kind))
                self._silent.add(known.publishes)
                self.negotiation.place(replace(known, publishes=None))
        self.negotiation.refresh()

    def fell_silent(self, track_name: str) -> bool:
        """Say whether a track of that name ended because nothing came on it, and was not published again."""
        return track_name in self._silent and self._publisher(track_name) is None

    def establish(self, offer_text: str | None) -> tuple[bool, SessionDescription]:
        """Negotiate data channels; say whether the description is an offer of ours."""
        if self.negotiation.has_channels:
            raise bad_request("data channels are established already; go on with datachannels/new")
        if offer_text is None:
            text = self.negotiation.offer(self._draft(), "datachannels/establish", data=True)
            return True, SessionDescription("offer", text)
        offer = self.negotiation.read_offer(offer_text)
        if not any(media.description.kind == "application" and not media.usable for media in offer.media):
            raise bad_description("the offer has no m=application section; call createDataChannel before createOffer")
        return False, self._answer(offer, self._draft())

    def tracks(
        self, alive: Callable[[Source], bool], subscribers: Callable[[Source], int], active_rids: Mapping[str, str]
    ) -> list[ListedTrack]:
        """List the tracks, those that were closed lately at the end. `active_rids`: layers that are sent, by mid."""
        listed = []
        for each in self.transceivers.values():
            if each.publishes is not None:
                count = subscribers(Source(self.session_id, each.publishes))
                listed.append(
                    ListedTrack("local", each.mid, each.publishes, "active", kind=each.kind, subscribers=count)
                )
            if each.pull:
                active = each.can_send and alive(each.pull.source)
                rid = active_rids.get(each.mid) if active else None
                listed.append(_pulled(each, each.pull, "active" if active else "inactive", rid))
        return [*listed, *self._closed]

    # Inside.

    def _check_size(self, draft: Draft) -> None:
        tracks = sum((each.publishes is not None) + (each.pull is not None) for each in draft.values())
        if tracks > self._max_tracks:
            raise invalid(f"tracks: a session publishes and pulls at most {self._max_tracks}; close some first")

    def _draft(self) -> Draft:
        return dict(self.transceivers)

    def _publisher(self, track_name: str, among: Mapping[str, Transceiver] | None = None) -> Transceiver | None:
        places = self.transceivers if among is None else among
        return next((each for each in places.values() if each.publishes == track_name), None)

    def _answer(self, offer: Offer, draft: Draft) -> SessionDescription:
        before = self.transceivers
        text = self.negotiation.answer_offer(offer, draft)
        for mid, each in before.items():
            # What an offer stops is closed as well, named or not.
            if mid not in self.transceivers:
                self._closed.extend(_ended(each))
        return SessionDescription("answer", text)

    def _put(self, draft: Draft, media: OfferedMedia, name: str, *, bidirectional: bool) -> None:
        kind: MediaKind = "video" if media.description.kind == "video" else "audio"
        known = draft.get(media.mid) or Transceiver(media.mid, kind, self.negotiation.new_stream())
        _take_name(draft, name)
        draft[media.mid] = replace(known, publishes=name, bidirectional=bidirectional or known.bidirectional)

    def _resolve(self, mid: str, draft: Draft) -> Transceiver:
        if mid.startswith("#"):
            found = self._publisher(mid[1:], draft)
            if found is None:
                raise bad_description(
                    f"no local track {shown(mid[1:])} is open on this session; #name means the session of the URL"
                )
            return found
        if mid not in draft:
            raise bad_description(f"no transceiver of this session has the mid {shown(mid)}")
        return draft[mid]

    def _in_offer(self, found: Publication, places: dict[str, deque[OfferedMedia]], draft: Draft) -> Transceiver:
        if not (free := places.get(found.kind)):
            raise bad_description(
                f"the offer has no free {found.kind} m-line that receives for {shown(found.source.track_name)}; add a "
                "recvonly transceiver for each track"
            )
        media = free.popleft()
        return draft.get(media.mid) or Transceiver(media.mid, found.kind, self.negotiation.new_stream())

    def _in_our_offer(self, found: Publication, draft: Draft) -> Transceiver:
        # An m-line that was only made inactive is left alone: browsers keep its track, and show nothing new on it.
        known = self._offered_before(found.source)
        return known or self.negotiation.new_transceiver(found.kind, draft)

    def _offered_before(self, source: Source) -> Transceiver | None:
        """Find the m-line of an offer that gave way, so that a client that asks again gets the same mid."""
        abandoned = self.negotiation.abandoned
        places = abandoned.draft.values() if abandoned else ()
        return next(
            (each for each in places if each.pull and each.pull.source == source and each.mid not in self.transceivers),
            None,
        )


def _ended(each: Transceiver) -> list[ListedTrack]:
    ended = []
    if each.publishes is not None:
        ended.append(ListedTrack("local", each.mid, each.publishes, "inactive", kind=each.kind))
    if each.pull:
        ended.append(_pulled(each, each.pull, "inactive"))
    return ended


def _pulled(
    each: Transceiver, pull: Pull, status: Literal["active", "inactive"], active_rid: str | None = None
) -> ListedTrack:
    source = pull.source
    return ListedTrack(
        "remote",
        each.mid,
        source.track_name,
        status,
        source.session_id,
        each.kind,
        UNSET if pull.preferred_rid is None else pull.preferred_rid,
        active_rid=UNSET if active_rid is None else active_rid,
    )


def _take_name(draft: Draft, name: str) -> None:
    """Free a name that is published: it moves."""
    for mid, each in list(draft.items()):
        if each.publishes == name:
            draft[mid] = replace(each, publishes=None)
