"""The demonstration brain: a `ChatModel` that needs no language model to use tools and speak about their results.

`plan` is pure: a context in, an ordered list of things to say and call out. `DemoBrain.generate` streams a plan, and
hands sentences that are mere talk to a small chat model, never facts. The order of judgement is the body of `plan`.

Stateless: everything is derived from the `GenerationContext`; the only thing kept is a small cache of built indexes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from parley.engines.base import Capabilities, ChatModel, EngineError, EngineInfo, Generation
from parley.engines.local.intent import small_talk
from parley.engines.local.intent.commands import PlannedCall
from parley.engines.local.intent.dialogue import decide, open_question
from parley.engines.local.intent.directives import spoken_order, verbatim_order
from parley.engines.local.intent.history import History, read_history
from parley.engines.local.intent.index import IntentIndex
from parley.engines.local.intent.mood import is_fact_question
from parley.engines.local.intent.results import speak_result
from parley.engines.local.intent.wording import ask_for, refuse
from parley.engines.local.intent.words import split_words
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
from parley.protocol.realtime.tools import FunctionTool, NamedToolChoice

__all__ = ["Call", "Chat", "DemoBrain", "Say", "Step", "plan"]

_CACHED: Final = 32
_CHARS_PER_TOKEN: Final = 4
_PIECE: Final = re.compile(r"\S+\s*")
_ARGUMENT_PIECE: Final = 24


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Call this tool."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chat:
    """Leave the answer to the small chat model."""


Step = Say | Call | Chat


# --- the plan ------------------------------------------------------------------------------------------------------


def plan(context: GenerationContext, index: IntentIndex) -> list[Step]:
    """Decide what one response says and calls.

    In order: words an instruction dictates; results that nobody has spoken about; what the user just said; an
    instruction's order to speak; a greeting in an empty conversation; a call that still runs; an offer to help.
    """
    dictated = verbatim_order(context.instructions)
    if dictated is not None:
        return [Say(dictated)]
    history = read_history(context.items)
    steps: list[Step] = [Say(text)] if (text := _about_results(history, index)) else []
    if history.turns and history.turns[-1].open:
        return steps + _about_words(context, history, index)
    if steps:
        return steps
    if context.tool_choice == "required" or isinstance(context.tool_choice, NamedToolChoice):
        forced = _forced(context, "", index)
        if any(isinstance(step, Call) for step in forced):
            return forced
    order = spoken_order(
        context.instructions,
        greeting=small_talk.GREETING if history.empty else "Hello!",
        capabilities=small_talk.list_capabilities(index.shapes),
        farewell=small_talk.FAREWELL,
    )
    if order is not None and (history.empty or order != history.last_answer):
        return [Say(order)]
    if history.empty:
        return [Say(small_talk.GREETING)]
    return [Say("I am still waiting for that." if history.waiting else "What else can I do for you?")]


def _about_results(history: History, index: IntentIndex) -> str:
    """Speak about every result that came back since the last words."""
    asked = history.turns[-1].text if history.turns else ""
    said: list[str] = []
    for returned in history.returned:
        shape = index.shape(returned.call.name) if returned.call else None
        if shape is not None and small_talk.means_ending(shape):
            said.append(small_talk.FAREWELL)
        else:
            said.append(speak_result(returned, asked))
    return " ".join(dict.fromkeys(said))


def _about_words(context: GenerationContext, history: History, index: IntentIndex) -> list[Step]:
    turn = history.turns[-1]
    text = turn.text
    if context.tool_choice == "required" or isinstance(context.tool_choice, NamedToolChoice):
        return _forced(context, text, index)
    if small_talk.asks_capabilities(text):
        return [Say(small_talk.list_capabilities(index.shapes if context.tool_choice != "none" else ()))]
    if context.tool_choice != "none":
        before = history.turns[:-1]
        decision = decide(index, turn.said, open_question(index, before), before)
        if decision.calls:
            return _calls(decision.calls)
        if decision.question or decision.refusal:
            return [Say(decision.question or decision.refusal)]
    return _talk(context, text, history, index)


def _calls(calls: tuple[PlannedCall, ...]) -> list[Step]:
    """Turn calls into steps, with a goodbye before the one that ends the conversation."""
    steps: list[Step] = []
    for call in calls:
        if small_talk.means_ending(call.shape):
            steps.append(Say(small_talk.FAREWELL))
        steps.append(Call(call.name, call.arguments))
    return steps


def _talk(context: GenerationContext, text: str, history: History, index: IntentIndex) -> list[Step]:
    if small_talk.asks_to_repeat(text):
        return [Say(small_talk.repeat(history.last_answer))]
    where = small_talk.whereabouts(text, history.last_answer)
    if where is not None:
        return [Say(where)]
    if small_talk.is_farewell(text):
        return [Say(small_talk.FAREWELL), *(_ending(text, index) if context.tool_choice != "none" else [])]
    answer = small_talk.reply(text)
    if answer is not None:
        return [Say(answer)]
    if is_fact_question(split_words(text)):
        return [Say(small_talk.NO_FACTS)]
    return [Chat()]


def _ending(text: str, index: IntentIndex) -> list[Step]:
    """Call the tool that ends the conversation, if there is one and its slots allow it."""
    for shape in index.shapes:
        if not small_talk.means_ending(shape):
            continue
        found = index.rank(text, only=shape.name)
        if found and found[0].filled.valid:
            return [Call(shape.name, found[0].filled.arguments)]
    return []


def _forced(context: GenerationContext, text: str, index: IntentIndex) -> list[Step]:
    """Obey `required` and a named tool: the best call that is valid, else the question it lacks."""
    choice = context.tool_choice
    only = choice.name if isinstance(choice, NamedToolChoice) and isinstance(choice.name, str) else None
    names = [shape.name for shape in index.shapes if only in (None, shape.name)]
    found = index.rank(text, only=only) if only else index.rank(text)
    reached = {one.name for one in found}
    found += [one for name in names if name not in reached for one in index.rank(text, only=name)]
    if not found:
        return [Say("That tool does not exist here." if only else "There is no tool that I could use.")]
    for candidate in found:
        if candidate.filled.valid:
            return [Call(candidate.name, candidate.filled.arguments)]
    filled = found[0].filled
    if filled.refused is None and filled.missing:
        return [Say(ask_for(found[0].shape, filled.missing[0]))]
    return [Say(refuse(found[0].shape, filled.refused))]


# --- the model -----------------------------------------------------------------------------------------------------


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

    def cancel(self) -> None:
        self._cancelled = True
        if self._inner is not None:
            self._inner.cancel()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Chunk]:
        steps = plan(self._context, self._index)
        for number, step in enumerate(steps):
            gap = " " if number and isinstance(step, Say | Chat) else ""
            stream = self._chat(gap) if isinstance(step, Chat) else self._own(step, number, gap)
            async for chunk in stream:
                if self._cancelled:
                    return
                yield chunk
                if isinstance(chunk, Done):
                    return
            if self._cancelled:
                return
        yield EngineUsage(input_text_tokens=_tokens_in(self._context), output_text_tokens=self._spent, estimated=True)
        if not self._cancelled:
            yield Done()

    async def _own(self, step: Say | Call, number: int, gap: str) -> AsyncIterator[Chunk]:
        if isinstance(step, Say):
            for piece in _PIECE.findall(step.text):
                if self._over(piece):
                    yield Done("max_output_tokens")
                    return
                yield TextDelta(gap + piece)
                gap = ""
            return
        arguments = json.dumps(step.arguments, ensure_ascii=False)
        call_id = _call_id(self._context.response_id, number)
        for start in range(0, len(arguments), _ARGUMENT_PIECE):
            piece = arguments[start : start + _ARGUMENT_PIECE]
            if self._over(piece):
                yield Done("max_output_tokens")
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
                    if isinstance(chunk, TextDelta):
                        spoke = spoke or bool(chunk.text.strip())
                        yield TextDelta(gap + chunk.text)
                        gap = ""
                    elif isinstance(chunk, EngineUsage | Done) and spoke:
                        yield chunk
            except EngineError:
                if spoke:
                    raise
        if not spoke:
            async for chunk in self._own(Say(small_talk.FALLBACK), 0, gap):
                yield chunk

    def _over(self, piece: str) -> bool:
        """Count a piece against the limit; True once it no longer fits."""
        cost = max(1, round(len(piece) / _CHARS_PER_TOKEN))
        if self._budget is not None and self._spent + cost > self._budget:
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
