"""What a session may still use, as a role: the server gives one where somebody's tokens are counted.

Neighbours: `performer` (counts every response), `supervisor` (gives the session's place back at its end),
`parley.auth.ledger` (the implementation).
"""

from __future__ import annotations

from typing import Protocol

from parley.protocol.realtime.resources import RateLimit

__all__ = ["Allowance"]


class Allowance(Protocol):
    """One session's account. Called by its owner task."""

    @property
    def remaining_tokens(self) -> int | None:
        """What is left; None without a bound."""

    def spend(self, tokens: int) -> bool:
        """Count a response's tokens. False when nothing is left: the session ends."""
        ...

    def facts(self) -> tuple[RateLimit, ...]:
        """Give what the client is told of its limits after a response; empty: nothing."""
        ...

    def close(self) -> None:
        """Take note that the session is over. Idempotent."""
