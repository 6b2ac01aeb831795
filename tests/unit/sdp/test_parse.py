"""Text to description and back, and which line is blamed."""

from __future__ import annotations

import pytest
from sdp_kit import OFFERS, offer_text

from parley.sdp import Line, SdpError, SdpLimits, SessionDescription, parse_offer, parse_sdp, print_sdp

HEAD = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n"


@pytest.mark.parametrize("name", OFFERS)
def test_what_is_read_is_written_back(name: str) -> None:
    text = offer_text(name)
    description = parse_sdp(text)
    assert print_sdp(description) == text.replace("\r\n", "\n").replace("\n", "\r\n")
    assert parse_sdp(print_sdp(description)) == description


@pytest.mark.parametrize("name", OFFERS)
def test_line_ends_do_not_matter(name: str) -> None:
    text = offer_text(name)
    bare = text.replace("\r\n", "\n")
    assert parse_sdp(bare) == parse_sdp(text) == parse_sdp(bare.rstrip("\n")) == parse_sdp(text + "\r\n\r\n")


def test_unknown_attributes_are_kept_in_order() -> None:
    description = parse_sdp(HEAD + "a=z:1\na=b\nm=audio 9 RTP/AVP 0\na=y:é ü\na=y:2\ni=title\n")
    assert [line.value for line in description.lines[4:]] == ["z:1", "b"]
    assert description.media[0].lines == (Line("a", "y:é ü"), Line("a", "y:2"), Line("i", "title"))
    assert [line.number for line in description.media[0].lines] == [8, 9, 10]


def test_line_numbers_do_not_count_in_comparisons() -> None:
    assert Line("a", "mid:0", 3) == Line("a", "mid:0", 9)


def test_an_m_line_may_name_a_range_of_ports() -> None:
    section = parse_sdp(HEAD + "m=audio 9/2 RTP/AVP 0 8\n").media[0]
    assert (section.port, section.port_count, section.formats) == (9, 2, ("0", "8"))
    assert section.m_line.value == "audio 9/2 RTP/AVP 0 8"


def test_a_description_without_m_lines_can_be_read() -> None:
    assert parse_sdp(HEAD) == SessionDescription(
        (Line("v", "0"), Line("o", "- 1 1 IN IP4 0.0.0.0"), Line("s", "-"), Line("t", "0 0"))
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 0, "empty"),
        ("\r\n\r\n", 0, "empty"),
        ('{"sdp": "v=0"}', 1, "not as JSON"),
        ("\n" + HEAD, 1, "empty line"),
        ("v=1\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n", 1, "version"),
        ("o=- 1 1 IN IP4 0.0.0.0\nv=0\ns=-\nt=0 0\n", 1, "expected v="),
        ("v=0\ns=-\no=- 1 1 IN IP4 0.0.0.0\nt=0 0\n", 2, "expected o="),
        ("v=0\no=- 1 1 IN IP4 0.0.0.0\nt=0 0\n", 3, "expected s="),
        ("v=0\no=- 1 1 IN IP4 0.0.0.0\n", 0, "ends before s="),
        ("v=0\no=- one 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n", 2, "numbers"),
        ("v=0\no=- \u0661 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n", 2, "numbers"),
        ("v=0\no=- 1 1 IN IP4\ns=-\nt=0 0\n", 2, "expected o="),
        ("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\n", 0, "t= is missing"),
        (HEAD.replace("t=0 0", "t=now"), 4, "t=0 0"),
        (HEAD + "v=0\n", 5, "only at the beginning"),
        (HEAD + "c=IN IP4\n", 5, "address"),
        (HEAD + "a=\n", 5, "needs a name"),
        (HEAD + "a=:x\n", 5, "needs a name"),
        (HEAD + "a=mi d:x\n", 5, "needs a name"),
        (HEAD + "x=1\n", 5, "no line type x="),
        (HEAD + "A=1\n", 5, "a letter and an equals sign"),
        (HEAD + "a\n", 5, "a letter and an equals sign"),
        (HEAD + "a=x\n\na=y\n", 6, "empty line"),
        (HEAD + "a=x\x00y\n", 5, "control character"),
        (HEAD + "a=x\ry\n", 5, "control character"),
        (HEAD + "a=x\ud800\n", 5, "control character"),
        (HEAD + "m=audio\n", 5, "at least one format"),
        (HEAD + "m=audio 70000 RTP/AVP 0\n", 5, "0 to 65535"),
        (HEAD + "m=audio -1 RTP/AVP 0\n", 5, "0 to 65535"),
        (HEAD + "m=audio 9/0 RTP/AVP 0\n", 5, "0 to 65535"),
        (HEAD + "m=audio 9 RTP//AVP 0\n", 5, "tokens"),
        (HEAD + "m=audio 9 RTP/AVP 0 0\n", 5, "twice"),
        (HEAD + "m=audio 9 RTP/AVP 0\nt=0 0\n", 6, "below an m-line"),
    ],
)
def test_the_line_at_fault_is_named(text: str, line: int, reason: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse_sdp(text)
    assert caught.value.line_number == line
    assert reason in caught.value.reason
    assert str(caught.value).startswith(f"line {line} " if line else "the session description: ")


@pytest.mark.parametrize(
    ("limits", "text", "line", "reason"),
    [
        (SdpLimits(), HEAD + "a=x\n" * 20_000, 0, "65536 bytes"),
        (SdpLimits(), HEAD + "a=" + "é" * 2_100, 5, "4096 bytes"),
        (SdpLimits(), "é" * 40_000, 0, "65536 bytes"),
        (SdpLimits(), HEAD + "a=x\n" * 4_093, 4_097, "4096 lines"),
        (SdpLimits(), HEAD + "m=audio 9 RTP/AVP 0\n" * 129, 133, "128 m-lines"),
        (SdpLimits(media=2), HEAD + "m=audio 9 RTP/AVP 0\n" * 3, 7, "2 m-lines"),
    ],
)
def test_everything_is_bounded(limits: SdpLimits, text: str, line: int, reason: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse_sdp(text, limits)
    assert caught.value.line_number == line
    assert reason in caught.value.reason


def test_what_is_at_a_bound_passes() -> None:
    assert len(parse_sdp(HEAD + "m=audio 9 RTP/AVP 0\n" * 128).media) == 128
    assert len(parse_sdp(HEAD + "a=x\n" * 4_092).lines) == 4_096
    assert parse_sdp(HEAD + "a=" + "x" * 4_094).lines[4].value == "x" * 4_094


# --- what an error shows ----------------------------------------------------------------------------------------------

SECRET = "the-canary-in-the-offer"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"a=ice-pwd:{SECRET}\x00", "a=ice-pwd:…"),
        (f"a=ice-ufrag:{SECRET}\x00", "a=ice-ufrag:…"),
        (f"a=crypto:1 AES_CM inline:{SECRET}\x00", "a=crypto:…"),
        (f"a=identity:{SECRET}\x00", "a=identity:…"),
        (f"a=candidate:1 1 udp 1 {SECRET}.local 9 typ host\x00", "a=candidate:…"),
        (f"a={SECRET}\x00", "a=…"),
        (f"a=x-own:{SECRET}\x00", "a=…"),
        (f"k=clear:{SECRET}\x00", "k=…"),
        (f"i={SECRET}\x00", "i=…"),
        (SECRET, "no line of the form letter=value"),
        (f"Bearer={SECRET}", "no line of the form letter=value"),
        ("a=mid:é\x07" + "x" * 60, "a=mid:é?" + "x" * 40 + "…"),
        ("m=audio\x07 9", "m=audio? 9"),
    ],
)
def test_an_excerpt_keeps_secrets(line: str, shown: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse_sdp(HEAD + line + "\n")
    assert caught.value.line_excerpt == shown
    assert SECRET not in str(caught.value)


def test_no_error_of_an_offer_shows_its_credentials() -> None:
    text = offer_text("chromium_audio_and_data")
    password = text.partition("a=ice-pwd:")[2].partition("\r")[0]
    for number in range(text.count("\n")):
        rows = text.split("\r\n")
        rows[number] += "\x01"
        with pytest.raises(SdpError) as caught:
            parse_offer("\r\n".join(rows))
        assert caught.value.line_number == number + 1
        assert password not in str(caught.value)
