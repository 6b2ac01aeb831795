"""How an answer is written: sections of lines, in an order that small parsers can live with.

What lives here: the lines of an answer, those that offers share, and the arithmetic of candidate priorities. What does
not: what is accepted (`negotiate`), and offers of our own (`offer_text`). Credentials, fingerprint and role stand in
every section, as browsers write them; candidates in the tagged one, or in all. Candidates come before the fingerprint:
one parser of small devices reads a candidate up to the blank after its type, wherever that blank is.
Sources: RFC 9429 §5.3, RFC 8839 §5.1, RFC 6544 §4.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.sdp.description import Line, MediaDescription
from parley.sdp.negotiated import (
    Codec,
    DtlsRole,
    LocalCandidate,
    LocalStream,
    LocalTransport,
    NegotiatedSlot,
    SctpAssociation,
)
from parley.sdp.offered import OfferedMedia

__all__ = [
    "MAX_ADDRESSES",
    "MAX_MESSAGE_BYTES",
    "AnswerSections",
    "attribute",
    "candidate_lines",
    "codec_lines",
    "default_address",
    "stream_lines",
]

MAX_MESSAGE_BYTES = 262_144
"""The largest data-channel message that we take, and say so; without the line browsers assume 64 KiB."""
MAX_ADDRESSES = 3
_TURNED = {"sendonly": "/recvonly", "recvonly": "/sendonly"}


def attribute(name: str, argument: str | int | None = None) -> Line:
    """Make an attribute's line."""
    return Line("a", name if argument is None else f"{name}:{argument}")


def candidate_lines(candidates: tuple[LocalCandidate, ...]) -> list[Line]:
    """Write our candidates; only the first three addresses."""
    hosts = list(dict.fromkeys(candidate.host for candidate in candidates))[:MAX_ADDRESSES]
    lines = []
    for number, candidate in enumerate((each for each in candidates if each.host in hosts), 1):
        preference = len(hosts) - hosts.index(candidate.host)
        if candidate.protocol == "udp":
            # RFC 8445 §5.1.2: type preference 126 for a host, local preferences from the top, component 1.
            priority = (126 << 24) | (0xFFFF - MAX_ADDRESSES + preference) << 8 | 255
            ending = "typ host"
        else:
            # RFC 6544 §4.2: below every UDP candidate; direction preference 4 for passive.
            priority = (90 << 24) | (4 << 13 | 0x1FFF - MAX_ADDRESSES + preference) << 8 | 255
            ending = "typ host tcptype passive"
        place = f"{candidate.host} {candidate.port}"
        lines.append(attribute("candidate", f"{number} 1 {candidate.protocol} {priority} {place} {ending}"))
    return lines


@dataclass(frozen=True, slots=True)
class AnswerSections:
    """Writes the sections of one answer."""

    transport: LocalTransport
    role: DtlsRole
    ice_lite: bool
    candidates_everywhere: bool
    reduced_size: bool

    def session(self, bundle: tuple[str, ...] | None) -> tuple[Line, ...]:
        """Write the session part."""
        ours = self.transport
        lines = [
            Line("v", "0"),
            Line("o", f"- {ours.session_id} {ours.session_version} IN IP4 0.0.0.0"),
            Line("s", "-"),
            Line("t", "0 0"),
        ]
        if bundle is not None:
            lines.append(attribute("group", " ".join(("BUNDLE", *bundle))))
        if self.ice_lite:
            lines.append(attribute("ice-lite"))
        return tuple(lines)

    def declined(self, offered: OfferedMedia) -> MediaDescription:
        """Write a section that is rejected: the same kind, protocol and mid, port 0 (RFC 3264 §6).

        Credentials, role, `rtcp-mux` and the one format's `rtpmap` mean nothing here, but a strict far end looks for
        them in every section, rejected or not (aiortc does).
        """
        section = offered.description
        lines = [Line("c", "IN IP4 0.0.0.0"), *self._transport_lines(offered), attribute("inactive")]
        if section.attribute("rtcp-mux"):
            lines.append(attribute("rtcp-mux"))
        beginning = f"rtpmap:{section.formats[0]} "
        rtpmap = next((line for line in section.lines if line.kind == "a" and line.value.startswith(beginning)), None)
        if rtpmap:
            lines.append(rtpmap)
        return MediaDescription(section.kind, 0, section.protocol, section.formats[:1], tuple(lines))

    def data(self, offered: OfferedMedia, association: SctpAssociation, *, tagged: bool) -> MediaDescription:
        """Write the section of the data channels (RFC 8841)."""
        lines = self._opening(offered, tagged=tagged)
        lines.append(attribute("sctp-port", association.local_port))
        lines.append(attribute("max-message-size", MAX_MESSAGE_BYTES))
        return self._section(offered, offered.description.formats, lines)

    def rtp(
        self, offered: OfferedMedia, slot: NegotiatedSlot, answered: dict[int, str], *, tagged: bool
    ) -> MediaDescription:
        """Write the section of a track. `answered` gives our `fmtp` for each payload type."""
        lines = self._opening(offered, tagged=tagged)
        lines += [attribute(slot.direction), attribute("rtcp-mux")]
        if self.reduced_size and offered.description.attribute("rtcp-rsize"):
            lines.append(attribute("rtcp-rsize"))
        # RFC 8285 §7: a direction of the offer comes back turned round.
        ways = {each.uri: _TURNED.get(each.direction, "") for each in reversed(offered.extensions)}
        lines += [attribute("extmap", f"{each.extension_id}{ways[each.uri]} {each.uri}") for each in slot.extensions]
        formats = []
        for codec in slot.codecs:
            formats.append(codec.payload_type)
            lines += codec_lines(codec, answered[codec.payload_type])
            if codec.rtx_payload_type is not None:
                formats.append(codec.rtx_payload_type)
                lines.append(attribute("rtpmap", f"{codec.rtx_payload_type} rtx/{codec.clock_rate_hz}"))
                lines.append(attribute("fmtp", f"{codec.rtx_payload_type} apt={codec.payload_type}"))
        lines += stream_lines(slot.send)
        rids = [stream.rid for stream in slot.receive if stream.rid]
        if rids:
            lines += [attribute("rid", f"{rid} recv") for rid in rids]
            lines.append(attribute("simulcast", f"recv {';'.join(rids)}"))
        return self._section(offered, tuple(str(number) for number in formats), lines)

    def _opening(self, offered: OfferedMedia, *, tagged: bool) -> list[Line]:
        candidates = candidate_lines(self.transport.candidates) if tagged or self.candidates_everywhere else []
        return candidates + self._transport_lines(offered)

    def _transport_lines(self, offered: OfferedMedia) -> list[Line]:
        ours = self.transport
        lines = [
            attribute("fingerprint", f"{ours.fingerprint.algorithm} {ours.fingerprint.value}"),
            attribute("setup", self.role),
            attribute("ice-ufrag", ours.ice.ufrag),
            attribute("ice-pwd", ours.ice.password),
        ]
        if offered.has_mid:
            lines.append(attribute("mid", offered.mid))
        return lines

    def _section(self, offered: OfferedMedia, formats: tuple[str, ...], lines: list[Line]) -> MediaDescription:
        port, connection = default_address(self.transport)
        section = offered.description
        return MediaDescription(section.kind, port, section.protocol, formats, (connection, *lines))


def default_address(transport: LocalTransport) -> tuple[int, Line]:
    """RFC 8839 §4.2.1: the m-line's port and its `c=` name the default candidate; 9 and 0.0.0.0 stand for none."""
    default = next((each for each in transport.candidates if each.protocol == "udp"), None)
    host, port = (default.host, default.port) if default else ("0.0.0.0", 9)  # noqa: S104 - "no address" in SDP
    return port, Line("c", f"IN {'IP6' if ':' in host else 'IP4'} {host}")


def codec_lines(codec: Codec, parameters: str) -> list[Line]:
    """Write a payload type: what it is, `fmtp` and feedback."""
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    lines = [attribute("rtpmap", f"{codec.payload_type} {codec.name}/{codec.clock_rate_hz}{channels}")]
    if parameters:
        lines.append(attribute("fmtp", f"{codec.payload_type} {parameters}"))
    return lines + [attribute("rtcp-fb", f"{codec.payload_type} {value}") for value in codec.feedback]


def stream_lines(stream: LocalStream | None) -> list[Line]:
    """Write what we send, if anything."""
    if stream is None:
        return []
    lines = [attribute("msid", f"{stream.stream_id} {stream.track_id}")]
    if stream.rtx_ssrc is not None:
        lines.append(attribute("ssrc-group", f"FID {stream.ssrc} {stream.rtx_ssrc}"))
    ssrcs = [ssrc for ssrc in (stream.ssrc, stream.rtx_ssrc) if ssrc is not None]
    return lines + [attribute("ssrc", f"{ssrc} cname:{stream.cname}") for ssrc in ssrcs]
