"""From an offer to an answer: what is accepted, on which transport, and what both sides now know.

What lives here: the rules of offer and answer that both products share, and the two ways in: `answer_realtime` for a
conversation with the AI, `answer_calls` for a session at the SFU. What does not: reading (`offered`), writing
(`answer_text`), what a product keeps (`policy`), and offers of our own. Everything random is an argument, so the same
offer gives the same answer, byte for byte.

Rules that are easy to get wrong:

* There is one transport. Sections outside the BUNDLE group, or all but one where there is no group, are declined.
* The answer's group lists the offer's group without what is declined, in the same order. Its first mid carries the
  transport; a browser that finds another first mid than it expects gives up.
* A port of 0 means rejected only without `bundle-only`.
* A fixed role is obeyed; only `actpass` lets us choose.

Sources: RFC 3264 §6, RFC 9429 §5.3, RFC 9143 §7.3, RFC 8842 §5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from parley.sdp.answer_text import AnswerSections
from parley.sdp.codec_choice import choose_codecs, meaning_of, no_codec
from parley.sdp.description import MediaDescription, SessionDescription
from parley.sdp.memory import ConnectionMemory, RememberedSection, check_continuity
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
from parley.sdp.offered import Offer, OfferedMedia
from parley.sdp.policy import CALLS, MID_EXTENSION, REALTIME, AnswerPolicy
from parley.sdp.print import print_sdp

__all__ = ["MediaPlan", "answer_calls", "answer_realtime"]

_NEW = ConnectionMemory()


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """What we want of one m-line. The answer has what the offer allows of it; nothing of both is `inactive`."""

    receive: bool = False
    send: LocalStream | None = None
    simulcast: bool = False
    """Take all layers where the far end offers several; otherwise it sends one."""


def answer_realtime(
    offer: Offer,
    transport: LocalTransport,
    voice: LocalStream,
    *,
    video: Literal["decline", "hold", "vp8"] = "decline",
    policy: AnswerPolicy = REALTIME,
) -> Negotiated:
    """Answer an offer for a conversation: one audio section, one of data channels, video as asked for.

    `voice` is what the AI speaks with. A camera's section is taken where `video` is `vp8`, if it offers that, and else
    declined; with `hold` what would be taken is answered `inactive`, because aiortc waits for a declined section's
    transport for ever. Raises `SdpError` where there is audio that we cannot take, and where there is
    nothing to take at all.
    """
    plans: dict[int, MediaPlan | str] = {}
    heard = _choose_audio(offer, policy)
    seen: OfferedMedia | None = None
    for media in offer.media:
        if media.description.kind == "audio":
            plans[media.index] = MediaPlan(receive=True, send=voice) if media is heard else "one audio section is taken"
        elif media.description.kind == "video":
            takes = video != "decline" and seen is None and media.sends and bool(choose_codecs(media, policy))
            seen = media if takes else seen
            plans[media.index] = MediaPlan(receive=video == "vp8") if takes else "video is not taken here"
        elif media.description.kind == "application":
            plans[media.index] = MediaPlan()
    # The mid extension costs bytes in every packet: only where nothing else tells streams apart.
    tracks = [media for media in (heard, seen) if media]
    ambiguous = len(tracks) > 1 or any(media.sends and not media.streams for media in tracks)
    if not ambiguous:
        policy = replace(policy, extensions=policy.extensions - {MID_EXTENSION})
    answer = _Answer(offer, transport, policy, _NEW, plans)
    if answer.tag is None:
        first = offer.media[0]
        raise first.error(f"nothing to take: offer audio or a data channel ({answer.refusals[first.index]})")
    if heard and heard.index in answer.refusals:
        raise heard.error(f"this audio cannot be taken ({answer.refusals[heard.index]})")
    return answer.negotiated()


def answer_calls(
    offer: Offer,
    transport: LocalTransport,
    plans: Mapping[str, MediaPlan],
    memory: ConnectionMemory = _NEW,
    policy: AnswerPolicy = CALLS,
) -> tuple[Negotiated, ConnectionMemory]:
    """Answer an offer of a session at the SFU, and give what its next negotiation must know.

    `plans` names the m-lines in use by mid, old ones included: one without a plan is answered `inactive`, which is how
    a track is closed whose section the client still shows.
    Raises `SdpError`; then the memory that was passed stays as it is.
    """
    check_continuity(memory, offer.media)
    wanted: dict[int, MediaPlan | str] = {media.index: plans.get(media.mid, MediaPlan()) for media in offer.media}
    answer = _Answer(offer, transport, policy, memory, wanted)
    negotiated = answer.negotiated()
    sections = tuple(
        RememberedSection(media.mid, media.description.kind, media.index not in answer.refusals)
        for media in offer.media
    )
    audio = {codec.payload_type: codec for codec in memory.audio}
    video = {codec.payload_type: codec for codec in memory.video}
    for slot in negotiated.slots:
        for codec in slot.codecs:
            (audio if slot.kind == "audio" else video).setdefault(codec.payload_type, codec)
    extensions = tuple(dict.fromkeys(memory.extensions + negotiated.extensions))
    role = negotiated.remote.role if negotiated.remote else memory.role
    return negotiated, ConnectionMemory(
        sections,
        tuple(audio.values()),
        tuple(video.values()),
        extensions,
        role,
        memory.payload_types | offer.payload_types,
        answer.group or (),
    )


def _choose_audio(offer: Offer, policy: AnswerPolicy) -> OfferedMedia | None:
    offered = [media for media in offer.media if media.description.kind == "audio" and not media.rejected]
    for media in offered:
        if not media.usable and choose_codecs(media, policy):
            return media
    if offered:
        first = offered[0]
        raise first.error(f"this audio cannot be taken ({first.usable or no_codec(policy.audio)})")
    return None


class _Answer:
    """One answer in the making: first who is refused, then the transport, then slot by slot."""

    def __init__(
        self,
        offer: Offer,
        transport: LocalTransport,
        policy: AnswerPolicy,
        memory: ConnectionMemory,
        plans: Mapping[int, MediaPlan | str],
    ) -> None:
        self._offer = offer
        self._transport = transport
        self._policy = policy
        self._memory = memory
        self._plans = plans
        self._codecs: dict[int, tuple[tuple[Codec, str], ...]] = {}
        # In a bundle a payload type and an extension id mean one thing, now and later.
        self._meanings = {codec.payload_type: meaning_of(codec) for codec in memory.audio + memory.video}
        self._uri_of = {extension.extension_id: extension.uri for extension in memory.extensions}
        self._id_of = {extension.uri: extension.extension_id for extension in memory.extensions}
        for codec in memory.audio + memory.video:
            if codec.rtx_payload_type is not None:
                self._meanings[codec.rtx_payload_type] = ("rtx", str(codec.payload_type))
        self.refusals = self._refuse()
        self.tag = self._refuse_unbundled()

    def negotiated(self) -> Negotiated:
        """Write the answer and say what it means."""
        remote = self._remote()
        self._check_collisions()
        lite = self._transport.ice_lite and not self._offer.ice_lite
        role = remote.role if remote else self._memory.role or self._policy.role
        policy = self._policy
        writer = AnswerSections(
            self._transport, role, lite, policy.candidates_everywhere, reduced_size=policy.reduced_size
        )
        slots: list[NegotiatedSlot] = []
        sctp: SctpAssociation | None = None
        sections: list[MediaDescription] = []
        for media in self._offer.media:
            tagged = media is self.tag
            if media.index in self.refusals:
                sections.append(writer.declined(media))
            elif media.description.kind == "application":
                sctp = SctpAssociation(media.index, media.mid, media.sctp_port, media.max_message_bytes)
                sections.append(writer.data(media, sctp, tagged=tagged))
            else:
                slot = self._slot(media)
                slots.append(slot)
                answered = {codec.payload_type: text for codec, text in self._codecs[media.index]}
                sections.append(writer.rtp(media, slot, answered, tagged=tagged))
        answer = SessionDescription(writer.session(self.group), tuple(sections))
        extensions = dict.fromkeys(extension for slot in slots for extension in slot.extensions)
        return Negotiated(
            print_sdp(answer),
            self._transport.ice,
            remote,
            tuple(slots),
            sctp,
            tuple(extensions),
            tuple(
                DeclinedMedia(media.index, media.mid, media.description.kind, self.refusals[media.index])
                for media in self._offer.media
                if media.index in self.refusals
            ),
            lite,
        )

    def _refuse(self) -> dict[int, str]:
        refusals: dict[int, str] = {}
        has_data = False
        for media in self._offer.media:
            plan = self._plans.get(media.index, "this kind of media is not taken")
            if media.usable:
                refusals[media.index] = media.usable
            elif isinstance(plan, str):
                refusals[media.index] = plan
            elif media.description.kind == "application":
                if has_data:
                    refusals[media.index] = "one section of data channels is taken"
                has_data = True
            else:
                codecs = self._known_codecs(media)
                self._codecs[media.index] = codecs
                if not codecs:
                    kind = media.description.kind
                    refusals[media.index] = no_codec(self._policy.audio if kind == "audio" else self._policy.video)
        return refusals

    def _known_codecs(self, media: OfferedMedia) -> tuple[tuple[Codec, str], ...]:
        """Drop the codecs whose payload type means something else in this connection."""
        kept = []
        for codec, text in choose_codecs(media, self._policy):
            if self._meanings.setdefault(codec.payload_type, meaning_of(codec)) != meaning_of(codec):
                continue
            repair = codec.rtx_payload_type
            repairs = ("rtx", str(codec.payload_type))
            if repair is not None and self._meanings.setdefault(repair, repairs) != repairs:
                codec = replace(codec, rtx_payload_type=None)  # noqa: PLW2901
            kept.append((codec, text))
        return tuple(kept)

    def _refuse_unbundled(self) -> OfferedMedia | None:
        """Decline what is not on the one transport, and find the section that carries it."""
        accepted = [media for media in self._offer.media if media.index not in self.refusals]
        by_mid = {media.mid: media for media in accepted if media.has_mid}
        bundled = [by_mid[mid] for mid in self._offer.bundle or () if mid in by_mid]
        if not bundled:
            bundled = sorted(accepted, key=lambda media: media.description.kind != "audio")[:1]
        for media in accepted:
            if media not in bundled:
                self.refusals[media.index] = "not in the BUNDLE group, and there is one transport"
        return bundled[0] if bundled else None

    @property
    def group(self) -> tuple[str, ...] | None:
        """The answer's BUNDLE group; None if the offer has none."""
        if self._offer.bundle is None:
            return None
        live = {media.mid for media in self._offer.media if media.index not in self.refusals and media.has_mid}
        return tuple(mid for mid in self._offer.bundle if mid in live)

    def _remote(self) -> RemoteTransport | None:
        if self.tag is None or self.tag.transport is None:
            return None
        offered = self.tag.transport
        if offered.ice is None:
            raise self.tag.error("a=ice-ufrag or a=ice-pwd is missing, below it and in the session part")
        best = {fingerprint.algorithm: fingerprint for fingerprint in reversed(offered.fingerprints)}
        known = [best[name] for name in self._policy.hashes if name in best]
        if not known:
            raise self.tag.error(f"a=fingerprint is missing, of the hash {' or '.join(self._policy.hashes)}")
        return RemoteTransport(offered.ice, known[0], self._role(), offered.candidates, self._offer.ice_lite)

    def _role(self) -> DtlsRole:
        line = self.tag.transport.setup if self.tag and self.tag.transport else None
        # RFC 4145 §4: an offer that says nothing means to open the connection itself.
        match line.argument.strip() if line else "active":
            case "actpass":
                return self._memory.role or self._policy.role
            case "active":
                return "passive"
            case "passive":
                return "active"
            case _:
                assert line is not None
                raise line.error("the setup of an offer is actpass, active or passive")

    def _check_collisions(self) -> None:
        for plan in self._plans.values():
            stream = None if isinstance(plan, str) else plan.send
            for ssrc in (stream.ssrc, stream.rtx_ssrc) if stream else ():
                if ssrc in self._offer.ssrc_lines:
                    raise self._offer.ssrc_lines[ssrc].error("this SSRC is taken by our side; make a new offer")

    def _slot(self, media: OfferedMedia) -> NegotiatedSlot:
        plan = self._plans[media.index]
        assert isinstance(plan, MediaPlan)
        receives = plan.receive and media.sends
        send = plan.send if media.receives else None
        codecs = tuple(codec for codec, _ in self._codecs[media.index])
        # A browser refuses a retransmission SSRC where no codec has retransmission.
        if send and all(codec.rtx_payload_type is None for codec in codecs):
            send = replace(send, rtx_ssrc=None)
        kind: TrackKind = "audio" if media.description.kind == "audio" else "video"
        return NegotiatedSlot(
            media.index,
            media.mid,
            kind,
            direction_of(receives=receives, sends=send is not None),
            codecs,
            self._streams(media, simulcast=plan.simulcast) if receives else (),
            send,
            self._extensions(media),
            media.msid,
        )

    def _streams(self, media: OfferedMedia, *, simulcast: bool) -> tuple[StreamIds, ...]:
        if simulcast and media.rids:
            return tuple(StreamIds(rid=rid) for rid in media.rids)
        if not media.streams:
            return (StreamIds(),)
        return media.streams if self._policy.retransmission else tuple(StreamIds(each.ssrc) for each in media.streams)

    def _extensions(self, media: OfferedMedia) -> tuple[HeaderExtension, ...]:
        kept: dict[str, HeaderExtension] = {}
        for offered in media.extensions:
            number, uri = offered.extension_id, offered.uri
            usable = uri in self._policy.extensions and number <= 14 and offered.direction != "inactive"
            if not usable or self._uri_of.get(number, uri) != uri or self._id_of.get(uri, number) != number:
                continue
            self._uri_of[number], self._id_of[uri] = uri, number
            kept.setdefault(uri, HeaderExtension(number, uri))
        return tuple(kept.values())
