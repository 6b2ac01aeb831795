"""What kind of sentence was said: a command, a question, talk. Commands call tools; talk seldom does.

Pure functions over words. The result is a damping factor, not a verdict: strong evidence still wins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from parley.engines.local.intent.lexicon import (
    COMMAND_VERBS,
    CONCEPTS,
    FUNCTION_WORDS,
    QUERY_CONCEPTS,
    QUESTION_WORDS,
    VERBS,
)
from parley.engines.local.intent.phrases import leading_verb
from parley.engines.local.intent.schema import ToolShape
from parley.engines.local.intent.words import Word, stem, word_set

__all__ = ["asks_to_know", "damping", "is_fact_question", "is_reader"]

_LEAD_IN: Final = word_set(
    "please hey hi hello ok okay so well now and um uh then also just right alright great thanks cool yes yeah oh no"
)
_ASKING: Final = word_set("can could would will please let's lets try")
_SUBJECTS: Final = word_set(
    "i i'm i've my mine we our he she they it it's this that there his her their that's there's "
    "these those you you're your"
)
_WISHES: Final = word_set("want wanna need wish like should must needs wants let'd i'd we'd gotta")
_KNOWING: Final = word_set("what what's which")
_OUGHT: Final = word_set("should must needs")
_YOU: Final = word_set("you your yours you're yourself")
_TO_BE: Final = word_set("is are was were am do does did has have had")
_PAST: Final = word_set("was were had went made said saw did got came took bought ate thought felt knew")


def _core(words: tuple[Word, ...]) -> tuple[Word, ...]:
    start = 0
    while start < len(words) and words[start].norm in _LEAD_IN:
        start += 1
    return words[start:]


def is_reader(shape: ToolShape) -> bool:
    """Whether the tool looks something up, by its name's verb; a name without a verb is a lookup too."""
    verbs = [stem(word) for word in shape.name_words if word in COMMAND_VERBS or stem(word) in VERBS]
    if not verbs:
        return True
    return any(CONCEPTS.get(one, frozenset()) & QUERY_CONCEPTS for one in verbs[:1])


def damping(words: tuple[Word, ...], shape: ToolShape, reader: bool) -> float:
    """Factor in 0..1 by which the mood of a sentence lowers the score of a tool."""
    core = _core(words)
    norms = [word.norm for word in core]
    return _mood(norms, reader) * _agreement(words, shape, reader) if norms else 1.0


def asks_to_know(words: tuple[Word, ...]) -> bool:
    """Whether a sentence wants something told: `what does it say`, `read it to me`, `tell me what it says`."""
    core = _core(words)
    norms = [word.norm for word in core]
    if not norms or norms[0] in _KNOWING or norms[:2] in (["tell", "me"], ["tell", "us"]):
        return bool(norms)
    return bool(CONCEPTS.get(core[0].stem, frozenset()) & QUERY_CONCEPTS)


def _agreement(words: tuple[Word, ...], shape: ToolShape, reader: bool) -> float:
    """Factor for a sentence's first verb beside the tool's: `make` does not ask for a tool that reads."""
    at = leading_verb(words)
    said = words[at].stem if at is not None and words[at].stem in VERBS else None
    wanted = next((one for one in shape.stems if one in VERBS), None)
    if said is None or (wanted is None and not reader):
        return 1.0
    ideas = CONCEPTS.get(said, frozenset())
    asks = bool(ideas & QUERY_CONCEPTS)
    norms = [word.norm for word in words]
    if not reader and any(pair in (("tell", "me"), ("tell", "us")) for pair in pairwise(norms)):
        return 0.4
    if wanted is not None and (said == wanted or ideas & CONCEPTS.get(wanted, frozenset())):
        return 1.0
    return 1.0 if asks and reader else 0.6 if asks else 0.9 if not reader else 0.7


def _mood(norms: list[str], reader: bool) -> float:
    first, rest = norms[0], norms[1:3]
    if first in _ASKING or (first == "i" and set(norms[1:4]) & _WISHES) or first == "i'd":
        return 0.5 if "why" in norms[:6] else 1.0
    if first in QUESTION_WORDS:
        if set(norms[1:4]) & _YOU and not {"me", "us"} & set(norms):
            return 0.4
        if first in {"why", "who", "who's", "why's"}:
            return 0.9 if reader and first != "why" else 0.2
        return 1.0 if reader or first == "how's" or "about" in rest[:1] else 0.3
    if first in _TO_BE:
        return 0.45 if rest[:1] == ["you"] else 0.9 if reader else 0.1
    ought = 0.6 if reader and _OUGHT & set(norms) else 1.0
    if first in _SUBJECTS:
        return _statement(norms) * ought
    if set(norms[1:4]) & _PAST and first not in {word for word in norms if word in VERBS}:
        return 0.5
    return ought


def _statement(norms: list[str]) -> float:
    """Judge a sentence with a pronoun in front: a wish (`it should be …`), a fragment, or talk."""
    head = norms[:4]
    if set(head) & (_WISHES - {"like"}) and "don't" not in head:
        return 1.0
    if norms[0] in {"that", "this", "these", "those", "my", "our"} and not set(norms) & (_TO_BE | _PAST):
        return 0.9
    return 0.4


def is_fact_question(words: tuple[Word, ...]) -> bool:
    """Tell whether a sentence asks for a fact about the world rather than for talk."""
    core = _core(words)
    norms = [word.norm for word in core]
    if not norms:
        return False
    if norms[0] in {"do", "can", "could", "would"} and norms[1:4] in (
        ["you", "know", "what"],
        ["you", "know", "who"],
        ["you", "tell", "me"],
    ):
        norms = norms[4:] if norms[0] != "do" else norms[3:]
    content = [word for word in norms if word not in FUNCTION_WORDS]
    if not norms or not content or set(norms) & (_YOU | {"i", "we", "me"}):
        return False
    return norms[0] in QUESTION_WORDS - {"how's", "what's"} or norms[0] in {
        "what's",
        "is",
        "are",
        "does",
        "did",
        "was",
        "were",
    }
