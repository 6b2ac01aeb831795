"""What the items of a request name, checked: tracks, sources, m-lines of the client's offer. Pure functions.

Neighbour: `session`, which decides what is done with them.
"""

from __future__ import annotations

from collections import deque

from parley.calls.faults import bad_description, bad_request, invalid
from parley.calls.negotiation import Draft
from parley.calls.transceiver import SessionId, Source
from parley.protocol.calls import TrackItem, TrackReply
from parley.sdp import Offer, OfferedMedia

__all__ = ["fell_silent", "media_of", "name_of", "not_found", "receiving", "shown", "source_of"]

_MAX_NAME = 512


def source_of(item: TrackItem) -> Source:
    """Name what an item pulls. Raises `CallsFault`."""
    if item.session_id is None:
        raise bad_request("sessionId is missing: a remote track needs that of its publisher")
    return Source(SessionId(item.session_id), name_of(item))


def name_of(item: TrackItem) -> str:
    """Give the name of an item's track. Raises `CallsFault`."""
    if not item.track_name:
        raise bad_request("trackName is missing; mind the case of its letters")
    if len(item.track_name) > _MAX_NAME:
        raise invalid(f"tracks: a trackName has at most {_MAX_NAME} characters")
    return item.track_name


def media_of(offer: Offer, mid: str) -> OfferedMedia:
    """Find the m-line of a track in the client's offer. Raises `CallsFault`."""
    for media in offer.media:
        if media.mid == mid:
            if media.usable:
                raise bad_description(f"the m-line with the mid {mid} cannot be taken ({media.usable})")
            if media.description.kind == "application":
                raise bad_description(f"the m-line with the mid {mid} is for data channels")
            return media
    raise bad_description(f"the offer has no m-line with the mid {shown(mid)}")


def receiving(offer: Offer, draft: Draft) -> dict[str, deque[OfferedMedia]]:
    """Find the m-lines of an offer into which something can be sent, by kind."""
    places: dict[str, deque[OfferedMedia]] = {}
    for media in offer.media:
        known = draft.get(media.mid)
        if not media.usable and media.receives and not (known and known.pull):
            places.setdefault(media.description.kind, deque()).append(media)
    return places


def not_found(source: Source) -> TrackReply:
    """Say that there is no such track."""
    words = (
        f"no session {shown(source.session_id)} of this app publishes {shown(source.track_name)}: the publisher "
        "left, closed the track, or has not sent its offer yet"
    )
    return TrackReply("", source.session_id, source.track_name, "not_found_track_error", words)


def fell_silent(source: Source) -> TrackReply:
    """Say that a track ended because nothing came on it."""
    words = (
        f"{shown(source.track_name)} of session {shown(source.session_id)} ended because no packet of it came; its "
        "publisher sends something, and publishes it again"
    )
    return TrackReply("", source.session_id, source.track_name, "empty_track_error", words)


def shown(name: str) -> str:
    """Quote a client's own word in an error to that client."""
    return repr(name[:64]) if len(name) <= 64 else repr(name[:64]) + "…"
