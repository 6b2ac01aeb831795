"""The conversation as the brain reads it: turns of what was said, answered, called and returned.

Derived from the items of one `GenerationContext` alone, so the brain keeps no state between responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    Item,
    MessageItem,
    OutputAudioPart,
)

__all__ = ["History", "Returned", "Turn", "read_history"]


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function returned, with the call if the conversation still holds it."""

    call: FunctionCallItem | None
    output: str


@dataclass(slots=True)
class Turn:
    """The user's words up to the next reply, and the reply: heard text, calls."""

    said: list[str] = field(default_factory=list)
    answered: str = ""
    calls: list[FunctionCallItem] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the user's words still wait for a reply."""
        return bool(self.said) and not self.answered and not self.calls

    @property
    def text(self) -> str:
        return " ".join(self.said)


@dataclass(frozen=True, slots=True)
class History:
    """Turns in order; `returned` are outputs nobody has spoken about yet; `waiting` are calls without an output."""

    turns: tuple[Turn, ...]
    returned: tuple[Returned, ...]
    waiting: tuple[FunctionCallItem, ...]

    @property
    def empty(self) -> bool:
        return not self.turns

    @property
    def last_answer(self) -> str:
        """The assistant's last words that were heard."""
        return next((turn.answered for turn in reversed(self.turns) if turn.answered), "")

    @property
    def last_call(self) -> FunctionCallItem | None:
        """The newest call of the last few turns."""
        return next((turn.calls[-1] for turn in reversed(self.turns[-6:]) if turn.calls), None)


def read_history(items: Sequence[Item]) -> History:
    """Read a conversation. Items in any order are accepted; unknown calls stay None."""
    calls = {item.call_id: item for item in items if isinstance(item, FunctionCallItem)}
    turns: list[Turn] = []
    returned: list[Returned] = []
    outputs: set[str] = set()
    for item in items:
        if isinstance(item, FunctionCallOutputItem):
            returned.append(Returned(calls.get(item.call_id), item.output))
            outputs.add(item.call_id)
        elif isinstance(item, FunctionCallItem):
            _current(turns).calls.append(item)
        elif item.role == "user":
            _hear(turns, text_of(item))
        elif item.role == "assistant" and text_of(item):
            turn = _current(turns)
            turn.answered = f"{turn.answered} {text_of(item)}".strip()
            returned.clear()
    newest = turns[-1].calls if turns else []
    waiting = [call for call in newest if call.call_id not in outputs]
    return History(tuple(turns), tuple(returned), tuple(waiting))


def _current(turns: list[Turn]) -> Turn:
    if not turns:
        turns.append(Turn())
    return turns[-1]


def _hear(turns: list[Turn], text: str) -> None:
    if not text:
        return
    if turns and turns[-1].open:
        turns[-1].said.append(text)
    else:
        turns.append(Turn([text]))


def text_of(item: MessageItem) -> str:
    """Join the words of a message: texts and transcripts, images left out."""
    texts = []
    for part in item.content:
        if isinstance(part, InputAudioPart | OutputAudioPart):
            texts.append(part.transcript or "")
        elif not isinstance(part, InputImagePart):
            texts.append(part.text)
    return " ".join(text.strip() for text in texts if text.strip())
