"""Typed Python functions as tools: schemas, checked arguments, and the error that names the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pytest

from parley.protocol.realtime.function_tools import BadArguments, BadFunction, function_shape, tool_output


@dataclass
class Place:
    x: float
    y: float


def move(to: Place, speed: Literal["slow", "fast"] = "slow", note: str | None = None, tags: list[str] = []) -> None:  # noqa: B006
    """Move somewhere.

    It takes a while.

    Args:
        to: where to go
        speed (str): how fast

    Returns:
        nothing
    """


def stop() -> None:
    """Stop at once."""


def test_the_schema_comes_from_annotations_and_docstring() -> None:
    tool = function_shape(move).tool
    assert (tool.name, tool.description) == ("move", "Move somewhere.\n\nIt takes a while.")
    schema = tool.parameters
    assert isinstance(schema, dict)
    assert schema["required"] == ["to"]
    assert schema["properties"]["to"] == {"description": "where to go", "$ref": "#/$defs/Place"}
    assert schema["properties"]["speed"] == {"description": "how fast", "enum": ["fast", "slow"]}
    assert schema["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    assert schema["$defs"]["Place"]["required"] == ["x", "y"]


def test_a_function_without_parameters_is_a_tool() -> None:
    shape = function_shape(stop)
    assert shape.tool.parameters == {"type": "object", "properties": {}, "required": []}
    assert shape.parse("") == shape.parse("{}") == {}


def test_arguments_arrive_as_the_annotated_types_and_defaults_stay_the_functions_own() -> None:
    shape = function_shape(move)
    assert shape.parse('{"to": {"x": 1, "y": 2}}') == {"to": Place(1.0, 2.0)}
    assert shape.parse('{"to": {"x": 1, "y": 2}, "note": null, "unknown": 1}') == {"to": Place(1.0, 2.0), "note": None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{", "malformed|truncated"),
        ("{}", "missing required field `to`"),
        ('{"to": 3}', r"\$\.to"),
        ('{"to": {"x": 1, "y": 2}, "speed": "warp"}', r"'warp'.*\$\.speed"),
    ],
)
def test_arguments_that_do_not_fit_are_told(arguments: str, words: str) -> None:
    with pytest.raises(BadArguments, match=words):
        function_shape(move).parse(arguments)


def bare(city) -> None: ...  # type: ignore[no-untyped-def]
def starred(*cities: str) -> None: ...
def strange(what: Callable[[], None]) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (bare, "bare: annotate `city`"),
        (starred, "starred: `\\*cities"),
        (strange, "strange: "),
        (lambda: None, "give it a name"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_with_the_fix(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(BadFunction, match=words):
        function_shape(function)


def test_what_a_function_gives_is_written_for_the_model() -> None:
    assert tool_output(None) == "done"
    assert tool_output("as it is") == "as it is"
    assert msgspec.json.decode(tool_output({"at": Place(1, 2)})) == {"at": {"x": 1.0, "y": 2.0}}
