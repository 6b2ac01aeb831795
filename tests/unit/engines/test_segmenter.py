"""Where a growing text is cut for speech."""

# ruff: noqa: RUF001  (wide and curly punctuation is the subject)

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.segmenter import Segment, Segmenter
from parley.protocol.realtime.ids import Ms

WORD_MS = 33
"""One word at 30 words a second."""


def cut(tokens: list[str], *, every_ms: int = WORD_MS) -> list[tuple[int, str]]:
    """Feed tokens, the first at once; give every segment with the time it came."""
    segmenter = Segmenter()
    out: list[tuple[int, Segment]] = []
    now = 0
    for number, token in enumerate(tokens):
        now = number * every_ms
        while (due := segmenter.deadline) is not None and due < now:
            out += [(due, segment) for segment in segmenter.tick(due)]
        out += [(now, segment) for segment in segmenter.feed(token, Ms(now))]
    out += [(now, segment) for segment in segmenter.flush()]
    check([segment for _, segment in out], "".join(tokens))
    return [(at, segment.text) for at, segment in out]


def check(segments: list[Segment], text: str) -> None:
    assert "".join(segment.text for segment in segments) == text
    at = 0
    for segment in segments:
        assert segment.char_start == at
        assert segment.char_end == at + len(segment.text)
        assert segment.text
        at = segment.char_end


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def segments(text: str) -> list[str]:
    return [segment.strip() for _, segment in cut(words(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Sure! The library opens at nine, and closes late.",
            ["Sure!", "The library opens at nine,", "and closes late."],
        ),
        ("Yes; that one is open.", ["Yes;", "that one is open."]),
        ("Well, I think so too. Come in.", ["Well, I think so too.", "Come in."]),
        ("Here is how: take the bus. Then walk.", ["Here is how:", "take the bus.", "Then walk."]),
        ("I know two things — one is old. Yes.", ["I know two things —", "one is old.", "Yes."]),
        (
            "One. Two. Three. Four, five, six, seven. Eight.",
            ["One.", "Two.", "Three.", "Four, five, six, seven.", "Eight."],
        ),
        ("No line end\nis a full stop\n\nhere", ["No line end", "is a full stop", "here"]),
    ],
)
def test_cuts_where_speech_would_pause(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Ask Dr. Smith about it.",
        "It costs $3.50 in all.",
        "Meet me at 10:30 by the door.",
        "See example.com for it.",
        "Write to joe.b@example.com now.",
        "The U.S. is large.",
        "We saw J. R. Jones there.",
        "Bring fruit, e.g. pears.",
        "Wait... okay then.",
        "Page No. 5 is gone.",
        "Come at 5 p.m. or so.",
        "Try version 2.0.1 instead.",
        "He said \"go. now. please\" softly.",
        "It works (as seen. often.) here.",
        "Use `a. b` in there.",
        "1. Take the key.",
    ],
)  # fmt: skip
def test_keeps_together_what_only_looks_like_an_end(text: str) -> None:
    assert segments(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "Stop." Then he left the room.', ['He said "Stop."', "Then he left the room."]),
        ("(He left.) Then it was very quiet.", ["(He left.)", "Then it was very quiet."]),
        ("**Done.** Now rest a bit.", ["**Done.**", "Now rest a bit."]),
        ("Really?! I had no idea.", ["Really?!", "I had no idea."]),
        ("I was born in 1990. It was cold.", ["I was born in 1990.", "It was cold."]),
        ("Is it so? No. It is not.", ["Is it so?", "No.", "It is not."]),
        ("He came at 5 p.m. The door was shut.", ["He came at 5 p.m.", "The door was shut."]),
    ],
)
def test_takes_closing_marks_along(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


def test_the_first_clause_is_out_early_at_thirty_words_a_second() -> None:
    comma = cut(words("Certainly, the old town hall, built long ago, is open today."))
    plain = cut(words("The largest building in this old part of town is certainly the hall. It is open."))
    assert comma[0][0] <= 200
    assert comma[0][1].rstrip().endswith("hall,")
    assert plain[0][0] <= 267
    sentence_mode = WORD_MS * 13
    assert plain[0][0] < sentence_mode / 1.5


def test_no_first_clause_ends_on_a_word_that_leaves_it_open() -> None:
    (_, first), *_ = cut(words("There are many people who live in the old part of the city today."))
    assert first.split()[-1] not in {"in", "the", "of", "who", "are"}


def test_later_sentences_stay_whole_up_to_two_hundred_characters() -> None:
    long = "This is where it all began, " + "and then it went on for a while, " * 12 + "until it stopped."
    parts = cut(words("Right. Of course I can tell you. " + long))
    assert max(len(text) for _, text in parts) <= 205
    assert all(text.rstrip().endswith((",", ".")) for _, text in parts)
    short = "So the old man, who was tired, went home, sat down, and slept."
    assert parts[-1][1].strip()
    assert segments("Right. Of course I can tell you. " + short)[-1] == short


def test_a_fenced_block_is_one_segment() -> None:
    code = "```python\nprint('a. b! c?')\n\nx = 1\n```"
    parts = [text for _, text in cut(list(f"Look at this:\n{code}\nThat is all."))]
    assert code in parts


def test_an_unfinished_fence_comes_out_at_the_end() -> None:
    assert "".join(text for _, text in cut(list("Here:\n```\nx = 1\ny = 2"))) == "Here:\n```\nx = 1\ny = 2"


def test_chinese_needs_no_spaces() -> None:
    text = "从前有一位老人，他住在河边的小屋里。他很快乐！"
    assert [part for _, part in cut(list(text))] == ["从前有一位老人，", "他住在河边的小屋里。", "他很快乐！"]


def test_a_full_stop_settles_when_the_model_falls_silent() -> None:
    segmenter = Segmenter()
    assert segmenter.feed("That is all.", Ms(1000)) == []
    due = segmenter.deadline
    assert due == 1120
    assert segmenter.tick(Ms(1119)) == []
    assert [segment.text for segment in segmenter.tick(Ms(1120))] == ["That is all."]
    assert segmenter.deadline is None


def test_a_number_may_go_on_after_a_silence() -> None:
    segmenter = Segmenter()
    segmenter.feed("It is 3.", Ms(0))
    assert segmenter.tick(Ms(200)) == []
    assert [segment.text for segment in segmenter.feed("14 now. Yes", Ms(210))] == ["It is 3.14 now. "]


def test_a_stall_gives_up_whole_words_once() -> None:
    segmenter = Segmenter()
    segmenter.feed("Let me quickly look into th", Ms(0))
    due = segmenter.deadline
    assert due == 350
    assert [segment.text for segment in segmenter.tick(Ms(350))] == ["Let me quickly look "]
    assert segmenter.tick(Ms(900)) == []
    assert segmenter.deadline is None
    assert [segment.text for segment in segmenter.feed("at now.\n", Ms(1000))] == ["into that now.\n"]


def test_an_open_fence_never_settles() -> None:
    segmenter = Segmenter()
    segmenter.feed("```\ncode. more\n", Ms(0))
    assert segmenter.deadline is None
    assert segmenter.tick(Ms(5000)) == []


def test_a_deadline_is_always_ahead_or_gone_after_a_tick() -> None:
    for text in ("Hello there you three", "Hello.", "3.", "Dr.", "(a", "``", "Wait", "e.g.", '"Hi.', "a, b, c, "):
        segmenter = Segmenter()
        segmenter.feed(text, Ms(0))
        for _ in range(4):
            due = segmenter.deadline
            if due is None:
                break
            segmenter.tick(due)
            after = segmenter.deadline
            assert after is None or after > due, text
        assert segmenter.deadline is None


TEXTS = st.text(
    alphabet=st.sampled_from(list("abcdeA1 .,;:!?\n\"'()[]`*_-—…’“”5$%、。你好e.g.  ")), max_size=400
) | st.text(max_size=120)


@given(
    TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=40), st.lists(st.integers(0, 500), min_size=1, max_size=40)
)
def test_segments_put_together_are_the_text(text: str, sizes: list[int], gaps: list[int]) -> None:
    segmenter = Segmenter()
    out: list[Segment] = []
    now = at = step = 0
    while at < len(text):
        size = sizes[step % len(sizes)]
        out += segmenter.feed(text[at : at + size], Ms(now))
        at, now = at + size, now + gaps[step % len(gaps)]
        out += segmenter.tick(Ms(now))
        step += 1
    out += segmenter.flush()
    check(out, text)
    assert segmenter.deadline is None
    assert segmenter.flush() == []


@given(st.lists(st.sampled_from(["alpha", "beta,", "gamma.", "of", "the", "3.5", "Dr.", "end!"]), max_size=120))
def test_no_segment_of_prose_is_much_longer_than_two_hundred(prose: list[str]) -> None:
    for _, text in cut([word + " " for word in prose], every_ms=5):
        assert len(text) <= 210


@given(st.lists(st.sampled_from(["one ", "two, ", "three. ", "four! ", "five\n", "(six) "]), max_size=60))
def test_the_cuts_do_not_hang_on_how_tokens_fall(prose: list[str]) -> None:
    text = "".join(prose)
    by_word = [part for _, part in cut(prose, every_ms=1)]
    by_char = [part for _, part in cut(list(text), every_ms=1)]
    assert [part.strip() for part in by_word] == [part.strip() for part in by_char if part.strip()]
