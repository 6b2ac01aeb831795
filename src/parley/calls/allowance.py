"""How many requests are heard now: so many a second, in bursts of as many. Pure; times are milliseconds."""

from __future__ import annotations

__all__ = ["Allowance"]


class Allowance:
    """See the module. None: no bound."""

    def __init__(self, per_second: int | None, now: int) -> None:
        self._per_second = per_second
        self._left = float(per_second or 0)
        self._seen_at = now

    def take(self, now: int) -> bool:
        """Spend one; False if none is left."""
        if self._per_second is None:
            return True
        self._left = min(self._per_second, self._left + (now - self._seen_at) * self._per_second / 1000)
        self._seen_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
