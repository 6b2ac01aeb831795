"""What an offer is understood to mean, and which of its lines is blamed when it means nothing."""

from __future__ import annotations

import pytest
from sdp_kit import OFFERS, offer_text, our_stream, our_transport

from parley.sdp import SdpError, StreamIds, answer_realtime, parse_offer

CHROMIUM = offer_text("chromium_audio_and_data").replace("\r\n", "\n")
VIDEO = offer_text("chromium_audio_video_data").replace("\r\n", "\n")


def number_of(text: str, beginning: str) -> int:
    return next(number for number, row in enumerate(text.split("\n"), 1) if row.startswith(beginning))


@pytest.mark.parametrize("name", OFFERS)
def test_every_offer_on_file_has_a_transport(name: str) -> None:
    for media in parse_offer(offer_text(name)).media:
        assert not media.usable
        assert media.transport is not None
        assert media.transport.ice is not None
        assert media.transport.fingerprints


def test_what_chromium_offers() -> None:
    offer = parse_offer(VIDEO)
    audio, video, data = offer.media
    assert offer.bundle == ("0", "1", "2")
    assert [codec.name for codec in audio.codecs] == [
        "opus", "red", "G722", "PCMU", "PCMA", "CN", "telephone-event", "telephone-event",
    ]  # fmt: skip
    assert audio.codecs[0].parameters == "minptime=10;useinbandfec=1"
    assert audio.codecs[0].feedback == ("transport-cc",)
    vp8 = video.codecs[0]
    assert (vp8.name, vp8.payload_type, vp8.rtx_payload_type) == ("VP8", 96, 97)
    assert vp8.feedback == ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    assert video.streams == (StreamIds(3065768269, 2705634102),)
    assert audio.msid.startswith("- ")
    assert (data.sctp_port, data.max_message_bytes) == (5_000, 262_144)


def test_layers_are_found_by_their_names() -> None:
    video = parse_offer(offer_text("chromium_simulcast")).media[1]
    assert video.rids == ("f", "h", "q")
    assert video.streams == ()


def test_a_session_level_fingerprint_is_everybodys() -> None:
    first, second = parse_offer(offer_text("firefox_audio_and_data")).media
    assert first.transport is not None
    assert second.transport is not None
    assert first.transport.fingerprints == second.transport.fingerprints
    assert first.transport.fingerprints[0].algorithm == "sha-256"


def test_candidates_are_read() -> None:
    transport = parse_offer(offer_text("chromium_with_candidates")).media[0].transport
    assert transport is not None
    assert [(each.protocol, each.port, each.tcp_type) for each in transport.candidates] == [
        ("udp", 60206, None),
        ("udp", 52200, None),
        ("tcp", 9, "active"),
        ("tcp", 9, "active"),
    ]


def test_a_static_payload_type_needs_no_rtpmap() -> None:
    codecs = parse_offer(offer_text("unverified_device_passive_no_bundle")).media[0].codecs
    assert [(codec.name, codec.clock_rate_hz) for codec in codecs] == [("PCMU", 8_000), ("PCMA", 8_000)]


@pytest.mark.parametrize(
    ("line", "expected"), [("", 65_536), ("a=max-message-size:0\n", 2**32 - 1), ("a=max-message-size:1000\n", 1_000)]
)
def test_what_the_far_end_takes_at_most(line: str, expected: int) -> None:
    text = CHROMIUM.replace("a=max-message-size:262144\n", line)
    assert parse_offer(text).media[1].max_message_bytes == expected


@pytest.mark.parametrize(
    ("old", "new", "usable"),
    [
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", "not protected by DTLS-SRTP"),
        ("m=audio 9", "m=audio 0", "rejected by the offer"),
        ("m=audio 9", "m=text 9", "not audio, video or a data channel"),
    ],
)
def test_faults_in_a_section_that_nobody_takes_do_not_count(old: str, new: str, usable: str) -> None:
    text = CHROMIUM.replace(old, new).replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:nonsense")
    assert parse_offer(text).media[0].usable == usable


def test_bundle_only_is_not_rejected() -> None:
    text = CHROMIUM.replace("m=application 9", "m=application 0").replace("a=mid:1\n", "a=mid:1\na=bundle-only\n")
    assert parse_offer(text).media[1].usable == ""


FAULTS = [
    # (what is replaced, by what, the beginning of the line at fault, part of the reason)
    ("a=mid:1\n", "a=mid:0\n", "m=application/a=mid:0", "taken"),
    ("a=mid:0\n", "a=mid:0\na=mid:7\n", "a=mid:7", "twice"),
    ("a=mid:0\n", "a=mid:a b\n", "a=mid:a b", "one token"),
    ("a=mid:0\n", "a=mid:" + "x" * 65 + "\n", "a=mid:xx", "64 characters"),
    ("a=group:BUNDLE 0 1", "a=group:", "a=group:", "semantics"),
    ("a=rtcp-mux\n", "", "m=audio", "rtcp-mux is missing"),
    ("a=sendrecv\n", "a=sendrecv\na=recvonly\n", "a=recvonly", "one direction"),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus", "a=rtpmap:111", "clock rate"),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:128 opus/48000/2", "a=rtpmap:128", "0 to 127"),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/-1/2", "a=rtpmap:111", "numbers above 0"),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 op us/48000/2", "a=rtpmap:111", "clock rate"),
    ("a=fmtp:111 ", "a=fmtp:x ", "a=fmtp:x", "0 to 127"),
    ("a=rtcp-fb:111 ", "a=rtcp-fb:400 ", "a=rtcp-fb:400", "0 to 127"),
    ("SAVPF 111 63", "SAVPF 111 163", "m=audio", "0 to 127"),
    ("a=extmap:1 ", "a=extmap:0 ", "a=extmap:0", "1 to 14"),
    ("a=extmap:1 ", "a=extmap:1/up ", "a=extmap:1/up", "direction"),
    ("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:1", "a=extmap:1", "URI"),
    ("a=ssrc:335859749 cname", "a=ssrc:0 cname", "a=ssrc:0", "4294967295"),
    ("a=ssrc:335859749 cname", "a=ssrc:4294967296 cname", "a=ssrc:4294967296", "4294967295"),
    ("a=ssrc:335859749 cname", "a=ssrc-group:FID\na=ssrc:335859749 cname", "a=ssrc-group", "FID 1111"),
    ("a=ssrc:335859749 cname", "a=ssrc-group:FID 5 5\na=ssrc:335859749 cname", "a=ssrc-group", "one other"),
    ("a=rtcp-rsize\n", "a=rid:f up\n", "a=rid:f", "direction"),
    ("a=rtcp-rsize\n", "a=simulcast:send f\n", "a=simulcast", "no a=rid"),
    ("a=rtcp-rsize\n", "a=rid:f send\na=simulcast:send f;f\n", "a=simulcast", "each once"),
    ("a=rtcp-rsize\n", "a=simulcast:f\n", "a=simulcast", "expected a direction"),
    ("a=ice-ufrag:flUv\n", "a=ice-ufrag:fl\n", "a=ice-ufrag:fl", "4 to 256"),
    ("a=ice-pwd:u2+sa3fRfr+5wct01SQA4fQS", "a=ice-pwd:short", "a=ice-pwd:short", "22 to 256"),
    ("a=ice-pwd:u2+sa3fRfr+5wct01SQA4fQS", "a=ice-pwd:u2+sa3fRfr+5wct01SQA4 QS", "a=ice-pwd:u2", "letters"),
    ("a=ice-ufrag:flUv\n", "", "m=audio", "ice-ufrag or a=ice-pwd is missing"),
    ("a=fingerprint:sha-256 36:5A", "a=fingerprint:sha-256 36", "a=fingerprint", "32 hex pairs"),
    ("a=fingerprint:sha-256 36:5A", "a=fingerprint:sha-256 XY:5A", "a=fingerprint", "32 hex pairs"),
    ("a=fingerprint:sha-256 ", "a=fingerprint:md5 ", "m=audio", "a=fingerprint is missing"),
    ("a=fingerprint:sha-256 ", "a=fingerprint:", "a=fingerprint", "hash name"),
    ("a=setup:actpass", "a=setup:holdconn", "a=setup:holdconn", "actpass"),
    ("a=sctp-port:5000", "a=sctp-port:99999", "a=sctp-port", "0 to 65535"),
    ("a=max-message-size:262144", "a=max-message-size:-1", "a=max-message-size", "number"),
    ("a=mid:0\n", "a=mid:0\na=candidate:1 1 udp\n", "a=candidate", "foundation"),
    ("a=mid:0\n", "a=mid:0\na=candidate:1 1 udp 1 192.0.2.1 x typ host\n", "a=candidate", "port"),
    ("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 63 9 13", "m=audio", "offer opus, PCMU, PCMA"),
    ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", "m=audio", "DTLS-SRTP"),
    ("a=group:BUNDLE 0 1", "a=group:BUNDLE 1", "m=audio", "not in the BUNDLE group"),
]


@pytest.mark.parametrize(("old", "new", "blamed", "reason"), FAULTS)
def test_the_line_at_fault_is_named(old: str, new: str, blamed: str, reason: str) -> None:
    assert old in CHROMIUM
    text = CHROMIUM.replace(old, new)
    *before, beginning = blamed.split("/a=") if blamed.startswith("m=application/") else [blamed]
    if before:
        start = number_of(text, before[0])
        expected = start + number_of("\n".join(text.split("\n")[start:]), "a=" + beginning)
    else:
        expected = number_of(text, beginning)
    with pytest.raises(SdpError) as caught:
        answer_realtime(parse_offer(text), our_transport(), our_stream())
    assert (caught.value.line_number, caught.value.line_excerpt[:5]) == (expected, text.split("\n")[expected - 1][:5])
    assert reason in caught.value.reason


def test_an_offer_without_m_lines_is_told_what_to_offer() -> None:
    with pytest.raises(SdpError, match="offer audio, a data channel or both"):
        parse_offer(CHROMIUM.partition("m=audio")[0])


def test_one_ssrc_belongs_to_one_m_line() -> None:
    text = VIDEO.replace("3065768269", "1699521724")
    with pytest.raises(SdpError, match="taken by another m-line") as caught:
        parse_offer(text)
    assert caught.value.line_number == text[: text.rindex("a=ssrc:1699521724 cname")].count("\n") + 1


def test_counts_in_a_section_are_bounded() -> None:
    many = "".join(f"a=ssrc:{number} cname:x\n" for number in range(1, 40))
    with pytest.raises(SdpError, match="more than 32 SSRCs"):
        parse_offer(CHROMIUM.replace("a=rtcp-rsize\n", many))
    with pytest.raises(SdpError, match="more than 64 lines"):
        parse_offer(CHROMIUM.replace("a=rtcp-rsize\n", "a=extmap:5 urn:x\n" * 65))
    with pytest.raises(SdpError, match="more than 128 lines"):
        parse_offer(CHROMIUM.replace("a=rtcp-rsize\n", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n" * 129))
