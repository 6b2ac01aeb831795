"""Judge from the words alone whether somebody has finished: what an English sentence may and may not end in.

Here: `HeuristicTurnDetector` and its scale. Not here: what a score does to the waiting time (the session's turns).
It is a timer's adviser, not a gate: random cuts of sentences fool it often, whole sentences seldom. Other languages
than English, and no text at all, get a neutral score.
"""

from __future__ import annotations

import re
from pathlib import Path

from parley.engines.base import Capabilities, EngineInfo
from parley.engines.catalog import StageSettings
from parley.engines.word_lists import DANGLING, DANGLING_ENGLISH, FILLERS

__all__ = ["HeuristicTurnDetector", "build", "completeness"]

NEUTRAL = 0.5
"""Nothing is known."""

_WHOLE_ALONE = frozenset(
    "yes yeah yep no nope ok okay sure thanks stop wait hello hi hey bye goodbye please right exactly correct "  # noqa: SIM905
    "continue cancel never maybe again help really great good fine".split()
)
_QUESTION = frozenset("what where who whom whose why how when which is are can could do does did will would".split())  # noqa: SIM905
_ENDS_QUESTIONS = frozenset("for from about with to in on at of like up out off is are was do you it that this".split())  # noqa: SIM905
_MAY_END = frozenset("that this it on off up out too please again more some".split())  # noqa: SIM905
_SUBJECTS = frozenset("i we they he she you it there let please".split())  # noqa: SIM905
_OPENERS = frozenset("if when because although while unless whenever since whether".split())  # noqa: SIM905
_TRANSITIVE = frozenset(
    "want need like tell show give put make set turn send add find open play call get take let set "  # noqa: SIM905
    "remind change move create schedule book order".split()
)


def completeness(text: str) -> float:
    """Probability in 0..1 that `text`, as recognised so far, is all that its speaker wants to say now."""
    stripped = text.strip()
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", stripped.lower().replace("\u2019", "'"))
    if not words or not _looks_english(stripped, words):
        return NEUTRAL
    if stripped.endswith(("...", "…", "-", "—", ",", ":")):
        return 0.15
    if len(words) == 1:
        return _one_word(words[0])
    if words[-1] in DANGLING_ENGLISH | FILLERS:
        return _open_end(words)
    return _sentence(stripped, words)


def _one_word(word: str) -> float:
    if word in _WHOLE_ALONE:
        return 0.85
    return 0.2 if word in DANGLING_ENGLISH | FILLERS | _QUESTION | _SUBJECTS else 0.6


def _open_end(words: list[str]) -> float:
    """Score what ends in a word that leaves it open, or in a sound of thought: some questions and phrases may."""
    last = words[-1]
    if last in FILLERS and last not in DANGLING_ENGLISH:
        return 0.1
    stranded = last in _ENDS_QUESTIONS and words[0] in _QUESTION
    return 0.75 if stranded or last in _MAY_END else 0.1


def _sentence(stripped: str, words: list[str]) -> float:
    last, asks = words[-1], words[0] in _QUESTION
    score = 0.8
    if words[0] in _OPENERS and "," not in stripped and "then" not in words:
        score -= 0.35
    if last in _TRANSITIVE and not asks:
        score -= 0.4
    if last in {"me", "us"} and words[-2] in _TRANSITIVE:
        score -= 0.5
    if len(words) == 2:
        score -= 0.35 if asks or words[0] in _SUBJECTS else 0.1
    if len(words) <= 4 and words[-2] in {"and", "or", "but"}:
        score -= 0.1
    if stripped.endswith((".", "!", "?")):
        score += 0.12
    return min(max(score, 0.05), 0.95)


def _looks_english(text: str, words: list[str]) -> bool:
    if any(ord(char) > 0x24F and char.isalpha() for char in text):
        return False
    foreign = sum(word in DANGLING and word not in DANGLING_ENGLISH and word not in FILLERS for word in words)
    return foreign <= sum(word in DANGLING_ENGLISH or word in _WHOLE_ALONE for word in words)


class HeuristicTurnDetector:
    """Score the text; the audio is not listened to. Costs some microseconds."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("turn", "heuristic", "text rules", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(languages=("en",))

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def aclose(self) -> None:
        """Nothing to free."""

    async def score(self, pcm: bytes, text: str) -> float:
        """See `completeness`."""
        del pcm
        return completeness(text)


def build(stage: StageSettings, models_dir: Path) -> HeuristicTurnDetector:
    """Make the engine for the catalogue; it takes no settings."""
    del stage, models_dir
    return HeuristicTurnDetector()
