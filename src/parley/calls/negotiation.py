"""One session's offer/answer state: its m-lines, its transport, and our offer that waits for an answer.

A draft is the set of transceivers as somebody wants it to be. It becomes true in one step, when both descriptions are
there: by `answer_offer`, where the client offers, or by `offer` and `accept_answer`, where we do. Until then, and
whenever a description is refused, nothing has changed. What a step means for the media plane comes out as commands.

What lives here: who may offer when, numbers and credentials of the connection, recycled m-lines, the peer's spec. What
does not: which track goes where (`session`), text (`parley.sdp`), time and queues (`service`).
Sources: RFC 9429 §5, RFC 8445 §9 (ICE restart).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from parley.calls.faults import bad_description
from parley.calls.transceiver import SessionId, Source, Transceiver, heard_as, publication_id
from parley.media.allotment import Allotment
from parley.media.commands import AddInternalPeer, AddPeer, Command, RemovePeer, Subscribe, Unsubscribe
from parley.media.negotiated_peer import peer_spec_of
from parley.media.peer_spec import InternalSlot, PeerId
from parley.protocol.calls import MediaKind
from parley.sdp import (
    CALLS_LIMITS,
    ConnectionMemory,
    Fingerprint,
    IceCredentials,
    LocalCandidate,
    LocalOffer,
    LocalStream,
    LocalTransport,
    MediaPlan,
    Negotiated,
    Offer,
    OwnSection,
    SdpError,
    answer_calls,
    offer_calls,
    parse_offer,
)

__all__ = ["Draft", "Negotiation", "PendingOffer", "TransportFacts"]

Draft = dict[str, Transceiver]
"""By mid."""


@dataclass(frozen=True, slots=True)
class TransportFacts:
    """Our certificate and addresses, and the shard on which the session runs."""

    fingerprint: Fingerprint
    candidates: tuple[LocalCandidate, ...]
    shard: int = 0


@dataclass(frozen=True, slots=True)
class PendingOffer:
    """An offer of ours that the client has not answered. `purpose` names the operation, for those who must wait."""

    offer: LocalOffer
    draft: Draft
    data_mid: str | None
    purpose: str


class Negotiation:
    """See the module. Commands for the media plane collect in `commands`, in order."""

    def __init__(self, session_id: SessionId, facts: TransportFacts, allotment: Allotment, *, full_ice: bool) -> None:
        self._session_id = session_id
        self._facts = facts
        self._allotment = allotment
        self._full_ice = full_ice
        self._ice = allotment.ice(facts.shard)
        self._description_id = allotment.session_number()
        self._version = 0
        self._memory = ConnectionMemory()
        self._mids: set[str] = set()
        self._negotiated: Negotiated | None = None
        self._generation = 0
        self._peer: PeerId | None = None
        self.transceivers: Draft = {}
        self.data_mid: str | None = None
        self.pending: PendingOffer | None = None
        self.abandoned: PendingOffer | None = None
        """The last offer that was withdrawn for a client's own. Its tracks are offered again when there is a chance."""
        self.commands: list[Command] = []
        self.in_process = False
        """Whether the far end lives in this process: then there is nothing to connect to."""

    @property
    def peer(self) -> PeerId | None:
        """The peer on the media plane, while there is one."""
        return self._peer

    @property
    def has_channels(self) -> bool:
        """Whether data channels are negotiated."""
        return self.data_mid is not None

    @property
    def shard(self) -> int:
        """Where on the media plane the session lives."""
        return self._facts.shard

    @property
    def local_ufrag(self) -> str:
        """Ours, by which an answerer in this very process is recognised."""
        return self._ice.ufrag

    @property
    def dtls_active(self) -> bool:
        """Whether we open DTLS; it decides whose channel numbers are even."""
        return self._memory.role == "active"

    # Drafts.

    def new_stream(self) -> LocalStream:
        """Make what a new m-line of ours would send."""
        taken = {ssrc for each in self.transceivers.values() for ssrc in (each.stream.ssrc, each.stream.rtx_ssrc)}
        ssrc, rtx_ssrc = (self._fresh_ssrc(taken) for _ in range(2))
        name = f"{self._allotment.session_number():016x}"
        return LocalStream(ssrc, "parley", f"s{name}", f"t{name}", rtx_ssrc)

    def _fresh_ssrc(self, taken: set[int | None]) -> int:
        theirs = {
            stream.ssrc for slot in (self._negotiated.slots if self._negotiated else ()) for stream in slot.receive
        }
        while (ssrc := self._allotment.ssrc()) in taken or ssrc in theirs:
            pass
        taken.add(ssrc)
        return ssrc

    def new_transceiver(self, kind: MediaKind, draft: Draft) -> Transceiver:
        """Make an m-line of ours with the next free number for a mid, and put it into the draft."""
        transceiver = Transceiver(self._next_mid(draft), kind, self.new_stream())
        draft[transceiver.mid] = transceiver
        return transceiver

    def _next_mid(self, draft: Mapping[str, object]) -> str:
        number = len(self._mids)
        while str(number) in self._mids or str(number) in draft:
            number += 1
        return str(number)

    # The client offers.

    def read_offer(self, text: str) -> Offer:
        """Read a client's offer. Raises `CallsFault`."""
        try:
            return parse_offer(text, CALLS_LIMITS)
        except SdpError as error:
            raise bad_description(error) from None

    def answer_offer(self, offer: Offer, draft: Draft) -> str:
        """Answer, and let the draft become true as far as the offer allows. Raises `CallsFault`: nothing changed."""
        assert self.pending is None
        restart = self._restarts(offer)
        ice = self._allotment.ice(self._facts.shard) if restart else self._ice
        plans = {
            mid: MediaPlan(each.publishes is not None, each.stream if each.wants_to_send else None, simulcast=True)
            for mid, each in draft.items()
        }
        try:
            negotiated, memory = answer_calls(offer, self._transport(ice), plans, self._memory)
        except SdpError as error:
            raise bad_description(error) from None
        self._check_taken(negotiated, draft)
        self._ice = ice
        self._version += 1
        self._commit(negotiated, memory, draft)
        return negotiated.answer

    def _restarts(self, offer: Offer) -> bool:
        before = self._negotiated.remote if self._negotiated else None
        if before is None:
            return self._starts_anew
        tag = next(
            (media for mid in offer.bundle or () for media in offer.media if media.mid == mid and media.transport), None
        )
        ice = tag.transport.ice if tag and tag.transport else None
        return ice is not None and ice.ufrag != before.ice.ufrag

    @property
    def _starts_anew(self) -> bool:
        """Whether there was a connection, and its every m-line was closed: the next one has its own credentials."""
        return self._generation > 0 and self._peer is None

    def _check_taken(self, negotiated: Negotiated, draft: Draft) -> None:
        """Refuse an offer whose section cannot carry the track that was named for it."""
        for declined in negotiated.declined:
            wanted = draft.get(declined.mid)
            known = self.transceivers.get(declined.mid)
            if wanted and (wanted.publishes or wanted.pull) and known is None:
                raise bad_description(f"the section with the mid {declined.mid} cannot be taken ({declined.reason})")

    # We offer.

    def offer(self, draft: Draft, purpose: str, *, data: bool = False) -> str:
        """Offer what the draft wants, and wait for the answer. The text has every m-line, in order."""
        assert self.pending is None
        if self._starts_anew:
            self._ice = self._allotment.ice(self._facts.shard)
        draft = self._with_abandoned(draft)
        data_mid = self.data_mid
        sections = []
        for known in self._memory.sections:
            kind: Literal["audio", "video", "application"] = "audio"
            if known.kind in {"video", "application"}:
                kind = "video" if known.kind == "video" else "application"
            wanted = draft.get(known.mid) if known.live else None
            if known.live and known.mid == self.data_mid:
                sections.append(OwnSection(known.mid, "application"))
            elif wanted:
                sections.append(_section(wanted))
            else:
                # A section that nobody wants stays, closed; and one that we could never read cannot be opened by us.
                sections.append(OwnSection(known.mid, kind, live=False))
        placed = {section.mid for section in sections}
        added = [_section(each) for mid, each in draft.items() if mid not in placed]
        if data and data_mid is None:
            data_mid = self._next_mid(draft)
            added.append(OwnSection(data_mid, "application"))
        for section in added:
            free = next(
                (n for n, known in enumerate(self._memory.sections) if not known.live and _is_free(sections[n])), None
            )
            if free is None:
                sections.append(section)
            else:
                sections[free] = section
        offer = offer_calls(self._transport(self._ice), tuple(sections), self._memory)
        self._version += 1
        self._memory = offer.memory
        self._mids |= {section.mid for section in added}
        self.pending = PendingOffer(offer, draft, data_mid, purpose)
        return offer.text

    def accept_answer(self, text: str) -> None:
        """Take the answer to our offer. Raises `CallsFault`; then the offer still waits."""
        pending = self.pending
        if pending is None:
            raise bad_description(
                "no offer of this server waits for an answer: it was answered already, or none was made; an answer "
                "fits only the sessionDescription of the last reply with requiresImmediateRenegotiation"
            )
        try:
            negotiated, memory = pending.offer.accept(text)
        except SdpError as error:
            raise bad_description(error) from None
        self.pending = None
        self._commit(negotiated, memory, pending.draft)

    def withdraw(self) -> None:
        """Take our offer back: the client's own goes first (RFC 9429 §4.1.10.2, `rollback`)."""
        self.abandoned, self.pending = self.pending, None

    def _with_abandoned(self, draft: Draft) -> Draft:
        if self.abandoned is None:
            return draft
        merged = dict(draft)
        known = set(self._mids_in_use())
        for mid, wanted in self.abandoned.draft.items():
            if mid not in merged and mid not in known and wanted.slot is None:
                merged[mid] = wanted
        self.abandoned = None
        return merged

    def _mids_in_use(self) -> list[str]:
        return [section.mid for section in self._memory.sections if section.live]

    # Both.

    def refresh(self) -> None:
        """Tell the plane of the peer anew, after transceivers changed without a description."""
        if self._negotiated is not None and self._negotiated.remote is not None:
            self._add_peer(self._negotiated)

    def place(self, transceiver: Transceiver) -> None:
        """Change one transceiver without a description, subscriptions included."""
        before = self.transceivers[transceiver.mid]
        self.transceivers[transceiver.mid] = transceiver
        self._subscribe(before, transceiver)

    def remove(self) -> None:
        """Say goodbye to the peer."""
        if self._peer is not None:
            self.commands.append(RemovePeer(self._peer))
            self._peer = None

    def _commit(self, negotiated: Negotiated, memory: ConnectionMemory, draft: Draft) -> None:
        self._memory = memory
        self._mids |= {section.mid for section in memory.sections}
        self._negotiated = negotiated
        before = self.transceivers
        slots = {slot.mid: slot for slot in negotiated.slots}
        wanted = {
            slot.mid: draft.get(slot.mid) or Transceiver(slot.mid, slot.kind, self.new_stream())
            for slot in negotiated.slots
        }
        self.transceivers = {mid: replace(each, slot=slots[mid]) for mid, each in wanted.items()}
        self.data_mid = negotiated.sctp.mid if negotiated.sctp else None
        if negotiated.remote is None:
            self.remove()
            return
        self._add_peer(negotiated)
        for mid, each in self.transceivers.items():
            self._subscribe(before.get(mid), each)

    def _add_peer(self, negotiated: Negotiated) -> None:
        if self._peer is None:
            self._generation += 1
            self._peer = PeerId(f"calls/{self._session_id}/{self._generation}")
        if self.in_process:
            slots = tuple(
                InternalSlot(mid, heard_as(self._session_id, mid))
                for mid, each in self.transceivers.items()
                if each.can_send
            )
            self.commands.append(AddInternalPeer(self._peer, slots, self._facts.shard))
            return
        publications = {
            mid: publication_id(Source(self._session_id, each.publishes))
            for mid, each in self.transceivers.items()
            if each.publishes is not None
        }
        spec = peer_spec_of(negotiated, peer=self._peer, shard=self._facts.shard, publications=publications)
        # Pictures may come later than the first spec, and what the network carries is asked for from the beginning.
        self.commands.append(AddPeer(replace(spec, estimate_bandwidth=True)))

    def _subscribe(self, before: Transceiver | None, now: Transceiver) -> None:
        if self._peer is None or not now.can_send:
            return
        if now.pull is None:
            if before and before.pull:
                self.commands.append(Unsubscribe(self._peer, now.mid))
        elif before is None or not before.can_send or before.pull != now.pull:
            pull = now.pull
            self.commands.append(
                Subscribe(
                    self._peer,
                    now.mid,
                    publication_id(pull.source),
                    pull.preferred_rid,
                    under_pressure=pull.under_pressure,
                    when_missing=pull.when_missing,
                )
            )

    def _transport(self, ice: IceCredentials) -> LocalTransport:
        return LocalTransport(
            ice,
            self._facts.fingerprint,
            self._facts.candidates,
            self._description_id,
            self._version + 1,
            ice_lite=not self._full_ice,
        )


def _section(wanted: Transceiver) -> OwnSection:
    return OwnSection(
        wanted.mid,
        wanted.kind,
        receive=wanted.publishes is not None,
        send=wanted.stream if wanted.wants_to_send else None,
    )


def _is_free(section: OwnSection) -> bool:
    return not section.live
