"""What a benchmark asks of any server that forwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.meeting import Meeting

__all__ = ["Person", "Room", "Sfu", "UnavailableError"]


class UnavailableError(Exception):
    """This server cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Person:
    """Somebody in a room."""

    #: The client that sends.
    client: int
    #: What the server calls it.
    name: str
    #: `audio`, `video`: what the slots send, in order.
    sends: tuple[str, ...]


class Room(Protocol):
    """A room of a running server."""

    def publish(self, kinds: Sequence[str]) -> Person:
        """Let somebody come in who sends; its client is connected, or soon will be."""

    def hear(self, who: Person, people: Sequence[Person]) -> None:
        """Let somebody who is there receive all that these send."""

    def audience(self, count: int, people: Sequence[Person]) -> None:
        """Let so many come in who only receive all that these send."""


class Sfu(Protocol):
    """A running server."""

    @property
    def pid(self) -> int:
        """Its process."""

    def room(self, meeting: Meeting) -> Room:
        """Make an empty room, whose people are clients of `meeting`."""
