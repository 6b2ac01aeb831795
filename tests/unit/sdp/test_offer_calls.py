"""Offers of our own to a session at the SFU, and the answers to them."""

from __future__ import annotations

import pytest
from sdp_kit import offer_text, our_stream, our_transport, take_everything

from parley.sdp import (
    ConnectionMemory,
    LocalOffer,
    MediaPlan,
    OwnSection,
    SdpError,
    StreamIds,
    answer_calls,
    offer_calls,
    parse_offer,
    parse_sdp,
)

VIDEO = offer_text("chromium_audio_video_data")
AUDIO = offer_text("chromium_audio_only")
NEW = ConnectionMemory()


def learned(text: str) -> ConnectionMemory:
    offer = parse_offer(text)
    return answer_calls(offer, our_transport(), take_everything(offer))[1]


def answered(offer: LocalOffer, **changes: str) -> str:
    """Answer as a browser would: the same sections, turned round, from another transport."""
    text = answer_calls(
        parse_offer(offer.text),
        our_transport("192.0.2.77", ice_lite=False, port=4_000),
        {section.mid: MediaPlan(receive=True, send=our_stream(50 + n)) for n, section in enumerate(offer.sections)},
    )[0].answer
    text = text.replace("a=setup:passive", "a=setup:active")
    for before, after in changes.items():
        text = text.replace(before, after)
    return text


def numbers(text: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Give each payload type's meaning and each extension's identifiers."""
    types: dict[str, str] = {}
    extensions: dict[str, set[str]] = {}
    for line in parse_sdp(text):
        if line.name == "rtpmap":
            number, _, name = line.argument.partition(" ")
            types[number] = name
        elif line.name == "extmap":
            number, _, uri = line.argument.partition(" ")
            extensions.setdefault(uri, set()).add(number)
    return types, extensions


def test_a_first_offer_of_ours_uses_the_numbers_of_browsers() -> None:
    offer = offer_calls(our_transport(), (OwnSection("0", "audio", send=our_stream()),), NEW)
    types, extensions = numbers(offer.text)
    assert types == {"111": "opus/48000/2", "0": "PCMU/8000", "8": "PCMA/8000"}
    assert extensions["urn:ietf:params:rtp-hdrext:sdes:mid"] == {"4"}
    rows = offer.text.split("\r\n")
    for row in ("a=group:BUNDLE 0", "a=ice-lite", "a=setup:actpass", "a=sendonly", "a=msid:stream-1 track-1"):
        assert row in rows
    assert "a=end-of-candidates" not in rows


def test_only_video_offers_a_stream_of_retransmissions() -> None:
    sections = (OwnSection("0", "audio", send=our_stream(1)), OwnSection("1", "video", send=our_stream(2)))
    audio, video = offer_calls(our_transport(), sections, NEW).text.split("\r\nm=")[1:]
    assert "ssrc-group" not in audio
    assert audio.count("a=ssrc:") == 1
    assert f"a=ssrc-group:FID {our_stream(2).ssrc} {our_stream(2).rtx_ssrc}" in video


def test_an_offer_to_another_server_is_a_full_agents_with_all_its_candidates() -> None:
    section = OwnSection("0", "audio", receive=True, send=our_stream())
    offer = offer_calls(our_transport(ice_lite=False), (section,), NEW)
    rows = offer.text.split("\r\n")
    assert "a=ice-lite" not in rows
    assert "a=end-of-candidates" in rows
    assert "a=sendrecv" in rows


def test_what_a_browser_offered_once_is_offered_back_under_its_numbers() -> None:
    memory = learned(VIDEO)
    pulled = (OwnSection("3", "video", send=our_stream(9)),)
    kept = (
        OwnSection("0", "audio", receive=True),
        OwnSection("1", "video", receive=True),
        OwnSection("2", "application"),
    )
    offer = offer_calls(our_transport(session_version=2), kept + pulled, memory)
    types, extensions = numbers(offer.text)
    asked, asked_extensions = numbers(VIDEO)
    assert types.items() <= asked.items()
    assert all(extensions[uri] == asked_extensions[uri] for uri in extensions)
    assert offer.memory.video == memory.video


def test_numbers_that_a_client_uses_for_something_else_are_left_alone() -> None:
    memory = learned(offer_text("aiortc_audio_only"))
    opus = next(codec for codec in memory.audio if codec.name == "opus")
    sections = (OwnSection("0", "audio", receive=True), OwnSection("1", "video", send=our_stream()))
    types, extensions = numbers(offer_calls(our_transport(), sections, memory).text)
    assert types[str(opus.payload_type)] == "opus/48000/2"
    assert opus.payload_type == 96
    assert "VP8/90000" in types.values()
    assert all(len(ids) == 1 for ids in extensions.values())
    flat = [next(iter(ids)) for ids in extensions.values()]
    assert len(set(flat)) == len(flat)


def test_numbers_of_codecs_that_we_declined_are_taken_too() -> None:
    memory = learned(AUDIO)
    assert {63, 110, 126, 13} <= memory.payload_types
    sections = (OwnSection("0", "audio", receive=True), OwnSection("1", "video", send=our_stream()))
    types, _ = numbers(offer_calls(our_transport(), sections, memory).text)
    assert not {"63", "110", "126", "13"} & types.keys()


def test_an_answer_gives_what_a_media_plane_must_know() -> None:
    sections = (
        OwnSection("0", "audio", receive=True, send=our_stream(1)),
        OwnSection("1", "video", send=our_stream(2)),
        OwnSection("2", "application"),
    )
    offer = offer_calls(our_transport(), sections, NEW)
    negotiated, memory = offer.accept(answered(offer))
    audio, video = negotiated.slots
    assert (audio.direction, video.direction) == ("sendrecv", "sendonly")
    assert audio.receive[0].ssrc == our_stream(50).ssrc
    assert video.receive == ()
    assert video.send == our_stream(2)
    assert audio.send is not None
    assert audio.send.rtx_ssrc is None
    assert negotiated.sctp is not None
    assert negotiated.remote is not None
    assert negotiated.remote.role == "passive"
    assert negotiated.remote.candidates[0].host == "192.0.2.77"
    assert [codec.name for codec in video.codecs] == ["VP8", "VP9", "H264", "AV1", "H265"]
    assert video.codecs[0].rtx_payload_type == 97
    assert memory.bundle == ("0", "1", "2")
    assert [section.live for section in memory.sections] == [True, True, True]


def test_a_section_that_the_client_rejects_is_gone_and_may_be_used_again() -> None:
    sections = (OwnSection("0", "audio", send=our_stream(1)), OwnSection("1", "video", send=our_stream(2)))
    offer = offer_calls(our_transport(), sections, NEW)
    text = answered(offer)
    text = text.replace("m=video 4000", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0")
    negotiated, memory = offer.accept(text)
    assert [slot.mid for slot in negotiated.slots] == ["0"]
    assert [section.live for section in memory.sections] == [True, False]
    again = (sections[0], OwnSection("2", "audio", send=our_stream(3)))
    second = offer_calls(our_transport(session_version=2), again, memory)
    assert "a=group:BUNDLE 0 2" in second.text
    assert second.text.count("m=") == 2


def test_a_closed_section_keeps_its_place() -> None:
    sections = (OwnSection("0", "audio", live=False), OwnSection("1", "audio", send=our_stream(2)))
    described = parse_sdp(offer_calls(our_transport(), sections, NEW).text)
    assert [section.port for section in described.media] == [0, 8_001]
    group = described.attribute("group")
    assert group is not None
    assert group.argument == "BUNDLE 1"


def test_the_transport_stays_with_the_mid_that_has_it() -> None:
    memory = ConnectionMemory(bundle=("1", "2"))
    sections = (
        OwnSection("3", "audio", send=our_stream(3)),
        OwnSection("1", "audio", receive=True),
        OwnSection("2", "audio", receive=True),
    )
    assert "a=group:BUNDLE 1 2 3\r\n" in offer_calls(our_transport(), sections, memory).text


def test_a_client_that_does_not_receive_gets_no_stream() -> None:
    offer = offer_calls(our_transport(), (OwnSection("0", "audio", send=our_stream()),), NEW)
    negotiated, _ = offer.accept(answered(offer).replace("a=recvonly", "a=inactive"))
    assert negotiated.slots[0].send is None
    assert negotiated.slots[0].direction == "inactive"


def test_a_lite_answerer_makes_us_connect() -> None:
    offer = offer_calls(our_transport(), (OwnSection("0", "audio", send=our_stream()),), NEW)
    text = answered(offer).replace("a=group", "a=ice-lite\r\na=group")
    negotiated, _ = offer.accept(text)
    assert not negotiated.ice_lite


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("a=setup:active", "a=setup:actpass", "active or passive"),
        ("a=setup:active", "a=setup:holdconn", "active or passive"),
        ("a=mid:0", "a=mid:7", "of kind audio with the mid 0"),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 111 0 8", "m=audio 4000 UDP/TLS/RTP/SAVPF 96", "none of the payload types"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0", "not in the BUNDLE group"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-999", "a=fingerprint is missing"),
        ("a=ice-ufrag", "a=ice-other", "a=ice-ufrag or a=ice-pwd is missing"),
        ("m=video", "m=audio", "of kind video with the mid 1"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "not protected by DTLS-SRTP"),
    ],
)
def test_answers_that_do_not_fit_are_told_why(before: str, after: str, words: str) -> None:
    sections = (OwnSection("0", "audio", receive=True), OwnSection("1", "video", send=our_stream(2)))
    offer = offer_calls(our_transport(), sections, NEW)
    text = answered(offer)
    assert before in text
    with pytest.raises(SdpError, match=words):
        offer.accept(text.replace(before, after))


def test_an_answer_with_other_m_lines_is_refused() -> None:
    offer = offer_calls(our_transport(), (OwnSection("0", "audio", receive=True),), NEW)
    with pytest.raises(SdpError, match="2 m-lines where 1 were offered"):
        offer.accept(answered(offer) + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n")


def test_a_stream_may_be_announced_by_its_packets_only() -> None:
    offer = offer_calls(our_transport(), (OwnSection("0", "audio", receive=True),), NEW)
    text = "\r\n".join(row for row in answered(offer).split("\r\n") if not row.startswith("a=ssrc"))
    assert offer.accept(text)[0].slots[0].receive == (StreamIds(),)


OPUS = "minptime=10;useinbandfec=1"


@pytest.mark.parametrize(
    ("kind", "name", "before", "after"),
    [
        ("audio", "opus/48000/2", f"fmtp:111 {OPUS}", "fmtp:111 minptime=10;usedtx=1;useinbandfec=1"),
        ("audio", "opus/48000/2", f"fmtp:111 {OPUS}", "fmtp:111 stereo=1;maxaveragebitrate=64000;cbr=1"),
        ("video", "H264/90000", "packetization-mode=1;profile-level-id=42001f", "profile-level-id=640c34"),
        ("video", "VP9/90000", "fmtp:98 profile-id=0", "fmtp:98 profile-id=0;x-google-start-bitrate=800"),
        ("video", "AV1/90000", "level-idx=5;profile=0;tier=0", "level-idx=9;profile=1;tier=1"),
        ("video", "H265/90000", "fmtp:100 profile-id=2", "fmtp:100 level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST"),
    ],
)
def test_the_parameters_of_a_codec_come_back_in_our_answer_and_in_our_offers(
    kind: str, name: str, before: str, after: str
) -> None:
    assert before in VIDEO
    # Chromium has H.265 where the graphics card has it, and so not on file.
    offer = parse_offer(VIDEO.replace("rtpmap:100 VP9", "rtpmap:100 H265").replace(before, after))
    negotiated, memory = answer_calls(offer, our_transport(), take_everything(offer))
    wanted = after.rpartition("fmtp:")[2]
    assert wanted in negotiated.answer
    assert name in numbers(negotiated.answer)[0].values()
    sections = tuple(OwnSection(slot.mid, slot.kind, receive=True) for slot in negotiated.slots)
    pulled = OwnSection("9", "audio" if kind == "audio" else "video", send=our_stream(9))
    ours = offer_calls(our_transport(), (*sections, OwnSection("2", "application"), pulled), memory).text
    assert wanted in ours.rpartition("\r\nm=")[2]


def test_who_offered_nothing_yet_is_offered_repair_of_sound_and_every_codec_of_pictures() -> None:
    sections = (OwnSection("0", "audio", send=our_stream(1)), OwnSection("1", "video", send=our_stream(2)))
    text = offer_calls(our_transport(), sections, NEW).text
    assert f"a=fmtp:111 {OPUS}\r\n" in text
    names = {name.partition("/")[0] for name in numbers(text)[0].values()}
    assert {"opus", "PCMU", "PCMA", "VP8", "VP9", "H264", "H265", "AV1"} <= names
