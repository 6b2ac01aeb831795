"""One turn of the user, read in the light of the turns before: commands, answers to a question, follow-ups.

State is derived, never kept: the open question is found by reading the earlier turns again, which is cheap and always
gives what was asked then. Neighbours: `commands` reads a sentence by itself, `brain` decides what to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from parley.engines.local.intent.commands import PlannedCall, Reading, continue_call, flat_values, read_commands
from parley.engines.local.intent.history import Turn
from parley.engines.local.intent.index import Candidate, IntentIndex
from parley.engines.local.intent.lexicon import DEICTIC, FUNCTION_WORDS, QUESTION_WORDS
from parley.engines.local.intent.mood import is_reader
from parley.engines.local.intent.schema import Parameter, ToolShape
from parley.engines.local.intent.slots import Filled, answer_slot, fill
from parley.engines.local.intent.subject import last_subject, points_back, with_subject
from parley.engines.local.intent.wording import ask_for, refuse
from parley.engines.local.intent.words import split_words, stem, word_set
from parley.protocol.realtime.items import FunctionCallItem

__all__ = ["Decision", "Pending", "decide", "open_question"]

_LOOK_BACK: Final = 6
_LEAN: Final = 0.3
_MOST_TRIES: Final = 2
_FOLLOW_UPS: Final = word_set(
    "how what now and make no instead try actually rather then same again also too set change"
)
_PRONOUNS: Final = word_set("it its it's them they their that there this")
_NEVER_MIND: Final = (
    "never mind",
    "nevermind",
    "forget it",
    "cancel",
    "cancel that",
    "stop",
    "no thanks",
    "no thank you",
    "nothing",
    "skip it",
    "no",
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits for its answer: the tool, the values so far, the slot asked about."""

    shape: ToolShape
    parameter: Parameter
    values: dict[tuple[str, ...], Any]
    question: str
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What a turn leads to: calls, or a question, or a refusal in words. All empty: no tool is meant."""

    calls: tuple[PlannedCall, ...] = ()
    pending: Pending | None = None
    refusal: str = ""

    @property
    def question(self) -> str:
        return self.pending.question if self.pending else ""

    @property
    def nothing(self) -> bool:
        return not self.calls and self.pending is None and not self.refusal


def open_question(index: IntentIndex, turns: Sequence[Turn]) -> Pending | None:
    """Find the question that the last of `turns` ended with, by deciding these turns again."""
    pending: Pending | None = None
    for at, turn in enumerate(turns[-_LOOK_BACK:]):
        before = turns[: max(0, len(turns) - _LOOK_BACK) + at]
        if turn.calls:
            pending = None
            continue
        pending = decide(index, turn.said, pending, before).pending
        if pending and turn.answered and not _was_asked(pending.question, turn.answered):
            pending = None
    return pending


def _was_asked(question: str, heard: str) -> bool:
    """Whether heard words are the question, or the beginning of it that was heard before an interruption."""
    asked = [word.norm for word in split_words(question)]
    words = [word.norm for word in split_words(heard)]
    tail = words[-len(asked) :]
    return bool(words) and (asked[: len(words)] == words or asked == tail)


def decide(index: IntentIndex, said: Sequence[str], pending: Pending | None, before: Sequence[Turn]) -> Decision:
    """Decide the user's words of one turn (several texts if earlier ones were never answered)."""
    text = " ".join(said)
    if not index.shapes or not text.strip():
        return Decision()
    if len(said) > 1 and pending is None:
        separate = _separate(index, said, before)
        if separate is not None:
            return separate
    call = _last_call(before)
    shape = index.shape(call.name) if call else None
    reading = read_commands(index, text, leanings=_leanings(text, shape))
    recalled = _recall(text, reading, _recent_values(before)) if pending is None else None
    if recalled is not None:
        return Decision((recalled,))
    if pending is not None:
        return _answer(index, text, pending, reading.calls, reading.doubt)
    if reading.calls:
        return Decision(reading.calls)
    follow_up = _follow_up(text, shape, call)
    if follow_up is not None:
        return Decision((follow_up,))
    pointed = _point_back(index, text, before)
    if pointed is not None:
        return Decision((pointed,))
    return _doubt(reading.doubt) if reading.doubt else Decision()


def _separate(index: IntentIndex, said: Sequence[str], before: Sequence[Turn]) -> Decision | None:
    """Read texts that were never answered as commands of their own, if the last one is."""
    calls: list[PlannedCall] = []
    for text in said:
        found = decide(index, [text], None, before).calls
        calls.extend(call for call in found if call not in calls)
    return Decision(tuple(calls)) if calls and decide(index, [said[-1]], None, before).calls else None


def _doubt(candidate: Candidate) -> Decision:
    """Ask for what a confident reading lacks, or say why it cannot be."""
    filled, shape = candidate.filled, candidate.shape
    if filled.refused is not None or not filled.missing:
        return Decision(refusal=refuse(shape, filled.refused))
    return Decision(pending=_ask(shape, filled))


def _ask(shape: ToolShape, filled: Filled, tries: int = 1) -> Pending:
    parameter = filled.missing[0]
    question = ask_for(shape, parameter) if tries == 1 else f"Sorry, I did not get that. {ask_for(shape, parameter)}"
    return Pending(shape, parameter, flat_values(shape, filled.arguments), question, tries)


def _answer(
    index: IntentIndex, text: str, pending: Pending, calls: tuple[PlannedCall, ...], doubt: Candidate | None
) -> Decision:
    """Take the text as the answer to the open question, unless it plainly is something else."""
    plain = " ".join(word.norm for word in split_words(text))
    if pending.parameter.kind != "boolean" and plain.removeprefix("oh ").removeprefix("please ") in _NEVER_MIND:
        return Decision(refusal="Okay, never mind.")
    if calls and not all(call.name == pending.shape.name for call in calls) and _strong(index, text, pending):
        return Decision(calls)
    words = split_words(text)
    filled = answer_slot(pending.shape, pending.parameter, text, words, pending.values)
    if pending.parameter.path in filled.filled and not _is_question(text, pending):
        if filled.valid:
            return Decision((PlannedCall(pending.shape, filled.arguments),))
        if filled.refused is None and filled.missing:
            return Decision(pending=_ask(pending.shape, filled))
        return Decision(refusal=refuse(pending.shape, filled.refused))
    if calls:
        return Decision(calls)
    if doubt is not None and doubt.name != pending.shape.name:
        return _doubt(doubt)
    if _is_question(text, pending):
        return Decision()
    if pending.tries >= _MOST_TRIES:
        return Decision(refusal="I still do not understand, so I will leave it. You can start again.")
    return Decision(pending=_ask(pending.shape, filled, pending.tries + 1) if filled.missing else None)


def _strong(index: IntentIndex, text: str, pending: Pending) -> bool:
    """Tell whether a text names another tool so clearly that it cannot be the free answer it would also be."""
    best = index.best(text)
    if best is None or best.name == pending.shape.name:
        return False
    return pending.parameter.kind != "string" or best.score >= index.threshold + 0.3


def _is_question(text: str, pending: Pending) -> bool:
    """Tell whether an answer to a string slot is in fact a question."""
    words = split_words(text)
    asks = bool(words) and words[0].norm in QUESTION_WORDS and len(words) > 2
    return asks and pending.parameter.kind == "string" and (text.rstrip().endswith("?") or len(words) > 3)


# --- follow-ups ----------------------------------------------------------------------------------------------------


def _last_call(before: Sequence[Turn]) -> FunctionCallItem | None:
    return next((turn.calls[-1] for turn in reversed(before[-_LOOK_BACK:]) if turn.calls), None)


def _leanings(text: str, shape: ToolShape | None) -> dict[str, float]:
    """Lean to the tool used last when a sentence points at its object: `make it bigger`."""
    words = split_words(text)
    if shape is None or len(words) > 10:
        return {}
    return {shape.name: _LEAN} if any(word.norm in DEICTIC for word in words) else {}


def _follow_up(text: str, shape: ToolShape | None, call: FunctionCallItem | None) -> PlannedCall | None:
    """Read a short sentence as new values for the last call: `how about three`, `now the other one`."""
    words = split_words(text)
    content = [word for word in words if word.norm not in FUNCTION_WORDS]
    if shape is None or call is None or not 1 <= len(content) <= 3 or len(words) > 8:
        return None
    opened = words[0].norm in _FOLLOW_UPS and (
        words[0].norm not in {"how", "what"} or "about" in [word.norm for word in words[:3]]
    )
    if not opened:
        return None
    arguments = _call_arguments(call)
    follow = continue_call(PlannedCall(shape, arguments), text)
    return follow if follow is not None and follow.arguments != arguments else None


def _recall(text: str, reading: Reading, given: dict[str, Any]) -> PlannedCall | None:
    """Take what a sentence leaves out, or only says as `it`, from a recent call's slot of the same name."""
    words = split_words(text)
    pronoun = any(word.norm in _PRONOUNS for word in words)
    doubt = reading.doubt
    if doubt is not None and doubt.filled.refused is None and (pronoun or is_reader(doubt.shape)):
        values = flat_values(doubt.shape, doubt.filled.arguments)
        for parameter in doubt.filled.missing:
            if parameter.path[-1] in given:
                values[parameter.path] = given[parameter.path[-1]]
        filled = fill(doubt.shape, "", (), values)
        return PlannedCall(doubt.shape, filled.arguments) if filled.valid else None
    if len(reading.calls) != 1 or not pronoun:
        return None
    planned = reading.calls[0]
    for parameter in planned.shape.parameters:
        value = flat_values(planned.shape, planned.arguments).get(parameter.path)
        said = [stem(part) for part in str(value).split()]
        other = given.get(parameter.path[-1], value)
        if parameter.kind == "choice" and other != value and said and set(said) <= planned.shape.about:
            values = {**flat_values(planned.shape, planned.arguments), parameter.path: other}
            filled = fill(planned.shape, "", (), values)
            return PlannedCall(planned.shape, filled.arguments) if filled.valid else None
    return None


def _recent_values(before: Sequence[Turn]) -> dict[str, Any]:
    """Merge the arguments of the last few calls, the newest winning."""
    values: dict[str, Any] = {}
    for turn in before[-_LOOK_BACK:]:
        for call in turn.calls:
            values.update(_call_arguments(call))
    return values


def _call_arguments(call: FunctionCallItem | None) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments) if call else {}
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _point_back(index: IntentIndex, text: str, before: Sequence[Turn]) -> PlannedCall | None:
    """Read `where is that` with the last subject heard, if a tool then fits whose slot the subject fills."""
    if not points_back(text):
        return None
    heard = next((turn.answered for turn in reversed(before) if turn.answered), "")
    subject = last_subject(heard)
    if subject is None:
        return None
    for candidate in index.rank(with_subject(text, subject))[:2]:
        said = " ".join(str(value) for value in candidate.filled.arguments.values()).lower()
        fills = subject.phrase.lower().removeprefix("the ") in said
        if candidate.filled.valid and fills and candidate.score >= index.threshold - 0.25:
            return PlannedCall(candidate.shape, candidate.filled.arguments)
    return None
