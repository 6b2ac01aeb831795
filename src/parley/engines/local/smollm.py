"""Small talk with SmolLM2-135M: a demonstration, not a source of facts.

Two answers are generated at a time. A third speaker waits a little and then is told so, honestly and aloud, instead of
hanging. Answers are kept short: generation ends with the sentence that makes it long enough. Tools are beyond this
model; it is never shown them. Prompts are made in `smollm_prompt`, tokens in `llama_server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from parley.engines.base import Capabilities, ChatModel, EngineError, EngineInfo, Generation
from parley.engines.local.llama_server import LlamaServer, Piece
from parley.engines.local.manifest import SMOLLM
from parley.engines.local.smollm_prompt import beginning, messages
from parley.engines.local.store import ModelStore
from parley.engines.local.worker import Worker
from parley.protocol.realtime.generation import Chunk, Done, EngineUsage, GenerationContext, TextDelta

if TYPE_CHECKING:
    from parley.engines.catalog import StageSettings

__all__ = ["BUSY_ANSWER", "NO_ANSWER", "SmolLm", "SmolLmGeneration", "build"]

_PARALLEL = 2
_PATIENCE_SECONDS = 3.0
_MOST_TOKENS = 80
_LONG_ENOUGH_CHARS = 100
_SENTENCE_ENDS = (".", "!", "?")
_SAMPLING: Mapping[str, Any] = MappingProxyType({"temperature": 0, "repeat_penalty": 1.05, "stop": ["\n", "<|"]})
"""The likeliest token always: a model of this size that is asked to be inventive talks nonsense, or worse."""

BUSY_ANSWER = "I am talking with several people right now. Please ask me again in a few seconds."
NO_ANSWER = "I am not sure what to say to that."


class SmolLm(ChatModel):
    """A chat model in process. English, text only, no tools; a client's temperature changes nothing."""

    def __init__(self, models_dir: Path, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._store = ModelStore(models_dir)
        self._worker = Worker("parley-llm", _PARALLEL)
        self._server: LlamaServer | None = None
        self.patience_seconds = patience_seconds
        self._closing = Event()
        self._loading = Lock()

    @property
    def info(self) -> EngineInfo:
        """Say what this is."""
        model = self._store.model(SMOLLM)
        source = f"in process, weights from {model.carrier.requirement}"
        return EngineInfo("llm", "smollm", SMOLLM, model.licence, source, "a demonstration: small talk, often wrong")

    @property
    def capabilities(self) -> Capabilities:
        """Streams; a demonstration in English, without tools."""
        return Capabilities(streaming=True, languages=("en",), demo=True)

    async def warm_up(self) -> None:
        """Load the weights and compute the prompt's fixed beginning once per parallel answer. Raises `EngineError`."""
        await self._worker.run(self._loaded)
        request = {"messages": beginning(), "max_tokens": 1}
        jobs = (
            self._worker.run(lambda: self._loaded().complete(request, lambda _piece: True)) for _ in range(_PARALLEL)
        )
        await asyncio.gather(*jobs)

    async def aclose(self) -> None:
        """Stop every answer within a token, end the threads, free the weights."""
        self._closing.set()
        await self._worker.aclose()
        self._server = None

    @property
    def closing(self) -> bool:
        """Whether answers are being cut short because the engine ends."""
        return self._closing.is_set()

    def generate(self, context: GenerationContext) -> Generation:
        """Begin an answer to the last turn."""
        return SmolLmGeneration(self, context)

    def submit(
        self, request: dict[str, Any], on_start: Callable[[], None], on_piece: Callable[[Piece], bool]
    ) -> Future[None]:
        """Queue a completion. Both callbacks run on the engine's thread; `on_piece` says whether to go on."""

        def complete() -> None:
            on_start()
            self._loaded().complete(request, lambda piece: not self._closing.is_set() and on_piece(piece))

        return self._worker.submit(complete)

    def _loaded(self) -> LlamaServer:
        with self._loading:
            if self._server is None:
                path = self._store.path(SMOLLM) / self._store.model(SMOLLM).files[0].name
                self._server = LlamaServer(path, parallel=_PARALLEL)
            return self._server


class SmolLmGeneration(Generation):
    """One answer. Iterate it once."""

    def __init__(self, engine: SmolLm, context: GenerationContext) -> None:
        self._engine = engine
        self._context = context
        self._stop = Event()
        self._started = asyncio.Event()
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        """Bounded by its producer: at most `_MOST_TOKENS` pieces, then None."""
        self._job: Future[None] | None = None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Answer."""
        return self._chunks()

    def cancel(self) -> None:
        """Say nothing more; the model stops within a token."""
        self._stop.set()
        if self._job is not None:
            self._job.cancel()
        self._started.set()
        self._pieces.put_nowait(None)

    async def _chunks(self) -> AsyncIterator[Chunk]:
        if self._stop.is_set():
            return
        job = self._job = self._submit()
        try:
            if not await self._begins(job):
                yield TextDelta(BUSY_ANSWER)
                yield EngineUsage(estimated=True)
                yield Done()
                return
            last: Piece | None = None
            said = ""
            while (piece := await self._pieces.get()) is not None and not self._stop.is_set():
                last = piece
                said += piece.text
                if piece.text:
                    yield TextDelta(piece.text)
            if self._stop.is_set():
                return
            job.result()
            if self._engine.closing:
                raise EngineError("The small-talk engine was closed in mid-answer.", code="engine_closed")
            if not said.strip():
                yield TextDelta(NO_ANSWER)
            if last is not None:
                yield EngineUsage(last.prompt_tokens, last.cached_tokens, last.output_tokens)
            yield Done(self._reason(last))
        finally:
            self._stop.set()
            job.cancel()

    def _submit(self) -> Future[None]:
        """Queue the completion and bring what it says to this event loop."""
        loop = asyncio.get_running_loop()
        brevity = _Brevity()

        def on_start() -> None:
            _tell(loop, self._started.set)

        def on_piece(piece: Piece) -> bool:
            if self._stop.is_set() or not _tell(loop, lambda: self._pieces.put_nowait(piece)):
                return False
            return not brevity.enough(piece.text)

        request = {
            **_SAMPLING,
            "messages": messages(self._context),
            "max_tokens": min(self._context.max_output_tokens or _MOST_TOKENS, _MOST_TOKENS),
        }
        job = self._engine.submit(request, on_start, on_piece)
        job.add_done_callback(lambda _job: _tell(loop, lambda: self._pieces.put_nowait(None)))
        return job

    async def _begins(self, job: Future[None]) -> bool:
        """Wait for a free thread, for as long as a speaker can be asked to."""
        try:
            async with asyncio.timeout(self._engine.patience_seconds):
                await self._started.wait()
        except TimeoutError:
            return not job.cancel()
        return True

    def _reason(self, last: Piece | None) -> Literal["stop", "max_output_tokens"]:
        """Our own bound is brevity, not an incomplete answer; the client's bound is."""
        limit = self._context.max_output_tokens
        cut = last is not None and last.finish_reason == "length" and limit is not None and limit <= _MOST_TOKENS
        return "max_output_tokens" if cut else "stop"


class _Brevity:
    """Decide when an answer is long enough to end with its current sentence."""

    def __init__(self) -> None:
        self._chars = 0

    def enough(self, text: str) -> bool:
        self._chars += len(text)
        return self._chars >= _LONG_ENOUGH_CHARS and text.rstrip().endswith(_SENTENCE_ENDS)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> bool:
    """Run `call` on the event loop; false when the loop is gone, and with it whoever listened."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return False
    return True


def build(stage: StageSettings, models_dir: Path) -> SmolLm:
    """Make the engine for the catalogue; it takes no settings."""
    del stage
    return SmolLm(models_dir)
