"""What a check is, and the words in which one fails. Neighbours: `bench` (what it gets), `suite` (who runs it)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.conformance.bench import Bench

__all__ = ["Check", "CheckFailed", "Event", "Need", "Work", "at", "checks", "expect", "expect_equal", "same"]

Event = dict[str, Any]
"""One decoded JSON event."""

Need = str
"""What a check cannot do without: `speech`, `beta`, `key`."""

Work = Callable[["Bench"], Awaitable[None]]

_SHOWN = 160


class CheckFailed(Exception):  # noqa: N818 - a verdict, not an error of ours
    """The server does not do what the check asks. The text says what was seen instead."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about the server. `subject` is the event or the area that it counts under, `name` is unique in it."""

    subject: str
    name: str
    claim: str
    work: Work
    needs: frozenset[Need] = frozenset()

    @property
    def id(self) -> str:
        """`subject/name`, by which `--only` finds it."""
        return f"{self.subject}/{self.name}"


def checks(subject: str, *works: Work, needs: tuple[Need, ...] = ()) -> tuple[Check, ...]:
    """Make checks of functions: their names and the first lines of their docstrings say what they claim."""
    made = []
    for work in works:
        name = work.__name__.strip("_").replace("_", "-")
        claim = (work.__doc__ or "").strip().splitlines()[0]
        made.append(Check(subject, name, claim, work, frozenset(needs)))
    return tuple(made)


def expect(holds: object, words: str) -> None:
    """Fail the check with `words` unless `holds`."""
    if not holds:
        raise CheckFailed(words)


def expect_equal(got: object, wanted: object, what: str) -> None:
    """Fail unless both are the same JSON value."""
    if not same(got, wanted):
        raise CheckFailed(f"{what} is {_shown(got)}, not {_shown(wanted)}")


def at(value: Any, path: str) -> Any:
    """Give the member at a dotted `path` (`response.output.0.id`); fail with the path if it is absent."""
    here = value
    for step in path.split("."):
        try:
            here = here[int(step)] if isinstance(here, list) else here[step]
        except (LookupError, TypeError, ValueError):
            kind = value.get("type", "the object") if isinstance(value, dict) else "the object"
            raise CheckFailed(f"{kind} has no `{path}`") from None
    return here


def same(got: object, wanted: object) -> bool:
    """Compare JSON values: a number equals a number, a boolean only a boolean."""
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    return got == wanted


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
