"""Turn written text into what a voice should say, and remember which written characters each spoken one stands for.

Here: `speakable` and the map it leaves; the passes that hold for every language. Not here: where text is cut
(`segmenter`), numbers, units and symbols in words (`spoken_english`).

A voice says no markdown, no addresses, no code and no emoji; links become their labels, table rows their cells. Each
pass replaces what a pattern matches; what comes out of a match stands for all of it, so truncation and captions can
speak of the original text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from parley.engines.spoken_english import ENGLISH

__all__ = ["Pass", "Spoken", "speakable"]

Pass = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""What to look for and what to say instead."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Text to say. Character `i` of it stands for characters `[starts[i], ends[i])` of the original."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def original(self, char_start: int, char_end: int) -> tuple[int, int]:
        """Give the span of the original that spoken characters `[char_start, char_end)` stand for."""
        if not self.text:
            return 0, 0
        first = min(max(char_start, 0), len(self.text) - 1)
        last = min(max(char_end - 1, first), len(self.text) - 1)
        return self.starts[first], self.ends[last]


def speakable(text: str, *, language: str = "en", normalise: bool = True) -> Spoken:
    """Make `text` sayable. It should be a whole segment: half a link is no link.

    `normalise` off leaves numbers, units and symbols to an engine that reads them itself. Words for those are English;
    other languages get only what needs no words. The result is stripped; it is empty where there is nothing to say.
    """
    draft = _Draft(text)
    english = language.partition("-")[0].lower() == "en"
    draft.replace(_CODE_BLOCK, lambda _: "Code shown on screen." if english else "")
    for pattern, say in _MARKUP:
        draft.replace(pattern, say)
    if normalise and english:
        for pattern, say in ENGLISH:
            draft.replace(pattern, say)
    for pattern, say in _TIDY:
        draft.replace(pattern, say)
    return draft.spoken()


class _Draft:
    """A text under revision, each character with the span of the original it stands for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = list(range(len(text)))
        self.ends = list(range(1, len(text) + 1))

    def replace(self, pattern: re.Pattern[str], say: Callable[[re.Match[str]], str]) -> None:
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            if start == end:
                continue
            new = say(match)
            pieces += (self.text[done:start], new)
            starts += self.starts[done:start]
            ends += self.ends[done:start]
            kept = _kept(match.group(), new)
            if kept is None:
                starts += [self.starts[start]] * len(new)
                ends += [self.ends[end - 1]] * len(new)
            else:
                starts += self.starts[start + kept : start + kept + len(new)]
                ends += self.ends[start + kept : start + kept + len(new)]
            done = end
        if not done:
            return
        self.text = "".join(pieces) + self.text[done:]
        self.starts = starts + self.starts[done:]
        self.ends = ends + self.ends[done:]

    def spoken(self) -> Spoken:
        if not any(char.isalnum() for char in self.text):
            return Spoken("", (), ())
        lead = len(self.text) - len(self.text.lstrip())
        end = len(self.text.rstrip())
        return Spoken(self.text[lead:end], tuple(self.starts[lead:end]), tuple(self.ends[lead:end]))


def _kept(old: str, new: str) -> int | None:
    """Say where `new` stood in `old`, if a pass only took characters away around it."""
    at = old.find(new) if len(new) > 1 else -1
    return at if at >= 0 else None


def _group(number: int) -> Callable[[re.Match[str]], str]:
    return lambda match: match.group(number)


def _nothing(_: re.Match[str]) -> str:
    return ""


def _say_host(match: re.Match[str]) -> str:
    return match.group(1).removeprefix("www.") + (match.group(2) or "")


def _say_row(match: re.Match[str]) -> str:
    cells = [cell.strip() for cell in match.group(1).strip("| ").split("|")]
    return ", ".join(cell for cell in cells if cell) + "."


def _end_line(match: re.Match[str]) -> str:
    return match.group(1) + ".\n"


_CODE_BLOCK = re.compile(r"^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)

_EMOJI = (
    "\U0001f000-\U0001faff\U0001fb00-\U0001fbff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\ufe0e\ufe0f\u200d\u20e3"
    "\U000e0020-\U000e007f\u25a0-\u25ff"
)

_MARKUP: tuple[Pass, ...] = (
    (re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)"), _group(1)),
    (re.compile(r"\[([^\]\n]+)\]\((?:[^()\n]|\([^()\n]*\))*\)"), _group(1)),
    (re.compile(r"\[([^\]\n]+)\]\[[^\]\n]*\]"), _group(1)),
    (re.compile(r"<((?:https?://|mailto:)[^>\s]+)>"), _group(1)),
    (re.compile(r"https?://([^\s/?#:)\]]+)[^\s)\]]*?([.,;:!?]?(?=[\s)\]]|$))"), _say_host),
    (re.compile(r"</?[a-zA-Z][^<>\n]*>"), _nothing),
    (re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(?::?-{2,}:?[ \t]*)?$\n?", re.MULTILINE), _nothing),
    (re.compile(r"^[ \t]*(\|.*\|)[ \t]*$", re.MULTILINE), _say_row),
    (re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE), _nothing),
    (re.compile(r"^[ \t]*(?:>[ \t]*)+", re.MULTILINE), _nothing),
    (re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE), _nothing),
    (re.compile(r"^[ \t]*[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?", re.MULTILINE), _nothing),
    (re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]+)\1(?!`)"), _group(2)),
    (re.compile(r"(?<!\w)\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?!\w)|~~"), _nothing),
    (re.compile(r"(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)"), _nothing),
)

_TIDY: tuple[Pass, ...] = (
    (re.compile(f"[{_EMOJI}]+"), _nothing),
    (re.compile(r"`+"), _nothing),
    (re.compile(r"(\w)[ \t]*\n+"), _end_line),
    (re.compile(r"[ \t]+(?=[,.;!?](?:\s|$))"), _nothing),
    (re.compile(r"\s+"), lambda _: " "),
)
