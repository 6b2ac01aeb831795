"""Fill one tool's slots from one sentence: closed meanings first, free strings from what is left.

Here: the order of filling, which words count as the tool's own, and what is still missing afterwards.
Neighbours: `values` (choices, numbers, booleans), `phrases` (strings), `schema_check` (the last gate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from parley.engines.local.intent.filling import Filling, OwnWords
from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS
from parley.engines.local.intent.phrases import fill_lists, fill_strings, leading_verb, leaning
from parley.engines.local.intent.schema import Parameter, ToolShape
from parley.engines.local.intent.spoken_numbers import SpokenNumber, find_numbers
from parley.engines.local.intent.values import fill_booleans, fill_choices, fill_numbers, match_choices
from parley.engines.local.intent.words import Word, resemblance, word_set

__all__ = ["Filled", "answer_slot", "fill"]


_LEAD_INS: Final = word_set("uh um er oh well okay ok say saying says that please")


@dataclass(frozen=True, slots=True)
class Filled:
    """A tool with the arguments a sentence gives it.

    `missing` are required slots that one question could fill, `refused` the first that no words could fill (a list of
    objects, a pattern). `valid` says that the arguments provably fit the schema. `used` are indexes of words that say
    values, `loose` how many of them were taken without any introduction.
    """

    arguments: dict[str, Any]
    missing: tuple[Parameter, ...]
    refused: Parameter | None
    valid: bool
    used: frozenset[int]
    loose: int
    strength: float
    quoted: frozenset[int]
    filled: frozenset[tuple[str, ...]]


def fill(
    shape: ToolShape,
    text: str,
    words: tuple[Word, ...],
    given: dict[tuple[str, ...], Any] | None = None,
    numbers: list[SpokenNumber] | None = None,
) -> Filled:
    """Fill what the sentence says. `given` are values known from before, by parameter path.

    `numbers` are the sentence's numbers where the caller has found them already.
    """
    found = find_numbers(words) if numbers is None else numbers
    filling = Filling(shape, text, words, found, values=dict(given or {}))
    if shape.parameters and words:
        fill_choices(filling)
        fill_numbers(filling)
        fill_booleans(filling)
        _fill_closed_lists(filling)
        own = _own_words(shape, words)
        fill_strings(filling, own)
        fill_lists(filling, own)
    return _settle(filling)


def answer_slot(
    shape: ToolShape, parameter: Parameter, text: str, words: tuple[Word, ...], given: dict[tuple[str, ...], Any]
) -> Filled:
    """Fill from a sentence that answers the question about `parameter`; a bare answer is a full answer."""
    filled = fill(shape, text, words, given)
    whole = parameter.kind == "string" and leaning(parameter) == "content" and not _mentions(words, parameter)
    if (parameter.path in filled.filled and not whole) or parameter.kind != "string":
        return filled
    filling = Filling(shape, text, words, [], values=dict(given))
    start, end = 0, len(words)
    while start < end and words[start].norm in (_LEAD_INS if whole else FUNCTION_WORDS):
        start += 1
    while end > start and words[end - 1].norm in {"please", "thanks", "now"}:
        end -= 1
    if start == end:
        start, end = 0, len(words)
    filling.put(parameter, filling.said(start, end), range(start, end), 0.3)
    return _settle(filling)


def _mentions(words: tuple[Word, ...], parameter: Parameter) -> bool:
    return any(word.stem in parameter.stems for word in words)


def _own_words(shape: ToolShape, words: tuple[Word, ...]) -> OwnWords:
    """Find the words of a sentence that speak of the tool rather than say a value."""
    named: set[int] = set()
    described: set[int] = set()
    akin: set[int] = set()
    for place, word in enumerate(words):
        joined = word.norm + words[place + 1].stem if place + 1 < len(words) else ""
        if word.stem in shape.names or _resembles(word, shape.names):
            named.add(place)
        elif joined and joined in shape.names:
            named |= {place, place + 1}
        elif word.stem in shape.described:
            described.add(place)
        elif shape.ideas and not shape.ideas.isdisjoint(CONCEPTS.get(word.stem, ())):
            akin.add(place)
    verb = leading_verb(words)
    if verb is not None:
        named.add(verb)
    return OwnWords(frozenset(named), frozenset(described), frozenset(akin))


def _resembles(word: Word, names: frozenset[str]) -> bool:
    if len(word.stem) < 4 or word.norm in FUNCTION_WORDS:
        return False
    return any(resemblance(word.stem, name) for name in names)


def _fill_closed_lists(filling: Filling) -> None:
    """Fill lists of choices and of numbers with everything of the kind that was said."""
    for parameter in filling.open("list"):
        item = parameter.item
        if item is not None and item.kind == "choice":
            matches = sorted(match_choices(filling, item.choices), key=lambda one: one.start)
            if matches:
                span = [at for one in matches for at in range(one.start, one.end)]
                filling.put(parameter, [one.choice.value for one in matches], span, 0.6)
        elif item is not None and item.kind in {"number", "integer"}:
            numbers = [one for one in filling.numbers if not filling.used & set(range(one.start, one.end))]
            if numbers:
                span = [at for one in numbers for at in range(one.start, one.end)]
                values = [int(one.value) if one.value.is_integer() else one.value for one in numbers]
                filling.put(parameter, values, span, 0.3)


def _settle(filling: Filling) -> Filled:
    """Add fallbacks, see what is missing, and check the whole against the schema."""
    touched = {path[:size] for path in filling.values for size in range(1, len(path))}
    missing: list[Parameter] = []
    refused: Parameter | None = None
    spoken = frozenset(filling.values)
    for parameter in filling.shape.parameters:
        if parameter.path in filling.values or not (parameter.required or _needed(filling.shape, parameter, touched)):
            continue
        if parameter.has_fallback:
            filling.values[parameter.path] = parameter.fallback
        elif parameter.kind == "unsupported":
            refused = refused or parameter
        else:
            missing.append(parameter)
    if not missing and refused is None and not filling.values and _sets_something(filling.shape):
        missing = [one for one in filling.shape.parameters if one.kind != "unsupported"][:1]
    arguments = filling.arguments()
    valid = not missing and refused is None and filling.shape.accepts(arguments)
    return Filled(
        arguments,
        tuple(missing),
        refused,
        valid,
        frozenset(filling.used),
        filling.loose,
        filling.strength,
        frozenset(filling.quoted),
        spoken,
    )


def _sets_something(shape: ToolShape) -> bool:
    """Tell whether a call without any value would change nothing: a tool that sets, with only optional slots."""
    return bool(shape.parameters) and "set" in CONCEPTS.get(next(iter(shape.stems), ""), frozenset())


def _needed(shape: ToolShape, parameter: Parameter, touched: set[tuple[str, ...]]) -> bool:
    """Tell whether an optional object was begun and its own schema requires this part of it."""
    parent = parameter.path[:-1]
    if not parent or parent not in touched:
        return False
    schema: Any = shape.root
    for key in parent:
        properties = schema.get("properties") if isinstance(schema, dict) else None
        schema = properties.get(key) if isinstance(properties, dict) else None
    required = schema.get("required") if isinstance(schema, dict) else None
    return isinstance(required, list) and parameter.path[-1] in required
