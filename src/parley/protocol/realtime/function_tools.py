"""A typed Python function as a tool: its schema from annotations and docstring, its arguments checked before the call.

    def set_lamp(room: str, on: bool = True) -> str:
        '''Switch the lamp of a room.

        Args:
            room: which room, for example kitchen
        '''

What lives here: the translation, pure. What does not: calling the function (the server's tools and the client's each
have their own way to wait). Neighbour: `tools` (the wire's `FunctionTool`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, Union, get_type_hints

import msgspec

from parley.protocol.realtime.tools import FunctionTool

__all__ = ["BadArguments", "BadFunction", "FunctionShape", "function_shape", "tool_output"]

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^\s+\*?(\w+)(?:\s*\([^)]*\))?:\s+(.*)$")


class BadFunction(TypeError):  # noqa: N818 - says what happened
    """A function that cannot be a tool; the text names the parameter and the fix."""


class BadArguments(ValueError):  # noqa: N818 - says what happened
    """Arguments that do not fit; the text says which and why, for the model to read."""


class FunctionShape:
    """What is known of a function without calling it."""

    def __init__(self, tool: FunctionTool, arguments: type[msgspec.Struct]) -> None:
        self.tool = tool
        self._arguments = arguments

    def parse(self, arguments: str) -> dict[str, Any]:
        """Read the call's JSON into keyword arguments of the annotated types; absent ones keep their defaults.

        Raises `BadArguments`.
        """
        try:
            given = msgspec.json.decode(arguments or "{}", type=self._arguments)
        except msgspec.DecodeError as error:
            raise BadArguments(f"{self.tool.name}: {error}") from None
        found = {name: getattr(given, name) for name in self._arguments.__struct_fields__}
        return {name: value for name, value in found.items() if value is not msgspec.UNSET}


def function_shape(function: Callable[..., Any]) -> FunctionShape:
    """Look at a function. Raises `BadFunction` for what has no name, `*args`, and types that JSON cannot say."""
    name = getattr(function, "__name__", "")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        raise BadFunction(f"`{name or function!r}` cannot be a tool: give it a name (def name(...)).")
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BadFunction(f"{name}: {error}; annotate with types that its module imports.") from None
    text = inspect.getdoc(function) or ""
    about = _argument_texts(text)
    fields: list[tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise BadFunction(f"{name}: `{parameter}` has no name in JSON; write parameters out, one by one.")
        if parameter.name not in hints:
            raise BadFunction(f"{name}: annotate `{parameter.name}`, for example `{parameter.name}: str`.")
        fields.append(_field(parameter, hints[parameter.name], about.get(parameter.name)))
    arguments = msgspec.defstruct(name, fields, kw_only=True)
    try:
        schema = _schema(arguments)
    except TypeError as error:
        raise BadFunction(f"{name}: {error}") from None
    description = _SECTION.split(text, maxsplit=1)[0].strip()
    return FunctionShape(FunctionTool(name=name, description=description, parameters=schema), arguments)


def tool_output(value: object) -> str:
    """Write what a function gave as the output of its call: text as it is, None as `done`, the rest as JSON."""
    if value is None:
        return "done"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _field(parameter: inspect.Parameter, hint: Any, about: str | None) -> tuple[str, Any, Any]:
    described = Annotated[hint, msgspec.Meta(description=about)] if about else hint
    if parameter.default is parameter.empty:
        return parameter.name, described, msgspec.NODEFAULT
    return parameter.name, Union[described, msgspec.UnsetType], msgspec.UNSET  # noqa: UP007 - made at run time


def _argument_texts(text: str) -> dict[str, str]:
    parts = _SECTION.split(text)
    titles = dict(zip(parts[1::2], parts[2::2], strict=False))
    body = next((titles[title] for title in ("Args", "Arguments", "Parameters") if title in titles), "")
    return {match[1]: match[2].strip() for line in body.splitlines() if (match := _ARGUMENT.match(line))}


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    (root,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    own = root["$ref"].rpartition("/")[2]
    schema = components.pop(own)
    schema.pop("title", None)
    schema.setdefault("required", [])
    return {**schema, "$defs": components} if components else schema
