"""Numbers as they are said."""

from __future__ import annotations

import pytest

from parley.engines.local.intent.spoken_numbers import find_numbers, unit_factor
from parley.engines.local.intent.words import split_words


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("twenty three", 23),
        ("twenty-three", 23),
        ("Seventeen.", 17),
        ("one hundred and five", 105),
        ("three thousand two hundred", 3200),
        ("four thousand two hundred and seven", 4207),
        ("two million", 2_000_000),
        ("one point five", 1.5),
        ("zero point oh five", 0.05),
        ("point seven five", 0.75),
        ("minus five", -5),
        ("negative twelve point two", -12.2),
        ("3.5", 3.5),
        ("1,000", 1000),
        ("-7", -7),
        ("nineteen ninety nine", 1999),
        ("twenty twenty six", 2026),
        ("two and a half", 2.5),
        ("a dozen", 12),
        ("the third one", 3),
        ("3rd", 3),
        ("5 thousand", 5000),
    ],
)
def test_one_number(said: str, value: float) -> None:
    (number,) = [one for one in find_numbers(split_words(said)) if said != "the third one" or one.ordinal]
    assert number.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("said", "value", "unit"),
    [
        ("fifty percent", 50, "percent"),
        ("75%", 75, "percent"),
        ("half an hour", 0.5, "hour"),
        ("an hour and a half", 1.5, "hour"),
        ("a couple of minutes", 2, "minute"),
        ("one hour and twenty minutes", 1 + 20 / 60, "hour"),
        ("a quarter of an hour", 0.25, "hour"),
        ("for to minutes", 2, "minute"),
        ("minus ninety degrees", -90, "degree"),
        ("ten centimetres", 10, "centimeter"),
    ],
)
def test_a_number_with_its_unit(said: str, value: float, unit: str) -> None:
    (number,) = find_numbers(split_words(said))
    assert number.value == pytest.approx(value)
    assert number.unit == unit


@pytest.mark.parametrize(
    "said", ["go to the park", "look for it", "too bad", "this is for you", "hundreds of them", "and"]
)
def test_small_words_are_no_numbers(said: str) -> None:
    assert find_numbers(split_words(said)) == []


def test_several_numbers_stay_apart() -> None:
    assert [one.value for one in find_numbers(split_words("joint two by forty five degrees and then seven"))] == [
        2,
        45,
        7,
    ]


def test_units_of_one_kind_convert() -> None:
    assert unit_factor("hour", "minute") == 60
    assert unit_factor("second", "minute") == pytest.approx(1 / 60)
    assert unit_factor("hour", "meter") is None
