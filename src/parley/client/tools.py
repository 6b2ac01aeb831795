"""Functions of this device that the assistant may call.

Neighbours: `parley.protocol.realtime.function_tools` (schema and arguments), `session` (calls them).
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from parley.protocol.realtime.function_tools import BadArguments, FunctionShape, function_shape, tool_output

__all__ = ["DeviceTool", "device_tool"]


@dataclass(frozen=True, slots=True)
class DeviceTool:
    """A function and what is known of it."""

    function: Callable[..., Any]
    shape: FunctionShape

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.shape.tool.name

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as `session.update` takes it."""
        return dict(msgspec.to_builtins(self.shape.tool))

    async def call(self, arguments: str) -> str:
        """Call it with the model's JSON. Arguments that do not fit are told to the model; other errors are the
        function's own and rise: a device's bug should be seen on the device.
        """
        try:
            given = self.shape.parse(arguments)
        except BadArguments as error:
            return json.dumps({"error": str(error)})
        if inspect.iscoroutinefunction(self.function):
            return tool_output(await self.function(**given))
        return tool_output(await asyncio.to_thread(self.function, **given))


def device_tool(function: Callable[..., Any]) -> DeviceTool:
    """Make a tool of a typed function. Raises `BadFunction`, naming what is missing."""
    return DeviceTool(function, function_shape(function))
