"""Instructions that ask for something to be said now: `say exactly …`, `greet the user`, `ask for feedback about …`.

A response's instructions reach the brain as one text. Only plain orders about what to say are followed; persona, tone
and language are beyond this brain and are not pretended.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

__all__ = ["spoken_order", "verbatim_order"]

_VERBATIM = re.compile(
    r"^\s*(?:please\s+|now\s+|just\s+|only\s+)*(?:say|repeat|speak|read|respond with|reply with"
    r"|answer with|reply|respond|answer|tell the user)"
    r"(?P<how>(?:\s+(?:exactly|verbatim|only|precisely|literally|word for word|out loud|aloud|to the "
    r"user|with|the following|this|these words|text|sentence|phrase|and nothing else|exactly this))*)"
    r"\s*(?P<colon>:)?\s*(?P<what>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r"^[\"“«'\u2018](.+?)[\"”»'\u2019]\W*(?:and nothing else\W*|verbatim\W*|exactly\W*)?$", re.DOTALL)
_ANY_QUOTE = re.compile(r"\bsay(?:ing)?\b[^\"“.]{0,30}[\"“]([^\"”]+)[\"”]", re.IGNORECASE)
_GREET = re.compile(
    r"\b(?:greet|welcome|say (?:hello|hi)|introduce yourself|open the conversation|start the conversation)\b",
    re.IGNORECASE,
)
_TELL = re.compile(
    r"\btell (?:the user|them|him|her|people|everyone|the caller|the visitor|me)\s+(?:that\s+)?(?P<what>[^.]+)",
    re.IGNORECASE,
)
_ASK_FOR = re.compile(
    r"\bask (?:the user |them |for )*for (?:their |the user's |his |her )?(?P<what>[^.,;:!?\n-]+)", re.IGNORECASE
)
_FEEDBACK = re.compile(
    r"\bask (?:the user |them )?for (?:their )?(?:feedback|opinion|thoughts) (?:about|on) (?P<what>[^.,;:!?\n-]+)",
    re.IGNORECASE,
)
_ASK_HOW = re.compile(
    r"\b(?:ask|see|find out) (?:the user |them |him |her )?how (?:you|i|we) can (?:help|assist)"
    r"|\boffer (?:your )?(?:help|assistance)|\bask what (?:they|the user) (?:want|need)s?|\bask "
    r"(?:the user |them )?what (?:they|he|she) would like",
    re.IGNORECASE,
)
_GOODBYE = re.compile(r"\bsay (?:goodbye|bye|good bye|farewell)\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:when|whenever|if|once|after|always|every time|unless)\b", re.IGNORECASE)
_SWAP: Final = MappingProxyType(
    {
        "you": "I",
        "your": "my",
        "yours": "mine",
        "yourself": "myself",
        "you're": "I'm",
        "they": "you",
        "them": "you",
        "their": "your",
        "theirs": "yours",
    }
)


def verbatim_order(instructions: str) -> str | None:
    """Give the exact words an instruction wants said, or None. The order must be the whole instruction."""
    found = _VERBATIM.match(instructions)
    if found is None:
        return None
    what = found.group("what").strip()
    quoted = _QUOTED.match(what)
    if quoted is not None:
        return quoted.group(1).strip()
    insists = re.search(
        r"exactly|verbatim|word for word|precisely|literally|the following|these words",
        found.group("how") or "",
        re.IGNORECASE,
    )
    if insists or (found.group("colon") and found.group("how") is not None):
        return what.strip("\"“”'") or None
    return None


def spoken_order(instructions: str, *, greeting: str, capabilities: str, farewell: str) -> str | None:
    """Give what an instruction orders to say in a turn without new words from the user, or None."""
    order = " ".join(sentence for sentence in _sentences(instructions) if not _CONDITION.search(sentence))
    feedback = _FEEDBACK.search(order)
    if feedback is not None:
        return f"What do you think of {_turned(feedback.group('what'))}?"
    quoted = _ANY_QUOTE.search(order)
    if quoted is not None:
        return quoted.group(1).strip()
    parts = [greeting] if _GREET.search(order) else []
    told = _TELL.search(order)
    if told is not None:
        what = told.group("what").strip()
        parts.append(capabilities if re.match(r"what you can", what, re.IGNORECASE) else _told(what))
    asked = _ASK_FOR.search(order)
    if asked is not None:
        parts.append(f"What is your {asked.group('what').strip()}?")
    elif _ASK_HOW.search(order):
        parts.append("How can I help you?")
    if _GOODBYE.search(order):
        parts.append(farewell)
    return " ".join(parts) or None


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _told(what: str) -> str:
    said = _turned(re.split(r"\s+and (?:then )?ask\b", what, maxsplit=1)[0])
    return said[:1].upper() + said[1:] + "."


def _turned(text: str) -> str:
    """Turn a sentence about `you` and `they` into one by the speaker to the listener."""
    words = []
    for word in text.strip().split():
        core = word.lower().strip(",.!?")
        words.append(word.lower().replace(core, _SWAP[core]) if core in _SWAP else word)
    turned = " ".join(words)
    return turned.replace("I are", "I am").replace("the user's", "your").replace("the user", "you")
