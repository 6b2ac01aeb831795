"""What a voice says of written text, and which written characters each spoken one stands for."""

# ruff: noqa: RUF001  (odd punctuation is the subject)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.speech_text import Spoken, speakable


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Plain words stay.", "Plain words stay."),
        ("**Note:** it is _very_ ~~un~~safe.", "Note: it is very unsafe."),
        ("See [the docs](https://x.org/a(b)) now.", "See the docs now."),
        ("![a cat](cat.png) sits", "a cat sits"),
        ("Go to https://www.example.com/a/b?c=1#d.", "Go to example dot com."),
        ("Mail a.b@example.com please", "Mail a dot b at example dot com please"),
        ("Use `snake_case` here", "Use snake_case here"),
        ("snake_case and 2*3 stay", "snake_case and 2 times 3 stay"),
        ("# Title\n", "Title."),
        ("- one\n- [x] two\n", "one. two."),
        ("> quoted", "quoted"),
        ("| Name | Size |\n|------|-----:|\n| Oak | 20 |", "Name, Size. Oak, 20."),
        ("```py\nprint(1)\n```", "Code shown on screen."),
        ("```\nunfinished", "Code shown on screen."),
        ("Nice 😀👍🏽!", "Nice!"),
        ("🎉", ""),
        ("---\n", ""),
        ("<b>bold</b> <br/> move", "bold move"),
        ("It is $3.50 now", "It is 3 dollars and 50 cents now"),
        ("$1", "1 dollar"),
        ("£2 million", "2 million pounds"),
        ("€1,250.00", "1250 euros"),
        ("50% of 1,200 km", "50 percent of 1200 kilometers"),
        ("1 km and 1 ft at 20 °C", "1 kilometer and 1 foot at 20 degrees Celsius"),
        ("90 km/h", "90 kilometers per hour"),
        ("-5 degrees", "minus 5 degrees"),
        ("pages 5-10, 1990–1995", "pages 5 to 10, 1990 to 1995"),
        ("well-known 10-20-30", "well-known 10-20-30"),
        ("e.g. pears & figs", "for example pears and figs"),
        ("call +1 555-123-4567", "call plus 1, 5 5 5, 1 2 3, 4 5 6 7"),
        ("on 2024-05-01", "on May 1, 2024"),
        ("5 × 3 = 15", "5 times 3 equals 15"),
        ("#1", "number 1"),
        ("10:30 stays, and 3.14 too", "10:30 stays, and 3.14 too"),
        ("你好。", "你好。"),
    ],
)
def test_says_it_as_people_would(written: str, said: str) -> None:
    assert speakable(written).text == said


def test_other_languages_get_only_what_needs_no_words() -> None:
    assert speakable("**5 km** für 3 €", language="de").text == "5 km für 3 €"
    assert speakable("```\nx\n```", language="de").text == ""


def test_an_engine_that_reads_numbers_itself_gets_them_as_written() -> None:
    assert speakable("**$5** for 2 kg", normalise=False).text == "$5 for 2 kg"


@pytest.mark.parametrize(
    ("written", "word", "stands_for"),
    [
        ("Pay $3.50 now", "dollars", "$3.50"),
        ("Pay $3.50 now", "now", "now"),
        ("a **bold** move", "bold", "bold"),
        ("see [the docs](http://x.y) here", "docs", "docs"),
        ("see [the docs](http://x.y) here", "here", "here"),
        ("Nice 😀 day", "day", "day"),
        ("first\nsecond", "second", "second"),
    ],
)
def test_knows_what_a_spoken_word_stands_for(written: str, word: str, stands_for: str) -> None:
    spoken = speakable(written)
    at = spoken.text.index(word)
    start, end = spoken.original(at, at + len(word))
    assert stands_for in written[start:end]
    assert len(written[start:end]) <= len(stands_for) + 14
    assert written[start:end].strip("*[]")[: len(stands_for)] == stands_for


def check_map(spoken: Spoken, written: str) -> None:
    assert len(spoken.text) == len(spoken.starts) == len(spoken.ends)
    assert list(spoken.starts) == sorted(spoken.starts)
    assert list(spoken.ends) == sorted(spoken.ends)
    for start, end in zip(spoken.starts, spoken.ends, strict=True):
        assert 0 <= start < end <= len(written)


@given(
    st.text(st.sampled_from(list('ab1 .,$%€*_`[]()|#-\n>&@:/😀"km<>=+5')), max_size=200) | st.text(max_size=100),
    st.sampled_from(["en", "de"]),
)
def test_the_map_is_monotone_and_inside_the_text(written: str, language: str) -> None:
    spoken = speakable(written, language=language)
    check_map(spoken, written)
    assert spoken.text == spoken.text.strip()
    assert "\n" not in spoken.text
    if spoken.text:
        start, end = spoken.original(0, len(spoken.text))
        assert (start, end) == (spoken.starts[0], spoken.ends[-1])


@given(st.lists(st.sampled_from(["alpha", "beta", "Gamma,", "delta."]), min_size=1, max_size=30))
def test_plain_prose_maps_to_itself(prose: list[str]) -> None:
    written = " ".join(prose)
    spoken = speakable(written)
    assert spoken.text == written
    assert list(spoken.starts) == list(range(len(written)))
    assert list(spoken.ends) == list(range(1, len(written) + 1))
