"""Tell a call in words: what was done, or what could not be done, from its tool's name and its arguments alone.

Neighbours: `results` adds what came back, `wording` knows verbs and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parley.engines.local.intent.wording import and_list, is_verb, past, shortened, the, value_aloud
from parley.engines.local.intent.words import name_words, stem, word_pairs, word_set

__all__ = ["could_not", "deed", "flat_arguments"]

_PARTICLES: Final = word_pairs(
    "focus:on zoom:in_on look:at search:for navigate:to go:to move:to listen:to jump:to connect:to return:to"
)
_SETTING: Final = word_set("set change update make adjust switch modify turn move rename increase decrease")
_SWITCHING: Final = word_set("set switch toggle turn change enable")
_STATES: Final = word_set("on enabled enable active state status value flag power visible shown")
_SHOWING: Final = word_set("show display")


def flat_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by spoken name, nested objects opened."""
    flat: dict[str, Any] = {}
    for key, value in arguments.items():
        if isinstance(value, Mapping):
            flat.update(flat_arguments(value))
        else:
            flat[" ".join(name_words(str(key))) or "value"] = value
    return flat


def deed(name: str, arguments: Mapping[str, Any]) -> str:
    """Tell a finished call, without a full stop: `I changed the title to hello`."""
    words = name_words(name)
    flat = flat_arguments(arguments)
    if not words:
        return "Done"
    if not is_verb(words[0]):
        return "Done: " + " ".join(words) + _with(flat)
    verb, rest = _verb(words[0], flat), list(words[1:])
    switches = [key for key, value in flat.items() if isinstance(value, bool)]
    if verb != words[0]:
        del flat[switches[0]]
    elif len(switches) == 1 and words[0] in _SWITCHING:
        return _switched(rest, flat, switches[0])
    if len(flat) == 1:
        return _with_one(verb, rest, *next(iter(flat.items())))
    return f"Done. I {past(verb)} {the(' '.join(rest)) or 'that'}" + _with(flat)


def could_not(name: str, arguments: Mapping[str, Any]) -> str:
    """Tell a failed call, without a full stop: `I could not open the door`."""
    words = name_words(name)
    if not words or not is_verb(words[0]):
        return "That did not work"
    return f"I could not {_verb(words[0], flat_arguments(arguments))} {the(' '.join(words[1:]))}".rstrip()


def _verb(verb: str, flat: Mapping[str, Any]) -> str:
    """Turn a verb into its opposite where a flag says so: `lock` with `locked` false, `show` with `visible` false."""
    for key, value in flat.items():
        if value is False and stem(key) == stem(verb):
            return f"un{verb}"
        if value is False and verb in _SHOWING and key in _STATES:
            return "hide"
    return verb


def _switched(rest: list[str], flat: dict[str, Any], key: str) -> str:
    state = "on" if flat.pop(key) else "off"
    rest = [word for word in rest if word not in {"mode", "state", "status"}] or rest
    noun = " ".join(rest) if key in _STATES or set(key.split()) & set(rest) else key
    places = [_argument(value) for value in flat.values() if isinstance(value, str)]
    if len(places) == len(flat) == 1:
        return f"Done. I turned the {places[0]} {noun} {state}".replace("the the ", "the ")
    return f"Done. I turned {the(noun)} {state}" + _with(flat)


def _with_one(verb: str, rest: list[str], key: str, value: Any) -> str:
    said = _argument(value)
    if verb in _SETTING:
        return f"I {past(verb)} {the(' '.join(rest) or key)} to {said}"
    if isinstance(value, bool):
        return f"Done. I {past(verb)} {the(' '.join(rest) or key)}"
    particle = f" {_PARTICLES[verb]}" if verb in _PARTICLES and rest[:1] != [_PARTICLES[verb]] else ""
    if rest[-1:] == [key] and not particle:
        number = isinstance(value, int | float)
        return f"Done. I {past(verb)} {' '.join(rest)} {said}" if number else f"Done. I {past(verb)} the {said} {key}"
    named = [word for word in rest if word not in key.split()]
    if len(named) < len(rest):
        return f"Done. I {past(verb)}{particle} {' '.join([*named, said])}"
    return f"Done. I {past(verb)} {the(' '.join(rest))}: {said}" if rest else f"Done. I {past(verb)}{particle} {said}"


def _with(flat: Mapping[str, Any]) -> str:
    parts = [f"{key} {_argument(value)}" for key, value in flat.items()][:4]
    return f", with {and_list(parts)}" if parts else ""


def _argument(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return and_list([_argument(one) for one in value[:5]])
    if isinstance(value, str) and "_" in value and " " not in value:
        return " ".join(name_words(value)) or value
    return shortened(value_aloud(value), 16)
