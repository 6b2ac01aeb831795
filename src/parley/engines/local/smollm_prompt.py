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

__all__ = ["SYSTEM_PROMPT", "Message", "beginning", "messages"]

Message = dict[str, str]
"""`role` and `content`, as chat completions take them."""

SYSTEM_PROMPT = "You are Parley, a friendly voice assistant. Answer in one or two short sentences."
_EXAMPLES = (
    ("Hi, how are you?", "I am fine, thank you! How are you today?"),
    ("How tall is that mountain?", "I am only a small model, so I do not know facts like that."),
    ("I like walking in the rain.", "That sounds lovely. The fresh air must feel good."),
)
"""Three turns teach a model of this size more than a page of instructions: tone, length, and to own up."""
_OPENING = "Hello!"
"""Said in the user's place when the assistant is to speak first."""
_INSTRUCTIONS_BYTES = 200
_TURN_BYTES = 200
_HISTORY_BYTES = 500
_MOST_TURNS = 12
"""A token is at least a byte: whatever the language, a prompt within these bounds fits the model's 1024 tokens."""
_CONTROL = re.compile(r"<\|[^|>]{0,40}\|?>?")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")


def beginning() -> list[Message]:
    """Give what every conversation begins with: about 120 tokens."""
    shown = [{"role": "system", "content": SYSTEM_PROMPT}]
    for asked, answered in _EXAMPLES:
        shown += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return shown


def messages(context: GenerationContext) -> list[Message]:
    """Give the conversation that the model is shown. It never ends with the assistant."""
    shown = beginning()
    if instructions := _clipped(_cleaned(context.instructions), _INSTRUCTIONS_BYTES):
        shown.append({"role": "system", "content": instructions})
    turns = _recent(_turns(context.items))
    if not turns or turns[-1]["role"] != "user":
        turns.append({"role": "user", "content": _OPENING})
    return [*shown, *turns]


def _turns(items: Iterable[Item]) -> Iterable[Message]:
    """Give what user and assistant said. Tools and their results are not for this model: it would make facts up."""
    for item in items:
        if not isinstance(item, MessageItem) or item.role == "system":
            continue
        text = _cleaned(" ".join(_text_of(item)))
        if text:
            yield {"role": item.role, "content": _clipped(text, _TURN_BYTES)}


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
    """Keep the last turns, dropping half of what fits at once whenever it is too much."""
    kept: list[Message] = []
    for turn in turns:
        kept.append(turn)
        if len(kept) > _MOST_TURNS or _size(kept) > _HISTORY_BYTES:
            while len(kept) > 1 and (len(kept) > _MOST_TURNS // 2 or _size(kept) > _HISTORY_BYTES // 2):
                kept.pop(0)
    return kept


def _size(turns: Iterable[Message]) -> int:
    return sum(len(turn["content"].encode()) for turn in turns)


def _cleaned(text: str) -> str:
    """Take out what the model's template would read as a control token, and all line structure."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _clipped(text: str, limit_bytes: int) -> str:
    """Cut at the last sentence that fits, else at the last word, else anywhere."""
    if len(text.encode()) <= limit_bytes:
        return text
    head = text.encode()[:limit_bytes].decode("utf-8", "ignore")
    ends = [match.end() for match in _SENTENCE_END.finditer(head)]
    return head[: ends[-1]] if ends else head.rsplit(" ", 1)[0]
