"""Requests per minute, per account: a bucket that refills evenly, so that a burst is forgiven and a flood is not.

Pure but for the clock it is given. Neighbours: `server.gate` (asks for every request), `ledger` (sessions, tokens).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from parley.auth.permissions import Refusal

__all__ = ["LOCAL", "Rate", "RequestRates", "too_many"]

LOCAL = "local"
"""The account of everybody on a server without keys."""

_WINDOW_S = 60.0
_SWEEP_ABOVE = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Where an account stands. `reset_s`: seconds until it is whole again; `wait_s`: until one more is admitted."""

    admitted: bool
    limit: int
    remaining: int
    reset_s: float
    wait_s: float


class RequestRates:
    """At most `per_minute` requests in a burst, and as many each minute."""

    def __init__(self, per_minute: int, *, monotonic_seconds: Callable[[], float]) -> None:
        self._limit = per_minute
        self._now = monotonic_seconds
        self._levels: dict[str, tuple[float, float]] = {}
        """Account → requests in the bucket and when that was so."""

    def take(self, account: str) -> Rate:
        """Count one request."""
        now = self._now()
        level = self._level(account, now)
        admitted = level + 1 <= self._limit
        if admitted:
            level += 1
        self._levels[account] = (level, now)
        if len(self._levels) > _SWEEP_ABOVE:
            self._levels = {name: kept for name, kept in self._levels.items() if self._level(name, now) > 0}
        return self._rate(level, admitted=admitted)

    def look(self, account: str) -> Rate:
        """Say where an account stands, counting nothing."""
        return self._rate(self._level(account, self._now()), admitted=True)

    def refuse(self, account: str) -> tuple[Refusal, Rate] | None:
        """Count one request of `account`, empty on a server without keys; a refusal if it is one too many."""
        rate = self.take(account or LOCAL)
        return None if rate.admitted else (too_many(rate), rate)

    def _level(self, account: str, now: float) -> float:
        level, at = self._levels.get(account, (0.0, now))
        return max(0.0, level - (now - at) * self._limit / _WINDOW_S)

    def _rate(self, level: float, *, admitted: bool) -> Rate:
        per_request_s = _WINDOW_S / self._limit
        wait_s = max(0.0, level + 1 - self._limit) * per_request_s
        return Rate(admitted, self._limit, max(0, int(self._limit - level)), level * per_request_s, wait_s)


def too_many(rate: Rate) -> Refusal:
    """Say that a minute's requests are used up."""
    words = f"Rate limit reached: {rate.limit} requests a minute. Try again in {math.ceil(rate.wait_s)} s."
    return Refusal(429, "rate_limit_error", "rate_limit_exceeded", words)
