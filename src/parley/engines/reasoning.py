"""Take a model's thinking aloud out of its streamed answer.

Some servers mark it with `<think>…</think>` inside the text; it must be neither spoken nor shown as speech. Neighbours:
`llm.openai_http` and `cascade`, which both filter.
"""

from __future__ import annotations

__all__ = ["ReasoningFilter"]

_TAGS = {"<think>": "</think>", "<thinking>": "</thinking>", "<reasoning>": "</reasoning>"}


class ReasoningFilter:
    """Feed pieces of an answer, take what may be said. A tag may be split anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None
        self._begun = False

    def feed(self, text: str) -> str:
        """Give what of the answer so far is certainly no reasoning."""
        self._held += text
        said = ""
        while True:
            if self._closing is not None:
                at = self._held.find(self._closing)
                if at < 0:
                    self._held = self._held[-len(self._closing) + 1 :]
                    return self._trim(said)
                self._held = self._held[at + len(self._closing) :]
                self._closing = None
                continue
            opened = [(self._held.find(tag), tag) for tag in _TAGS if tag in self._held]
            if opened:
                at, tag = min(opened)
                said += self._held[:at]
                self._held = self._held[at + len(tag) :]
                self._closing = _TAGS[tag]
                continue
            keep = self._unfinished_tag()
            said += self._held[: len(self._held) - keep]
            self._held = self._held[len(self._held) - keep :]
            return self._trim(said)

    def flush(self) -> str:
        """Give what was held back; an open thought is dropped."""
        held, self._held = self._held, ""
        return "" if self._closing is not None else self._trim(held)

    def _unfinished_tag(self) -> int:
        for length in range(min(len(self._held), 11), 0, -1):
            tail = self._held[-length:]
            if any(tag.startswith(tail) for tag in _TAGS):
                return length
        return 0

    def _trim(self, said: str) -> str:
        """Drop the blank lines in front of the answer, which thinking leaves there."""
        if not self._begun:
            said = said.lstrip()
            self._begun = bool(said)
        return said
