"""Session descriptions: read, written and answered. Pure; the one place that knows offer and answer.

Text goes through three stages, each of which can be used alone: `parse_sdp` makes lines and sections of it
(`print_sdp` writes them back), `read_offer` makes sense of them, and `answer_realtime` or `answer_calls` decides and
writes. `offer_calls` writes offers of our own and reads their answers. Whatever a stranger sends ends in a result or
in `SdpError`, which names the line.

What does not live here: sockets, ids, randomness, the media plane. `parley.media.negotiated_peer` turns the typed
result into a `PeerSpec`.
"""

from __future__ import annotations

from parley.sdp.description import Line, MediaDescription, SessionDescription
from parley.sdp.errors import SdpError
from parley.sdp.memory import ConnectionMemory, RememberedSection
from parley.sdp.negotiate import MediaPlan, answer_calls, answer_realtime
from parley.sdp.negotiated import (
    Candidate,
    Codec,
    DeclinedMedia,
    Direction,
    DtlsRole,
    Fingerprint,
    HeaderExtension,
    IceCredentials,
    LocalCandidate,
    LocalStream,
    LocalTransport,
    Negotiated,
    NegotiatedSlot,
    RemoteTransport,
    SctpAssociation,
    StreamIds,
    TrackKind,
)
from parley.sdp.offer import LocalOffer, OwnSection, offer_calls
from parley.sdp.offered import Offer, OfferedMedia, parse_offer, read_offer
from parley.sdp.parse import SdpLimits, parse_sdp
from parley.sdp.policy import CALLS, CALLS_LIMITS, REALTIME, AnswerPolicy, CodecRule
from parley.sdp.print import print_sdp

__all__ = [
    "CALLS",
    "CALLS_LIMITS",
    "REALTIME",
    "AnswerPolicy",
    "Candidate",
    "Codec",
    "CodecRule",
    "ConnectionMemory",
    "DeclinedMedia",
    "Direction",
    "DtlsRole",
    "Fingerprint",
    "HeaderExtension",
    "IceCredentials",
    "Line",
    "LocalCandidate",
    "LocalOffer",
    "LocalStream",
    "LocalTransport",
    "MediaDescription",
    "MediaPlan",
    "Negotiated",
    "NegotiatedSlot",
    "Offer",
    "OfferedMedia",
    "OwnSection",
    "RememberedSection",
    "RemoteTransport",
    "SctpAssociation",
    "SdpError",
    "SdpLimits",
    "SessionDescription",
    "StreamIds",
    "TrackKind",
    "answer_calls",
    "answer_realtime",
    "offer_calls",
    "parse_offer",
    "parse_sdp",
    "print_sdp",
    "read_offer",
]
