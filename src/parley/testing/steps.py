"""The words scripts are written in: what a fake engine does next. Neighbours: the fakes that read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parley.engines.base import EngineError
from parley.protocol.realtime.generation import Done, EngineUsage, TextDelta

__all__ = ["Call", "Hang", "Reply", "Step", "Wait", "call", "say"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Let `ms` of the loop's time pass."""

    ms: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Never go on. Only a cancel or a time-out ends it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A whole tool call, streamed in `pieces` deltas. An empty `call_id` gets a fresh one."""

    name: str
    arguments: str
    call_id: str = ""
    pieces: int = 3


Step = TextDelta | EngineUsage | Done | Call | Wait | Hang | EngineError
Reply = Sequence[Step]
"""One generation. Usage and `Done` are added at the end where the script has none."""


def say(text: str, *, first_ms: int = 0, word_ms: int = 0) -> Reply:
    """Say `text` word by word: the first after `first_ms`, the others `word_ms` apart."""
    steps: list[Step] = [Wait(first_ms)] if first_ms else []
    words = text.split(" ")
    for index, word in enumerate(words):
        if index and word_ms:
            steps.append(Wait(word_ms))
        steps.append(TextDelta(word if index == len(words) - 1 else word + " "))
    return steps


def call(name: str, arguments: dict[str, Any] | str = "{}", *, call_id: str = "", first_ms: int = 0) -> Reply:
    """Call one tool and stop."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    steps: list[Step] = [Wait(first_ms)] if first_ms else []
    return [*steps, Call(name, text, call_id)]
