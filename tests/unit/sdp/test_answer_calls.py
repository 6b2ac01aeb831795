"""Answers of a session at the SFU: many negotiations on one connection."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sdp_kit import offer_text, our_stream, our_transport, take_everything

from parley.sdp import (
    ConnectionMemory,
    MediaPlan,
    Negotiated,
    SdpError,
    StreamIds,
    answer_calls,
    parse_offer,
    parse_sdp,
)

AUDIO = offer_text("chromium_audio_and_data")
VIDEO = offer_text("chromium_audio_video_data")
LAYERS = offer_text("chromium_simulcast")


def taken(
    text: str, memory: ConnectionMemory | None = None, *, send: bool = False
) -> tuple[Negotiated, ConnectionMemory]:
    offer = parse_offer(text)
    return answer_calls(offer, our_transport(), take_everything(offer, send=send), memory or ConnectionMemory())


def sections(text: str) -> list[str]:
    head, *rest = text.split("m=")
    return [head, *("m=" + part for part in rest)]


def test_the_browser_opens_dtls_and_keeps_its_numbers() -> None:
    negotiated, memory = taken(VIDEO)
    assert negotiated.remote is not None
    assert negotiated.remote.role == "passive"
    audio, video = negotiated.slots
    assert (audio.direction, video.direction) == ("recvonly", "recvonly")
    assert {codec.payload_type: codec.rtx_payload_type for codec in video.codecs}[96] == 97
    assert video.receive == (StreamIds(3065768269, 2705634102),)
    ids = {
        extension.uri.rpartition("/")[2].rpartition(":")[2]: extension.extension_id
        for extension in negotiated.extensions
    }
    assert ids == {
        "ssrc-audio-level": 1,
        "abs-send-time": 2,
        "draft-holmer-rmcat-transport-wide-cc-extensions-01": 3,
        "mid": 4,
        "video-orientation": 13,
        "playout-delay": 5,
        "rtp-stream-id": 10,
        "repaired-rtp-stream-id": 11,
    }
    assert memory.extensions == negotiated.extensions
    assert [codec.payload_type for codec in memory.audio] == [111, 0, 8]
    assert memory.role == "passive"


def test_layers_are_taken_by_name() -> None:
    negotiated, _ = taken(LAYERS)
    assert negotiated.slots[1].receive == tuple(StreamIds(rid=rid) for rid in ("f", "h", "q"))
    rows = negotiated.answer.split("\r\n")
    assert [row for row in rows if row.startswith("a=rid")] == ["a=rid:f recv", "a=rid:h recv", "a=rid:q recv"]
    assert rows.count("a=simulcast:recv f;h;q") == 1


def test_firefox_gets_its_one_way_extensions_turned_round() -> None:
    answer = taken(offer_text("firefox_simulcast"))[0].answer
    assert "a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n" in answer


def test_every_section_has_all_that_a_transport_needs() -> None:
    for section in parse_sdp(taken(VIDEO)[0].answer).media:
        for name in ("candidate", "ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"):
            assert section.attribute(name) is not None, (section.kind, name)


def test_what_has_no_plan_is_inactive_and_keeps_its_place() -> None:
    negotiated, memory = answer_calls(parse_offer(VIDEO), our_transport(), {"0": MediaPlan(receive=True)})
    assert [slot.direction for slot in negotiated.slots] == ["recvonly", "inactive"]
    assert negotiated.slots[1].receive == ()
    assert negotiated.declined == ()
    assert [section.live for section in memory.sections] == [True, True, True]


def test_a_bidirectional_section_is_answered_both_ways() -> None:
    negotiated, _ = taken(AUDIO, send=True)
    slot = negotiated.slots[0]
    assert slot.direction == "sendrecv"
    # Audio has no retransmission, so the SSRC for it is not told.
    assert slot.send == replace(our_stream(0), rtx_ssrc=None)
    assert "ssrc-group" not in negotiated.answer


def test_video_that_we_send_has_its_retransmission() -> None:
    negotiated, _ = taken(VIDEO, send=True)
    stream = our_stream(1)
    assert negotiated.slots[1].send == stream
    assert f"a=ssrc-group:FID {stream.ssrc} {stream.rtx_ssrc}\r\n" in negotiated.answer


def test_a_pull_by_the_clients_offer_is_sent_into_what_can_receive() -> None:
    negotiated, _ = taken(offer_text("chromium_receive_only"), send=True)
    assert negotiated.slots[0].direction == "sendonly"
    assert "a=msid:stream-0 track-0\r\n" in negotiated.answer


# --- later offers -----------------------------------------------------------------------------------------------------


def test_closing_the_first_m_line_moves_the_tag() -> None:
    head, audio, video, data = sections(VIDEO)
    _, memory = taken(VIDEO)
    closing = head.replace("BUNDLE 0 1 2", "BUNDLE 1 2") + audio.replace("m=audio 9", "m=audio 0") + video + data
    negotiated, memory = taken(closing, memory)
    answer = parse_sdp(negotiated.answer)
    assert [section.port for section in answer.media] == [0, 8_001, 8_001]
    group = answer.attribute("group")
    assert group is not None
    assert group.argument == "BUNDLE 1 2"
    assert [(section.mid, section.live) for section in memory.sections] == [("0", False), ("1", True), ("2", True)]

    recycled = head.replace("BUNDLE 0 1 2", "BUNDLE 3 1 2") + audio.replace("a=mid:0", "a=mid:3") + video + data
    negotiated, memory = taken(recycled, memory)
    assert [slot.mid for slot in negotiated.slots] == ["3", "1"]
    assert "a=group:BUNDLE 3 1 2\r\n" in negotiated.answer
    assert memory.sections[0].live


def test_closing_the_last_m_line_leaves_no_transport() -> None:
    text = offer_text("chromium_audio_only")
    _, memory = taken(text)
    closing = text.replace("m=audio 9", "m=audio 0").replace("a=group:BUNDLE 0", "a=group:BUNDLE")
    negotiated, memory = taken(closing, memory)
    assert negotiated.remote is None
    assert negotiated.slots == ()
    assert "a=group:BUNDLE\r\n" in negotiated.answer
    assert memory.role == "passive"
    assert memory.extensions


def test_an_m_line_in_use_keeps_its_mid() -> None:
    _, memory = taken(AUDIO)
    with pytest.raises(SdpError, match="while it is in use") as caught:
        taken(AUDIO.replace("a=mid:0", "a=mid:7").replace("BUNDLE 0", "BUNDLE 7"), memory)
    assert caught.value.line_number == 8


def test_m_lines_never_go_away() -> None:
    _, memory = taken(VIDEO)
    with pytest.raises(SdpError, match="there were 3"):
        taken(AUDIO, memory)


def test_what_a_refused_section_may_become_is_open() -> None:
    text = AUDIO.replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 9")
    negotiated, memory = taken(text)
    assert [each.mid for each in negotiated.declined] == ["0"]
    assert not memory.sections[0].live
    taken(AUDIO.replace("a=mid:0", "a=mid:7").replace("BUNDLE 0", "BUNDLE 7"), memory)


def test_a_number_with_a_new_meaning_is_not_taken_up() -> None:
    _, memory = taken(AUDIO)
    later = AUDIO.replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:0 PCMA/8000").replace("a=rtpmap:8 PCMA", "a=rtpmap:8 PCMU")
    later = later.replace("a=extmap:4 urn", "a=extmap:5 urn").replace("a=extmap:3 http", "a=extmap:4 http")
    negotiated, again = taken(later, memory)
    assert [codec.name for codec in negotiated.slots[0].codecs] == ["opus"]
    assert [extension.extension_id for extension in negotiated.slots[0].extensions] == [1, 2]
    assert again.extensions == memory.extensions
    assert again.audio == memory.audio


def test_a_number_means_one_thing_in_a_bundle() -> None:
    text = VIDEO.replace("SAVPF 96 97", "SAVPF 111 97").replace("a=rtpmap:96 VP8", "a=rtpmap:111 VP8")
    negotiated, _ = taken(text)
    assert negotiated.slots[0].codecs[0].name == "opus"
    assert "VP8" not in [codec.name for codec in negotiated.slots[1].codecs]


def test_new_extensions_of_later_sections_are_learned() -> None:
    _, memory = taken(AUDIO)
    head, _, video, _ = sections(VIDEO)
    _, audio, data = sections(AUDIO)
    text = head.replace("BUNDLE 0 1 2", "BUNDLE 0 1 5") + audio + data + video.replace("a=mid:1", "a=mid:5")
    negotiated, later = taken(text, memory)
    assert [slot.mid for slot in negotiated.slots] == ["0", "5"]
    assert set(memory.extensions) < set(later.extensions)
    assert [codec.name for codec in later.video][:1] == ["VP8"]


def test_the_role_stays_once_a_client_has_fixed_it() -> None:
    _, memory = taken(AUDIO.replace("a=setup:actpass", "a=setup:passive"))
    assert memory.role == "active"
    negotiated, _ = taken(AUDIO, memory)
    assert negotiated.remote is not None
    assert negotiated.remote.role == "active"


def test_identifiers_beyond_one_byte_headers_are_left_out() -> None:
    negotiated, _ = taken(AUDIO.replace("a=extmap:4 ", "a=extmap:15 "))
    assert [extension.extension_id for extension in negotiated.extensions] == [1, 2, 3]


def test_the_version_grows_with_every_answer() -> None:
    offer = parse_offer(AUDIO)
    answer = answer_calls(offer, our_transport(session_version=9), {})[0].answer
    assert answer.split("\r\n")[1] == "o=- 4611686018427387904 9 IN IP4 0.0.0.0"
