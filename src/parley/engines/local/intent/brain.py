"""The demonstration brain: a `ChatModel` that needs no language model to use tools and speak about their results.

`DemoBrain.generate` streams what `plan` decided, and hands sentences that are mere talk to a small chat model, never
facts. Stateless: the only thing kept is a small cache of built indexes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Final, Literal

import msgspec

from parley.engines.base import Capabilities, ChatModel, EngineError, EngineInfo, Generation
from parley.engines.local.intent.history import read_history
from parley.engines.local.intent.index import IntentIndex
from parley.engines.local.intent.plan import Call, Chat, Say, plan
from parley.engines.local.intent.small_talk import FALLBACK
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
from parley.protocol.realtime.tools import FunctionTool

__all__ = ["DemoBrain"]

_CACHED: Final = 32
_CHARS_PER_TOKEN: Final = 4
_PIECE: Final = re.compile(r"\S+\s*")
_ARGUMENT_PIECE: Final = 24


class DemoBrain:
    """The `ChatModel` of the keyless default. `small_talk` answers mere talk; without it a fixed sentence does."""

    def __init__(self, small_talk: ChatModel | None = None) -> None:
        self._small_talk = small_talk
        self._indexes: OrderedDict[bytes, IntentIndex] = OrderedDict()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            stage="llm",
            name="demo",
            model="parley-demo",
            licence="Apache-2.0",
            source="in process",
            note="demonstration brain: English, one voice; uses tools, knows no facts",
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tools=True, languages=("en",), demo=True)

    async def warm_up(self) -> None:
        """Warm the chat model. Raises `EngineError` as that does."""
        if self._small_talk is not None:
            await self._small_talk.warm_up()

    async def aclose(self) -> None:
        """Free the chat model. Idempotent."""
        if self._small_talk is not None:
            await self._small_talk.aclose()

    def generate(self, context: GenerationContext) -> Generation:
        """Answer a context. Never calls a tool with arguments that its schema does not allow."""
        return _DemoGeneration(context, self._index(context), self._small_talk)

    def _index(self, context: GenerationContext) -> IntentIndex:
        tools = [tool for tool in context.tools if isinstance(tool, FunctionTool)]
        key = hashlib.blake2b(msgspec.json.encode(tools), digest_size=16).digest()
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = IntentIndex(tools)
            if len(self._indexes) > _CACHED:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(key)
        return index


class _DemoGeneration:
    """One response: a plan being streamed."""

    def __init__(self, context: GenerationContext, index: IntentIndex, small_talk: ChatModel | None) -> None:
        self._context = context
        self._index = index
        self._small_talk = small_talk
        self._inner: Generation | None = None
        self._cancelled = False
        self._budget = context.max_output_tokens
        self._spent = 0
        self._usage: EngineUsage | None = None
        self._reason: Literal["stop", "max_output_tokens", "content_filter"] = "stop"

    def cancel(self) -> None:
        self._cancelled = True
        if self._inner is not None:
            self._inner.cancel()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Chunk]:
        try:
            for number, step in enumerate(plan(self._context, self._index)):
                gap = " " if number and not isinstance(step, Call) else ""
                stream = self._chat(gap) if isinstance(step, Chat) else self._own(step, number, gap)
                async for chunk in stream:
                    if self._cancelled:
                        return
                    yield chunk
                if self._cancelled:
                    return
                if self._reason != "stop":
                    break
        finally:
            if self._inner is not None:
                self._inner.cancel()
        yield self._usage or EngineUsage(
            input_text_tokens=_tokens_in(self._context), output_text_tokens=self._spent, estimated=True
        )
        if not self._cancelled:
            yield Done(self._reason)

    async def _own(self, step: Say | Call, number: int, gap: str) -> AsyncIterator[Chunk]:
        if isinstance(step, Say):
            for piece in _PIECE.findall(step.text):
                if self._over(piece):
                    return
                yield TextDelta(gap + piece)
                gap = ""
            return
        arguments = json.dumps(step.arguments, ensure_ascii=False)
        call_id = _call_id(self._context.response_id, number)
        for start in range(0, len(arguments), _ARGUMENT_PIECE):
            piece = arguments[start : start + _ARGUMENT_PIECE]
            if self._over(piece):
                return
            yield ToolCallDelta(call_id, step.name, piece)
        yield ToolCallDone(call_id, step.name, arguments)

    async def _chat(self, gap: str) -> AsyncIterator[Chunk]:
        """Stream the chat model's answer; if it fails before its first word, say so honestly instead."""
        spoke = False
        if self._small_talk is not None:
            context = msgspec.structs.replace(self._context, tools=(), tool_choice="none")
            try:
                self._inner = self._small_talk.generate(context)
                async for chunk in self._inner:
                    if isinstance(chunk, TextDelta) and chunk.text:
                        spoke = spoke or bool(chunk.text.strip())
                        yield TextDelta(gap + chunk.text)
                        gap = ""
                    elif isinstance(chunk, EngineUsage):
                        self._usage = chunk
                    elif isinstance(chunk, Done):
                        self._reason = chunk.reason
            except EngineError:
                if spoke:
                    raise
        if not spoke:
            self._usage, self._reason = None, "stop"
            async for chunk in self._own(Say(FALLBACK), 0, gap):
                yield chunk

    def _over(self, piece: str) -> bool:
        """Count a piece against the limit; True once it no longer fits."""
        cost = max(1, round(len(piece) / _CHARS_PER_TOKEN))
        if self._budget is not None and self._spent + cost > self._budget:
            self._reason = "max_output_tokens"
            return True
        self._spent += cost
        return False


def _call_id(response_id: str, number: int) -> CallId:
    """Make a call id that is unique in the session and the same on every replay."""
    digest = hashlib.blake2s(f"{response_id}/{number}".encode(), digest_size=12).hexdigest()
    return CallId(f"call_{digest}")


def _tokens_in(context: GenerationContext) -> int:
    history = read_history(context.items)
    size = len(context.instructions) + sum(len(turn.text) + len(turn.answered) for turn in history.turns)
    return size // _CHARS_PER_TOKEN
