"""The wire types of the Calls API: apps, sessions, tracks, data channels, tokens, ICE servers. Data only.

What lives here: what requests may say and what replies say, field names verbatim in camel case, and the codes of
errors. What does not: what is done (`parley.calls`) and HTTP (`parley.server`). Unknown fields are ignored, absent ones
are left out of replies. "Local" is always local to the client: what it publishes. "Remote" is what it pulls.
Source: Calls API, "Sessions" and "Tracks". Extensions of ours say so.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "ChannelItem",
    "ChannelsRequest",
    "CloseItem",
    "CloseRequest",
    "ErrorCode",
    "EstablishChannel",
    "EstablishReply",
    "EstablishRequest",
    "Failure",
    "IceServer",
    "IceServersReply",
    "LayerStatistics",
    "ListedChannel",
    "ListedSession",
    "ListedTrack",
    "LocalTrackStatistics",
    "Location",
    "MediaKind",
    "NegotiationReply",
    "NewSessionReply",
    "NewSessionRequest",
    "RemoteTrackStatistics",
    "RenegotiateRequest",
    "SessionDescription",
    "SessionListing",
    "SessionStatistics",
    "SessionsListing",
    "Simulcast",
    "TokenReply",
    "TokenRequest",
    "TrackItem",
    "TrackReply",
    "TrackScope",
    "TracksReply",
    "TracksRequest",
    "TurnRequest",
]

ErrorCode = Literal[
    "unauthorized",
    "not_found",
    "decoding_error",
    "invalid_params",
    "invalid_session_description",
    "payload_too_large",
    "session_error",
    "not_found_track_error",
    "empty_track_error",
    "repeated_local_track_error",
    "update_track_error",
    "close_track_error",
    "not_implemented",
    "rate_limited",
    "forbidden",
    "temporarily_unavailable_error",
    "internal_error",
]
"""The vendor's, and `not_implemented`, `rate_limited`, `forbidden` for what the vendor has no code for."""

Location = Literal["local", "remote"]
MediaKind = Literal["audio", "video"]
_Policy = Literal["none", "asciibetical"]


class _Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Camel case on the wire, nothing that was not said."""


class SessionDescription(_Wire, frozen=True, omit_defaults=False):
    """W3C's: a type and the text of SDP."""

    type: Literal["offer", "answer"]
    sdp: str


class Failure(_Wire, frozen=True, omit_defaults=False):
    """What every reply may be instead: clients look for `errorCode`, not at the status."""

    error_code: str
    error_description: str


# Sessions.


class NewSessionRequest(_Wire, frozen=True):
    """`POST sessions/new`: usually empty. An offer is answered at once."""

    session_description: SessionDescription | None = None


class NewSessionReply(_Wire, frozen=True):
    """The new session's id: 32 hexadecimal digits."""

    session_id: str
    session_description: SessionDescription | UnsetType = UNSET


class RenegotiateRequest(_Wire, frozen=True):
    """`PUT renegotiate`: the answer to our offer, or an offer that restarts ICE."""

    session_description: SessionDescription


class NegotiationReply(_Wire, frozen=True):
    """What `renegotiate` says. A description is there when an offer was sent, or when a fresh offer of ours waits."""

    requires_immediate_renegotiation: bool | UnsetType = UNSET
    session_description: SessionDescription | UnsetType = UNSET


class ListedTrack(_Wire, frozen=True):
    """One track of `GET sessions/{s}`. `rid`, `activeRid` and `subscribers` are extensions."""

    location: Location
    mid: str
    track_name: str
    status: Literal["active", "inactive"]
    session_id: str | UnsetType = UNSET
    kind: MediaKind | UnsetType = UNSET
    rid: str | UnsetType = UNSET
    """The simulcast layer that was asked for."""
    subscribers: int | UnsetType = UNSET
    """How many sessions pull a local track."""
    active_rid: str | UnsetType = UNSET
    """The simulcast layer that was sent when the media plane was asked last, at most some seconds ago."""


class ListedChannel(_Wire, frozen=True):
    """One data channel of `GET sessions/{s}`."""

    location: Location
    data_channel_name: str
    id: int
    status: Literal["initializing", "active", "inactive"]
    session_id: str | UnsetType = UNSET


class SessionListing(_Wire, frozen=True, omit_defaults=False):
    """`GET sessions/{s}`."""

    tracks: list[ListedTrack]
    data_channels: list[ListedChannel]


class ListedSession(_Wire, frozen=True, omit_defaults=False):
    """One session of `GET sessions` (extension)."""

    session_id: str
    state: Literal["new", "connecting", "connected"]
    third_party: bool
    age_seconds: int
    local_tracks: int
    remote_tracks: int
    subscribers: int
    correlation_id: str


class SessionsListing(_Wire, frozen=True, omit_defaults=False):
    """`GET sessions` (extension): for operators."""

    sessions: list[ListedSession]


# Tracks.


class Simulcast(_Wire, frozen=True):
    """Which layer a puller wants, and what is done when it cannot be had. The last field is an older name."""

    preferred_rid: str | None = None
    priority_ordering: _Policy | None = None
    rid_not_available: _Policy | None = None
    rid_unavailable_strategy: Literal["none", "nextPriority"] | None = None


class TrackItem(_Wire, frozen=True):
    """One track of `tracks/new` or `tracks/update`.

    `mid`: of a local track with an offer, its m-line; of a remote one the transceiver to use again, by number or as
    `#name`, the transceiver that carries our local track of that name.
    """

    location: Location
    track_name: str | None = None
    mid: str | None = None
    session_id: str | None = None
    kind: MediaKind | None = None
    bidirectional_media_stream: bool = False
    simulcast: Simulcast | None = None


class TracksRequest(_Wire, frozen=True):
    """`POST tracks/new` and `PUT tracks/update`."""

    session_description: SessionDescription | None = None
    tracks: list[TrackItem] | None = None
    auto_discover: bool = False


class TrackReply(_Wire, frozen=True):
    """A track that was dealt with, or why not. A failed item has an empty mid."""

    mid: str
    session_id: str | UnsetType = UNSET
    track_name: str | UnsetType = UNSET
    error_code: ErrorCode | UnsetType = UNSET
    error_description: str | UnsetType = UNSET


class TracksReply(_Wire, frozen=True, omit_defaults=False):
    """What `tracks/new`, `tracks/update` and `tracks/close` say; items in the order of the request."""

    requires_immediate_renegotiation: bool
    tracks: list[TrackReply]
    session_description: SessionDescription | UnsetType = UNSET


class CloseItem(_Wire, frozen=True):
    """A track to close."""

    mid: str


class CloseRequest(_Wire, frozen=True):
    """`PUT tracks/close`. With `force` nothing is negotiated; otherwise the client's offer shows what it stopped."""

    tracks: list[CloseItem]
    force: bool = False
    session_description: SessionDescription | None = None


# Data channels.


class EstablishChannel(_Wire, frozen=True):
    """The channel that `establish` opens: only `server-events` exists, from us to the client."""

    data_channel_name: str = "server-events"
    location: Location = "remote"
    id: int | UnsetType = UNSET


class EstablishRequest(_Wire, frozen=True):
    """`POST datachannels/establish`."""

    data_channel: EstablishChannel = EstablishChannel()
    session_description: SessionDescription | None = None


class EstablishReply(_Wire, frozen=True, omit_defaults=False):
    """An answer if the client offered, else an offer of ours; neither where the way is there already."""

    requires_immediate_renegotiation: bool
    data_channel: EstablishChannel
    session_description: SessionDescription | UnsetType = UNSET


class ChannelItem(_Wire, frozen=True):
    """One data channel of `datachannels/new`, `update` and `close`, in requests and replies."""

    location: Location | UnsetType = UNSET
    data_channel_name: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    id: int | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    max_retransmits: int | UnsetType = UNSET
    max_packet_life_time: int | UnsetType = UNSET
    wait_for_ack: bool | UnsetType = UNSET
    can_reply: bool | UnsetType = UNSET
    error_code: ErrorCode | UnsetType = UNSET
    error_description: str | UnsetType = UNSET


class ChannelsRequest(_Wire, frozen=True):
    """`POST datachannels/new`, `PUT datachannels/update` and `PUT datachannels/close`; replies look the same."""

    data_channels: list[ChannelItem]


# Statistics.


class LayerStatistics(_Wire, frozen=True, omit_defaults=False):
    """One simulcast layer that a session publishes, or all of a track without layers (`rid` is null)."""

    rid: str | None
    packets: int
    payload_bytes: int
    lost: int
    jitter_ms: float
    bits_per_second: int


class LocalTrackStatistics(_Wire, frozen=True, omit_defaults=False):
    """What a session gives."""

    mid: str
    track_name: str
    keyframes_asked: int
    layers: list[LayerStatistics]


class RemoteTrackStatistics(_Wire, frozen=True, omit_defaults=False):
    """What a session gets; `loss` (0 to 1) and `jitterMs` as its client reports them."""

    mid: str
    session_id: str
    track_name: str
    rid: str | None
    packets: int
    payload_bytes: int
    bits_per_second: int
    switches: int
    loss: float | None
    jitter_ms: float | None
    nacks: int
    keyframes_wanted: int


class SessionStatistics(_Wire, frozen=True, omit_defaults=False):
    """`GET sessions/{s}/statistics` (extension): counts since the beginning, rates of the last seconds."""

    estimate_bits_per_second: int | None
    round_trip_ms: float | None
    local: list[LocalTrackStatistics]
    remote: list[RemoteTrackStatistics]


# Tokens and ICE servers.


class TrackScope(_Wire, frozen=True):
    """Tracks that a token may pull: one, or all of a session."""

    session_id: str
    track_name: str | None = None


class TokenRequest(_Wire, frozen=True):
    """`POST tokens` (extension): what the bearer of a client token may do. The default is everything but mint tokens.

    `sessionId`: only this session; otherwise only sessions that it makes itself, at most `maxSessions` at once.
    `publish`: only these names, `[]` for none. `pull`: only these tracks, `[]` for none.
    """

    ttl: int = 3_600
    session_id: str | None = None
    publish: list[str] | None = None
    pull: list[TrackScope] | None = None
    listen_only: bool = False
    """Neither tracks nor data channels are published."""
    max_sessions: int = 1


class TokenReply(_Wire, frozen=True, omit_defaults=False):
    """A client token; `expiresAt` in Unix seconds."""

    token: str
    expires_at: int


class TurnRequest(_Wire, frozen=True):
    """How long TURN credentials are good for, in seconds."""

    ttl: int = 86_400


class IceServer(_Wire, frozen=True):
    """W3C's RTCIceServer."""

    urls: list[str]
    username: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET


class IceServersReply(_Wire, frozen=True, omit_defaults=False):
    """A list, or for the older call one server."""

    ice_servers: list[IceServer] | IceServer
