"""What we tell clients on `server-events`: one JSON object a message, told apart by `type`. An extension.

The vendor leaves that channel empty. Clients ignore types that they do not know. Neighbour: `service` (when).
"""

from __future__ import annotations

import msgspec

__all__ = ["ActiveSpeaker", "Notice", "SessionClosing", "SubscribersChanged", "TrackEnded", "encode"]


class _Notice(msgspec.Struct, frozen=True, rename="camel", tag_field="type"):
    """One thing that happened."""


class TrackEnded(_Notice, frozen=True, tag="track.ended"):
    """A track that this session pulls on `mid` is gone."""

    session_id: str
    track_name: str
    mid: str


class SubscribersChanged(_Notice, frozen=True, tag="track.subscribers"):
    """So many sessions pull a track that this one publishes or pulls."""

    session_id: str
    track_name: str
    count: int


class ActiveSpeaker(_Notice, frozen=True, tag="speaker.active"):
    """Of the tracks that this session pulls, this one is spoken on now."""

    session_id: str
    track_name: str
    mid: str


class SessionClosing(_Notice, frozen=True, tag="session.closing"):
    """This session ends now; `reason` is for people."""

    reason: str


Notice = TrackEnded | SubscribersChanged | ActiveSpeaker | SessionClosing


def encode(notice: Notice) -> str:
    """Spell a notice."""
    return msgspec.json.encode(notice).decode()
