"""What negotiation needs to know of us, and what it finds out: plain data, neutral to every media plane.

What lives here: the arguments (credentials, certificate, addresses, streams of ours) and the typed result of an offer
and its answer. What does not: text, and the plane's own types; `parley.media.negotiated_peer` turns a `Negotiated` into
a `PeerSpec`. W3C and RFC names are used as they are. Directions are ours: `receive` is what the far end sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

__all__ = [
    "Candidate",
    "Codec",
    "DeclinedMedia",
    "Direction",
    "DtlsRole",
    "Fingerprint",
    "HeaderExtension",
    "IceCredentials",
    "LocalCandidate",
    "LocalStream",
    "LocalTransport",
    "Negotiated",
    "NegotiatedSlot",
    "RemoteTransport",
    "SctpAssociation",
    "StreamIds",
    "TrackKind",
    "direction_of",
]

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DtlsRole = Literal["active", "passive"]
"""Ours: `active` sends the ClientHello."""
TrackKind = Literal["audio", "video"]

_VISIBLE = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """RFC 8839 §5.4: a ufrag of 4 to 256 characters, a password of 22 to 256."""

    ufrag: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """RFC 8122 §5: a hash name in lower case (`sha-256`) and upper-case hex pairs between colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """RFC 8839 §5.1: a transport address of the far end. `host` may be a name that ends in `.local`."""

    host: str
    port: int
    protocol: Literal["udp", "tcp"]
    priority: int
    kind: str
    """`host`, `srflx`, `prflx` or `relay`."""
    tcp_type: str | None = None
    """RFC 6544: `active`, `passive` or `so`; None for UDP."""


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """A host address at which our media port is reached; a TCP one is passive (RFC 6544)."""

    host: str
    port: int
    protocol: Literal["udp", "tcp"] = "udp"

    def __post_init__(self) -> None:
        ip_address(self.host)  # ValueError names what is not an address
        if not 0 < self.port < 65_536:
            raise ValueError(f"the port of a candidate is 1 to 65535, not {self.port}")


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our end of the one bundled transport. Nothing here is made up by this package: ids and secrets are arguments."""

    ice: IceCredentials
    fingerprint: Fingerprint
    candidates: tuple[LocalCandidate, ...]
    """In order of preference. Only the first three addresses are announced, so that answers stay small."""
    session_id: int
    """The number in `o=`: below 2^63, the same for the life of the connection (RFC 9429 §5.2.1)."""
    session_version: int = 1
    """Grows by one with every description of ours."""
    ice_lite: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.session_id < 2**63 or not 0 <= self.session_version < 2**63:
            raise ValueError("session id and version are numbers from 0 to 2^63 - 1")
        if not 4 <= len(self.ice.ufrag) <= 256 or not 22 <= len(self.ice.password) <= 256:
            raise ValueError("our ufrag needs 4 to 256 characters, our password 22 to 256")


@dataclass(frozen=True, slots=True)
class LocalStream:
    """What we send in one slot: its SSRCs, and the names under which the far end shows it (RFC 8830)."""

    ssrc: int
    cname: str
    stream_id: str
    track_id: str
    rtx_ssrc: int | None = None

    def __post_init__(self) -> None:
        for ssrc in (self.ssrc, self.rtx_ssrc):
            if ssrc is not None and not 0 < ssrc < 2**32:
                raise ValueError(f"an SSRC is 1 to 2^32 - 1, not {ssrc}")
        for name in (self.cname, self.stream_id, self.track_id):
            if not _VISIBLE.fullmatch(name):
                raise ValueError("cname, stream id and track id are visible ASCII without blanks")


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of a slot, with what the far end said of it."""

    payload_type: int
    name: str
    """As in `rtpmap`: `opus`, `PCMU`, `VP8`."""
    clock_rate_hz: int
    channels: int = 1
    parameters: str = ""
    """The far end's `fmtp`, as written: what it wants to receive."""
    feedback: tuple[str, ...] = ()
    """The `rtcp-fb` values that both sides keep."""
    rtx_payload_type: int | None = None


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """RFC 8285: an identifier 1..14, the same in all of a bundle, and the URI that it stands for."""

    extension_id: int
    uri: str


@dataclass(frozen=True, slots=True)
class StreamIds:
    """One RTP stream of the far end: by SSRC, by restriction id, or by neither until packets come."""

    ssrc: int | None = None
    rtx_ssrc: int | None = None
    rid: str | None = None


@dataclass(frozen=True, slots=True)
class NegotiatedSlot:
    """One m-line that both sides keep."""

    index: int
    """Place among the m-lines, from 0."""
    mid: str
    kind: TrackKind
    direction: Direction
    """Ours, as in the answer."""
    codecs: tuple[Codec, ...]
    """In order of preference; the first is what we send."""
    receive: tuple[StreamIds, ...] = ()
    """What the far end sends here, one for each simulcast layer; empty if nothing."""
    send: LocalStream | None = None
    """What we send here; None if the far end does not receive."""
    extensions: tuple[HeaderExtension, ...] = ()
    remote_msid: str = ""
    """The far end's `msid`, as written."""


@dataclass(frozen=True, slots=True)
class SctpAssociation:
    """RFC 8841: what carries the data channels."""

    index: int
    mid: str
    remote_port: int
    remote_max_message_bytes: int
    """The largest message that the far end takes; 65 536 where it does not say, 2^32 - 1 where it has no limit."""
    local_port: int = 5_000


@dataclass(frozen=True, slots=True)
class DeclinedMedia:
    """An m-line that we answered with port 0. `reason` is for people, and quotes nothing of the offer."""

    index: int
    mid: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """The far end of the one bundled transport, and who opens DTLS on it."""

    ice: IceCredentials
    fingerprint: Fingerprint
    role: DtlsRole
    candidates: tuple[Candidate, ...] = ()
    """Empty for most browsers, which are learned from their first check."""
    ice_lite: bool = False
    """Whether the far end is lite; then we are not, whatever was asked for, and have to connect."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """An offer's outcome: the text that goes back, and all that a media plane must know."""

    answer: str = field(repr=False)
    local_ice: IceCredentials
    remote: RemoteTransport | None
    """None if every m-line is closed: there is no transport to speak of, and an earlier one stays as it is."""
    slots: tuple[NegotiatedSlot, ...]
    sctp: SctpAssociation | None
    extensions: tuple[HeaderExtension, ...]
    """Every identifier in use, over all slots."""
    declined: tuple[DeclinedMedia, ...]
    ice_lite: bool
    """Whether we are lite."""


def direction_of(*, receives: bool, sends: bool) -> Direction:
    """Name our direction."""
    if receives:
        return "sendrecv" if sends else "recvonly"
    return "sendonly" if sends else "inactive"
