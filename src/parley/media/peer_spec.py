"""What the media plane must know of a peer: plain data, made by whoever parsed the SDP, and its checks.

No SDP text enters the plane and no plane type leaves it. W3C and RFC names are used as they are. Python chooses every
id, ufrag, SSRC and shard, so that adding a peer is one command without an answer.
Neighbours: `commands` carries specs, `parley.sdp` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NewType

from parley.media.errors import BadPeerSpec

__all__ = [
    "Candidate",
    "Codec",
    "DtlsRole",
    "Fingerprint",
    "HeaderExtension",
    "IceCredentials",
    "InternalSlot",
    "PeerId",
    "PeerSpec",
    "PublicationId",
    "SctpSpec",
    "Slot",
    "StreamIds",
    "TrackKind",
    "check_peer_spec",
]

PeerId = NewType("PeerId", str)
"""One PeerConnection. Chosen by Python."""
PublicationId = NewType("PublicationId", str)
"""One track that can be subscribed: a peer's sending slot, or a speaker. Chosen by Python."""

TrackKind = Literal["audio", "video"]
DtlsRole = Literal["active", "passive"]
"""Ours: `active` sends the ClientHello."""


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """RFC 8839 §5.4. A ufrag of ours begins with the characters that name its node and shard."""

    ufrag: str
    password: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """RFC 8122 §5: a hash name (`sha-256`) and upper-case hex pairs between colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transport address. TCP candidates of ours are passive."""

    host: str
    port: int
    protocol: Literal["udp", "tcp"] = "udp"


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of a slot. `parameters` is the `fmtp` line as written, `feedback` the `rtcp-fb` values."""

    payload_type: int
    name: str
    """As in `rtpmap`: `opus`, `PCMU`, `VP8`."""
    clock_rate_hz: int
    channels: int = 1
    parameters: str = ""
    feedback: tuple[str, ...] = ()
    rtx_payload_type: int | None = None


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """RFC 8285: a local identifier 1..14 and the URI that it stands for."""

    extension_id: int
    uri: str


@dataclass(frozen=True, slots=True)
class StreamIds:
    """One RTP stream: by SSRC (with its retransmissions) or, for simulcast, by restriction id until packets come."""

    ssrc: int | None = None
    rtx_ssrc: int | None = None
    rid: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One m-line. Directions are ours: `receive` streams make up `publication`, the `send` stream carries what the
    slot is subscribed to.
    """

    mid: str
    kind: TrackKind
    codecs: tuple[Codec, ...]
    publication: PublicationId | None = None
    """Name of what the peer sends here; None if it sends nothing."""
    receive: tuple[StreamIds, ...] = ()
    send: StreamIds | None = None
    """What we send here; None if the peer does not receive."""


@dataclass(frozen=True, slots=True)
class InternalSlot:
    """One slot of a peer without a connection: what is subscribed to `mid` becomes publication `heard_as`."""

    mid: str
    heard_as: PublicationId


@dataclass(frozen=True, slots=True)
class SctpSpec:
    """RFC 8841: the association that carries data channels, and the largest message that the peer takes."""

    mid: str
    port: int = 5_000
    max_message_bytes: int = 262_144


@dataclass(frozen=True, slots=True)
class PeerSpec:
    """A whole peer. Sent again with the same id it replaces the old one: the plane finds the difference.

    A later spec may add payload types, extensions and an association. A slot keeps what it sends under its SSRC; a mid
    that is used again for another stream needs a fresh one.
    """

    peer: PeerId
    shard: int
    local_ice: IceCredentials
    remote_ice: IceCredentials
    remote_fingerprint: Fingerprint
    dtls_role: DtlsRole
    slots: tuple[Slot, ...] = ()
    extensions: tuple[HeaderExtension, ...] = ()
    sctp: SctpSpec | None = None
    ice_lite: bool = True
    remote_candidates: tuple[Candidate, ...] = ()
    """Needed only where we connect; a browser is learned from its first check."""
    estimate_bandwidth: bool = False
    """Find out what the peer's network carries, and choose simulcast layers by it. Fixed by the first spec, implied by
    a video slot in it; without the extension `transport-wide-cc` in it nothing is found out."""


def check_peer_spec(spec: PeerSpec) -> None:
    """Raise `BadPeerSpec`, naming the field and the rule, for a spec that no plane could serve."""
    _check_ice(spec)
    mids = [slot.mid for slot in spec.slots] + ([spec.sctp.mid] if spec.sctp else [])
    _unique("mid", mids)
    _unique("publication", [slot.publication for slot in spec.slots if slot.publication])
    _unique("extension id", [extension.extension_id for extension in spec.extensions])
    for extension in spec.extensions:
        _within("extension id", extension.extension_id, 1, 14)
    _unique("SSRC", _ssrcs(spec))
    for ssrc in _ssrcs(spec):
        _within("SSRC", ssrc, 1, 2**32 - 1)
    for slot in spec.slots:
        _check_slot(slot)


def _check_ice(spec: PeerSpec) -> None:
    for name, ice in (("local_ice", spec.local_ice), ("remote_ice", spec.remote_ice)):
        # RFC 8839 §5.4: at least 4 and 22 characters.
        if not (4 <= len(ice.ufrag) <= 256 and 22 <= len(ice.password) <= 256):
            raise BadPeerSpec(f"{name}: a ufrag has 4 to 256 characters and a password 22 to 256")
    if spec.shard < 0:
        raise BadPeerSpec(f"shard: {spec.shard} is negative")
    if spec.remote_fingerprint.value.count(":") < 19:
        raise BadPeerSpec("remote_fingerprint: expected hex pairs between colons, of sha-256 or another known hash")


def _check_slot(slot: Slot) -> None:
    where = f"slot {slot.mid[:16]!r}"
    if not slot.codecs:
        raise BadPeerSpec(f"{where}: a slot needs at least one codec")
    payload_types = [codec.payload_type for codec in slot.codecs]
    payload_types += [codec.rtx_payload_type for codec in slot.codecs if codec.rtx_payload_type is not None]
    _unique(f"{where}: payload type", payload_types)
    for payload_type in payload_types:
        _within(f"{where}: payload type", payload_type, 0, 127)
    if slot.publication and not slot.receive:
        raise BadPeerSpec(f"{where}: publication without a stream to receive")
    if slot.send and slot.send.ssrc is None:
        raise BadPeerSpec(f"{where}: what we send needs an SSRC")


def _ssrcs(spec: PeerSpec) -> list[int]:
    streams = [stream for slot in spec.slots for stream in (*slot.receive, slot.send) if stream]
    return [ssrc for stream in streams for ssrc in (stream.ssrc, stream.rtx_ssrc) if ssrc is not None]


def _unique(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise BadPeerSpec(f"{what} {value!r} occurs twice")
        seen.add(value)


def _within(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadPeerSpec(f"{what} {value} is outside {low}..{high}")
