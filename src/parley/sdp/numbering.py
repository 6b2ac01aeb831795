"""Which payload types and extension identifiers an offer of ours uses on a connection.

A browser gives up, or crashes, where an offer gives a number another meaning than the one it knows, so what it offered
once is used again, and what it never offered gets the usual numbers of browsers where they are free, else others.
What lives here: that choice, from a connection's memory. Neighbour: `offer`.
Sources: RFC 9143 §9.1, RFC 3551 §6, RFC 5761 §4; the numbers are those of Chromium's own first offers.
"""

from __future__ import annotations

from dataclasses import replace

from parley.sdp.memory import ConnectionMemory
from parley.sdp.negotiated import Codec, HeaderExtension, TrackKind
from parley.sdp.policy import MID_EXTENSION

__all__ = ["codecs_to_offer", "extensions_to_offer"]

_AUDIO = (
    Codec(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1", ("transport-cc",)),
    Codec(0, "PCMU", 8_000),
    Codec(8, "PCMA", 8_000),
)
_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
_VIDEO = (
    Codec(96, "VP8", 90_000, 1, "", _FEEDBACK, 97),
    Codec(98, "VP9", 90_000, 1, "profile-id=0", _FEEDBACK, 99),
    Codec(108, "H264", 90_000, 1, _H264 + "42e01f", _FEEDBACK, 109),
    Codec(45, "AV1", 90_000, 1, "level-idx=5;profile=0;tier=0", _FEEDBACK, 46),
    Codec(49, "H265", 90_000, 1, "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST", _FEEDBACK, 50),
)
_ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_EXTENSIONS: dict[TrackKind, tuple[HeaderExtension, ...]] = {
    "audio": (
        HeaderExtension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
        HeaderExtension(2, _ABS_SEND_TIME),
        HeaderExtension(3, _TRANSPORT_CC),
        HeaderExtension(4, MID_EXTENSION),
    ),
    "video": (
        HeaderExtension(2, _ABS_SEND_TIME),
        HeaderExtension(13, "urn:3gpp:video-orientation"),
        HeaderExtension(3, _TRANSPORT_CC),
        HeaderExtension(5, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"),
        HeaderExtension(4, MID_EXTENSION),
    ),
}
_FREE_NUMBERS = (*range(96, 128), *range(35, 64))
"""RFC 5761 §4 keeps 64 to 95 for RTCP."""


def codecs_to_offer(memory: ConnectionMemory) -> dict[TrackKind, tuple[Codec, ...]]:
    """Give the codecs of every section of an offer, by kind: those that the client knows, else all of ours."""
    taken = set(memory.payload_types)
    for codec in memory.audio + memory.video:
        taken |= {codec.payload_type, codec.rtx_payload_type or codec.payload_type}
    # Static numbers mean what they mean, whoever names them.
    taken |= {0, 8}
    return {
        "audio": memory.audio or tuple(_numbered(codec, taken) for codec in _AUDIO),
        "video": memory.video or tuple(_numbered(codec, taken) for codec in _VIDEO),
    }


def _numbered(codec: Codec, taken: set[int]) -> Codec:
    if codec.payload_type in {0, 8}:
        return codec
    repair = codec.rtx_payload_type
    return replace(
        codec,
        payload_type=_free(codec.payload_type, taken),
        rtx_payload_type=None if repair is None else _free(repair, taken),
    )


def _free(wished: int, taken: set[int]) -> int:
    # A client that claims every number gets the wished one: it refuses that section, and no other.
    number = next((each for each in (wished, *_FREE_NUMBERS) if each not in taken), wished)
    taken.add(number)
    return number


def extensions_to_offer(memory: ConnectionMemory) -> dict[TrackKind, tuple[HeaderExtension, ...]]:
    """Give the header extensions of every section of an offer, by kind."""
    known = {each.uri: each.extension_id for each in memory.extensions}
    wished = {each.uri: each.extension_id for each in _EXTENSIONS["audio"] + _EXTENSIONS["video"]}
    taken = set(known.values())
    for uri, number in wished.items():
        if uri in known:
            continue
        free = next((each for each in (number, *range(1, 15)) if each not in taken), None)
        if free is not None:
            known[uri] = free
            taken.add(free)
    return {
        kind: tuple(HeaderExtension(known[each.uri], each.uri) for each in usual if each.uri in known)
        for kind, usual in _EXTENSIONS.items()
    }
