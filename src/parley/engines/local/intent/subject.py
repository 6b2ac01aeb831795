"""What `that` and `there` mean: the last place or subject in the words the user has heard.

Pure text. Proper nouns count most, then what follows a preposition; no list of places is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parley.engines.local.intent.lexicon import DEICTIC, FUNCTION_WORDS, TIME_WORDS, VERBS
from parley.engines.local.intent.words import Word, split_words, word_set

__all__ = ["Subject", "last_subject", "points_back", "with_subject"]

_WHERE: Final = frozenset({"in", "at", "near", "on", "from", "to", "around", "into", "of", "over"})
_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_SAID_OF: Final = word_set(
    "is was has had lies sits stands will would can could does did comes belongs became remains and or in on at"
)
_JOINERS: Final = frozenset({"of", "the", "and", "de", "la", "upon"})


@dataclass(frozen=True, slots=True)
class Subject:
    """A phrase, the sentence it was heard in, and whether a preposition of place led to it."""

    phrase: str
    sentence: str
    place: bool


def last_subject(heard: str) -> Subject | None:
    """Find the last proper noun, else the last phrase after a preposition, in what was heard."""
    for found in reversed(_SENTENCE.findall(heard)):
        subject = _proper(found.strip()) or _after_preposition(found.strip())
        if subject is not None:
            return subject
    return None


def _proper(sentence: str) -> Subject | None:
    words = split_words(sentence)
    spans: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        end = place
        while end < len(words) and _is_name(sentence, words[end].start, first=end == 0, norm=words[end].norm):
            end += 1
            if end < len(words) - 1 and words[end].norm in _JOINERS and not words[end - 1].pause:
                ahead = end + 1
                if (
                    _is_name(sentence, words[ahead].start, first=False, norm=words[ahead].norm)
                    and words[end].norm != "and"
                ):
                    end = ahead
            if words[end - 1].pause:
                break
        if end > place:
            spans.append((place, end))
        place = max(end, place + 1)
    spans = [span for span in spans if span != (0, 1) or _stands_alone(words)]
    if not spans:
        return None
    start, end = spans[-1]
    phrase = sentence[words[start].start : words[end - 1].end]
    led = [word.norm for word in words[max(0, start - 2) : start]]
    if led[-1:] == ["the"]:
        phrase = f"the {phrase}"
    return Subject(phrase, sentence, bool(_WHERE & set(led)))


def _stands_alone(words: Sequence[Word]) -> bool:
    """Tell whether a sentence's first word, which has its capital anyway, is a name: something is said of it."""
    return words[0].pause or (len(words) > 1 and words[1].norm in _SAID_OF)


def _is_name(sentence: str, at: int, *, first: bool, norm: str) -> bool:
    if not sentence[at].isupper() or norm in {"i", "i'm", "i'd", "i'll", "i've"} or norm in TIME_WORDS:
        return False
    return not first or (norm not in FUNCTION_WORDS and norm not in {"done", "there"})


def _after_preposition(sentence: str) -> Subject | None:
    words = split_words(sentence)
    for at in range(len(words) - 2, -1, -1):
        if words[at].norm not in _WHERE:
            continue
        end = at + 1
        while end < len(words) and words[end].norm not in _WHERE and not words[end - 1].pause * (end > at + 1):
            end += 1
        inner = [one for one in range(at + 1, end) if words[one].norm not in FUNCTION_WORDS]
        if inner:
            return Subject(sentence[words[at + 1].start : words[inner[-1]].end], sentence, True)
    return None


def points_back(text: str) -> bool:
    """Tell whether a sentence only points at something said before: `where is that`, `show me that`."""
    words = split_words(text)
    named = [word for word in words if word.norm not in FUNCTION_WORDS and word.stem not in VERBS]
    return len(named) <= 2 and any(word.norm in DEICTIC for word in words)


def with_subject(text: str, subject: Subject) -> str:
    """Replace a sentence's pointing word by what it points at."""
    for word in reversed(split_words(text)):
        if word.norm in DEICTIC:
            here = f"in {subject.phrase}" if word.norm == "there" else subject.phrase
            return text[: word.start] + here + text[word.end :]
    return text
