"""Functions that the server runs: what the model sees, how they are called, and how they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest

from parley.agents import ToolRefusal
from parley.agents.errors import AgentError
from parley.agents.functions import MAX_OUTPUT_CHARS, call_function, hosted_function, load_function
from parley.runtime.tool_runs import ToolError


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@dataclass
class Guest:
    name: str
    adults: int = 1


def book(
    guest: Guest,
    room: Literal["sea", "harbour"],
    nights: Annotated[int, msgspec.Meta(ge=1)] = 1,
    wishes: list[str] | None = None,
) -> dict[str, Any]:
    """Book a room.

    Says the price.

    Args:
        guest: who comes
        room: which side
    """
    return {"guest": guest.name, "room": room, "nights": nights, "wishes": wishes or []}


def test_the_model_sees_types_choices_bounds_and_texts() -> None:
    tool = hosted_function(book, "tools").tool
    assert (tool.name, tool.description) == ("book", "Book a room.\n\nSays the price.")
    assert isinstance(tool.parameters, dict)
    properties = tool.parameters["properties"]
    assert properties["room"]["enum"] == ["harbour", "sea"]
    assert properties["room"]["description"] == "which side"
    assert properties["nights"]["minimum"] == 1
    assert tool.parameters["required"] == ["guest", "room"]
    assert "Guest" in tool.parameters["$defs"]


async def test_arguments_arrive_as_what_was_annotated(threads: ThreadPoolExecutor) -> None:
    given = '{"guest": {"name": "Ada"}, "room": "sea", "wishes": ["quiet"]}'
    output = await call_function(hosted_function(book, "tools"), given, threads)
    assert msgspec.json.decode(output) == {"guest": "Ada", "room": "sea", "nights": 1, "wishes": ["quiet"]}


BAD = ['{"room": "sea"}', '{"guest": {}, "room": "sea"}', '{"guest": {"name": "A"}, "room": "sky"}', "[]", "nonsense"]


@pytest.mark.parametrize("arguments", BAD)
async def test_arguments_that_do_not_fit_are_told_and_nothing_runs(threads: ThreadPoolExecutor, arguments: str) -> None:
    ran: list[str] = []

    def note(guest: Guest, room: Literal["sea"]) -> None:
        """Note."""
        ran.append(room)

    with pytest.raises(ToolError) as failed:
        await call_function(hosted_function(note, "tools"), arguments, threads)
    assert failed.value.error.type == "tool_execution_error"
    assert failed.value.error.message.startswith("note: ")
    assert ran == []


async def test_a_refusal_is_told_in_its_own_words_and_a_bug_rises(threads: ThreadPoolExecutor) -> None:
    def refuse() -> None:
        """Refuse."""
        raise ToolRefusal("No room is free.")

    async def crash() -> None:
        """Crash."""
        raise KeyError("x")

    with pytest.raises(ToolError, match="No room is free"):
        await call_function(hosted_function(refuse, "tools"), "{}", threads)
    with pytest.raises(KeyError):
        await call_function(hosted_function(crash, "tools"), "{}", threads)


async def test_plain_functions_run_beside_the_loop_and_coroutines_on_it(threads: ThreadPoolExecutor) -> None:
    loop_went_on = threading.Event()

    def where() -> str:
        """Say where, once the loop has gone on."""
        assert loop_went_on.wait(10)
        return threading.current_thread().name

    async def here() -> str:
        """Say where."""
        return threading.current_thread().name

    asyncio.get_running_loop().call_later(0.01, loop_went_on.set)
    assert await call_function(hosted_function(where, "tools"), "{}", threads) != threading.current_thread().name
    assert await call_function(hosted_function(here, "tools"), "", threads) == threading.current_thread().name


async def test_long_outputs_are_cut_and_none_is_done(threads: ThreadPoolExecutor) -> None:
    def much() -> str:
        """Give much."""
        return "x" * (MAX_OUTPUT_CHARS + 1)

    def nothing() -> None:
        """Give nothing."""

    output = await call_function(hosted_function(much, "tools"), "{}", threads)
    assert output.endswith("(cut)")
    assert len(output) < MAX_OUTPUT_CHARS + 20
    assert await call_function(hosted_function(nothing, "tools"), "{}", threads) == "done"


def unannotated(x):  # type: ignore[no-untyped-def]
    """Lack a type."""


def starred(*rooms: str) -> None:
    """Take any number."""


def odd(x: Callable[[], None]) -> None:
    """Take what JSON cannot say."""


@pytest.mark.parametrize(
    ("function", "words"), [(unannotated, "annotate `x`"), (starred, "write parameters out"), (odd, "odd: ")]
)
def test_functions_that_cannot_be_tools_are_refused_with_the_fix(function: Any, words: str) -> None:
    with pytest.raises(AgentError, match=r"agents\.a\.tools: ") as refused:
        hosted_function(function, "agents.a.tools")
    assert words in str(refused.value)


REFERENCES = [
    ("json:dumps_", "has no function `dumps_`"),
    ("json", "Write it as module:function"),
    ("json:", "Write it as module:function"),
    (":dumps", "Write it as module:function"),
    ("no_such_module_here:f", "Put the file beside parley.toml"),
]


@pytest.mark.parametrize(("reference", "words"), REFERENCES)
def test_references_that_lead_nowhere_say_what_is_missing(reference: str, words: str) -> None:
    with pytest.raises(AgentError) as refused:
        load_function(reference, "agents.a.tools")
    assert words in str(refused.value)
