"""Cut a growing text into what a synthesizer should say next: the first clause early, whole sentences after it.

Here: `Segmenter`, pure and incremental; time is an argument. Not here: what a segment sounds like (`speech_text`), or
who says it (`cascade`).

The segments of a text, put together, are the text: nothing is lost, added or moved. A cut falls

* until three words are out, after `. ! ? ; :`, after `,` or a dash with three words before it, or after six words
  (never behind an article, preposition or number);
* from then on after whole sentences; one longer than 200 characters is cut at its last clause or word;
* at line ends, and around a fenced code block, which is never cut;
* before a tool call and at the end (`flush`), and where the model falls silent (`tick`).

A full stop is no end inside a number, address, abbreviation or ellipsis, nor in brackets, quotes or code. What a mark
means may hang on the character after it: then the segmenter waits for that, or for 120 ms without any text.
"""

# ruff: noqa: RUF001  (wide and curly punctuation is this module's subject)

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from parley.engines.word_lists import ABBREVIATIONS, DANGLING, LATE_ABBREVIATIONS, NUMBERED_ONLY
from parley.protocol.realtime.ids import Ms

__all__ = ["Segment", "Segmenter"]

_STOPS = ".!?…"
_WIDE_STOPS = "。！？｡"
_WIDE_COMMAS = "，、；："
_CLOSERS = "\"'”’)]}»*_」』"
_OPEN_BRACKETS = "([{「『"
_CLOSE_BRACKETS = ")]}」』"
_FENCE = "```"

Mark = Literal["none", "wait", "soft", "clause", "sentence"]
"""What a character ends: nothing, unknown yet, a phrase (`,`), a clause (`; :`), a sentence."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters `[char_start, char_end)` of the text, as they were written."""

    text: str
    char_start: int
    char_end: int


class Segmenter:
    """Feed text, take segments. Not shared between texts."""

    def __init__(
        self, *, first_words: int = 6, longest_chars: int = 200, settle_for: int = 120, stall_for: int = 350
    ) -> None:
        self._first_words = first_words
        self._longest_chars = longest_chars
        self._settle_for = settle_for
        self._stall_for = stall_for
        self._text = ""
        self._start = 0
        self._early_words_left = 3
        self._fed_at: Ms | None = None
        self._settled = False
        self._stalled = False
        self._begin_scan()
        self._quoted = False

    @property
    def deadline(self) -> Ms | None:
        """When to call `tick` if no text comes before; None while there is nothing to wait for."""
        if self._fed_at is None or self._in_fence or not self._text.strip():
            return None
        if self._waiting and not self._settled:
            return Ms(self._fed_at + self._settle_for)
        return None if self._stalled else Ms(self._fed_at + self._stall_for)

    def feed(self, text: str, now: Ms) -> list[Segment]:
        """Add the next piece of text and take what is complete."""
        if text:
            self._text += text
            self._fed_at = now
            self._settled = self._stalled = False
        return self._scan(at_end=False)

    def tick(self, now: Ms) -> list[Segment]:
        """Take what a silence of the model completes: a settled full stop, or whole words after a stall."""
        if self._fed_at is None or self._in_fence:
            return []
        segments: list[Segment] = []
        if not self._settled and now >= self._fed_at + self._settle_for:
            self._settled = True
            if self._waiting and not self._text[: self._at][-1:].isdigit():
                segments = self._scan(at_end=True)
        if not self._stalled and now >= self._fed_at + self._stall_for:
            self._stalled = True
            cut = max(self._soft_cut, self._word_cut)
            if cut and self._words >= 3:
                segments.append(self._cut(cut))
        return segments

    def flush(self) -> list[Segment]:
        """Take everything, because no text follows that belongs to it."""
        segments = self._scan(at_end=True)
        if self._text:
            segments.append(self._cut(len(self._text)))
        self._fed_at = None
        self._quoted = False
        return segments

    def _begin_scan(self) -> None:
        self._at = 0
        self._words = 0
        self._wide_chars = 0
        self._word_from: int | None = None
        self._soft_cut = 0
        self._word_cut = 0
        self._brackets = 0
        self._quote_leads = False
        self._in_fence = False
        self._in_code = False
        self._waiting = False

    def _cut(self, at: int) -> Segment:
        segment = Segment(self._text[:at], self._start, self._start + at)
        behind_scan = at < self._at
        self._early_words_left -= self._words
        self._text = self._text[at:]
        self._start += at
        self._begin_scan()
        self._quoted = self._quoted and not behind_scan
        self._quote_leads = self._quoted
        return segment

    def _scan(self, *, at_end: bool) -> list[Segment]:
        segments: list[Segment] = []
        self._waiting = False
        while self._at < len(self._text):
            cut = self._step(at_end)
            if self._waiting:
                break
            if cut:
                segments.append(self._cut(cut))
        return segments

    def _step(self, at_end: bool) -> int:
        """Read one character. Give the position to cut at, 0 for none; set `_waiting` to see more first."""
        at, char = self._at, self._text[self._at]
        if self._in_fence or (char == "`" and self._opens_fence(at_end)):
            return self._read_fence()
        if self._waiting:
            return 0
        mark = self._mark(at, char, at_end)
        if mark == "wait":
            self._waiting = True
            return 0
        self._at = at + 1
        self._track(at, char)
        return self._decide(mark, at, char)

    def _decide(self, mark: Mark, at: int, char: str) -> int:
        words = self._words + (self._word_from is not None) + self._wide_chars // 2
        open_inside = self._brackets > 0 or (self._quoted and not self._quote_leads) or self._in_code
        early = self._early_words_left > 0
        if mark != "none" and words and not open_inside:
            enough = mark in {"sentence", "clause"} or words >= 3
            if mark == "sentence" or (early and enough):
                self._words = words
                return self._past_closers(at + 1)
            self._soft_cut = self._past_closers(at + 1)
        if (
            char.isspace()
            and self._word_cut == at + 1
            and early
            and self._words >= self._first_words
            and not open_inside
        ):
            return at + 1
        if at + 1 > self._longest_chars:
            return self._overlong_cut(at + 1, char)
        return 0

    def _overlong_cut(self, end: int, char: str) -> int:
        if self._soft_cut > self._longest_chars // 4:
            return self._soft_cut
        if self._word_cut:
            return self._word_cut
        return end if char.isspace() or end >= 2 * self._longest_chars else 0

    def _track(self, at: int, char: str) -> None:
        """Count words, brackets and quotes up to and with `char`."""
        if char.isspace():
            if self._word_from is not None:
                word = self._text[self._word_from : at].strip(_CLOSERS + _OPEN_BRACKETS + ",.;:!?").lower()
                self._words += 1
                self._word_from = None
                if word and word not in DANGLING and not word[-1].isdigit():
                    self._word_cut = at + 1
            if char == "\n":
                self._in_code = self._quoted = False
                self._brackets = 0
            return
        if "\u3040" <= char <= "\u9fff":
            self._wide_chars += 1
        elif self._word_from is None and char.isalnum():
            self._word_from = at
        if char == "`":
            self._in_code = not self._in_code
        elif char in _OPEN_BRACKETS and self._text[:at].strip():
            self._brackets += 1
        elif char in _CLOSE_BRACKETS:
            self._brackets = max(0, self._brackets - 1)
        elif char in '"“”«»':
            opens = char in "“«" or (char == '"' and not self._quoted)
            self._quoted = opens
            self._quote_leads = opens and not self._text[:at].strip()

    def _mark(self, at: int, char: str, at_end: bool) -> Mark:
        if char == "\n":
            return "sentence"
        if char in _WIDE_STOPS:
            return "sentence"
        if char in _WIDE_COMMAS:
            return "soft"
        if char not in ".!?…,;:—–-" and char not in _CLOSERS:
            return "none"
        following = self._text[at + 1 : at + 2]
        if not following and not at_end:
            return "sentence" if char in "!?" else "wait"
        if following and not following.isspace() and following not in _CLOSERS and char != "—":
            return "none"
        if char in _CLOSERS:
            return self._closing_mark(at, at_end)
        if char in ".…":
            return self._stop_mark(at, at_end)
        return self._minor_mark(at, char)

    def _minor_mark(self, at: int, char: str) -> Mark:
        if char in "!?":
            return "sentence"
        if char in ";:":
            return "clause"
        if char in "–-":
            return "soft" if self._text[at - 1 : at].isspace() else "none"
        return "soft"

    def _closing_mark(self, at: int, at_end: bool) -> Mark:
        """Judge a mark that closes: a bracket or quote right behind a sentence ends it outside too."""
        before = self._text[:at].rstrip(_CLOSERS)
        if not before or before[-1] not in _STOPS + _WIDE_STOPS or self._text[at] in "*_'’":
            return "none"
        rest = self._text[at + 1 :].lstrip(_CLOSERS + " ")
        if not rest and not at_end:
            return "wait"
        if rest and rest[0].islower():
            return "none"
        return self._stop_mark(len(before) - 1, at_end) if before[-1] in ".…" else "sentence"

    def _stop_mark(self, at: int, at_end: bool) -> Mark:
        """Judge the full stop at `at`, which a space, a closing mark or the end follows."""
        text = self._text
        if text[at] == "…" or text[max(at - 1, 0) : at] in {".", "…"}:
            return "soft"
        word = text[:at].rpartition(" ")[2].rpartition("\n")[2].strip(_CLOSERS + _OPEN_BRACKETS + "“\"'").lower()
        if word.isdigit() and not text[: at - len(word)].rpartition("\n")[2].strip("*_# "):
            return "none"
        rest = text[at + 1 :].lstrip(_CLOSERS + " ")
        if not rest and not at_end and self._hangs_on_next(word):
            return "wait"
        if word in NUMBERED_ONLY:
            return "none" if rest[:1].isdigit() else "sentence"
        if word in LATE_ABBREVIATIONS:
            return "sentence" if not rest or rest[0].isupper() or rest[0] == "\n" else "none"
        if word in ABBREVIATIONS or _is_initial(word):
            return "none"
        return "sentence"

    def _hangs_on_next(self, word: str) -> bool:
        return word in NUMBERED_ONLY or word in LATE_ABBREVIATIONS or word in ABBREVIATIONS or _is_initial(word)

    def _past_closers(self, at: int) -> int:
        text = self._text
        while at < len(text) and text[at] in _CLOSERS and not (text[at] == '"' and not self._quoted):
            if text[at] in '"”»':
                self._quoted = False
            at += 1
        while at < len(text) and text[at].isspace():
            at += 1
        return at

    def _opens_fence(self, at_end: bool) -> bool:
        line = self._text[: self._at].rpartition("\n")[2]
        if line.strip():
            return False
        ahead = self._text[self._at : self._at + 3]
        if len(ahead) < 3 and not at_end and not ahead.strip("`"):
            self._waiting = True
            return False
        return ahead == _FENCE

    def _read_fence(self) -> int:
        if not self._in_fence:
            self._in_fence = True
            self._in_code = True
            self._at += 3
            return 0
        close = self._text.find("\n" + _FENCE, self._at - 1)
        if close < 0:
            self._at = max(self._at, len(self._text) - 3)
            self._waiting = True
            return 0
        return close + 1 + len(_FENCE)


def _is_initial(word: str) -> bool:
    """`J`, `U.S`: letters with stops between them."""
    letters = word.split(".")
    return all(len(letter) == 1 and letter.isalpha() for letter in letters) and word != "i"
