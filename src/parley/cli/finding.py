"""What a check of `parley doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Verdict"]

Verdict = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` is a sentence or a command, empty where there is nothing to do."""

    subject: str
    verdict: Verdict
    words: str
    fix: str = ""
