"""`POST /v1/chat/completions` on the same chat model that answers realtime sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Stream

from parley.auth.permissions import Permission
from parley.engines.base import EngineError, Generation
from parley.protocol.realtime.generation import Chunk, Failed
from parley.server.chat_completions import Answer, ChatRequest, context_of
from parley.server.parts import PERMISSION, Parts
from parley.server.sse import event, event_stream

__all__ = ["ROUTES"]


@post("/v1/chat/completions", status_code=200, tags=["chat"], opt={PERMISSION: Permission.USE_ENGINES})
async def chat_completions(data: JSONBody[ChatRequest], parts: NamedDependency[Parts]) -> Response[Any] | Stream:
    """Answer a conversation with text and tool calls, whole or as a stream of events."""
    context = context_of(data, response_id=parts.ids("resp"))
    chat = (await parts.engines()).chat
    answer_id = "chatcmpl-" + context.response_id.removeprefix("resp_")
    answer = Answer(answer_id=answer_id, created=int(parts.unix_seconds()), model=data.model or chat.info.model)
    generation = chat.generate(context)
    if data.stream:
        include_usage = bool((data.stream_options or {}).get("include_usage"))
        chunks = await _started(generation)
        return event_stream(_streamed(generation, chunks, answer, include_usage=include_usage))
    async for chunk in _chunks(generation):
        answer.feed(chunk)
    return Response(answer.whole())


async def _started(generation: Generation) -> AsyncIterator[Chunk]:
    """Wait for the first chunk, so that an engine that fails at once is an HTTP error and not half a stream."""
    chunks = _chunks(generation)
    first = [chunk async for chunk in _take_one(chunks)]

    async def rejoined() -> AsyncIterator[Chunk]:
        for chunk in first:
            yield chunk
        async for chunk in chunks:
            yield chunk

    return rejoined()


async def _take_one(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    async for chunk in chunks:
        yield chunk
        return


async def _chunks(generation: Generation) -> AsyncIterator[Chunk]:
    """Iterate a generation; cancel it if it is left early; raise what it reports as failed."""
    try:
        async for chunk in generation:
            if isinstance(chunk, Failed):
                raise EngineError(chunk.message, code=chunk.code, retryable=chunk.retryable)
            yield chunk
    finally:
        generation.cancel()


async def _streamed(
    generation: Generation, chunks: AsyncIterator[Chunk], answer: Answer, *, include_usage: bool
) -> AsyncIterator[bytes]:
    try:
        yield event(answer.opening())
        async for chunk in chunks:
            for piece in answer.feed(chunk):
                yield event(piece)
        for piece in answer.closing(include_usage=include_usage):
            yield event(piece)
        yield b"data: [DONE]\n\n"
    finally:
        generation.cancel()


ROUTES: tuple[Any, ...] = (chat_completions,)
