"""A chat model that answers from a script, or echoes. Neighbours: `steps` (what scripts are made of), `base`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

from parley.engines.base import Capabilities, EngineError, EngineInfo
from parley.engines.read_ahead import ReadAhead
from parley.protocol.realtime.generation import (
    Chunk,
    Done,
    EngineUsage,
    GenerationContext,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import CallId
from parley.protocol.realtime.items import InputAudioPart, InputTextPart, MessageItem
from parley.testing.steps import Call, Hang, Reply, Wait, say

__all__ = ["FakeChatModel", "FakeGeneration", "echo"]


def echo(context: GenerationContext) -> Reply:
    """Say back the newest thing the user said or wrote; `Hello.` to silence."""
    for item in reversed(context.items):
        if isinstance(item, MessageItem) and item.role == "user":
            texts = [
                part.text if isinstance(part, InputTextPart) else part.transcript or ""
                for part in item.content
                if isinstance(part, InputTextPart | InputAudioPart)
            ]
            return say(f"You said: {' '.join(texts)}")
    return say("Hello.")


class FakeGeneration(ReadAhead[Chunk]):
    """One scripted generation; `context` is what it was asked with, `emitted` counts the chunks it made."""

    def __init__(self, context: GenerationContext, reply: Reply, fresh_call_id: Callable[[], str]) -> None:
        super().__init__(self._chunks, ahead=1, name=f"fake-chat-{context.response_id}")
        self.context = context
        self.emitted = 0
        self._reply = reply
        self._fresh_call_id = fresh_call_id

    async def _chunks(self) -> AsyncGenerator[Chunk, None]:
        usage_due = True
        texts = 0
        for step in self._reply:
            if isinstance(step, Wait):
                await asyncio.sleep(step.ms / 1000)
                continue
            if isinstance(step, Hang):
                await asyncio.Event().wait()
            if isinstance(step, EngineError):
                raise step
            if isinstance(step, Done):
                if usage_due:
                    yield self._count(self._usage(texts))
                yield self._count(step)
                return
            if isinstance(step, TextDelta):
                if texts == self.context.max_output_tokens:
                    yield self._count(self._usage(texts))
                    yield self._count(Done("max_output_tokens"))
                    return
                texts += 1
            usage_due = usage_due and not isinstance(step, EngineUsage)
            for chunk in self._expand(step):
                yield self._count(chunk)
        if usage_due:
            yield self._count(self._usage(texts))
        yield self._count(Done())

    def _expand(self, step: TextDelta | EngineUsage | Call | Hang) -> Iterator[Chunk]:
        if isinstance(step, Call):
            call_id = CallId(step.call_id or self._fresh_call_id())
            size = max(1, -(-len(step.arguments) // max(step.pieces, 1)))
            for start in range(0, max(len(step.arguments), 1), size):
                yield ToolCallDelta(call_id, step.name, step.arguments[start : start + size])
            yield ToolCallDone(call_id, step.name, step.arguments)
        elif not isinstance(step, Hang):
            yield step

    def _count(self, chunk: Chunk) -> Chunk:
        self.emitted += 1
        return chunk

    def _usage(self, texts: int) -> EngineUsage:
        return EngineUsage(input_text_tokens=10 * len(self.context.items), output_text_tokens=texts, estimated=True)


class FakeChatModel:
    """Answer with `replies` one after another (the last repeats), or with what a callable makes of the context.

    The default echoes. One `TextDelta` counts as one token against `max_output_tokens`. `contexts` and `generations`
    keep what was asked and how far each answer came.
    """

    def __init__(self, replies: Sequence[Reply] | Callable[[GenerationContext], Reply] = echo) -> None:
        self._replies = replies
        self._calls = 0
        self.generations: list[FakeGeneration] = []
        self.warm = False
        self.closed = False

    @property
    def contexts(self) -> list[GenerationContext]:
        """Everything the model was asked, oldest first."""
        return [generation.context for generation in self.generations]

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("llm", "fake", "fake-llm", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tools=True, images=True, languages=("en",))

    async def warm_up(self) -> None:
        self.warm = True

    async def aclose(self) -> None:
        self.closed = True
        for generation in self.generations:
            generation.cancel()
            await generation.closed()

    def generate(self, context: GenerationContext) -> FakeGeneration:
        if callable(self._replies):
            reply = self._replies(context)
        else:
            reply = self._replies[min(len(self.generations), len(self._replies) - 1)]
        generation = FakeGeneration(context, reply, self._fresh_call_id)
        self.generations.append(generation)
        return generation

    def _fresh_call_id(self) -> str:
        self._calls += 1
        return f"call_{self._calls:06d}"
