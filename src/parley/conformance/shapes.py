"""A small language for the shape of JSON events, and a judge that names the path of what does not fit.

A shape is a function from a value and its path to the first misfit, or None. Extra members always fit: servers may add
some. Pure. Neighbours: `event_shapes` (the tables for every event), `suite` (judges every event of a run).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "ANY",
    "BOOL",
    "BYTES",
    "INT",
    "NUM",
    "STR",
    "TEXT",
    "Maybe",
    "Shape",
    "either",
    "fixed",
    "list_of",
    "maybe",
    "null",
    "obj",
    "tagged",
]

Shape = Callable[[Any, str], str | None]
"""Give what is wrong with a value at a path, or None."""


def _kind(what: str, test: Callable[[Any], bool]) -> Shape:
    def judge(value: Any, path: str) -> str | None:
        return None if test(value) else f"`{path}` is {_said(value)}, not {what}"

    return judge


ANY: Shape = lambda value, path: None  # noqa: E731 - the one shape without a judgement
STR = _kind("a string that is not empty", lambda value: isinstance(value, str) and value != "")
TEXT = _kind("a string", lambda value: isinstance(value, str))
INT = _kind("an integer from 0 on", lambda value: type(value) is int and value >= 0)
NUM = _kind("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
BOOL = _kind("a boolean", lambda value: isinstance(value, bool))
BYTES = _kind("base64", lambda value: isinstance(value, str) and len(value) % 4 == 0 and " " not in value)


def fixed(*values: Any) -> Shape:
    """Ask for one of these very values."""
    return _kind(
        " or ".join(map(repr, values)), lambda value: any(value == one and type(value) is type(one) for one in values)
    )


def null(shape: Shape) -> Shape:
    """Let it be null."""
    return lambda value, path: None if value is None else shape(value, path)


class Maybe:
    """Marks a member that may be absent."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


def maybe(shape: Shape) -> Maybe:
    """Let a member of an object be absent."""
    return Maybe(shape)


def obj(**members: Shape | Maybe) -> Shape:
    """Ask for an object with these members, and any others."""

    def judge(value: Any, path: str) -> str | None:
        if not isinstance(value, dict):
            return f"`{path}` is {_said(value)}, not an object"
        return _first_misfit(value, path, members)

    return judge


def _first_misfit(value: Mapping[str, Any], path: str, members: Mapping[str, Shape | Maybe]) -> str | None:
    for name, member in members.items():
        here = f"{path}.{name}" if path else name
        if name not in value:
            if isinstance(member, Maybe):
                continue
            return f"`{here}` is absent"
        shape = member.shape if isinstance(member, Maybe) else member
        misfit = shape(value[name], here)
        if misfit is not None:
            return misfit
    return None


def list_of(shape: Shape) -> Shape:
    """Ask for a list whose every element fits."""

    def judge(value: Any, path: str) -> str | None:
        if not isinstance(value, list):
            return f"`{path}` is {_said(value)}, not a list"
        misfits = (shape(one, f"{path}[{index}]") for index, one in enumerate(value))
        return next((misfit for misfit in misfits if misfit is not None), None)

    return judge


def either(*shapes: Shape) -> Shape:
    """Any of the shapes; the last one's complaint stands for all."""

    def judge(value: Any, path: str) -> str | None:
        misfit: str | None = None
        for shape in shapes:
            misfit = shape(value, path)
            if misfit is None:
                return None
        return misfit

    return judge


def tagged(by: str, shapes: Mapping[str, Shape]) -> Shape:
    """Ask for an object whose member `by` tells which of `shapes` it has."""

    def judge(value: Any, path: str) -> str | None:
        tag: Any = value.get(by) if isinstance(value, dict) else None
        if not isinstance(tag, str) or tag not in shapes:
            return f"`{path}.{by}` is {_said(tag)}, not one of {', '.join(shapes)}"
        return shapes[tag](value, path)

    return judge


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
