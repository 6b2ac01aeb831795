"""What an offer offers: each m-line with its codecs, streams and transport, as typed data.

What lives here: how the attributes of a section belong together, including what a section takes over from the session
part. What does not: what we accept of it (`negotiate`). Sections that are rejected, or of a kind that nobody here
knows, are kept by their place and mid only: faults in them are of no consequence.
Sources: RFC 9429 §5.8 (reading a description), RFC 9143 (BUNDLE).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from parley.sdp.attributes import (
    Attributes,
    ExtensionMap,
    RtpMap,
    read_candidate,
    read_extmap,
    read_fingerprint,
    read_group,
    read_ice_password,
    read_ice_ufrag,
    read_mid,
    read_number,
    read_payload_text,
    read_rid,
    read_rtpmap,
    read_simulcast,
    read_ssrc,
    read_ssrc_group,
)
from parley.sdp.description import Line, MediaDescription, SessionDescription
from parley.sdp.errors import SdpError
from parley.sdp.negotiated import Candidate, Codec, Direction, Fingerprint, IceCredentials, StreamIds
from parley.sdp.parse import DEFAULT_LIMITS, SdpLimits, parse_sdp

__all__ = ["Offer", "OfferedMedia", "OfferedTransport", "parse_offer", "read_offer"]

_DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
# RFC 3551 §6: payload types that need no rtpmap.
_STATIC = {0: RtpMap(0, "PCMU", 8_000, 1), 8: RtpMap(8, "PCMA", 8_000, 1)}
_DTLS_SRTP = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP"})
# RFC 9429 §5.1.2: older names that must be understood to mean DTLS-SRTP where there is a fingerprint.
_RTP = _DTLS_SRTP | {"RTP/SAVPF", "RTP/SAVP"}
_SCTP = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
_MAX_STREAMS = 32
_MAX_EXTENSIONS = 64
_MAX_FINGERPRINTS = 8
_MAX_CANDIDATES = 128
_UNSAID_MAX_MESSAGE_BYTES = 65_536  # RFC 8841 §6.1
_NO_LIMIT = 2**32 - 1


@dataclass(frozen=True, slots=True)
class OfferedTransport:
    """What a section says of ICE and DTLS. Checked only where the section becomes the transport of all."""

    ice: IceCredentials | None
    fingerprints: tuple[Fingerprint, ...]
    setup: Line | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One m-line. Directions are the offerer's."""

    index: int
    mid: str
    """The mid, or for a section without one its index."""
    has_mid: bool
    description: MediaDescription
    usable: str = ""
    """Why nobody could accept this section; empty if somebody could."""
    direction: Direction = "inactive"
    codecs: tuple[Codec, ...] = ()
    """As offered: names, parameters and feedback are the offerer's. RTX is folded into the codec that it repairs."""
    extensions: tuple[ExtensionMap, ...] = ()
    streams: tuple[StreamIds, ...] = ()
    rids: tuple[str, ...] = ()
    """Simulcast layers that the offerer would send."""
    msid: str = ""
    sctp_port: int = 0
    max_message_bytes: int = 0
    transport: OfferedTransport | None = None

    @property
    def rejected(self) -> bool:
        """RFC 9143 §6: port 0 means rejected, unless the section is `bundle-only`."""
        return self.description.port == 0 and self.description.attribute("bundle-only") is None

    @property
    def sends(self) -> bool:
        return self.direction in {"sendrecv", "sendonly"}

    @property
    def receives(self) -> bool:
        return self.direction in {"sendrecv", "recvonly"}

    def error(self, reason: str) -> SdpError:
        """Make the error that blames the m-line."""
        return self.description.m_line.error(reason)


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer. `bundle` lists mids in the order of the BUNDLE group; None if there is none."""

    media: tuple[OfferedMedia, ...]
    bundle: tuple[str, ...] | None
    ice_lite: bool
    ssrc_lines: dict[int, Line] = field(default_factory=dict)
    """Where each SSRC of an m-line in use is named first."""

    @property
    def payload_types(self) -> frozenset[int]:
        """Every number that stands for something here, whether anybody knows the codec or not."""
        entries = (entry for media in self.media if media.transport for entry in media.description.formats)
        return frozenset(int(entry) for entry in entries if entry.isdigit())


def parse_offer(text: str, limits: SdpLimits = DEFAULT_LIMITS) -> Offer:
    """Read an offer's text. Raises nothing but `SdpError`."""
    return read_offer(parse_sdp(text, limits))


def read_offer(description: SessionDescription) -> Offer:
    """Read what a description offers. Raises `SdpError` that blames the line."""
    session = Attributes(description.lines)
    if not description.media:
        raise SdpError(0, "", "it has no m-line; offer audio, a data channel or both")
    ssrc_lines: dict[int, Line] = {}
    mids: set[str] = set()
    media = []
    for index, section in enumerate(description.media):
        attributes = Attributes(section.lines)
        offered = _media(index, section, attributes, session)
        if offered.mid in mids:
            line = attributes.one("mid")
            blamed = line or section.m_line
            raise blamed.error("this mid is taken: every section needs one of its own")
        mids.add(offered.mid)
        if not offered.usable:
            _claim_ssrcs(attributes, ssrc_lines)
        media.append(offered)
    return Offer(tuple(media), _bundle(session), "ice-lite" in session, ssrc_lines)


def _bundle(session: Attributes) -> tuple[str, ...] | None:
    for line in session.all("group"):
        semantics, mids = read_group(line)
        if semantics == "BUNDLE":
            return mids
    return None


def _claim_ssrcs(attributes: Attributes, taken: dict[int, Line]) -> None:
    own = {read_ssrc(line): line for line in reversed(attributes.all("ssrc"))}
    for ssrc, line in own.items():
        if ssrc in taken:
            raise line.error("this SSRC is taken by another m-line")
        taken[ssrc] = line


def _media(index: int, section: MediaDescription, attributes: Attributes, session: Attributes) -> OfferedMedia:
    line = attributes.one("mid")
    bare = OfferedMedia(index, read_mid(line) if line else str(index), line is not None, section)
    if bare.rejected:
        return _unusable(bare, "rejected by the offer")
    if section.kind == "application":
        return _data(bare, attributes, session)
    if section.kind not in {"audio", "video"}:
        return _unusable(bare, "not audio, video or a data channel")
    if section.protocol not in _RTP:
        return _unusable(bare, "not protected by DTLS-SRTP")
    if "rtcp-mux" not in attributes:
        raise bare.error("a=rtcp-mux is missing below it: RTP and RTCP must share one port")
    return _rtp(bare, attributes, session)


def _unusable(bare: OfferedMedia, reason: str) -> OfferedMedia:
    return OfferedMedia(bare.index, bare.mid, bare.has_mid, bare.description, usable=reason)


def _data(bare: OfferedMedia, attributes: Attributes, session: Attributes) -> OfferedMedia:
    section = bare.description
    if section.protocol not in _SCTP or section.formats != ("webrtc-datachannel",):
        return _unusable(bare, "not a data channel of RFC 8841")
    port_line, size_line = attributes.one("sctp-port"), attributes.one("max-message-size")
    port = read_number(port_line, 0, 65_535) if port_line else 5_000
    if port == 0:
        return _unusable(bare, "an association that is closed")
    size = read_number(size_line, 0, 2**64) if size_line else _UNSAID_MAX_MESSAGE_BYTES
    return OfferedMedia(
        bare.index,
        bare.mid,
        bare.has_mid,
        section,
        direction="sendrecv",
        sctp_port=port,
        max_message_bytes=min(size, _NO_LIMIT) or _NO_LIMIT,  # RFC 8841 §6: 0 means any size
        transport=_transport(attributes, session),
    )


def _rtp(bare: OfferedMedia, attributes: Attributes, session: Attributes) -> OfferedMedia:
    msid = attributes.all("msid")
    rids = _rids(attributes)
    return OfferedMedia(
        bare.index,
        bare.mid,
        bare.has_mid,
        bare.description,
        direction=_direction(attributes) or _direction(session) or "sendrecv",
        codecs=_codecs(bare.description, attributes),
        extensions=_extensions(session) + _extensions(attributes),
        streams=_streams(attributes),
        rids=rids,
        msid=msid[0].argument if msid else "",
        transport=_transport(attributes, session),
    )


def _direction(attributes: Attributes) -> Direction | None:
    found: Direction | None = None
    for direction in _DIRECTIONS:
        line = attributes.one(direction)
        if line is None:
            continue
        if found:
            raise line.error("a section has one direction")
        found = direction
    return found


def _extensions(attributes: Attributes) -> tuple[ExtensionMap, ...]:
    return tuple(read_extmap(line) for line in attributes.all("extmap", at_most=_MAX_EXTENSIONS))


def _transport(attributes: Attributes, session: Attributes) -> OfferedTransport:
    def either(name: str) -> Line | None:
        return attributes.one(name) or session.one(name)

    ufrag, password = either("ice-ufrag"), either("ice-pwd")
    owner = attributes if "fingerprint" in attributes else session
    read = (read_fingerprint(line) for line in owner.all("fingerprint", at_most=_MAX_FINGERPRINTS))
    candidates = (read_candidate(line) for line in attributes.all("candidate", at_most=_MAX_CANDIDATES))
    credentials = None
    if ufrag and password:
        credentials = IceCredentials(read_ice_ufrag(ufrag), read_ice_password(password))
    return OfferedTransport(
        credentials,
        tuple(fingerprint for fingerprint in read if fingerprint),
        either("setup"),
        tuple(candidate for candidate in candidates if candidate),
    )


def _codecs(section: MediaDescription, attributes: Attributes) -> tuple[Codec, ...]:
    maps: dict[int, RtpMap] = dict(_STATIC) if section.kind == "audio" else {}
    for line in attributes.all("rtpmap"):
        rtpmap = read_rtpmap(line)
        maps[rtpmap.payload_type] = rtpmap
    parameters: dict[int | None, str] = dict(reversed([read_payload_text(line) for line in attributes.all("fmtp")]))
    feedback: dict[int | None, list[str]] = {}
    for line in attributes.all("rtcp-fb"):
        payload_type, text = read_payload_text(line)
        feedback.setdefault(payload_type, []).append(text)
    repairs: dict[str, int] = {}
    listed: list[RtpMap] = []
    for entry in section.formats:
        number = int(entry) if entry.isascii() and entry.isdigit() and len(entry) <= 3 else 128
        if number > 127:
            raise section.m_line.error("a payload type is 0 to 127")
        if number not in maps:
            continue
        rtpmap = maps[number]
        if rtpmap.encoding.lower() == "rtx":
            repaired = _fmtp_value(parameters.get(number, ""), "apt")
            repairs.setdefault(repaired, number)
        else:
            listed.append(rtpmap)
    return tuple(
        Codec(
            rtpmap.payload_type,
            rtpmap.encoding,
            rtpmap.clock_rate_hz,
            rtpmap.channels,
            parameters.get(rtpmap.payload_type, ""),
            tuple(dict.fromkeys(feedback.get(rtpmap.payload_type, []) + feedback.get(None, []))),
            repairs.get(str(rtpmap.payload_type)),
        )
        for rtpmap in listed
    )


def _fmtp_value(parameters: str, name: str) -> str:
    for entry in parameters.split(";"):
        key, _, value = entry.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


def _streams(attributes: Attributes) -> tuple[StreamIds, ...]:
    """Find the streams that are not the repair of another (RFC 5576 §4.2: FID; RFC 5956: FEC-FR)."""
    ssrcs = dict.fromkeys(read_ssrc(line) for line in attributes.all("ssrc"))
    if len(ssrcs) > _MAX_STREAMS:
        raise attributes.all("ssrc")[-1].error(f"more than {_MAX_STREAMS} SSRCs in one section")
    repair_of: dict[int, int] = {}
    repairs: set[int] = set()
    for line in attributes.all("ssrc-group"):
        semantics, members = read_ssrc_group(line)
        if semantics in {"FID", "FEC-FR"} and len(members) == 2:
            if members[1] in repairs or members[0] == members[1]:
                raise line.error("an SSRC repairs one other SSRC")
            repairs.add(members[1])
            if semantics == "FID":
                repair_of.setdefault(members[0], members[1])
    return tuple(
        StreamIds(ssrc, repair_of[ssrc] if repair_of.get(ssrc) in ssrcs else None)
        for ssrc in ssrcs
        if ssrc not in repairs
    )


def _rids(attributes: Attributes) -> tuple[str, ...]:
    sent = {rid for rid, way in (read_rid(line) for line in attributes.all("rid")) if way == "send"}
    line = attributes.one("simulcast")
    if line is None:
        return ()
    rids = read_simulcast(line)
    for rid in rids:
        if rid not in sent:
            raise line.error("a rid of this line has no a=rid line with the direction send")
    return rids
