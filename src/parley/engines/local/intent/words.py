"""Words: how a sentence and an identifier are cut up, and when two words count as the same.

Here: tokens with their place in the sentence, identifier splitting, a light English stemmer, edit distance one.
Not here: which words carry meaning (`lexicon`), numbers (`spoken_numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["Word", "name_words", "resemblance", "split_words", "stem", "within_one_edit", "word_pairs", "word_set"]

_TOKEN = re.compile(
    r"\d{1,2}:\d{2}(?!\d)|-?\d+(?:,\d{3})*(?:\.\d+)?(?:st|nd|rd|th)?(?![^\W\d_])|#?\w+(?:['\u2019]\w+)*|%", re.UNICODE
)
_IDENTIFIER = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+", re.UNICODE)
_VOWELS = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a sentence: `norm` in lower case, `stem` for comparing, characters `[start, end)` of the sentence.

    `pause` is True where punctuation that separates clauses follows, `stop` where it ends a sentence.
    """

    norm: str
    stem: str
    start: int
    end: int
    pause: bool = False
    stop: bool = False


def split_words(text: str) -> tuple[Word, ...]:
    """Cut a sentence into words. `twenty-three` is two words; `3.5`, `1,000`, `#tag` and `don't` are one each."""
    found = list(_TOKEN.finditer(text))
    words = []
    for place, match in enumerate(found):
        until = found[place + 1].start() if place + 1 < len(found) else len(text)
        between = text[match.end() : until]
        norm = match.group().lower().replace("\u2019", "'")
        if norm[:1] == "-" and match.start() > 0 and text[match.start() - 1].isalnum():
            norm = norm[1:]
        stop = any(mark in between for mark in ".!?;\n")
        words.append(Word(norm, stem(norm), match.start(), match.end(), stop or "," in between or ":" in between, stop))
    return tuple(words)


def word_set(text: str) -> frozenset[str]:
    """Make a set of the words of a text, for word lists."""
    return frozenset(text.split())


def word_pairs(text: str) -> Mapping[str, str]:
    """Make a mapping from `word:other word:other`; an underscore stands for a space."""
    return MappingProxyType({one: other.replace("_", " ") for one, other in (pair.split(":") for pair in text.split())})


def name_words(identifier: str) -> tuple[str, ...]:
    """Cut `moveLeftArm`, `move_left_arm`, `move-left-arm` into lower-case words."""
    return tuple(part.lower() for part in _IDENTIFIER.findall(identifier))


def stem(word: str) -> str:
    """Reduce a word so that its plural, participle, possessive and British spelling compare equal."""
    word = word.lower().replace("\u2019", "'")
    if "'" in word:
        word = word.split("'", 1)[0] or word.replace("'", "")
    if len(word) <= 3 or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and _VOWELS & set(root):
            word = root[:-1] if root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    if word.endswith("our") and len(word) > 4:
        word = word[:-3] + "or"
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def within_one_edit(one: str, other: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns `one` into `other`."""
    if one == other:
        return True
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    at = 0
    while at < len(one) and one[at] == other[at]:
        at += 1
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    if one[at + 1 :] == other[at + 1 :]:
        return True
    return (
        at + 1 < len(one) and one[at] == other[at + 1] and one[at + 1] == other[at] and one[at + 2 :] == other[at + 2 :]
    )


def resemblance(said: str, wanted: str) -> float:
    """Tell how well stem `said` stands for stem `wanted`.

    1 the same, 0.8 one slip of a letter apart, 0.6 a common root, else 0.
    """
    if said == wanted:
        return 1.0
    shortest = min(len(said), len(wanted))
    if shortest < 4 or said[0] != wanted[0] or not (said.isalpha() and wanted.isalpha()):
        return 0.0
    if max(len(said), len(wanted)) >= 5 and within_one_edit(said, wanted):
        return 0.8
    if shortest >= 6 and said[:5] == wanted[:5]:
        common = next((at for at in range(shortest) if said[at] != wanted[at]), shortest)
        return 0.6 if common >= 0.6 * max(len(said), len(wanted)) else 0.0
    return 0.0
