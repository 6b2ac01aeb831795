"""Answers for a conversation with the AI, against the answers on file and rule by rule."""

from __future__ import annotations

import pytest
from sdp_kit import ANSWERS, OFFERS, golden_answers, offer_text, our_stream, our_transport

from parley.sdp import (
    Fingerprint,
    IceCredentials,
    LocalCandidate,
    LocalStream,
    LocalTransport,
    Negotiated,
    SctpAssociation,
    SdpError,
    StreamIds,
    answer_realtime,
    parse_offer,
    parse_sdp,
)

GOLDEN = dict(golden_answers())
CHROMIUM = offer_text("chromium_audio_and_data")


def answered(text: str, *, video: bool = False, transport: LocalTransport | None = None) -> Negotiated:
    return answer_realtime(
        parse_offer(text), transport or our_transport(), our_stream(), video="vp8" if video else "decline"
    )


def held(text: str) -> Negotiated:
    return answer_realtime(parse_offer(text), our_transport(), our_stream(), video="hold")


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_answers_are_those_on_file(name: str) -> None:
    assert GOLDEN[name] == (ANSWERS / f"{name}.sdp").read_bytes().decode()


def test_no_answer_on_file_is_left_over() -> None:
    assert {path.stem for path in ANSWERS.glob("*.sdp")} == set(GOLDEN)


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("video", [False, True])
def test_m_lines_and_mids_are_mirrored(name: str, video: bool) -> None:
    offer, answer = parse_sdp(offer_text(name)), parse_sdp(answered(offer_text(name), video=video).answer)
    assert len(offer.media) == len(answer.media)
    for theirs, ours in zip(offer.media, answer.media, strict=True):
        assert (ours.kind, ours.protocol, ours.attribute("mid")) == (
            theirs.kind,
            theirs.protocol,
            theirs.attribute("mid"),
        )
        assert set(ours.formats) <= set(theirs.formats)


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("chromium_audio_and_data", [("opus", 111), ("PCMU", 0), ("PCMA", 8)]),
        ("firefox_audio_and_data", [("opus", 109), ("PCMU", 0), ("PCMA", 8)]),
        ("aiortc_audio_and_data", [("opus", 96), ("PCMU", 0), ("PCMA", 8)]),
        ("chromium_pcmu_only", [("PCMU", 0)]),
        ("unverified_libpeer_pcma_and_data", [("PCMA", 8)]),
        ("unverified_libpeer_opus_only", [("opus", 111)]),
    ],
)
def test_opus_comes_first_and_only_what_was_offered(name: str, codecs: list[tuple[str, int]]) -> None:
    negotiated = answered(offer_text(name))
    assert [(codec.name, codec.payload_type) for codec in negotiated.slots[0].codecs] == codecs


def test_opus_comes_first_even_where_the_offer_has_it_last() -> None:
    text = CHROMIUM.replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 8 0 111")
    assert [codec.name for codec in answered(text).slots[0].codecs] == ["opus", "PCMU", "PCMA"]


def test_what_the_result_says_of_a_browser() -> None:
    negotiated = answered(CHROMIUM)
    slot = negotiated.slots[0]
    assert (slot.index, slot.mid, slot.kind, slot.direction) == (0, "0", "audio", "sendrecv")
    assert slot.receive == (StreamIds(335859749),)
    assert slot.send is not None
    assert (slot.send.ssrc, slot.send.rtx_ssrc) == (our_stream().ssrc, None)
    assert slot.extensions == negotiated.extensions == ()
    assert slot.codecs[0].parameters == "minptime=10;useinbandfec=1"
    assert negotiated.sctp == SctpAssociation(1, "1", 5_000, 262_144)
    remote = negotiated.remote
    assert remote is not None
    assert remote.ice == IceCredentials("flUv", "u2+sa3fRfr+5wct01SQA4fQS")
    assert remote.fingerprint.algorithm == "sha-256"
    assert remote.fingerprint.value.startswith("36:5A:5D")
    assert (remote.role, remote.candidates, negotiated.ice_lite) == ("active", (), True)
    assert negotiated.local_ice == our_transport().ice


def test_a_result_in_a_log_shows_no_password() -> None:
    shown = repr(answered(CHROMIUM))
    assert "flUv" in shown
    for password in ("u2+sa3fRfr+5wct01SQA4fQS", our_transport().ice.password):
        assert password not in shown
        assert password not in repr(parse_offer(CHROMIUM))
        assert password not in repr(parse_sdp(CHROMIUM))
        assert password not in repr(our_transport())


def test_lines_that_clients_depend_on() -> None:
    rows = answered(CHROMIUM).answer.split("\r\n")
    for row in (
        "a=group:BUNDLE 0 1",
        "a=ice-lite",
        "a=msid:stream-1 track-1",
        "a=rtcp-mux",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
    ):
        assert rows.count(row) == 1, row
    assert rows.count("a=setup:active") == 2
    assert not [row for row in rows if row.startswith(("a=extmap", "a=rtcp-fb"))]


@pytest.mark.parametrize(
    ("offered", "ours"), [("actpass", "active"), ("passive", "active"), ("active", "passive"), (None, "passive")]
)
def test_a_fixed_role_is_obeyed(offered: str | None, ours: str) -> None:
    text = CHROMIUM.replace("a=setup:actpass\r\n", f"a=setup:{offered}\r\n" if offered else "")
    negotiated = answered(text)
    assert negotiated.remote is not None
    assert negotiated.remote.role == ours
    assert negotiated.answer.count(f"a=setup:{ours}\r\n") == 2


@pytest.mark.parametrize(
    ("offered", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_directions_are_turned_round(offered: str, ours: str) -> None:
    negotiated = answered(CHROMIUM.replace("a=sendrecv", f"a={offered}"))
    slot = negotiated.slots[0]
    assert slot.direction == ours
    assert bool(slot.receive) == (offered in {"sendrecv", "sendonly"})
    assert (slot.send is not None) == (offered in {"sendrecv", "recvonly"})
    assert ("a=msid:" in negotiated.answer) == (slot.send is not None)


# --- candidates -------------------------------------------------------------------------------------------------------


def candidates(negotiated: Negotiated) -> list[list[str]]:
    rows = negotiated.answer.split("\r\n")
    return [row.removeprefix("a=candidate:").split() for row in rows if row.startswith("a=candidate:")]


def test_each_address_has_udp_and_passive_tcp_and_there_are_three_at_most() -> None:
    found = candidates(
        answered(CHROMIUM, transport=our_transport("192.0.2.1", "192.0.2.2", "2001:db8::3", "192.0.2.4"))
    )
    assert [(each[2], each[4]) for each in found] == [
        (protocol, host) for host in ("192.0.2.1", "192.0.2.2", "2001:db8::3") for protocol in ("udp", "tcp")
    ]
    assert [" ".join(each[6:]) for each in found] == ["typ host", "typ host tcptype passive"] * 3
    assert len({each[0] for each in found}) == 6


def test_udp_is_preferred_and_earlier_addresses_too() -> None:
    found = candidates(answered(CHROMIUM))
    priorities = {(each[2], each[4]): int(each[3]) for each in found}
    order = sorted(priorities, key=lambda key: -priorities[key])
    hosts = ["192.0.2.10", "198.51.100.20", "2001:db8::6"]
    assert order == [("udp", host) for host in hosts] + [("tcp", host) for host in hosts]
    assert all(priority < 2**31 for priority in priorities.values())
    # RFC 8445 §5.1.2.1 for the first host: 126, 65535, component 1.
    assert max(priorities.values()) == 126 * 2**24 + 65_535 * 2**8 + 255


def test_candidates_stand_once_and_before_a_line_with_a_blank() -> None:
    # A parser of small devices reads a candidate's type up to the next blank, over line ends, into 64 bytes.
    answer = answered(offer_text("unverified_libpeer_pcma_and_data")).answer
    assert answer.count("a=candidate:") == 6
    for piece in answer.split(" typ ")[1:]:
        assert len(piece.partition(" ")[0]) < 64


def test_the_default_candidate_is_named_in_the_m_line() -> None:
    answer = parse_sdp(answered(CHROMIUM, transport=our_transport("2001:db8::6", port=7_000)).answer)
    for section in answer.media:
        connection = next(line for line in section.lines if line.kind == "c")
        assert (section.port, connection.value) == (7_000, "IN IP6 2001:db8::6")


def test_without_candidates_there_is_no_address() -> None:
    transport = LocalTransport(our_transport().ice, our_transport().fingerprint, (), 1)
    section = parse_sdp(answered(CHROMIUM, transport=transport).answer).media[0]
    assert section.port == 9
    assert section.lines[0].value == "IN IP4 0.0.0.0"


def test_a_lite_far_end_makes_us_connect() -> None:
    text = CHROMIUM.replace("a=extmap-allow-mixed\r\n", "a=ice-lite\r\n", 1)
    negotiated = answered(text)
    assert not negotiated.ice_lite
    assert "a=ice-lite" not in negotiated.answer
    assert negotiated.remote is not None
    assert negotiated.remote.ice_lite


# --- small devices ----------------------------------------------------------------------------------------------------


def test_answers_fit_the_buffers_of_small_devices() -> None:
    long = LocalTransport(
        ice=IceCredentials("n01s01" + "u" * 10, "p" * 32),
        fingerprint=Fingerprint("sha-256", ":".join(["FF"] * 32)),
        candidates=tuple(
            LocalCandidate(f"2001:db8:ffff:ffff:ffff:ffff:ffff:fff{number}", 65_535, protocol)
            for number in range(5)
            for protocol in ("udp", "tcp")
        ),
        session_id=2**63 - 1,
    )
    voice = LocalStream(
        2**32 - 1, "c" * 16, "6f1d2c3b-4a59-4867-9758-a1b2c3d4e5f6", "0f1d2c3b-4a59-4867-9758-a1b2c3d4e5f6"
    )
    for name in OFFERS:
        if "libpeer" in name or "device" in name or name == "chromium_audio_and_data":
            assert len(answer_realtime(parse_offer(offer_text(name)), long, voice).answer.encode()) < 2_048


def test_a_profile_without_feedback_gets_none() -> None:
    text = offer_text("unverified_libpeer_opus_only").replace("a=rtcp-mux", "a=rtcp-mux\r\na=rtcp-fb:111 nack pli")
    assert "m=audio 8001 UDP/TLS/RTP/SAVP 111\r\n" in answered(text).answer
    assert "rtcp-fb" not in answered(text).answer


def test_a_device_without_group_and_mid_gets_neither() -> None:
    negotiated = answered(offer_text("unverified_device_passive_no_bundle"))
    assert "a=group" not in negotiated.answer
    assert "a=mid" not in negotiated.answer
    assert (negotiated.slots[0].mid, negotiated.slots[0].receive) == ("0", (StreamIds(),))


def test_audio_alone_is_enough_and_so_is_a_data_channel() -> None:
    assert answered(offer_text("chromium_audio_only")).sctp is None
    assert answered(offer_text("chromium_data_only")).slots == ()


# --- what is declined -------------------------------------------------------------------------------------------------


def test_without_a_group_audio_wins_the_only_transport() -> None:
    text = offer_text("chromium_video_first").replace("a=group:BUNDLE 0 1 2\r\n", "")
    negotiated = answered(text, video=True)
    assert [slot.mid for slot in negotiated.slots] == ["1"]
    assert [section.port for section in parse_sdp(negotiated.answer).media] == [0, 8_001, 0]
    assert "a=group" not in negotiated.answer


def test_a_group_of_strangers_counts_as_none() -> None:
    text = offer_text("chromium_audio_only").replace("a=group:BUNDLE 0", "a=group:BUNDLE x y")
    assert [slot.mid for slot in answered(text).slots] == ["0"]


def test_declined_video_leaves_the_group() -> None:
    negotiated = answered(offer_text("chromium_video_first"))
    assert "a=group:BUNDLE 1 2\r\n" in negotiated.answer
    assert [(each.index, each.mid, each.kind) for each in negotiated.declined] == [(0, "0", "video")]
    first, second, _ = parse_sdp(negotiated.answer).media
    assert (first.port, first.attribute("inactive") is not None) == (0, True)
    assert second.attribute("candidate") is not None


def test_a_declined_section_has_what_strict_clients_look_for_in_every_section() -> None:
    # aiortc refuses the whole answer otherwise.
    declined = parse_sdp(answered(offer_text("aiortc_audio_video_data")).answer).media[1]
    assert declined.port == 0
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux", "rtpmap", "mid"):
        assert declined.attribute(name) is not None, name
    assert declined.attribute("candidate") is None


def test_video_is_vp8_with_picture_loss_and_nothing_else() -> None:
    negotiated = answered(offer_text("chromium_audio_video_data"), video=True)
    slot = negotiated.slots[1]
    assert slot.direction == "recvonly"
    assert [(codec.name, codec.feedback, codec.rtx_payload_type) for codec in slot.codecs] == [
        ("VP8", ("nack pli",), None)
    ]
    assert slot.receive == (StreamIds(3065768269),)
    # Two tracks: the mid extension tells them apart, under the browser's own number.
    assert [(each.extension_id, each.uri.rpartition(":")[2]) for each in negotiated.extensions] == [(4, "mid")]


def test_simulcast_is_not_taken_up() -> None:
    negotiated = answered(offer_text("chromium_simulcast"), video=True)
    assert "a=rid" not in negotiated.answer
    assert negotiated.slots[1].receive == (StreamIds(),)


def test_video_may_be_held_so_that_a_call_without_it_connects_everywhere() -> None:
    for name in ("chromium_audio_video_data", "aiortc_audio_video_data", "firefox_audio_video_data"):
        negotiated = held(offer_text(name))
        seen, blind = answered(offer_text(name), video=True), negotiated.slots[1]
        assert (blind.kind, blind.direction, blind.receive) == ("video", "inactive", ())
        assert negotiated.answer == seen.answer.replace("a=recvonly", "a=inactive")
    assert held(offer_text("chromium_audio_video_data").replace(" VP8/", " VP7/")).declined
    assert not held(CHROMIUM).declined


def test_video_that_only_wants_to_receive_is_declined() -> None:
    text = offer_text("chromium_video_first").replace("a=sendonly", "a=recvonly")
    assert [slot.kind for slot in answered(text, video=True).slots] == ["audio"]


def test_a_second_audio_section_and_a_second_association_are_declined() -> None:
    head, audio, data = CHROMIUM.partition("m=audio")[0], *CHROMIUM.partition("m=audio")[2].split("m=application")
    again = audio.replace("a=mid:0", "a=mid:2").replace("335859749", "335859750")
    more = data.replace("a=mid:1", "a=mid:3")
    text = head.replace("BUNDLE 0 1", "BUNDLE 0 1 2 3") + "".join(
        ("m=audio", audio, "m=application", data, "m=audio", again, "m=application", more)
    )
    negotiated = answered(text)
    assert [each.mid for each in negotiated.declined] == ["2", "3"]
    assert "a=group:BUNDLE 0 1\r\n" in negotiated.answer


def test_audio_without_a_codec_of_ours_is_passed_over_for_one_with() -> None:
    head, audio, data = CHROMIUM.partition("m=audio")[0], *CHROMIUM.partition("m=audio")[2].split("m=application")
    useless = audio.replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 9").replace("335859749", "335859750")
    text = head.replace("BUNDLE 0 1", "BUNDLE 2 0 1") + "".join(
        ("m=audio", useless.replace("a=mid:0", "a=mid:2"), "m=audio", audio, "m=application", data)
    )
    assert [slot.mid for slot in answered(text).slots] == ["0"]


def test_an_ssrc_of_ours_in_the_offer_is_the_offers_fault() -> None:
    text = CHROMIUM.replace("335859749", str(our_stream().ssrc))
    with pytest.raises(SdpError, match="make a new offer"):
        answered(text)


def test_nothing_to_take_is_said() -> None:
    text = CHROMIUM.replace("m=audio 9", "m=text 9").replace("m=application 9", "m=application 0")
    with pytest.raises(SdpError, match="nothing to take") as caught:
        answered(text)
    assert caught.value.line_number == 8


def test_payload_types_that_look_like_rtcp_are_not_taken() -> None:
    text = CHROMIUM.replace("SAVPF 111 ", "SAVPF 72 ").replace(":111 ", ":72 ")
    assert [codec.name for codec in answered(text).slots[0].codecs] == ["PCMU", "PCMA"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: LocalCandidate("voice.example", 9),
        lambda: LocalCandidate("192.0.2.1", 0),
        lambda: LocalStream(0, "c", "s", "t"),
        lambda: LocalStream(1, "c", "a b", "t"),
        lambda: LocalTransport(IceCredentials("abc", "p" * 24), our_transport().fingerprint, (), 1),
        lambda: LocalTransport(our_transport().ice, our_transport().fingerprint, (), 2**63),
    ],
)
def test_our_own_mistakes_are_not_answered(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"\w"):
        make()
