"""The intent index: which of a session's tools a sentence asks for, and with which arguments.

Built from the tools' own schemas, nothing else: names, descriptions, parameters, allowed values. A word weighs more
the fewer tools share it (IDF). Words said but explained by nothing count against a tool, and so do words of its name
that were not said, which parts two tools with the same slots. Deterministic, no model, below a millisecond.

Here: weights, ranking and acceptance of one clause. Not here: several commands in one sentence (`commands`),
conversation state (`dialogue`), filling (`slots`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS, PLAIN_VERBS, UNITS, VERBS
from parley.engines.local.intent.mood import asks_to_know, damping, is_reader
from parley.engines.local.intent.schema import ToolShape, read_tool
from parley.engines.local.intent.slots import Filled, fill
from parley.engines.local.intent.spoken_numbers import SpokenNumber, find_numbers
from parley.engines.local.intent.words import Word, resemblance, split_words
from parley.protocol.realtime.tools import FunctionTool

__all__ = ["Candidate", "IntentIndex"]

_NAME: Final = 1.0
_VALUE: Final = 1.0
_SLOT: Final = 0.8
_ABOUT: Final = 0.5
_SLOT_ABOUT: Final = 0.3
_VERB_SHARE: Final = 0.4
_IDEA: Final = 0.55
_ACCEPT: Final = 0.62
_TRIED: Final = 6
_LONGEST: Final = 400
_STRAY: Final = 0.75
_TIE: Final = 0.06
_ABOUT_IT: Final = 1.45
"""How much more a tool that reads is meant by who asks about something that it names."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tool as a reading of a sentence. `score` ≥ `IntentIndex.threshold` means: act on it."""

    shape: ToolShape
    filled: Filled
    score: float
    evidence: float

    @property
    def name(self) -> str:
        return self.shape.name


class IntentIndex:
    """Rank a session's function tools for a sentence."""

    threshold: Final = _ACCEPT

    def __init__(self, tools: Sequence[FunctionTool]) -> None:
        self.shapes = tuple(read_tool(tool) for tool in tools)
        self._weights = tuple(_source_weights(shape) for shape in self.shapes)
        self._rarity = _rarity(self._weights)
        self._vocabulary = tuple(sorted(self._rarity))
        self._ideas = self._words_by_idea()

    def shape(self, name: str) -> ToolShape | None:
        """Find the tool of that name."""
        return next((shape for shape in self.shapes if shape.name == name), None)

    def vocabulary(self, name: str) -> Mapping[str, float]:
        """Give the stems that speak for a tool, with their weights."""
        for shape, weights in zip(self.shapes, self._weights, strict=True):
            if shape.name == name:
                return weights
        return {}

    def rank(
        self, text: str, *, only: str | None = None, leanings: Mapping[str, float] = MappingProxyType({})
    ) -> list[Candidate]:
        """Read `text` as each tool that shares a word with it, best first.

        `only` looks at one tool, whether or not it shares a word. `leanings` add to the score of tools that the
        conversation is about.
        """
        words = split_words(text)[:_LONGEST]
        heard = [self._hear(word, words, place) for place, word in enumerate(words)]
        shortlist = []
        for place, shape in enumerate(self.shapes):
            if only is not None and shape.name != only:
                continue
            evidence = self._evidence(place, heard)
            lean = leanings.get(shape.name, 0.0)
            if evidence > 0.0 or lean or only is not None:
                shortlist.append((evidence + lean, -place, shape, evidence, lean))
        numbers = find_numbers(words)
        shortlist.sort(key=lambda one: one[:2], reverse=True)
        ranked = [
            self._judge(shape, -place, text, words, numbers, heard, evidence, lean)
            for _, place, shape, evidence, lean in shortlist[:_TRIED]
        ]
        ranked.sort(key=lambda one: -one.score)
        tied = [
            one
            for one in ranked
            if one.filled.valid and one.score >= self.threshold and one.score > ranked[0].score - _TIE
        ]
        if len(tied) > 1:
            first = min(tied, key=lambda one: self.shapes.index(one.shape))
            ranked.remove(first)
            ranked.insert(0, first)
        return ranked

    def best(
        self, text: str, *, only: str | None = None, leanings: Mapping[str, float] = MappingProxyType({})
    ) -> Candidate | None:
        """Find the best reading that is sure enough to act on."""
        ranked = self.rank(text, only=only, leanings=leanings)
        return ranked[0] if ranked and ranked[0].score >= self.threshold else None

    # --- evidence --------------------------------------------------------------------------------------------------

    def _words_by_idea(self) -> dict[str, tuple[str, ...]]:
        by_idea: dict[str, list[str]] = {}
        for one in self._vocabulary:
            for idea in CONCEPTS.get(one, ()):
                by_idea.setdefault(idea, []).append(one)
        return {idea: tuple(words) for idea, words in by_idea.items()}

    def _hear(self, word: Word, words: Sequence[Word], place: int) -> dict[str, float]:
        """Stems of the tools' vocabulary that a word may stand for, with how well."""
        if word.norm in FUNCTION_WORDS and word.stem not in CONCEPTS:
            return {}
        heard: dict[str, float] = {}
        if word.norm not in FUNCTION_WORDS:
            if word.stem in self._rarity:
                heard[word.stem] = 1.0
            elif place + 1 < len(words) and word.norm + words[place + 1].stem in self._rarity:
                heard[word.norm + words[place + 1].stem] = 0.95
            elif len(word.stem) >= 4 and word.stem not in VERBS:
                heard.update({one: 0.8 for one in self._vocabulary if resemblance(word.stem, one)})
        for idea in CONCEPTS.get(word.stem, ()):
            for one in self._ideas.get(idea, ()):
                heard.setdefault(one, _IDEA)
        return heard

    def _evidence(self, place: int, heard: Sequence[Mapping[str, float]]) -> float:
        """Sum, over the tool's words that were said, of rarity times the weight of where the tool uses them."""
        weights = self._weights[place]
        best: dict[str, float] = {}
        for stems in heard:
            pick, value = "", 0.0
            for one, quality in stems.items():
                if one in weights and (found := quality * weights[one] * self._worth(one)) > value:
                    pick, value = one, found
            if pick:
                best[pick] = max(best.get(pick, 0.0), value)
        return sum(best.values())

    def _worth(self, one: str) -> float:
        return self._rarity[one] * (_VERB_SHARE if one in PLAIN_VERBS else 1.0)

    # --- judgement -------------------------------------------------------------------------------------------------

    def _judge(
        self,
        shape: ToolShape,
        place: int,
        text: str,
        words: tuple[Word, ...],
        numbers: list[SpokenNumber],
        heard: Sequence[Mapping[str, float]],
        evidence: float,
        lean: float,
    ) -> Candidate:
        filled = fill(shape, text, words, numbers=numbers)
        if filled.quoted:
            heard = [{} if at in filled.quoted else stems for at, stems in enumerate(heard)]
            evidence = self._evidence(place, heard)
        weights = self._weights[place]
        explained = total = 0.0
        for at, word in enumerate(words):
            if at in filled.used or (word.norm in FUNCTION_WORDS and not heard[at]):
                continue
            known = max(
                (quality * (0.5 + 0.5 * weights[one]) for one, quality in heard[at].items() if one in weights),
                default=0.0,
            )
            if word.norm in FUNCTION_WORDS and not known:
                continue
            share = 0.5 if word.stem in VERBS else 0.3 if word.stem in UNITS else 1.0
            total += share
            explained += share * min(1.0, known * 1.25)
        stray = 1.0 - explained / total if total else 0.0
        coverage = self._name_coverage(shape, filled, words, heard)
        score = evidence + min(filled.strength, 0.9) + 0.5 * coverage + lean
        if total and stray < 0.35 and not filled.missing:
            score += 0.15
        score -= _STRAY * stray * min(1.0, total / 2) + 0.12 * len(filled.missing) + _looseness(filled)
        if not self._telling(weights, heard):
            score *= 0.5
        reader = is_reader(shape)
        if reader and asks_to_know(words) and self._knows_of(weights, words):
            score *= _ABOUT_IT
        return Candidate(shape, filled, score * damping(words, shape, reader), evidence)

    def _knows_of(self, weights: Mapping[str, float], words: Sequence[Word]) -> bool:
        """Tell whether a thing was named, in so many words, that this tool is about."""
        return any(
            word.stem in weights and word.stem not in VERBS and word.norm not in FUNCTION_WORDS for word in words
        )

    def _telling(self, weights: Mapping[str, float], heard: Sequence[Mapping[str, float]]) -> bool:
        """Tell whether anything said points to this tool besides a common verb that merely means the same."""
        for stems in heard:
            for one, quality in stems.items():
                if one not in weights:
                    continue
                exact = quality == 1.0 and weights[one] >= _NAME
                if one not in PLAIN_VERBS or exact or (quality >= _IDEA and "find" in CONCEPTS.get(one, ())):
                    return True
        return False

    def _name_coverage(
        self, shape: ToolShape, filled: Filled, words: tuple[Word, ...], heard: Sequence[Mapping[str, float]]
    ) -> float:
        """Share of the tool's name that was said, or implied by a slot that was filled."""
        implied = {one for parameter in shape.parameters if parameter.path in filled.filled for one in parameter.stems}
        said: dict[str, float] = {}
        for stems in heard:
            for one, quality in stems.items():
                said[one] = max(said.get(one, 0.0), quality)
        named = [one for one in set(shape.stems) if one in self._rarity]
        whole = sum(self._worth(one) for one in named) or 1.0
        return sum(self._worth(one) * max(said.get(one, 0.0), 0.8 * (one in implied)) for one in named) / whole


def _looseness(filled: Filled) -> float:
    """Doubt about free strings that nothing introduced: one or two words are usual, more are not."""
    return 0.08 * max(0, filled.loose - 3)


def _source_weights(shape: ToolShape) -> dict[str, float]:
    """Each stem of a tool with the weight of the most telling place it occurs in."""
    weights: dict[str, float] = {}

    def add(stems: Sequence[str] | frozenset[str], weight: float) -> None:
        for one in stems:
            weights[one] = max(weights.get(one, 0.0), weight)

    add(shape.stems, _NAME)
    add(shape.about, _ABOUT)
    for parameter in shape.parameters:
        add(parameter.stems, _SLOT)
        add(parameter.about, _SLOT_ABOUT)
        choices = parameter.choices or (parameter.item.choices if parameter.item else ())
        for choice in choices:
            add(choice.stems, _VALUE)
    return {one: weight for one, weight in weights.items() if one not in FUNCTION_WORDS or one in CONCEPTS}


def _rarity(weights: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """IDF on 0..1 over tools: 1 for a word of a single tool, less the more tools share it."""
    shared: dict[str, int] = {}
    for one in weights:
        for word in one:
            shared[word] = shared.get(word, 0) + 1
    top = math.log(1 + len(weights)) if weights else 1.0
    return {word: math.log(1 + len(weights) / count) / top for word, count in shared.items()}
