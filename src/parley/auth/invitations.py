"""Links that let a browser in once: for a phone that should not have to type a key.

At most one link is open at a time; taking it closes it, and so does time. Neighbours: `pages` (the session that a taken
link starts), `server.routes_pages`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

__all__ = ["INVITATION_LIFETIME_S", "Invitations"]

INVITATION_LIFETIME_S = 600


class Invitations:
    """One open link, or none. `on_taken` is told when it was taken, so that the operator can be shown the next."""

    def __init__(self, *, monotonic_seconds: Callable[[], float], token: Callable[[], str]) -> None:
        self._now = monotonic_seconds
        self._fresh = token
        self._token: str | None = None
        self._until = 0.0
        self.on_taken: Callable[[], None] = lambda: None

    def open(self) -> str:
        """Make a link's token, in place of an earlier one."""
        self._token, self._until = self._fresh(), self._now() + INVITATION_LIFETIME_S
        return self._token

    def take(self, token: str) -> bool:
        """Say whether `token` lets in, which it does once."""
        if self._token is None or self._now() > self._until:
            return False
        if not hmac.compare_digest(self._token.encode(), token.encode("utf-8", "surrogateescape")):
            return False
        self._token = None
        self.on_taken()
        return True
