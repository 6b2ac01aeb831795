"""Make the few hundred tokens that a very small model is asked with. Pure functions.

The prompt's beginning is the same for everybody, so that it is computed once and cached; then come as much of the
session's instructions as fit, then the last turns. Turns are dropped in blocks, not one by one: between two blocks the
prompt only grows at its end and the cache holds. `smollm` is the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import (
    InputAudioPart,
    InputTextPart,
    Item,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)

__all__ = ["SYSTEM_PROMPT", "Message", "messages"]

Message = dict[str, str]
"""`role` and `content`, as chat completions take them."""

SYSTEM_PROMPT = (
    "You are Parley, a friendly voice assistant. You are a small demonstration model. "
    "Answer in one or two short sentences, as in a relaxed conversation. If you do not know something, say so."
)
_OPENING = "Hello!"
"""Said in the user's place when the assistant is to speak first."""
_INSTRUCTIONS_CHARS = 240
_TURN_CHARS = 240
_HISTORY_CHARS = 600
_CONTROL = re.compile(r"<\|[^|>]{0,40}\|?>?")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")


def messages(context: GenerationContext) -> list[Message]:
    """Give the conversation that the model is shown: system first, never ending with the assistant."""
    system = f"{SYSTEM_PROMPT} {_clipped(_cleaned(context.instructions), _INSTRUCTIONS_CHARS)}".rstrip()
    turns = _recent(_turns(context.items))
    if not turns or turns[-1]["role"] != "user":
        turns.append({"role": "user", "content": _OPENING})
    return [{"role": "system", "content": system}, *turns]


def _turns(items: Iterable[Item]) -> Iterable[Message]:
    """Give what user and assistant said. Tools and their results are not for this model: it would make facts up."""
    for item in items:
        if not isinstance(item, MessageItem) or item.role == "system":
            continue
        text = _cleaned(" ".join(_text_of(item)))
        if text:
            yield {"role": item.role, "content": _clipped(text, _TURN_CHARS)}


def _text_of(item: MessageItem) -> Iterable[str]:
    for part in item.content:
        match part:
            case InputTextPart() | OutputTextPart():
                yield part.text
            case InputAudioPart():
                yield part.transcript or ""
            case OutputAudioPart():
                yield part.transcript
            case _:  # a picture: this model is blind
                continue


def _recent(turns: Iterable[Message]) -> list[Message]:
    """Keep the last turns, dropping half of the budget at once whenever it is full."""
    kept: list[Message] = []
    size = 0
    for turn in turns:
        kept.append(turn)
        size += len(turn["content"])
        if size > _HISTORY_CHARS:
            while len(kept) > 1 and size > _HISTORY_CHARS // 2:
                size -= len(kept.pop(0)["content"])
    return kept


def _cleaned(text: str) -> str:
    """Take out what the model's template would read as a control token, and all line structure."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _clipped(text: str, limit: int) -> str:
    """Cut at the last sentence that fits, else at the last word."""
    if len(text) <= limit:
        return text
    head = text[: limit + 1]
    ends = [match.end() for match in _SENTENCE_END.finditer(head)]
    return head[: ends[-1]] if ends else head.rsplit(" ", 1)[0][:limit]
