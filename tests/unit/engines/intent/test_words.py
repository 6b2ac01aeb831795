"""Cutting sentences and identifiers, stems, slips of a letter."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.local.intent.words import name_words, resemblance, split_words, stem, within_one_edit


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("changeButtonSize", ("change", "button", "size")),
        ("get_page_html", ("get", "page", "html")),
        ("getPageHTML", ("get", "page", "html")),
        ("HTMLReader2", ("html", "reader", "2")),
        ("set-volume", ("set", "volume")),
    ],
)
def test_identifiers_become_words(identifier: str, words: tuple[str, ...]) -> None:
    assert name_words(identifier) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("colours", "color"),
        ("lights", "light"),
        ("cities", "city"),
        ("changing", "changes"),
        ("stopped", "stop"),
        ("Bob's", "bob"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"), [("kitchen", "kitchn"), ("volume", "volumes"), ("neptune", "netpune"), ("abc", "abc")]
)
def test_one_slip_is_forgiven(one: str, other: str) -> None:
    assert within_one_edit(one, other)


@pytest.mark.parametrize(("one", "other"), [("kitchen", "chicken"), ("on", "off"), ("abcd", "badc")])
def test_two_slips_are_not(one: str, other: str) -> None:
    assert not within_one_edit(one, other)


def test_short_words_must_be_exact() -> None:
    assert resemblance("moon", "noon") == 0.0
    assert resemblance("cat", "car") == 0.0


@given(st.text(max_size=80))
def test_words_lie_inside_the_sentence_in_order(text: str) -> None:
    words = split_words(text)
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))
