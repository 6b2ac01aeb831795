"""Offers bent at random, by seed: what comes of them is an answer that a media plane can serve, or `SdpError`.

The seed names a text for ever. Run this module with a number for a longer run than the unit tests make.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable

from sdp_kit import OFFERS, offer_text, our_stream, our_transport, take_everything

from parley.media.negotiated_peer import peer_spec_of
from parley.media.peer_spec import PeerId, PublicationId, check_peer_spec
from parley.sdp import (
    CALLS_LIMITS,
    ConnectionMemory,
    Negotiated,
    Offer,
    SdpError,
    answer_calls,
    answer_realtime,
    parse_offer,
    parse_sdp,
    print_sdp,
)

__all__ = ["TEXTS", "attempt", "calls", "first_offers", "later_offers", "realtime"]

TEXTS = [offer_text(name) for name in OFFERS]
NASTY = [
    "", "\x00", "a=", "m=", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "m=audio 0 UDP/TLS/RTP/SAVPF 0", "a=mid:0", "a=mid:",
    "a=group:BUNDLE", "a=group:BUNDLE 1 0 2", "a=group:LS 0 1", "a=bundle-only", "a=rtpmap:0 opus/48000/2",
    "a=rtpmap:96 rtx/90000", "a=fmtp:97 apt=97", "a=fmtp:97 apt=0;apt=96", "a=rtcp-fb:* nack pli", "a=rtcp-fb:*",
    "a=ssrc:1 cname:x", "a=ssrc:3000000002 cname:x", "a=ssrc-group:FID 1 2", "a=ssrc-group:SIM 1 2 3", "a=rid:f send",
    "a=rid:f recv", "a=simulcast:send f;~h,q recv a", "a=simulcast:send",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:14/sendonly urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:4096 urn:x", "a=setup:active",
    "a=setup:passive", "a=ice-lite", "a=ice-ufrag:abcd", "a=ice-pwd:abcdabcdabcdabcdabcdabcd", "a=sendonly",
    "a=recvonly", "a=inactive", "a=sctp-port:0", "a=max-message-size:99999999999999999999", "a=rtcp-mux", "t=0 0",
    "c=IN IP6 ::1", "a=candidate:1 1 tcp 1 ::1 9 typ host tcptype so", "a=candidate:x 2 sctp 1 a 9 typ host", "z=",
    "a=fingerprint:sha-1 " + ":".join(["AA"] * 20), "a=fingerprint:sha-256 AA", "v=0", "a=\u2028x", "a=x" * 2_000,
]  # fmt: skip
NUMBERS = ["0", "-1", "1", "14", "15", "65536", "4294967296", "9" * 30, "1e9", "٣", " ", "96", "111"]


def bend(rng: random.Random, text: str) -> str:
    rows = text.split("\r\n")
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(rows))
        match rng.randrange(10):
            case 0:
                del rows[at]
            case 1:
                rows.insert(rng.randrange(len(rows)), rows[at])
            case 2:
                other = rng.randrange(len(rows))
                rows[at], rows[other] = rows[other], rows[at]
            case 3:
                rows[at] = rows[at][: rng.randrange(len(rows[at]) + 1)]
            case 4:
                rows.insert(at, rng.choice(NASTY))
            case 5:
                rows[at] = rng.choice(NASTY)
            case 6:
                fields = rows[at].replace(":", " : ").split(" ")
                fields[rng.randrange(len(fields))] = rng.choice(NUMBERS)
                rows[at] = " ".join(fields).replace(" : ", ":")
            case 7:
                place = rng.randrange(len(rows[at]) + 1)
                rows[at] = (
                    rows[at][:place]
                    + chr(rng.choice((0, 9, 10, 13, 32, 58, 61, 255, 0xD800, 0x1F600)))
                    + rows[at][place:]
                )
            case 8:
                other_rows = rng.choice(TEXTS).split("\r\n")
                rows[at:] = other_rows[rng.randrange(len(other_rows)) :]
            case _:
                rows[at] = "".join(rng.sample(rows[at], len(rows[at])))
        if not rows:
            rows = [""]
    return "\r\n".join(rows)


def check(offer: Offer, negotiated: Negotiated) -> None:
    answer = parse_sdp(negotiated.answer, CALLS_LIMITS)
    assert print_sdp(answer) == negotiated.answer
    assert len(answer.media) == len(offer.media)
    live = [section for section in answer.media if section.port]
    assert len(live) == len(negotiated.slots) + (negotiated.sctp is not None)
    assert len(offer.media) - len(live) == len(negotiated.declined)
    assert (negotiated.remote is not None) == bool(live)
    assert "a=candidate" in negotiated.answer or not live
    if negotiated.remote is not None:
        names = {slot.mid: PublicationId(slot.mid) for slot in negotiated.slots}
        check_peer_spec(peer_spec_of(negotiated, peer=PeerId("p"), shard=0, publications=names))
        parse_offer(negotiated.answer, CALLS_LIMITS)


def attempt(text: str, step: Callable[[Offer], Negotiated]) -> str:
    """Give the reason of the refusal, or an empty string for an answer that holds."""
    try:
        offer = parse_offer(text)
        negotiated = step(offer)
    except SdpError as error:
        fault = error
    else:
        check(offer, negotiated)
        return ""
    assert 0 <= fault.line_number <= text.count("\n") + 1
    assert fault.reason
    return fault.reason


def realtime(offer: Offer) -> Negotiated:
    return answer_realtime(offer, our_transport(), our_stream(), video="vp8")


def calls(offer: Offer, memory: ConnectionMemory) -> tuple[Negotiated, ConnectionMemory]:
    return answer_calls(offer, our_transport(), take_everything(offer, send=True), memory)


def first_offers(runs: int) -> list[str]:
    """Answer bent offers; give the reason of each refusal by `answer_realtime`, empty for an answer."""
    reasons = []
    for seed in range(runs):
        rng = random.Random(seed)
        text = bend(rng, rng.choice(TEXTS))
        reasons.append(attempt(text, realtime))
        attempt(text, lambda offer: calls(offer, ConnectionMemory())[0])
    return reasons


def later_offers(runs: int) -> list[str]:
    """Answer bent offers on a connection that lives already."""
    reasons = []
    for seed in range(runs):
        rng = random.Random(f"later {seed}")
        text = rng.choice(TEXTS)
        memory = calls(parse_offer(text), ConnectionMemory())[1]
        reasons.append(attempt(bend(rng, text), lambda offer, memory=memory: calls(offer, memory)[0]))  # type: ignore[misc]
    return reasons


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    found = Counter(first_offers(count) + later_offers(count))
    sys.stdout.write(f"{found.pop('')} answers, {found.total()} refusals for {len(found)} reasons\n")
