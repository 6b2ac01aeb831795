"""What a generation is given and what it gives back: the content types between the machine and the engines.

`GenerationContext` is immutable: an engine reads it, never the session. Chunks come back in order, each response's
chunks ending with exactly one `Done` or `Failed`. These are content, not wire events; engines import this module,
`items` and `tools` and nothing else of the protocol.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from parley.protocol.realtime.ids import CallId, ResponseId
from parley.protocol.realtime.items import Item
from parley.protocol.realtime.tools import Tool, ToolChoice

__all__ = [
    "AudioDelta",
    "Chunk",
    "Done",
    "EngineUsage",
    "Failed",
    "GenerationContext",
    "TextDelta",
    "TextSpan",
    "TokenLogProb",
    "ToolCallDelta",
    "ToolCallDone",
]


class GenerationContext(msgspec.Struct, frozen=True, tag=True):
    """Everything one response is generated from.

    `items` are in conversation order, already cut to what was heard and, for speech, carrying its transcript.
    `output_modality` `"audio"` asks for text and speech, `"text"` for text only.
    `max_output_tokens` is None for no limit; the engine reports `Done("max_output_tokens")` when it stops there.
    """

    response_id: ResponseId
    instructions: str
    items: tuple[Item, ...]
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice
    output_modality: Literal["audio", "text"]
    voice: str
    speed: float
    max_output_tokens: int | None
    temperature: float | None = None
    parallel_tool_calls: bool | None = None


class TextDelta(msgspec.Struct, frozen=True, tag=True):
    """Text the assistant says or writes next. Concatenated, the deltas are the message."""

    text: str


class TextSpan(msgspec.Struct, frozen=True, array_like=True):
    """Characters `[char_start, char_end)` of the message sound from `start_ms` to `end_ms` of the message's audio.

    `exact` spans are single words timed by the engine; others are shares of a clause (see `playback`).
    """

    char_start: int
    char_end: int
    start_ms: int
    end_ms: int
    exact: bool = False


class AudioDelta(msgspec.Struct, frozen=True, tag=True):
    """Speech for the current message: PCM16 mono 24 kHz, whole samples, any length.

    `spans` map characters of the message to its audio's own time line, monotone and inside the text sent so far.
    """

    pcm: bytes
    spans: tuple[TextSpan, ...] = ()


class ToolCallDelta(msgspec.Struct, frozen=True, tag=True):
    """A further piece of call `call_id`'s JSON arguments. The first one opens the call and fixes its `name`."""

    call_id: CallId
    name: str
    arguments: str


class ToolCallDone(msgspec.Struct, frozen=True, tag=True):
    """Call `call_id` is complete; `arguments` is its whole JSON text, equal to the deltas' concatenation."""

    call_id: CallId
    name: str
    arguments: str


class TokenLogProb(msgspec.Struct, frozen=True, array_like=True):
    """How sure a recogniser is of one token: its text, and the logarithm of its probability."""

    token: str
    logprob: float


class EngineUsage(msgspec.Struct, frozen=True, tag=True):
    """Token counts the engine knows. `estimated` where they were derived from text length."""

    input_text_tokens: int = 0
    cached_text_tokens: int = 0
    output_text_tokens: int = 0
    estimated: bool = False


class Done(msgspec.Struct, frozen=True, tag=True):
    """The generation ended by itself."""

    reason: Literal["stop", "max_output_tokens", "content_filter"] = "stop"


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The generation broke. `message` names the stage and the fix, never what was said."""

    code: str
    message: str
    retryable: bool = False


Chunk = TextDelta | AudioDelta | ToolCallDelta | ToolCallDone | EngineUsage | Done | Failed
