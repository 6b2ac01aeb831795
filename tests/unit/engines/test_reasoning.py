"""Thinking aloud is taken out, however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.reasoning import ReasoningFilter


def said(pieces: list[str]) -> str:
    reader = ReasoningFilter()
    return "".join(reader.feed(piece) for piece in pieces) + reader.flush()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hello.", "Hello."),
        ("<think>secret</think>\n\nHello.", "Hello."),
        ("<think>a</think>Hi <thinking>b</thinking>there", "Hi there"),
        ("<think>never closed", ""),
        ("a < b and <b>c</b>", "a < b and <b>c</b>"),
        ("ends in <thi", "ends in <thi"),
        ("<think></think>", ""),
        ("<reasoning>x</reasoning>\nOK", "OK"),
    ],
)
def test_only_the_answer_is_left(written: str, expected: str) -> None:
    assert said([written]) == expected
    assert said(list(written)) == expected


@given(st.lists(st.sampled_from(["<think>", "</think>", "word ", "<", "think", ">", "\n"]), max_size=30), st.data())
def test_how_the_stream_is_cut_changes_nothing(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert said(pieces) == said([text])
