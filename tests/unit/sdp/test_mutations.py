"""Offers bent at random and offers as big as may be: an answer or `SdpError`, soon, and nothing else."""

from __future__ import annotations

import time

import pytest
from bent_offers import TEXTS, attempt, calls, first_offers, later_offers, realtime

from parley.sdp import ConnectionMemory, parse_offer


def test_bent_offers_give_an_answer_or_an_error() -> None:
    reasons = first_offers(2_000)
    # The run is worth something only if both ends are reached, by many different rules.
    assert 0.15 < reasons.count("") / len(reasons) < 0.85
    assert len(set(reasons)) > 60


def test_bent_offers_on_a_live_connection_do_the_same() -> None:
    reasons = later_offers(500)
    assert 0.15 < reasons.count("") / len(reasons) < 0.85


HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
BIG = {
    "sections": HEAD
    + "a=group:BUNDLE "
    + " ".join(map(str, range(128)))
    + "\r\n"
    + "a=ice-ufrag:abcd\r\na=ice-pwd:abcdabcdabcdabcdabcdabcd\r\na=extmap:1 u\r\n"
    + "a=fingerprint:sha-256 "
    + ":".join(["AA"] * 32)
    + "\r\n"
    + "".join(
        f"m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=mid:{number}\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
        + f"a=rtcp-fb:* nack\r\na=ssrc:{number + 1} cname:x\r\n" * 8
        for number in range(128)
    ),
    "attributes": HEAD + "a=x:y\r\n" * 4_000,
    "m-lines": HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\n" * 128,
    "formats": HEAD + ("m=video 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, range(128))) + "\r\na=rtcp-mux\r\n") * 90,
    "feedback": TEXTS[0].replace("a=rtcp-mux", "a=rtcp-mux\r\n" + "\r\n".join(["a=rtcp-fb:* nack"] * 3_000)),
    "different feedback": TEXTS[0].replace(
        "a=rtcp-mux", "a=rtcp-mux\r\n" + "\r\n".join(f"a=rtcp-fb:* {number}" for number in range(3_000))
    ),
    "group": HEAD + "a=group:BUNDLE " + "a " * 2_000 + "\r\n" + TEXTS[0].partition("t=0 0\r\n")[2],
    "session extensions": TEXTS[0].replace("a=group", "a=extmap:1 u\r\n" * 4_000 + "a=group"),
    "parameters": TEXTS[0].replace("a=rtcp-mux", "a=rtcp-mux\r\na=fmtp:96 " + ";" * 4_000),
    "one mid": HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=rtcp-mux\r\n" * 128,
    "blanks": HEAD + "m=" + " " * 4_000 + "\r\n",
    "line ends": "\r\n" * 32_000,
    "one long line": "v=" + "0" * 65_000,
    "colons": TEXTS[0].replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 " + "AA:" * 1_300),
}


@pytest.mark.parametrize("name", sorted(BIG))
def test_big_offers_take_no_time(name: str) -> None:
    assert len(BIG[name].encode()) <= 64 * 1024
    started = time.process_time()
    attempt(BIG[name], realtime)
    attempt(BIG[name], lambda offer: calls(offer, ConnectionMemory())[0])
    # A bound against growth with the square of the text, not a measurement: such growth would take minutes.
    assert time.process_time() - started < 2


def test_the_biggest_offer_is_answered() -> None:
    negotiated, memory = calls(parse_offer(BIG["sections"]), ConnectionMemory())
    assert len(negotiated.slots) == len(memory.sections) == 128
