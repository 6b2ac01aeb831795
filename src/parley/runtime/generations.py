"""Responses being generated: one task each, from the responder's stream into the mailbox.

Whatever the engine does, the machine gets chunks that end with exactly one `Done` or `Failed`: an engine that raises,
hangs, stops short or yields nonsense is a `Failed`. Cancelling is synchronous: the engine is told, the task is
cancelled and waiting chunks are dropped before `cancel` returns. While clients are behind with reading (`congested`)
the pump waits. While a response waits for tools it may be interjected: a few words of another responder go into it,
and what it is generated on with comes after them. Neighbours: `mailbox`, `containment`, `performer`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, get_args

import msgspec

from parley.engines.base import EngineError, Generation, Responder
from parley.protocol.realtime.generation import AudioDelta, Chunk, Done, Failed, GenerationContext, TextDelta
from parley.protocol.realtime.ids import ResponseId
from parley.runtime.containment import Containment
from parley.runtime.mailbox import Mailbox

__all__ = ["Generations", "Spawn"]

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Start a task of the session's group."""

_log = logging.getLogger(__name__)

_CLOSE_WITHIN_S = 1.0
_CONGESTED_STEP_S = 0.02
_CHUNKS: tuple[type, ...] = get_args(Chunk)


class Generations:
    """Every running generation of one session, by response."""

    def __init__(
        self,
        responder: Responder,
        mailbox: Mailbox,
        spawn: Spawn,
        *,
        silence_ms: int,
        congested: Callable[[], bool],
        interim: Responder | None = None,
    ) -> None:
        """`interim` says the words of `interject`."""
        self._responder = responder
        self._interim = interim
        self._congested = congested
        self._mailbox = mailbox
        self._spawn = spawn
        self._silence_ms = silence_ms
        self._running: dict[ResponseId, _Running] = {}
        self._interjections: dict[ResponseId, _Running] = {}
        self._contexts: dict[ResponseId, GenerationContext] = {}
        """Of every response that is not done, what it was last generated from."""
        self._silent: set[ResponseId] = set()
        """Of those, the ones that have said nothing yet."""

    def __len__(self) -> int:
        """How many run."""
        return len(self._running)

    def __contains__(self, response_id: ResponseId) -> bool:
        """Whether chunks of `response_id` are still wanted."""
        return response_id in self._running or response_id in self._interjections

    def start(self, context: GenerationContext) -> None:
        """Generate the response of `context`; its chunks go to the mailbox."""
        response_id = context.response_id
        if response_id not in self._contexts:
            self._silent.add(response_id)
        self._contexts[response_id] = context
        running = self._running[response_id] = _Running()
        running.task = self._spawn(self._run(context, running, self._interjections.get(response_id)))

    def interject(self, response_id: ResponseId) -> None:
        """Say something in a response that waits and has been silent so far; otherwise do nothing."""
        context = self._contexts.get(response_id)
        if self._interim is None or context is None or response_id in self._running or response_id not in self._silent:
            return
        running = self._interjections[response_id] = _Running()
        running.task = self._spawn(self._interjection(msgspec.structs.replace(context, items=()), running))

    def done(self, response_id: ResponseId) -> None:
        """Take note that the response is over."""
        self._contexts.pop(response_id, None)
        self._silent.discard(response_id)
        self._stop_interjection(response_id)

    def cancel(self, response_id: ResponseId) -> None:
        """Stop `response_id`: nothing of it comes out of the mailbox any more. Unknown ids are ignored."""
        self._stop_interjection(response_id)
        running = self._running.pop(response_id, None)
        if running is None:
            return
        running.stop()
        if running.task is not None:
            running.task.cancel()
        self._mailbox.drop_response(response_id)

    def ended(self, response_id: ResponseId) -> None:
        """Note that the last chunk of `response_id` was taken."""
        self._running.pop(response_id, None)

    def close(self) -> None:
        """Cancel everything."""
        for response_id in [*self._running, *self._interjections]:
            self.cancel(response_id)

    def _stop_interjection(self, response_id: ResponseId) -> None:
        running = self._interjections.pop(response_id, None)
        if running is not None:
            running.stop()
            if running.task is not None:
                running.task.cancel()

    async def _interjection(self, context: GenerationContext, running: _Running) -> None:
        assert self._interim is not None
        try:
            with Containment("response"):
                await self._forward(context, running, self._interim, words_only=True)
        finally:
            running.stop()
            if self._interjections.get(context.response_id) is running:
                del self._interjections[context.response_id]

    async def _run(self, context: GenerationContext, running: _Running, after: _Running | None) -> None:
        if after is not None and after.task is not None:
            await asyncio.wait({after.task})
        end: Done | Failed | None = None
        border = Containment("response")
        try:
            with border:
                end = await self._forward(context, running, self._responder)
        finally:
            running.stop()
        if border.failure is not None:
            end = _failed(border.failure)
        if end is None:
            end = Failed("engine_ended_early", "The response engine stopped without saying that it was done.")
        await self._mailbox.put_chunk(context.response_id, end)

    async def _forward(
        self, context: GenerationContext, running: _Running, responder: Responder, *, words_only: bool = False
    ) -> Done | Failed | None:
        """Pass chunks on until the last, which is returned. None if the stream just stops."""
        generation = running.generation = responder.generate(context)
        stream = aiter(generation)
        try:
            while True:
                try:
                    async with asyncio.timeout(self._silence_ms / 1000):
                        chunk = await anext(stream, None)
                except TimeoutError:
                    return self._too_late()
                if chunk is None or isinstance(chunk, Done | Failed):
                    return chunk
                fault = _fault(chunk)
                if fault is not None:
                    return fault
                while self._congested():  # noqa: ASYNC110 - rare, and 20 ms is little beside what is queued
                    await asyncio.sleep(_CONGESTED_STEP_S)
                if isinstance(chunk, TextDelta | AudioDelta):
                    self._silent.discard(context.response_id)
                elif words_only:
                    continue
                await self._mailbox.put_chunk(context.response_id, chunk)
        finally:
            await _aclose(stream)

    def _too_late(self) -> Failed:
        return Failed(
            "engine_timeout",
            f"The response engine gave nothing for {self._silence_ms // 1000} s. Is its model server alive?",
            retryable=True,
        )


class _Running:
    """One generation and the task that pumps it."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.generation: Generation | None = None

    def stop(self) -> None:
        generation, self.generation = self.generation, None
        if generation is not None:
            with Containment("response"):
                generation.cancel()


def _fault(chunk: object) -> Failed | None:
    """Say what is wrong with a chunk of a garbled engine."""
    if not isinstance(chunk, _CHUNKS):
        return Failed("engine_garbled", f"The response engine gave a {type(chunk).__name__}, which is no chunk.")
    if isinstance(chunk, AudioDelta) and len(chunk.pcm) % 2:
        return Failed("engine_garbled", "The response engine gave half a sample: PCM16 has an even number of bytes.")
    return None


def _failed(error: EngineError) -> Failed:
    return Failed(error.code, error.message, error.retryable)


async def _aclose(stream: AsyncIterator[Chunk]) -> None:
    """Let an asynchronous generator run its `finally` blocks now, not when it is collected."""
    aclose: Callable[[], Coroutine[Any, Any, None]] | None = getattr(stream, "aclose", None)
    if aclose is not None:
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await aclose()
        except TimeoutError:
            _log.warning("engine did not close its stream in time", extra={"limit_s": _CLOSE_WITHIN_S})
