"""What one response says and calls: the demonstration brain's judgement, pure.

A context and an index in, an ordered list of steps out. The order of judgement is the body of `plan`; everything is
derived from the `GenerationContext`. Neighbours: `brain` streams a plan, `dialogue` reads a turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parley.engines.local.intent import small_talk
from parley.engines.local.intent.commands import PlannedCall
from parley.engines.local.intent.dialogue import decide, open_question
from parley.engines.local.intent.directives import spoken_order, verbatim_order
from parley.engines.local.intent.history import History, read_history
from parley.engines.local.intent.index import Candidate, IntentIndex
from parley.engines.local.intent.mood import is_fact_question
from parley.engines.local.intent.results import speak_result
from parley.engines.local.intent.schema import Parameter
from parley.engines.local.intent.slots import Filled, fill
from parley.engines.local.intent.wording import ask_for, refuse
from parley.engines.local.intent.words import split_words
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.tools import NamedToolChoice

__all__ = ["Call", "Chat", "Say", "Step", "plan"]


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
    """Obey `required` and a named tool: the best call that is valid, with guesses for what was not said if need be."""
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
    for candidate in found:
        guessed = _guessed(candidate, text)
        if guessed.valid:
            return [Call(candidate.name, guessed.arguments)]
    filled = found[0].filled
    if filled.refused is None and filled.missing:
        return [Say(ask_for(found[0].shape, filled.missing[0]))]
    return [Say(refuse(found[0].shape, filled.refused))]


def _guessed(candidate: Candidate, text: str) -> Filled:
    """Fill what nobody said: who forces a call gets one, as from any model. Without words there is nothing to go by."""
    if not text:
        return candidate.filled
    given = {parameter.path: _guess(parameter, text) for parameter in candidate.filled.missing}
    return fill(candidate.shape, text, split_words(text), given)


def _guess(parameter: Parameter, text: str) -> Any:
    match parameter.kind:
        case "choice":
            return parameter.choices[0].value
        case "boolean":
            return True
        case "number" | "integer":
            return 0 if parameter.minimum is None else parameter.minimum
        case "list":
            return []
        case _:
            return text
