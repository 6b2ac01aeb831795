"""Counting credits: so much may be under way for each key, then the caller waits for the plane to give some back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from parley.media.errors import Busy

__all__ = ["Credits"]

K = TypeVar("K")


class Credits(Generic[K]):
    """Amounts outstanding per key, each at most `limit`; where nothing is outstanding any amount passes."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._outstanding: dict[K, int] = {}

    def outstanding(self, key: K) -> int:
        """Give what is under way for `key`."""
        return self._outstanding.get(key, 0)

    def take(self, key: K, amount: int) -> None:
        """Count `amount` as under way. Raises `Busy`, and counts nothing, beyond the limit."""
        before = self.outstanding(key)
        if before and before + amount > self._limit:
            raise Busy(f"{before} {self._what} wait already, of at most {self._limit}; go on when some have left")
        if amount:
            self._outstanding[key] = before + amount

    def give(self, key: K, amount: int) -> None:
        """Count `amount` as gone."""
        left = self.outstanding(key) - amount
        if left > 0:
            self._outstanding[key] = left
        else:
            self._outstanding.pop(key, None)

    def forget(self, matches: Callable[[K], bool]) -> None:
        """Drop every key for which `matches` holds."""
        for key in [key for key in self._outstanding if matches(key)]:
            del self._outstanding[key]
