"""How English says numbers with marks, units, symbols and addresses. Data and small rules; `speech_text` applies them.

Plain digits stay digits: every English voice reads those. What is changed is what voices commonly get wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["ENGLISH"]

_CURRENCIES = {
    "$": ("dollar", "dollars", "cents"),
    "€": ("euro", "euros", "cents"),
    "£": ("pound", "pounds", "pence"),
    "¥": ("yen", "yen", ""),
    "₹": ("rupee", "rupees", "paise"),
}

_UNITS = {
    "km/h": "kilometers per hour",
    "mph": "miles per hour",
    "m/s": "meters per second",
    "km²": "square kilometers",
    "m²": "square meters",
    "km": "kilometers",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "mg": "milligrams",
    "ml": "milliliters",
    "kWh": "kilowatt hours",
    "kW": "kilowatts",
    "GHz": "gigahertz",
    "MHz": "megahertz",
    "kHz": "kilohertz",
    "Hz": "hertz",
    "TB": "terabytes",
    "GB": "gigabytes",
    "MB": "megabytes",
    "kB": "kilobytes",
    "KB": "kilobytes",
    "ms": "milliseconds",
    "°C": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "°": "degrees",
    "%": "percent",
    "ft": "feet",
    "lbs": "pounds",
    "lb": "pounds",
    "oz": "ounces",
}

_SINGULAR = {"feet": "foot", "hertz": "hertz", "percent": "percent", "degrees": "degree"}

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)

_SHORT = {
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "w/o": "without",
    "w/": "with",
}

_SYMBOLS = {
    "&": "and",
    "→": "to",
    "≈": "about",
    "≤": "at most",
    "≥": "at least",
    "×": "times",  # noqa: RUF001
    "÷": "divided by",
    "±": "plus or minus",
    "≠": "is not",
    "=": "equals",
}


def _money(match: re.Match[str]) -> str:
    one, many, small = _CURRENCIES[match.group(1)]
    whole, part, scale = match.group(2).replace(",", ""), match.group(3), match.group(4)
    if scale:
        return f"{whole}{'.' + part if part else ''} {scale.strip()} {many}"
    said = f"{whole} {one if whole == '1' else many}"
    if part and len(part) == 2 and small and part != "00":
        return f"{said} and {int(part)} {small}"
    return said if not part or not part.strip("0") else f"{whole}.{part} {many}"


def _unit(match: re.Match[str]) -> str:
    number, unit = match.group(1), _UNITS[match.group(2)]
    if number == "1":
        head, _, tail = unit.partition(" ")
        head = _SINGULAR.get(head, head.removesuffix("s"))
        unit = f"{head} {tail}".strip()
    return f"{number} {unit}"


def _date(match: re.Match[str]) -> str:
    year, month, day = match.group(1), int(match.group(2)), int(match.group(3))
    return f"{_MONTHS[month - 1]} {day}, {year}"


def _digits(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match.group())
    return ("plus " if match.group().startswith("+") else "") + ", ".join(" ".join(group) for group in groups)


def _address(match: re.Match[str]) -> str:
    return match.group().replace("@", " at ").replace(".", " dot ")


def _table(words: dict[str, str]) -> Callable[[re.Match[str]], str]:
    def say(match: re.Match[str]) -> str:
        return words[match.group(1)]

    return say


def _spaced(words: dict[str, str]) -> Callable[[re.Match[str]], str]:
    def say(match: re.Match[str]) -> str:
        return f" {words[match.group(1)]} "

    return say


def _any_of(words: dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

ENGLISH: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"), _address),
    (re.compile(r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|edu|gov|ai|app)\b", re.IGNORECASE), _address),
    (re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b"), _date),
    (re.compile(r"(?<![\w.])(?:\+\d{1,3}[ -])?(?:\(\d{3}\) ?|\d{3}[ -.])\d{3}[ .-]\d{4}\b"), _digits),
    (
        re.compile(r"([$€£¥₹])[ ]?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?( (?:thousand|million|billion|trillion))?\b"),
        _money,
    ),
    (re.compile(rf"(?<![\w.])({_NUMBER})[ ]?({_any_of(_UNITS)})(?![\w/²])"), _unit),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), lambda _: ""),
    (re.compile(r"(?<![\w-])[-−](?=\d)"), lambda _: "minus "),  # noqa: RUF001
    (re.compile(r"(?<![\w.–-])(\d+)\s?[–—-]\s?(\d+)(?![\w–-])"), lambda m: f"{m[1]} to {m[2]}"),  # noqa: RUF001
    (re.compile(r"(?<=\d)\s?\*\s?(?=\d)"), lambda _: " times "),
    (re.compile(rf"(?<!\w)({_any_of(_SHORT)})(?=[\s,)]|$)"), _table(_SHORT)),
    (re.compile(r"(?<=\d)\s?\+\s?(?=\d)"), lambda _: " plus "),
    (re.compile(rf"\s?({_any_of(_SYMBOLS)})\s?"), _spaced(_SYMBOLS)),
    (re.compile(r"#(?=\d)"), lambda _: "number "),
)
"""Passes in order: addresses, dates, telephone numbers, money, units, signs, ranges, short forms, symbols."""
