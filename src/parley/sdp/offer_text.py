"""How an offer of ours is written: every m-line of the connection, old and new, in its place.

What lives here: the lines of an offer. What does not: which numbers it uses and what an answer to it means (`offer`),
and answers (`answer_text`). Credentials, fingerprint and candidates stand in every section, since some stacks look for
them elsewhere than browsers do; there is no trickle, so a full agent says that these were all.
Sources: RFC 9429 §5.2, RFC 8838 §8.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.sdp.answer_text import (
    MAX_MESSAGE_BYTES,
    attribute,
    candidate_lines,
    codec_lines,
    default_address,
    stream_lines,
)
from parley.sdp.description import Line, MediaDescription
from parley.sdp.negotiated import Codec, HeaderExtension, LocalStream, LocalTransport, direction_of

__all__ = ["OfferSections"]

_RTP = "UDP/TLS/RTP/SAVPF"
_SCTP_PORT = 5_000


@dataclass(frozen=True, slots=True)
class OfferSections:
    """Writes the sections of one offer."""

    transport: LocalTransport

    def session(self, bundle: tuple[str, ...]) -> tuple[Line, ...]:
        """Write the session part."""
        ours = self.transport
        lines = [
            Line("v", "0"),
            Line("o", f"- {ours.session_id} {ours.session_version} IN IP4 0.0.0.0"),
            Line("s", "-"),
            Line("t", "0 0"),
            attribute("group", " ".join(("BUNDLE", *bundle))),
        ]
        if ours.ice_lite:
            lines.append(attribute("ice-lite"))
        return tuple(lines)

    def closed(self, mid: str, kind: str, codecs: tuple[Codec, ...]) -> MediaDescription:
        """Write a section that is closed and keeps its place: port 0 (RFC 3264 §8.2)."""
        lines = [Line("c", "IN IP4 0.0.0.0"), *self._transport_lines(mid), attribute("inactive")]
        if kind == "application":
            lines.append(attribute("sctp-port", _SCTP_PORT))
            return MediaDescription(kind, 0, "UDP/DTLS/SCTP", ("webrtc-datachannel",), tuple(lines))
        lines.append(attribute("rtcp-mux"))
        lines += codec_lines(codecs[0], "")[:1]
        return MediaDescription(kind, 0, _RTP, (str(codecs[0].payload_type),), tuple(lines))

    def data(self, mid: str) -> MediaDescription:
        """Write the section of the data channels (RFC 8841)."""
        port, connection = default_address(self.transport)
        lines = [connection, *self._candidates(), *self._transport_lines(mid)]
        lines.append(attribute("sctp-port", _SCTP_PORT))
        lines.append(attribute("max-message-size", MAX_MESSAGE_BYTES))
        return MediaDescription("application", port, "UDP/DTLS/SCTP", ("webrtc-datachannel",), tuple(lines))

    def rtp(
        self,
        mid: str,
        kind: str,
        codecs: tuple[Codec, ...],
        extensions: tuple[HeaderExtension, ...],
        send: LocalStream | None,
        *,
        receive: bool,
    ) -> MediaDescription:
        """Write the section of a track."""
        port, connection = default_address(self.transport)
        lines = [connection, *self._candidates(), *self._transport_lines(mid)]
        lines += [attribute(direction_of(receives=receive, sends=send is not None)), attribute("rtcp-mux")]
        lines.append(attribute("rtcp-rsize"))
        lines += [attribute("extmap", f"{each.extension_id} {each.uri}") for each in extensions]
        formats = []
        for codec in codecs:
            formats.append(str(codec.payload_type))
            lines += codec_lines(codec, codec.parameters)
            if codec.rtx_payload_type is not None:
                formats.append(str(codec.rtx_payload_type))
                lines.append(attribute("rtpmap", f"{codec.rtx_payload_type} rtx/{codec.clock_rate_hz}"))
                lines.append(attribute("fmtp", f"{codec.rtx_payload_type} apt={codec.payload_type}"))
        lines += stream_lines(send)
        return MediaDescription(kind, port, _RTP, tuple(formats), tuple(lines))

    def _candidates(self) -> list[Line]:
        lines = candidate_lines(self.transport.candidates)
        return lines if self.transport.ice_lite else [*lines, attribute("end-of-candidates")]

    def _transport_lines(self, mid: str) -> list[Line]:
        ours = self.transport
        return [
            attribute("fingerprint", f"{ours.fingerprint.algorithm} {ours.fingerprint.value}"),
            attribute("setup", "actpass"),
            attribute("ice-ufrag", ours.ice.ufrag),
            attribute("ice-pwd", ours.ice.password),
            attribute("mid", mid),
        ]
