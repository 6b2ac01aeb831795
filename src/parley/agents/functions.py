"""An agent's own functions: typed Python that the server runs when the model calls it.

Coroutines run on the loop and are cancelled with the response; plain functions run on a thread of a bounded pool, where
cancelling only drops their result. A `ToolRefusal` is told to the model in the function's own words; any other
exception is a bug, told as such and logged by place. Neighbours: `parley.protocol.realtime.function_tools` (schema and
arguments), `tool_belt` (asks), `table` (names them).
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from parley.agents.errors import AgentError
from parley.protocol.realtime.function_tools import (
    BadArguments,
    BadFunction,
    FunctionShape,
    function_shape,
    tool_output,
)
from parley.protocol.realtime.items import McpError
from parley.protocol.realtime.tools import FunctionTool
from parley.runtime.containment import Containment
from parley.runtime.tool_runs import ToolError

__all__ = ["MAX_OUTPUT_CHARS", "HostedFunction", "ToolRefusal", "call_function", "hosted_function", "load_function"]

MAX_OUTPUT_CHARS = 32_000
"""Longer outputs are cut: they would crowd everything else out of the model's context."""


class ToolRefusal(Exception):  # noqa: N818 - an answer, phrased as one
    """Raise it in a tool to tell the model why it did not work: `raise ToolRefusal("No room is free that night.")`."""


@dataclass(frozen=True, slots=True)
class HostedFunction:
    """A function and what is known of it."""

    function: Callable[..., Any]
    shape: FunctionShape

    @property
    def tool(self) -> FunctionTool:
        """The function as the model sees it."""
        return self.shape.tool


def hosted_function(function: Callable[..., Any], where: str) -> HostedFunction:
    """Look at a function. Raises `AgentError` that names `where` it was asked for."""
    try:
        return HostedFunction(function, function_shape(function))
    except BadFunction as error:
        raise AgentError(f"{where}: {error}") from None


def load_function(reference: str, where: str) -> HostedFunction:
    """Import `module:function`. Raises `AgentError` that says what is missing and where it was looked for."""
    module_name, separator, name = reference.partition(":")
    if not separator or not module_name or not name.isidentifier():
        raise AgentError(
            f"{where}: `{reference}` is not a function. Write it as module:function, e.g. hotel:book_room."
        )
    module = _imported(module_name, where)
    function = getattr(module, name, None)
    if not callable(function):
        public = [key for key, value in vars(module).items() if inspect.isfunction(value) and key[0] != "_"]
        known = f"it has {', '.join(sorted(public))}." if public else "it has no functions."
        raise AgentError(f"{where}: `{module_name}` has no function `{name}`; {known}")
    return hosted_function(function, where)


def _imported(name: str, where: str) -> ModuleType:
    """Import a module of the operator's, whose own code may raise anything."""
    module: ModuleType | None = None
    fault: AgentError | None = None
    with Containment("tools"):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            hint = " Put the file beside parley.toml." if error.name == name.partition(".")[0] else ""
            fault = AgentError(f"{where}: cannot import `{name}`: {error}.{hint}")
        except SyntaxError as error:
            fault = AgentError(f"{where}: `{name}` has a syntax error in line {error.lineno}: {error.msg}.")
    if module is None:
        raise fault or AgentError(f"{where}: `{name}` raised while it was imported; the log says where.")
    return module


def by_name(functions: Iterable[HostedFunction], where: str) -> Mapping[str, HostedFunction]:
    """Index functions by their names. Raises `AgentError` when two have the same."""
    found: dict[str, HostedFunction] = {}
    for one in functions:
        if one.tool.name in found:
            raise AgentError(
                f"{where}: two functions are called `{one.tool.name}`. Rename one: the model sees names only."
            )
        found[one.tool.name] = one
    return found


async def call_function(hosted: HostedFunction, arguments: str, threads: Executor) -> str:
    """Run it with the model's JSON `arguments`; give its output as text. Raises `ToolError`, or what a bug raises."""
    try:
        given = hosted.shape.parse(arguments)
        if inspect.iscoroutinefunction(hosted.function):
            value = await hosted.function(**given)
        else:
            loop = asyncio.get_running_loop()
            value = await loop.run_in_executor(threads, partial(hosted.function, **given))
            if inspect.isawaitable(value):
                value = await value
    except (BadArguments, ToolRefusal) as error:
        raise ToolError(McpError(type="tool_execution_error", message=str(error) or "The tool refused.")) from None
    text = tool_output(value)
    return text if len(text) <= MAX_OUTPUT_CHARS else text[:MAX_OUTPUT_CHARS] + " … (cut)"
