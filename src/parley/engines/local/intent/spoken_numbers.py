"""Numbers as people say them: digits, number words, fractions, signs, percent and the unit that follows.

Pure: words in, spans out. Which parameter a number belongs to is `slots`' business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from parley.engines.local.intent.lexicon import UNITS
from parley.engines.local.intent.words import Word

__all__ = ["SpokenNumber", "find_numbers", "unit_factor"]

_SMALL: Final = MappingProxyType(
    {
        word: value
        for value, word in enumerate(
            [
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
                "thirteen",
                "fourteen",
                "fifteen",
                "sixteen",
                "seventeen",
                "eighteen",
                "nineteen",
            ]
        )
    }
)
_TENS: Final = MappingProxyType(
    {
        word: 10 * (value + 2)
        for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
    }
    | {"fourty": 40}
)
_SCALES: Final = MappingProxyType({"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000})
_ORDINALS: Final = MappingProxyType(
    {
        word: value + 1
        for value, word in enumerate(
            ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
        )
    }
)
_HOMOPHONES: Final = MappingProxyType({"to": 2, "too": 2, "for": 4, "won": 1, "ate": 8, "tree": 3, "tan": 10})
_SIGNS: Final = frozenset({"minus", "negative"})
_DIGITS = re.compile(r"(-?\d[\d,]*(?:\.\d+)?)(?:st|nd|rd|th)?")
_TIME_FACTORS: Final = MappingProxyType(
    {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
)
_LENGTH_FACTORS: Final = MappingProxyType(
    {"millimeter": 0.001, "centimeter": 0.01, "meter": 1.0, "kilometer": 1_000.0, "mile": 1_609.344}
)
_MASS_FACTORS: Final = MappingProxyType({"gram": 1.0, "kilogram": 1_000.0})


@dataclass(frozen=True, slots=True)
class SpokenNumber:
    """A number in words `[start, end)`, its unit's word included. `guessed`: read from a sound-alike (`to`, `for`)."""

    value: float
    unit: str | None
    start: int
    end: int
    guessed: bool = False
    ordinal: bool = False


def unit_factor(said: str, wanted: str) -> float | None:
    """Factor from unit `said` to unit `wanted`, None where they measure different things."""
    if said == wanted:
        return 1.0
    for factors in (_TIME_FACTORS, _LENGTH_FACTORS, _MASS_FACTORS):
        if said in factors and wanted in factors:
            return factors[said] / factors[wanted]
    return None


def find_numbers(words: Sequence[Word]) -> list[SpokenNumber]:
    """Find every number of a sentence, left to right. Sound-alikes count only where no real number was said."""
    found: list[SpokenNumber] = []
    at = 0
    while at < len(words):
        number = _number_at(words, at)
        if number is None:
            at += 1
            continue
        found.append(number)
        at = number.end
    return found or _sound_alikes(words)


def _number_at(words: Sequence[Word], at: int) -> SpokenNumber | None:
    sign, begin = 1.0, at
    if words[at].norm in _SIGNS and at + 1 < len(words):
        sign, at = -1.0, at + 1
    read = _fraction(words, at) or _decimal(words, at)
    if read is None:
        return _ordinal(words, at) if begin == at else None
    value, end = read
    value, end = _with_half(words, value, end)
    unit, end = _unit_at(words, end)
    if unit is not None:
        more = _smaller_unit(words, end, unit)
        if more is not None:
            value, end = value + more[0], more[1]
    return SpokenNumber(sign * value, unit, begin, end)


def _ordinal(words: Sequence[Word], at: int) -> SpokenNumber | None:
    norm = words[at].norm
    if norm in _ORDINALS and not (norm == "second" and at and words[at - 1].norm in {"a", "one", "per"}):
        return SpokenNumber(float(_ORDINALS[norm]), None, at, at + 1, ordinal=True)
    return None


def _fraction(words: Sequence[Word], at: int) -> tuple[float, int] | None:
    """Read `half`, `half an hour`, `a quarter of an hour`, `a dozen`, `a couple of`, `an hour`."""
    norms = [word.norm for word in words[at : at + 4]]
    skip = 1 if norms and norms[0] in {"a", "an"} else 0
    amounts = {"half": 0.5, "quarter": 0.25, "dozen": 12.0, "couple": 2.0, "hundred": 100.0, "thousand": 1000.0}
    if len(norms) > skip and norms[skip] in amounts:
        after = at + skip + 1
        value = amounts[norms[skip]]
        while after < len(words) and words[after].norm in {"of", "a", "an"}:
            after += 1
        named_unit = after < len(words) and words[after].stem in UNITS
        if norms[skip] in {"half", "quarter"} and not (named_unit or skip or after >= len(words)):
            return None
        return value, after if named_unit else at + skip + 1
    if skip and len(norms) > 1 and words[at + 1].stem in UNITS and len(words[at + 1].norm) > 2:
        return 1.0, at + 1
    return None


def _decimal(words: Sequence[Word], at: int) -> tuple[float, int] | None:
    whole = _whole(words, at)
    point = at if whole is None else whole[1]
    if point < len(words) and words[point].norm == "point":
        digits, after = "", point + 1
        while after < len(words):
            norm = "zero" if words[after].norm == "oh" else words[after].norm
            if _SMALL.get(norm, 10) < 10:
                digits += str(_SMALL[norm])
            elif norm.isdigit():
                digits += norm
            else:
                break
            after += 1
        if digits:
            return (whole[0] if whole else 0.0) + float("0." + digits), after
    return whole


def _whole(words: Sequence[Word], at: int) -> tuple[float, int] | None:
    """Read digits or number words, `and` between a hundred and its rest, year style `nineteen ninety nine`."""
    if at >= len(words):
        return None
    digits = _DIGITS.fullmatch(words[at].norm)
    if digits:
        value = float(digits.group(1).replace(",", ""))
        scale = _SCALES.get(words[at + 1].norm) if at + 1 < len(words) else None
        return (value * scale, at + 2) if scale else (value, at + 1)
    string = _digit_string(words, at)
    if string is not None:
        return string
    total, group, seen, place = 0.0, 0.0, "", at
    while place < len(words):
        norm = words[place].norm
        kind = _kind(norm, words, place)
        if (
            kind == "and"
            and seen in {"hundred", "scale"}
            and place + 1 < len(words)
            and _starts_number(words[place + 1])
        ):
            place += 1
            continue
        step = _step(norm, kind, seen, total, group)
        if step is None:
            break
        total, group = step
        seen, place = kind, place + 1
    return (total + group, place) if seen else None


def _digit_string(words: Sequence[Word], at: int) -> tuple[float, int] | None:
    """Read three or more single digits in a row as one number: `four four one two`."""
    digits, place = "", at
    while place < len(words) and _SMALL.get("zero" if words[place].norm == "oh" else words[place].norm, 10) < 10:
        digits += str(_SMALL.get(words[place].norm, 0))
        place += 1
        if words[place - 1].pause:
            break
    return (float(digits), place) if 3 <= len(digits) <= 15 else None


def _kind(norm: str, words: Sequence[Word], place: int) -> str:
    if norm in _SMALL:
        return "unit" if _SMALL[norm] < 10 else "teen"
    if norm in _TENS:
        return "tens"
    if norm == "hundred":
        return "hundred"
    return "scale" if norm in _SCALES else "and" if norm == "and" else ""


def _starts_number(word: Word) -> bool:
    return word.norm in _SMALL or word.norm in _TENS


def _step(norm: str, kind: str, seen: str, total: float, group: float) -> tuple[float, float] | None:
    """Take one more number word into `(total, group)`, or None where the number ends."""
    if kind in {"unit", "teen", "tens"}:
        value = float(_SMALL.get(norm, _TENS.get(norm, 0)))
        if seen in {"", "hundred", "scale"} or (seen == "tens" and kind == "unit"):
            return total, group + value
        if seen in {"teen", "tens"} and kind in {"tens", "teen"} and total == 0 and group < 100:
            return total, group * 100 + value
        return None
    if kind == "hundred" and seen in {"unit", "teen", "tens"} and group < 100:
        return total, group * 100
    if kind == "scale" and seen and group:
        return total + group * _SCALES[norm], 0.0
    return None


def _with_half(words: Sequence[Word], value: float, end: int) -> tuple[float, int]:
    """Take `and a half`, `and a quarter` after a whole number."""
    norms = [word.norm for word in words[end : end + 3]]
    if len(norms) == 3 and norms[:2] == ["and", "a"] and norms[2] in {"half", "quarter"}:
        return value + (0.5 if norms[2] == "half" else 0.25), end + 3
    return value, end


def _unit_at(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    if at < len(words) and words[at].stem in UNITS:
        return UNITS[words[at].stem], at + 1
    return None, at


def _smaller_unit(words: Sequence[Word], at: int, unit: str) -> tuple[float, int] | None:
    """Read the rest of `one hour and twenty minutes`, `an hour and a half`, as an amount of `unit`."""
    norms = [word.norm for word in words[at : at + 3]]
    if norms == ["and", "a", "half"]:
        return 0.5, at + 3
    start = at + 1 if norms[:1] == ["and"] else at
    read = _decimal(words, start)
    if read is None:
        return None
    small, end = _unit_at(words, read[1])
    factor = unit_factor(small, unit) if small else None
    return (read[0] * factor, end) if factor is not None and factor < 1 else None


def _sound_alikes(words: Sequence[Word]) -> list[SpokenNumber]:
    """Read `for to minutes` as 2 minutes, `a free hour` as one: guesses where no number was said outright."""
    for at in range(len(words) - 1, 0, -1):
        value = _HOMOPHONES.get(words[at].norm)
        unit, end = _unit_at(words, at + 1)
        last = at == len(words) - 1 and words[at - 1].norm in {"to", "for", "at", "by"}
        if value is not None and (unit is not None or last):
            return [SpokenNumber(float(value), unit, at, end, guessed=True)]
        unit, end = _unit_at(words, at)
        if (
            unit in _TIME_FACTORS
            and not words[at].norm.endswith("s")
            and {"a", "an"} & {words[at - 1].norm, words[max(0, at - 2)].norm}
        ):
            return [SpokenNumber(1.0, unit, at, end, guessed=True)]
    return []
