"""The engine roles: what Parley asks of whatever computes, and nothing about how.

Five roles, each small enough for its fake to fit on a screen. Sub-engines of a cascade:

* `Recognizer`   speech to text, one `Recognition` per turn, fed continuously
* `TurnDetector` how likely it is that a speaker has finished
* `ChatModel`    a conversation to text and tool calls
* `Synthesizer`  text to speech

and the role the session sees:

* `Responder`    a conversation to text, speech and tool calls (`cascade.Cascade` makes one of the last two)

Contract of everything that streams: iterate to the end, or `cancel()`. `cancel` is synchronous, idempotent and
returns at once; nothing is yielded after it returns. A stream fails by raising `EngineError`, never by stopping short.
Blocking work runs on a named executor that the engine owns; `aclose()` of the engine ends it.

Engines are found by entry point (group `parley.engines`, see `catalog`) and know neither events nor sessions: they
import `audio` and the protocol's content types (`items`, `tools`, `generation`) only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from parley.engines.prices import FREE, Prices
from parley.protocol.realtime.generation import Chunk, GenerationContext, TokenLogProb

__all__ = [
    "Capabilities",
    "ChatModel",
    "Engine",
    "EngineError",
    "EngineInfo",
    "EngineSet",
    "Generation",
    "Recognition",
    "RecognitionOptions",
    "Recognizer",
    "Responder",
    "SpeechChunk",
    "SpeechStream",
    "Synthesizer",
    "Transcript",
    "TurnDetector",
    "WordTime",
]


class EngineError(Exception):
    """An engine could not do its work. `message` names the stage and the fix, and never quotes what was said."""

    def __init__(self, message: str, *, code: str = "engine_error", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, as data: asked, never guessed from its type."""

    streaming: bool = True
    """Gives results before its input is complete."""
    word_times: bool = False
    """A synthesizer times every word itself."""
    normalises_itself: bool = False
    """A synthesizer reads numbers, units and symbols well: it gets them as they were written."""
    tools: bool = False
    images: bool = False
    audio_in: bool = False
    """A responder hears audio itself and needs no transcript."""
    voices: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    demo: bool = False
    """A demonstration brain: pages and `/v1/models` say so."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """How an engine presents itself in `/v1/models`, the start table and `parley doctor`."""

    stage: str
    """`stt`, `turn`, `llm`, `tts` or `speech`."""
    name: str
    model: str
    licence: str
    source: str
    """Where it runs or came from: `in process`, a URL's host, a package."""
    note: str = ""


class Engine(Protocol):
    """What every role shares."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def warm_up(self) -> None:
        """Load weights, run once. Called before `/readyz` turns green. Raises `EngineError`."""

    async def aclose(self) -> None:
        """Free everything. Idempotent."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """Hints for one turn: ISO-639-1 `language`, a text `prompt`, the client's `model` name.

    `logprobs`: token log probabilities are wanted, where the engine has them.
    """

    language: str | None = None
    prompt: str | None = None
    model: str = ""
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class WordTime:
    """One word, characters `[char_start, char_end)` of a text, and where it sounds, in ms of its audio."""

    char_start: int
    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A reading of everything fed so far. `text` is stripped; empty means that nothing was said."""

    text: str
    language: str | None = None
    words: tuple[WordTime, ...] = ()
    confidence: float | None = None
    """Mean token log-probability where known."""
    logprobs: tuple[TokenLogProb, ...] = ()


class Recognition(Protocol):
    """One turn being recognised. Owned by one task; no method blocks."""

    def feed(self, pcm: bytes) -> None:
        """Add PCM16 mono 24 kHz. Never drops audio, never blocks."""

    def settle(self) -> None:
        """Silence began: a decode of what was fed so far may start now, to be used if nothing but silence follows."""

    def partials(self) -> AsyncIterator[Transcript]:
        """Yield readings as they improve, until `finish` or `cancel`. May yield nothing."""
        ...

    async def finish(self) -> Transcript:
        """Give the final reading of everything fed. Raises `EngineError`. Called once."""
        ...

    def cancel(self) -> None: ...


class Recognizer(Engine, Protocol):
    """Speech to text."""

    def open(self, options: RecognitionOptions) -> Recognition: ...


class TurnDetector(Engine, Protocol):
    """Judge whether a pause is an end."""

    async def score(self, pcm: bytes, text: str) -> float:
        """Probability in 0..1 that the speaker has finished, from the turn's last ≤ 8 s (PCM16 24 kHz) and its text."""
        ...


@runtime_checkable
class Generation(Protocol):
    """A response being generated: iterate it once."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    def cancel(self) -> None: ...


class ChatModel(Engine, Protocol):
    """A conversation to `TextDelta`, `ToolCallDelta`, `ToolCallDone`, `EngineUsage`, ending with `Done`."""

    def generate(self, context: GenerationContext) -> Generation: ...


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """PCM16 mono 24 kHz, with the times of the words it finishes, relative to the start of this stream's audio."""

    pcm: bytes
    words: tuple[WordTime, ...] = field(default=())


class SpeechStream(Protocol):
    """A piece of text being spoken: iterate it once."""

    def __aiter__(self) -> AsyncIterator[SpeechChunk]: ...

    def cancel(self) -> None: ...


class Synthesizer(Engine, Protocol):
    """Text to speech. `voice` is an alias: an unknown one gets the default voice."""

    def speak(self, text: str, *, voice: str, speed: float) -> SpeechStream: ...


class Responder(Engine, Protocol):
    """A conversation to every kind of chunk, ending with `Done`."""

    def generate(self, context: GenerationContext) -> Generation: ...


@dataclass(frozen=True, slots=True)
class EngineSet:
    """The engines one session runs on. `chat` and `synthesizer` also serve the HTTP endpoints of the old pipeline."""

    recognizer: Recognizer
    turn_detector: TurnDetector
    chat: ChatModel
    synthesizer: Synthesizer
    responder: Responder
    prices: Prices = FREE
