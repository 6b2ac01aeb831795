"""From the result of SDP negotiation to what the media plane must know of a peer.

What lives here: the one place where `parley.sdp`'s neutral types become the plane's. What does not: negotiation, and
the choice of ids, shard and publications, which are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from parley.media.errors import BadPeerSpec
from parley.media.peer_spec import (
    Candidate,
    Codec,
    Fingerprint,
    HeaderExtension,
    IceCredentials,
    PeerId,
    PeerSpec,
    PublicationId,
    SctpSpec,
    Slot,
    StreamIds,
)
from parley.sdp import Candidate as OfferedCandidate
from parley.sdp import IceCredentials as SdpCredentials
from parley.sdp import Negotiated, NegotiatedSlot

__all__ = ["peer_spec_of"]


def peer_spec_of(
    negotiated: Negotiated, *, peer: PeerId, shard: int, publications: Mapping[str, PublicationId]
) -> PeerSpec:
    """Make a peer of a negotiation's result.

    `publications` names, by mid, what the peer sends; what it sends without a name there is not received. Raises
    `BadPeerSpec` where every m-line is closed, because such a peer has no transport.
    """
    remote = negotiated.remote
    if remote is None:
        raise BadPeerSpec("remote_ice: every m-line is closed, so the peer has no transport; remove the peer instead")
    return PeerSpec(
        peer=peer,
        shard=shard,
        local_ice=_credentials(negotiated.local_ice),
        remote_ice=_credentials(remote.ice),
        remote_fingerprint=Fingerprint(remote.fingerprint.algorithm, remote.fingerprint.value),
        dtls_role=remote.role,
        slots=tuple(_slot(slot, publications.get(slot.mid)) for slot in negotiated.slots),
        extensions=tuple(HeaderExtension(each.extension_id, each.uri) for each in negotiated.extensions),
        sctp=(
            SctpSpec(
                negotiated.sctp.mid,
                negotiated.sctp.remote_port,
                negotiated.sctp.remote_max_message_bytes,
            )
            if negotiated.sctp
            else None
        ),
        ice_lite=negotiated.ice_lite,
        remote_candidates=tuple(
            Candidate(each.host, each.port, each.protocol) for each in remote.candidates if _reachable(each)
        ),
    )


def _credentials(ice: SdpCredentials) -> IceCredentials:
    return IceCredentials(ice.ufrag, ice.password)


def _slot(slot: NegotiatedSlot, publication: PublicationId | None) -> Slot:
    receive = tuple(StreamIds(each.ssrc, each.rtx_ssrc, each.rid) for each in slot.receive)
    named = publication if receive else None
    return Slot(
        mid=slot.mid,
        kind=slot.kind,
        codecs=tuple(
            Codec(
                each.payload_type,
                each.name,
                each.clock_rate_hz,
                each.channels,
                each.parameters,
                each.feedback,
                each.rtx_payload_type,
            )
            for each in slot.codecs
        ),
        publication=named,
        receive=receive if named else (),
        send=StreamIds(slot.send.ssrc, slot.send.rtx_ssrc) if slot.send else None,
    )


def _reachable(candidate: OfferedCandidate) -> bool:
    """Tell whether a plane could connect there: an address, not a name, and for TCP one that listens."""
    try:
        ip_address(candidate.host)
    except ValueError:
        return False
    return candidate.port > 0 and (candidate.protocol == "udp" or candidate.tcp_type == "passive")
