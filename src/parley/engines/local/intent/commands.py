"""From a sentence to calls: several commands in one breath, a second value for the first command, one call.

Here: cutting at `and`, `then`, commas and full stops, inheriting the verb, merging slots into one call or making
several. Neighbours: `index` reads one clause; `dialogue` knows what was said before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from parley.engines.local.intent.index import Candidate, IntentIndex
from parley.engines.local.intent.lexicon import FUNCTION_WORDS, VERBS
from parley.engines.local.intent.phrases import leading_verb, leaning
from parley.engines.local.intent.schema import ToolShape
from parley.engines.local.intent.slots import Filled, fill
from parley.engines.local.intent.spoken_numbers import find_numbers
from parley.engines.local.intent.words import Word, split_words

__all__ = ["PlannedCall", "Reading", "continue_call", "flat_values", "read_commands"]

_MOST_CALLS: Final = 4
_LINKS: Final = frozenset({"and", "then", "plus", "also"})


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call to make: it fits its tool's schema."""

    shape: ToolShape
    arguments: dict[str, Any]

    @property
    def name(self) -> str:
        return self.shape.name


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence asks for. `doubt` is a confident reading that still lacks something, when `calls` is empty."""

    calls: tuple[PlannedCall, ...] = ()
    doubt: Candidate | None = None


def read_commands(index: IntentIndex, text: str, *, leanings: dict[str, float] | None = None) -> Reading:
    """Read a sentence as one or several commands."""
    lean = leanings or {}
    whole = index.best(text, leanings=lean)
    clauses = _clauses(text)
    if len(clauses) > 1:
        parts = _read_clauses(index, clauses, lean)
        if parts is not None and _prefer_parts(parts, whole):
            return Reading(tuple(parts[:_MOST_CALLS]))
    if whole is None:
        return Reading()
    if whole.filled.valid:
        return Reading((PlannedCall(whole.shape, whole.filled.arguments),))
    return Reading(doubt=whole)


def _clauses(text: str) -> list[str]:
    """Cut at links and pauses, never inside a number or quotation marks."""
    words = split_words(text)
    inside = {at for number in find_numbers(words) for at in range(number.start, number.end - 1)}
    clauses, start = [], 0
    for place, word in enumerate(words):
        link = word.norm in _LINKS and place not in inside
        if link or (word.pause and place not in inside):
            end = place if link else place + 1
            clauses.append(words[start:end])
            start = place + 1
    clauses.append(words[start:])
    if any(mark in text for mark in '"“«'):
        return [text]
    return [text[one[0].start : one[-1].end] for one in clauses if any(word.norm not in FUNCTION_WORDS for word in one)]


def _read_clauses(index: IntentIndex, clauses: list[str], lean: dict[str, float]) -> list[PlannedCall] | None:
    """Read each clause by itself or as more of the one before. None if one of them means nothing."""
    calls: list[PlannedCall] = []
    verb = ""
    for clause in clauses:
        words = split_words(clause)
        at = leading_verb(words)
        own = _complete(index, clause, lean if not calls else {})
        if at is not None:
            verb = clause[words[at].start : words[at].end]
        elif verb and own is None:
            own = _complete(index, f"{verb} {clause}", {}) if _has_content(words) else None
            if own is not None and calls and own.name == calls[-1].name:
                own = None
        if own is not None and not (calls and _only_verb(index, clause, own)):
            calls.append(own)
            continue
        if not calls:
            return None
        more = continue_call(calls[-1], clause)
        if more is None:
            return None
        if _adds_only(calls[-1], more):
            calls[-1] = more
        else:
            calls.append(more)
    return calls


def _has_content(words: tuple[Word, ...]) -> bool:
    return any(word.norm not in FUNCTION_WORDS for word in words)


def _only_verb(index: IntentIndex, clause: str, call: PlannedCall) -> bool:
    """Tell whether a clause speaks for its tool by a shared verb alone, so that it may just be more of a string."""
    words = [word for word in split_words(clause) if word.norm not in FUNCTION_WORDS]
    return (
        not any(word.stem in index.vocabulary(call.name) and word.stem not in VERBS for word in words)
        and bool(call.shape.parameters)
        and leading_verb(split_words(clause)) is None
    )


def _complete(index: IntentIndex, clause: str, lean: dict[str, float]) -> PlannedCall | None:
    found = index.best(clause, leanings=lean)
    if found is None or not found.filled.valid:
        return None
    return PlannedCall(found.shape, found.filled.arguments)


def continue_call(before: PlannedCall, text: str) -> PlannedCall | None:
    """Read `text` as other values for the same tool: `and the other one`, `now five`. None if it gives none."""
    words = split_words(text)
    filled = fill(before.shape, text, words)
    if not filled.filled or not _all_used(words, filled, before.shape):
        return None
    spoken = {
        path: value for path, value in flat_values(before.shape, filled.arguments).items() if path in filled.filled
    }
    if any(leaning(one) == "content" and one.path in spoken for one in before.shape.parameters if one.kind == "string"):
        return None
    merged = fill(before.shape, "", (), {**flat_values(before.shape, before.arguments), **spoken})
    return PlannedCall(before.shape, merged.arguments) if merged.valid else None


def _all_used(words: tuple[Word, ...], filled: Filled, shape: ToolShape) -> bool:
    names = set(shape.stems) | set(shape.about) | {one for parameter in shape.parameters for one in parameter.stems}
    left = [
        at
        for at, word in enumerate(words)
        if at not in filled.used
        and word.norm not in FUNCTION_WORDS
        and word.stem not in VERBS
        and word.stem not in names
    ]
    return not left and filled.loose <= 3


def _adds_only(before: PlannedCall, more: PlannedCall) -> bool:
    old = flat_values(before.shape, before.arguments)
    new = flat_values(more.shape, more.arguments)
    return all(new.get(path) == value for path, value in old.items())


def flat_values(shape: ToolShape, arguments: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """Arguments by parameter path."""
    values: dict[tuple[str, ...], Any] = {}
    for parameter in shape.parameters:
        part: Any = arguments
        for key in parameter.path:
            part = part.get(key, _ABSENT) if isinstance(part, dict) else _ABSENT
        if part is not _ABSENT:
            values[parameter.path] = part
    return values


_ABSENT: Final = object()


def _prefer_parts(parts: list[PlannedCall], whole: Candidate | None) -> bool:
    """Whether the clauses, read one by one, say more than the sentence read as one call."""
    if whole is None or not whole.filled.valid:
        return True
    lists = [one for one in whole.shape.parameters if one.kind == "list" and one.path in whole.filled.filled]
    if lists and all(call.name == whole.name for call in parts):
        return False
    if len(parts) == 1:
        own = flat_values(parts[0].shape, parts[0].arguments)
        return parts[0].name != whole.name or len(own) > len(whole.filled.filled)
    first = parts[0]
    if all(call.name == first.name for call in parts) and first.name == whole.name:
        values = [tuple(sorted(map(str, flat_values(call.shape, call.arguments).items()))) for call in parts]
        keys = [set(flat_values(call.shape, call.arguments)) for call in parts]
        return len(set(values)) > 1 and not (keys[0].isdisjoint(keys[1]))
    return True
