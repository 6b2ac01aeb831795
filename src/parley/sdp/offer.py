"""Offers of our own, and what the answer to one means.

What lives here: `offer_calls`, which lists every m-line of a connection as we want it, and `LocalOffer.accept`, which
turns the answer into the same `Negotiated` that an answer of ours gives. What does not: which tracks belong where
(`parley.calls`), and answering (`negotiate`). Everything random is an argument.

Rules that are easy to get wrong:

* The BUNDLE group begins with the mid that carries the transport already. Another first mid makes browsers open a
  second transport, with a second handshake.
* Closed m-lines keep their place and may be used again for another mid, of any kind, once both sides have seen port 0.
* An answer may only narrow: other payload types, other identifiers and other mids than offered are errors.

Sources: RFC 3264 §8, RFC 9429 §5.2.2 and §5.3, RFC 9143 §7.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from parley.sdp.codec_choice import meaning_of
from parley.sdp.description import SessionDescription
from parley.sdp.errors import SdpError
from parley.sdp.memory import ConnectionMemory, RememberedSection
from parley.sdp.negotiated import (
    Codec,
    DeclinedMedia,
    DtlsRole,
    HeaderExtension,
    LocalStream,
    LocalTransport,
    Negotiated,
    NegotiatedSlot,
    RemoteTransport,
    SctpAssociation,
    StreamIds,
    TrackKind,
    direction_of,
)
from parley.sdp.numbering import codecs_to_offer, extensions_to_offer
from parley.sdp.offer_text import OfferSections
from parley.sdp.offered import Offer, OfferedMedia, parse_offer
from parley.sdp.policy import CALLS, CALLS_LIMITS, AnswerPolicy
from parley.sdp.print import print_sdp

__all__ = ["LocalOffer", "OwnSection", "offer_calls"]


@dataclass(frozen=True, slots=True)
class OwnSection:
    """What we want of one m-line, at its place among all of them."""

    mid: str
    kind: Literal["audio", "video", "application"]
    receive: bool = False
    send: LocalStream | None = None
    live: bool = True
    """False: closed, with port 0."""


@dataclass(frozen=True, slots=True)
class LocalOffer:
    """An offer of ours that waits for its answer."""

    text: str
    transport: LocalTransport
    sections: tuple[OwnSection, ...]
    codecs: dict[TrackKind, tuple[Codec, ...]]
    extensions: dict[TrackKind, tuple[HeaderExtension, ...]]
    memory: ConnectionMemory
    """What the connection knows from now on, whatever comes of the offer: its numbers are taken."""
    policy: AnswerPolicy

    def accept(self, text: str) -> tuple[Negotiated, ConnectionMemory]:
        """Read the answer. Raises `SdpError`; then the offer still waits."""
        answer = parse_offer(text, CALLS_LIMITS)
        self._check_order(answer)
        transport = self._remote(answer)
        slots: list[NegotiatedSlot] = []
        sctp: SctpAssociation | None = None
        declined: list[DeclinedMedia] = []
        for section, media in zip(self.sections, answer.media, strict=True):
            if not section.live or media.rejected:
                declined.append(DeclinedMedia(media.index, section.mid, section.kind, "closed"))
            elif section.kind == "application":
                sctp = SctpAssociation(media.index, media.mid, media.sctp_port, media.max_message_bytes)
            else:
                slots.append(self._slot(section, media, section.kind))
        gone = {each.index for each in declined}
        memory = replace(
            self.memory,
            sections=tuple(
                RememberedSection(each.mid, each.kind, index not in gone) for index, each in enumerate(self.sections)
            ),
            role=transport.role if transport else self.memory.role,
            bundle=tuple(mid for mid in answer.bundle or () if mid),
        )
        used = dict.fromkeys(extension for slot in slots for extension in slot.extensions)
        lite = self.transport.ice_lite and not answer.ice_lite
        return (
            Negotiated(text, self.transport.ice, transport, tuple(slots), sctp, tuple(used), tuple(declined), lite),
            memory,
        )

    def _check_order(self, answer: Offer) -> None:
        if len(answer.media) != len(self.sections):
            raise SdpError(
                0, "", f"it has {len(answer.media)} m-lines where {len(self.sections)} were offered; answer all of them"
            )
        for section, media in zip(self.sections, answer.media, strict=True):
            if media.description.kind != section.kind or (media.has_mid and media.mid != section.mid):
                raise media.error(f"the offer's section here is of kind {section.kind} with the mid {section.mid}")
            if section.live and not media.rejected and media.usable:
                raise media.error(f"the answer makes of this section one that cannot be used ({media.usable})")

    def _remote(self, answer: Offer) -> RemoteTransport | None:
        """Find the section that carries the transport: the group's first that is accepted."""
        live = {
            media.mid: media
            for section, media in zip(self.sections, answer.media, strict=True)
            if section.live and not media.rejected
        }
        if not live:
            return None
        bundled = [live[mid] for mid in answer.bundle or () if mid in live]
        outside = [media for media in live.values() if media not in bundled]
        if outside and (bundled or len(outside) > 1):
            raise outside[0].error("it is not in the BUNDLE group, and there is one transport: list its mid in a=group")
        tag = (bundled or outside)[0]
        offered = tag.transport
        if offered is None or offered.ice is None:
            raise tag.error("a=ice-ufrag or a=ice-pwd is missing, below it and in the session part")
        best = {each.algorithm: each for each in reversed(offered.fingerprints)}
        known = [best[name] for name in self.policy.hashes if name in best]
        if not known:
            raise tag.error(f"a=fingerprint is missing, of the hash {' or '.join(self.policy.hashes)}")
        candidates = dict.fromkeys(
            each for media in live.values() if media.transport for each in media.transport.candidates
        )
        return RemoteTransport(offered.ice, known[0], _our_role(tag), tuple(candidates), answer.ice_lite)

    def _slot(self, section: OwnSection, media: OfferedMedia, kind: TrackKind) -> NegotiatedSlot:
        offered = {codec.payload_type: codec for codec in self.codecs[kind]}
        codecs = tuple(
            replace(
                codec,
                feedback=tuple(each for each in codec.feedback if each in offered[codec.payload_type].feedback),
                rtx_payload_type=(
                    codec.rtx_payload_type
                    if codec.rtx_payload_type == offered[codec.payload_type].rtx_payload_type
                    else None
                ),
            )
            for codec in media.codecs
            if codec.payload_type in offered and meaning_of(codec) == meaning_of(offered[codec.payload_type])
        )
        if not codecs:
            raise media.error("none of the payload types of the offer is answered; reject the section with port 0")
        receives = section.receive and media.sends
        send = section.send if media.receives else None
        send = _with_repair_only_where_it_is(send, codecs)
        ids = {each.uri: each for each in self.extensions[kind]}
        kept = [each for each in media.extensions if each.uri in ids and each.direction != "inactive"]
        return NegotiatedSlot(
            media.index,
            section.mid,
            kind,
            direction_of(receives=receives, sends=send is not None),
            codecs,
            (media.streams or (StreamIds(),)) if receives else (),
            send,
            tuple(dict.fromkeys(ids[each.uri] for each in kept if ids[each.uri].extension_id == each.extension_id)),
            media.msid,
        )


def offer_calls(
    transport: LocalTransport,
    sections: tuple[OwnSection, ...],
    memory: ConnectionMemory,
    policy: AnswerPolicy = CALLS,
) -> LocalOffer:
    """Offer all of `sections`, which begin with the m-lines that the connection has, in their order."""
    codecs, extensions = codecs_to_offer(memory), extensions_to_offer(memory)
    writer = OfferSections(transport)
    written = []
    for section in sections:
        kind: TrackKind = "video" if section.kind == "video" else "audio"
        if not section.live:
            written.append(writer.closed(section.mid, section.kind, codecs[kind]))
        elif section.kind == "application":
            written.append(writer.data(section.mid))
        else:
            send = _with_repair_only_where_it_is(section.send, codecs[kind])
            written.append(writer.rtp(section.mid, kind, codecs[kind], extensions[kind], send, receive=section.receive))
    live = {section.mid for section in sections if section.live}
    bundle = dict.fromkeys((*(mid for mid in memory.bundle if mid in live), *_in_order(sections)))
    text = print_sdp(SessionDescription(writer.session(tuple(bundle)), tuple(written)))
    kinds: set[TrackKind] = {each.kind for each in sections if each.live and each.kind != "application"}
    return LocalOffer(
        text, transport, sections, codecs, extensions, _learned(memory, codecs, extensions, kinds), policy
    )


def _with_repair_only_where_it_is(send: LocalStream | None, codecs: tuple[Codec, ...]) -> LocalStream | None:
    """Drop the SSRC for retransmissions where no codec has them: a browser refuses such a stream."""
    repaired = any(codec.rtx_payload_type is not None for codec in codecs)
    return send if send is None or repaired else replace(send, rtx_ssrc=None)


def _in_order(sections: tuple[OwnSection, ...]) -> list[str]:
    return [section.mid for section in sections if section.live]


def _learned(
    memory: ConnectionMemory,
    codecs: dict[TrackKind, tuple[Codec, ...]],
    extensions: dict[TrackKind, tuple[HeaderExtension, ...]],
    kinds: set[TrackKind],
) -> ConnectionMemory:
    used = [extension for kind in extensions if kind in kinds for extension in extensions[kind]]
    return replace(
        memory,
        audio=codecs["audio"] if "audio" in kinds else memory.audio,
        video=codecs["video"] if "video" in kinds else memory.video,
        extensions=tuple(dict.fromkeys((*memory.extensions, *used))),
    )


def _our_role(tag: OfferedMedia) -> DtlsRole:
    line = tag.transport.setup if tag.transport else None
    match line.argument.strip() if line else "":
        case "active":
            return "passive"
        case "passive":
            return "active"
        case _:
            raise (line or tag).error("the setup of an answer is active or passive")
