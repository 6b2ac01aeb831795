"""The state of filling one tool's slots from one sentence: which words are spoken for, and by what.

Data only; `values` and `phrases` write it, `slots` runs them in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from parley.engines.local.intent.schema import Parameter, ToolShape
from parley.engines.local.intent.schema_check import conforms
from parley.engines.local.intent.spoken_numbers import SpokenNumber
from parley.engines.local.intent.words import Word

__all__ = ["Filling", "OwnWords"]


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Indexes of words that are the tool's rather than the speaker's.

    `named` occur in its name or its slots' names, `described` in a description, `akin` only share an idea with its
    name.
    """

    named: frozenset[int]
    described: frozenset[int]
    akin: frozenset[int]


@dataclass(slots=True)
class Filling:
    """Values found so far, by parameter path. `used` are indexes of words that are spoken for.

    `strength` adds up how sure the finds are; `loose` counts words taken by free strings without an introduction;
    `quoted` are the words inside introduced free strings.
    """

    shape: ToolShape
    text: str
    words: tuple[Word, ...]
    numbers: list[SpokenNumber]
    values: dict[tuple[str, ...], Any] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    strength: float = 0.0
    loose: int = 0
    quoted: set[int] = field(default_factory=set)

    def put(self, parameter: Parameter, value: Any, words: Iterable[int], strength: float) -> bool:
        """Give `parameter` a value if its schema allows it; the words that said it are then used up."""
        if not conforms(value, parameter.schema, self.shape.root):
            return False
        self.values[parameter.path] = value
        self.used.update(words)
        self.strength += strength
        return True

    def quote(self, places: Iterable[int]) -> None:
        """Note that these words are free text: they say nothing about which tool is meant."""
        self.quoted.update(places)

    def open(self, *kinds: str) -> list[Parameter]:
        """Unfilled parameters of these kinds, required ones first, else in the schema's order."""
        waiting = [one for one in self.shape.parameters if one.kind in kinds and one.path not in self.values]
        return sorted(waiting, key=lambda one: not one.required)

    def said(self, start: int, end: int) -> str:
        """Give the speaker's own words `[start, end)`, casing and inner punctuation kept."""
        return self.text[self.words[start].start : self.words[end - 1].end] if end > start else ""

    def arguments(self) -> dict[str, Any]:
        """Give the values as the nested object the schema describes."""
        result: dict[str, Any] = {}
        for parameter in self.shape.parameters:
            if parameter.path not in self.values:
                continue
            into = result
            for key in parameter.path[:-1]:
                into = into.setdefault(key, {})
            into[parameter.path[-1]] = self.values[parameter.path]
        return result
