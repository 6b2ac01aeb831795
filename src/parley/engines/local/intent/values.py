"""Slots with a closed meaning: choices, numbers and booleans.

Each function takes a `Filling` and the parameters still open, and fills what the sentence says plainly. A number out
of range is moved to the nearest limit; units are converted to those the parameter names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parley.engines.local.intent.filling import Filling
from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS, OFF_WORDS, ON_WORDS, UNITS, VERBS
from parley.engines.local.intent.schema import Choice, Parameter
from parley.engines.local.intent.spoken_numbers import SpokenNumber, unit_factor
from parley.engines.local.intent.words import Word, resemblance, stem

__all__ = ["fill_booleans", "fill_choices", "fill_numbers", "match_choices"]

_OFF_STEMS = frozenset(stem(word) for word in OFF_WORDS)
_ON_STEMS = frozenset(stem(word) for word in ON_WORDS)
_SHOWING = frozenset(
    stem(word)
    for word in [
        "show",
        "hide",
        "display",
        "conceal",
        "reveal",
        "open",
        "close",
        "start",
        "stop",
        "add",
        "remove",
        "with",
        "without",
        "play",
        "resume",
        "pause",
    ]
)
_SEEN = frozenset(
    stem(word)
    for word in [
        "visible",
        "shown",
        "show",
        "showing",
        "display",
        "displayed",
        "visibility",
        "hidden",
        "enabled",
        "enable",
        "active",
        "on",
        "state",
        "status",
        "value",
        "flag",
    ]
)
_INVERTED = frozenset(
    stem(word)
    for word in ["hidden", "hide", "disabled", "disable", "muted", "mute", "off", "paused", "invisible", "closed"]
)


@dataclass(frozen=True, slots=True)
class ChoiceMatch:
    """Choice `choice` said in words `[start, end)`."""

    choice: Choice
    start: int
    end: int
    quality: float


# --- choices -------------------------------------------------------------------------------------------------------


def match_choices(filling: Filling, choices: Sequence[Choice]) -> list[ChoiceMatch]:
    """Find every choice the sentence names, best first."""
    seen: dict[str, int] = {}
    for choice in choices:
        for one in set(choice.stems):
            seen[one] = seen.get(one, 0) + 1
    matches = []
    for choice in choices:
        found = _match_choice(filling, choice, seen)
        if found is not None:
            matches.append(found)
    return sorted(matches, key=lambda one: (-one.quality - 0.2 * (one.end - one.start), one.start))


def _match_choice(filling: Filling, choice: Choice, seen: dict[str, int]) -> ChoiceMatch | None:
    words, used, stems = filling.words, filling.used, choice.stems
    if not stems:
        return None
    if len(stems) == 1 and stems[0].lstrip("-").replace(".", "", 1).isdigit():
        for number in filling.numbers:
            if number.value == float(stems[0]) and not used & set(range(number.start, number.end)):
                return ChoiceMatch(choice, number.start, number.end, 1.0)
    best: ChoiceMatch | None = None
    for start in range(len(words)):
        for end, quality in _spans(words, start, choice):
            if quality > (best.quality if best else 0.0) and not used & set(range(start, end)):
                best = ChoiceMatch(choice, start, end, quality)
    if best is None and len(stems) > 1:
        best = _partial(words, choice, seen, used)
    return best


def _spans(words: Sequence[Word], start: int, choice: Choice) -> list[tuple[int, float]]:
    """Give ends and qualities of the ways in which words from `start` on say a choice, compounds split or joined."""
    spans = []
    stems = choice.stems
    if start + len(stems) <= len(words):
        quality = min(_alike(words[start + place], wanted) for place, wanted in enumerate(stems))
        spans.append((start + len(stems), quality))
    joined = choice.joined
    if len(stems) > 1 and len(joined) >= 5:
        spans.append((start + 1, resemblance(words[start].norm, joined) * 0.95))
    if len(stems) == 1 and len(joined) >= 5 and start + 1 < len(words):
        spans.append((start + 2, 0.95 if words[start].norm + words[start + 1].norm == joined else 0.0))
    return spans


def _alike(word: Word, wanted: str) -> float:
    if word.norm in FUNCTION_WORDS:
        return 1.0 if wanted in (word.norm, word.stem) else _same_idea(word.stem, wanted)
    return resemblance(word.stem, wanted) or _same_idea(word.stem, wanted)


def _same_idea(said: str, wanted: str) -> float:
    shared = CONCEPTS.get(said, frozenset()) & CONCEPTS.get(wanted, frozenset())
    return 0.6 if shared - {"size", "set", "get", "show"} else 0.0


def _partial(words: Sequence[Word], choice: Choice, seen: dict[str, int], used: set[int]) -> ChoiceMatch | None:
    """Accept one distinctive word of a longer choice."""
    for place, word in enumerate(words):
        if place in used or word.norm in FUNCTION_WORDS or word.stem in VERBS:
            continue
        for one in choice.stems:
            if seen[one] == 1 and len(one) > 2 and resemblance(word.stem, one) == 1.0:
                return ChoiceMatch(choice, place, place + 1, 0.6)
    return None


def fill_choices(filling: Filling) -> None:
    """Fill choice parameters, the clearest match first; `from` or the slot's own name before it decides ties."""
    candidates = []
    for order, parameter in enumerate(filling.open("choice")):
        for match in match_choices(filling, parameter.choices):
            if match.quality < 0.8 and any(
                filling.words[at].stem in filling.shape.stems for at in range(match.start, match.end)
            ):
                continue
            before = [word.stem for word in filling.words[max(0, match.start - 2) : match.start]]
            beside = 0.4 if set(before) & set(parameter.stems) else 0.0
            weight = match.quality + 0.2 * (match.end - match.start) + beside + (0.1 if parameter.required else 0.0)
            candidates.append((weight, -match.start, -order, parameter, match))
    for _, _, _, parameter, match in sorted(candidates, key=lambda one: one[:3], reverse=True):
        span = range(match.start, match.end)
        if parameter.path in filling.values or filling.used & set(span):
            continue
        filling.put(parameter, match.choice.value, span, 0.8 * match.quality)


# --- numbers -------------------------------------------------------------------------------------------------------


def fill_numbers(filling: Filling) -> None:
    """Give each number to the numeric parameter it fits best: by unit, by the slot's name nearby, by order."""
    waiting = filling.open("number", "integer")
    numbers = [one for one in filling.numbers if not filling.used & set(range(one.start, one.end))]
    pairs = []
    for place, number in enumerate(numbers):
        for order, parameter in enumerate(waiting):
            fit = _number_fit(filling.words, number, parameter)
            if fit is not None:
                pairs.append((fit, -place, -order, parameter, number))
    for fit, _, _, parameter, number in sorted(pairs, key=lambda one: one[:3], reverse=True):
        span = set(range(number.start, number.end))
        if parameter.path in filling.values or span & filling.used:
            continue
        value = _fitted(number, parameter)
        if value is not None:
            filling.put(parameter, value, span, 0.25 + 0.1 * max(0.0, fit))
    for parameter in filling.open("number", "integer"):
        _fill_extreme(filling, parameter)


def _number_fit(words: Sequence[Word], number: SpokenNumber, parameter: Parameter) -> float | None:
    unit = parameter_unit(parameter)
    fit = 0.3 if parameter.required else 0.0
    if number.unit and unit:
        if unit_factor(number.unit, unit) is None:
            return None
        fit += 2.0 if number.unit == unit else 1.5
    before = {word.stem for word in words[max(0, number.start - 3) : number.start]}
    after = {word.stem for word in words[number.end - 1 : number.end + 2]}
    names = set(parameter.stems)
    if names & before:
        fit += 1.5
    elif names & after:
        fit += 1.2
    elif any(
        CONCEPTS.get(one, frozenset()) & CONCEPTS.get(name, frozenset()) for one in before | after for name in names
    ):
        fit += 0.7
    return fit - (0.5 if number.ordinal or number.guessed else 0.0)


def parameter_unit(parameter: Parameter) -> str | None:
    """Find the unit of a numeric parameter, from its name, else from a description that names exactly one."""
    for one in reversed(parameter.stems):
        if one in UNITS and len(parameter.stems) + len(one) > 2:
            return UNITS[one]
    named = {UNITS[one] for one in parameter.about if one in UNITS and len(one) > 2}
    return named.pop() if len(named) == 1 else None


def _fitted(number: SpokenNumber, parameter: Parameter) -> float | int | None:
    """Convert to the parameter's unit, percent to its scale, and move into its range."""
    value, unit = number.value, parameter_unit(parameter)
    if number.unit and unit:
        value *= unit_factor(number.unit, unit) or 1.0
    if number.unit == "percent" and parameter.maximum is not None and 0 < parameter.maximum <= 1:
        value /= 100.0
    if number.unit is None and value == 0.5 and parameter.maximum is not None and parameter.maximum >= 2:
        value = parameter.maximum / 2
    if parameter.minimum is not None:
        value = max(value, parameter.minimum)
    if parameter.maximum is not None:
        value = min(value, parameter.maximum)
    value = round(value, 6)
    if float(value).is_integer():
        return int(value)
    return None if parameter.kind == "integer" else value


def _fill_extreme(filling: Filling, parameter: Parameter) -> None:
    """Read `full`, `maximum`, `lowest` as the parameter's own limit."""
    for place, word in enumerate(filling.words):
        if place in filling.used:
            continue
        if word.norm in {"max", "maximum", "full", "fully", "highest", "maximal"}:
            limit = parameter.maximum
        elif word.norm in {"min", "minimum", "lowest", "minimal"}:
            limit = parameter.minimum
        else:
            continue
        if limit is not None:
            filling.put(parameter, int(limit) if limit.is_integer() else limit, [place], 0.3)
            return


# --- booleans ------------------------------------------------------------------------------------------------------


def fill_booleans(filling: Filling) -> None:
    """Fill booleans from on and off, show and hide, with and without, or the slot's own name."""
    waiting = filling.open("boolean")
    for parameter in waiting:
        span = _clause(filling.words, parameter) if len(waiting) > 1 else range(len(filling.words))
        reading = _polarity(filling, parameter, span)
        if reading is not None:
            value, places = reading
            filling.put(parameter, value, places, 0.35)


def _clause(words: Sequence[Word], parameter: Parameter) -> range:
    """Find the stretch between two `and`s or commas that mentions the parameter; empty if none does."""
    start = 0
    for place in range(len(words) + 1):
        if place < len(words) and words[place].norm not in {"and", "but"} and not words[place].pause:
            continue
        stretch = range(start, min(place + 1, len(words)))
        if any(_names(words[one], parameter) for one in stretch):
            return stretch
        start = place + 1
    return range(0)


def _names(word: Word, parameter: Parameter) -> bool:
    return word.stem in parameter.stems or (word.stem.startswith("un") and word.stem[2:] in parameter.stems)


def _polarity(filling: Filling, parameter: Parameter, span: range) -> tuple[bool, list[int]] | None:
    words = filling.words
    named = [place for place in span if _names(words[place], parameter)]
    general = parameter.required or bool(set(parameter.stems) & _SEEN)
    positive, negative = _signs(filling, span, showing=general or bool(named))
    own = set(named)
    undone = [place for place in named if words[place].stem not in parameter.stems]
    inverted = bool(set(parameter.stems) & _INVERTED)
    if undone:
        return False, undone
    if named and inverted:
        return not [place for place in negative if place not in own], named
    if (negative or positive) and (general or named):
        return bool(negative) is inverted, [*named, *(negative or positive)[:1]]
    if named and (parameter.required or not (set(parameter.stems) & set(filling.shape.stems))):
        return True, named
    return None


def _signs(filling: Filling, span: range, *, showing: bool) -> tuple[list[int], list[int]]:
    """Places of positive and of negative words. Verbs such as `show` count only where the slot is about showing."""
    positive: list[int] = []
    negative: list[int] = []
    for place in span:
        word = filling.words[place]
        if place in filling.used or (word.stem in _SHOWING and not showing):
            continue
        if word.norm in OFF_WORDS or (word.stem in _OFF_STEMS and len(word.stem) > 3):
            negative.append(place)
        elif word.norm in ON_WORDS or (word.stem in _ON_STEMS and len(word.stem) > 3):
            positive.append(place)
    return positive, negative
