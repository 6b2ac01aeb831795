"""How the brain puts things: questions for a slot, refusals, lists, verbs in the past, values read aloud.

Pure templates over names and values. Not here: what to say about a tool's result (`results`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from parley.engines.local.intent.lexicon import COMMAND_VERBS
from parley.engines.local.intent.phrases import leaning
from parley.engines.local.intent.schema import Parameter, ToolShape
from parley.engines.local.intent.values import parameter_unit
from parley.engines.local.intent.words import name_words, word_pairs, word_set

__all__ = [
    "and_list",
    "ask_for",
    "capability",
    "is_verb",
    "number_aloud",
    "past",
    "plural",
    "refuse",
    "said_name",
    "shortened",
    "the",
    "value_aloud",
]

_PAST: Final = word_pairs(
    "set:set get:got make:made put:put send:sent find:found begin:began run:ran read:read write:wrote buy:bought "
    "tell:told give:gave take:took go:went hide:hid show:showed stop:stopped turn:turned shut:shut cut:cut "
    "hold:held draw:drew speak:spoke say:said see:saw hang:hung bring:brought leave:left plan:planned "
    "drop:dropped skip:skipped grip:gripped grab:grabbed undo:undid redo:redid reset:reset log:logged tag:tagged "
    "pay:paid ring:rang swap:swapped zoom:zoomed spin:spun drive:drove fly:flew choose:chose build:built "
    "keep:kept lead:led meet:met let:let rewind:rewound step:stepped submit:submitted pick:picked clip:clipped "
    "map:mapped scan:scanned pin:pinned"
)


def and_list(parts: Sequence[str], last: str = "and") -> str:
    """Join with commas and a last `and`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def said_name(identifier: str) -> str:
    """Say an identifier as words."""
    return " ".join(name_words(identifier)) or identifier


def is_verb(word: str) -> bool:
    """Tell whether a tool's first word is a verb that `past` and commands can use."""
    return word in COMMAND_VERBS


def past(verb: str) -> str:
    """Give the simple past of a verb."""
    if verb in _PAST:
        return _PAST[verb]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + "ed"


def plural(noun: str, count: float) -> str:
    """Give the noun for a count of things."""
    if count == 1 or noun.endswith("s"):
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"


def number_aloud(value: float) -> str:
    """Say a number without noise: at most three decimals, large ones in millions and billions."""
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
        return "not a number"
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:.4g} {name}"
    if float(value).is_integer():
        return str(int(value))
    digits = 3 if abs(value) < 10 else 2
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 else f"{value:.2g}"


def ask_for(shape: ToolShape, parameter: Parameter) -> str:
    """Put the one question that a missing slot needs."""
    if parameter.kind == "choice":
        options = [said_name(str(choice.value)) for choice in parameter.choices]
        if len(options) <= 5:
            return f"Which {parameter.said} would you like: {and_list(options, 'or')}?"
        return f"Which {parameter.said} would you like?"
    if parameter.kind == "boolean":
        return f"Should {the(parameter.said)} be on or off?"
    if parameter.kind in {"number", "integer"}:
        return _ask_number(parameter)
    kind = leaning(parameter)
    if kind == "person" and parameter.stems[-1:] not in (("name",), ("nam",)):
        return f"Who should {the(parameter.said)} be?"
    if kind == "place":
        return f"Which {parameter.said} do you mean?"
    if parameter.kind == "list":
        return f"Which {parameter.said} would you like?"
    return f"What should {the(parameter.said)} be?"


def the(noun: str) -> str:
    """Put `the` before a noun unless it has its own small word."""
    first = noun.split(" ", 1)[0]
    return noun if not noun or first in _OWN_ARTICLE else f"the {noun}"


def shortened(text: str, most: int) -> str:
    """Cut a text to `most` words, at a sentence's end if one is near."""
    words = text.split()
    if len(words) <= most:
        return " ".join(words)
    cut = " ".join(words[:most])
    for mark in (". ", "! ", "? "):
        if mark in cut[len(cut) // 3 :]:
            return cut[: cut.rindex(mark) + 1]
    return cut.rstrip(",;:") + ", and more"


def _ask_number(parameter: Parameter) -> str:
    unit = parameter_unit(parameter)
    if unit and unit in parameter.said:
        return f"How many {plural(unit, 2) if unit != 'percent' else 'percent'}?"
    if "number" in parameter.said:
        return f"What is {the(parameter.said)}?"
    low, high = parameter.minimum, parameter.maximum
    span = f", from {number_aloud(low)} to {number_aloud(high)}" if low is not None and high is not None else ""
    return f"What number should {the(parameter.said)} be{span}?"


def refuse(shape: ToolShape, parameter: Parameter | None) -> str:
    """Decline a tool whose slots cannot be said aloud, politely and with the reason."""
    what = f"I understand that you want me to {capability(shape)}"
    if parameter is None:
        return f"{what}, but I could not fit your words to what it expects."
    return f"{what}, but it needs {the(parameter.said)} in a form that I cannot put together from speech. Sorry."


_OWN_ARTICLE: Final = word_set("the a an to up on off in my for is are")
_DETERMINERS: Final = word_set("the a an all your my our this that one every some any")
_TRIM = re.compile(
    r"[.!;\n]| \(|, (?:e\.g|such as|for example|like|which|where)| e\.g| so that | "
    r"when (?:the|a) user"
)
_LEAD = re.compile(
    r"^(?:use this (?:tool|function)? ?(?:to|when|for)|this (?:tool|function)|call this (?:tool"
    r"|function)? ?to|a (?:tool|function) (?:to|that|for)|tool (?:to|for)|function (?:to|for))\s+",
    re.IGNORECASE,
)


def capability(shape: ToolShape) -> str:
    """Say what a tool does, in words that follow `I can …`: from its description, else from its name."""
    text = _LEAD.sub("", _TRIM.split(shape.description.strip(), maxsplit=1)[0].strip())
    words = text.split()
    if not words or len(words) > 18 or not words[0].isalpha():
        return _from_name(shape)
    head = _base_form(words[0].lower())
    if head is None and len(words) > 1 and words[1].lower() in _DETERMINERS:
        head = words[0].lower()
    if head is not None:
        return " ".join([head, *words[1:]])
    named = shape.name_words[:1]
    if named and not is_verb(named[0]) and len(words) > 1:
        return f"look up {the(' '.join([words[0].lower(), *words[1:]]))}"
    return _from_name(shape)


def _base_form(word: str) -> str | None:
    """Turn `Changes` into `change`; None for a word that is no known verb."""
    forms = [word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"]
    forms += [word.removesuffix("ing"), word.removesuffix("ing") + "e", word.removesuffix("ting")]
    return next((form for form in forms if form in COMMAND_VERBS), None)


def _from_name(shape: ToolShape) -> str:
    words = shape.name_words or (shape.name,)
    if not is_verb(words[0]):
        return f"look up the {' '.join(words)}"
    rest = " ".join(words[1:])
    return (
        f"{words[0]} the {rest}"
        if rest and rest.split()[0] not in {"the", "my", "a", "to", "up", "on", "off", "in"}
        else " ".join(words)
    )


def value_aloud(value: Any) -> str:
    """Say one plain value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_aloud(value)
    if value is None:
        return "nothing"
    return str(value).strip()
