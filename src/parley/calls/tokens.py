"""Client tokens: short-lived `ct_…` values that let a browser use the Calls API without the app's secret.

An extension. A token may be bound to one session, or it may make sessions and then acts on those alone; it may be
limited to names that it publishes and tracks that it pulls. Stored as digests only.
Neighbours: `access` (asks what a token may do), `service` (mints).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from parley.calls.faults import CallsFault
from parley.calls.transceiver import SessionId, Source

__all__ = ["TOKEN_PREFIX", "TokenScope", "TokenStore"]

TOKEN_PREFIX = "ct_"  # noqa: S105 - the public marker of minted tokens


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What the bearer of a token may do. None where there is no limit."""

    app_id: str
    token_id: str
    """Names the token in our books, and tells nothing of it."""
    expires_at: int
    """Unix seconds."""
    session_id: SessionId | None = None
    publish: frozenset[str] | None = None
    pull: frozenset[Source] | None = None
    """A source without a name stands for every track of that session."""
    listens_only: bool = False
    """Whether nothing at all may be said: no data channels, no answers on those of others, no third-party session."""
    max_sessions: int = 1

    def may_publish(self, name: str) -> bool:
        """Say whether a track of that name may be published."""
        return self.publish is None or name in self.publish

    def may_pull(self, source: Source) -> bool:
        """Say whether a track, or a data channel of its session, may be pulled."""
        return self.pull is None or source in self.pull or Source(source.session_id, "") in self.pull


class TokenStore:
    """Tokens of one process. Expired ones are dropped as new ones are minted."""

    def __init__(self, *, unix_seconds: Callable[[], float], token: Callable[[], str], capacity: int) -> None:
        """`token` gives 32 or more unguessable URL-safe characters."""
        self._unix_seconds = unix_seconds
        self._token = token
        self._capacity = capacity
        self._scopes: dict[str, TokenScope] = {}

    def mint(self, make: Callable[[str, int], TokenScope], lifetime_s: int) -> tuple[str, TokenScope]:
        """Make a token: its value, which is never seen again, and its scope. Raises `CallsFault` when full."""
        now = self._unix_seconds()
        if len(self._scopes) >= self._capacity:
            self._scopes = {key: scope for key, scope in self._scopes.items() if scope.expires_at > now}
        if len(self._scopes) >= self._capacity:
            words = "Too many client tokens wait to expire. Mint with a shorter ttl, or try again later."
            raise CallsFault(429, "rate_limited", words, retry_after_s=10)
        value = TOKEN_PREFIX + self._token()
        key = _digest(value)
        scope = make(key[:16], int(now) + lifetime_s)
        self._scopes[key] = scope
        return value, scope

    def find(self, value: str) -> TokenScope | None:
        """Give the scope of `value`; None if it is unknown or expired."""
        key = _digest(value)
        scope = self._scopes.get(key)
        if scope is not None and scope.expires_at <= self._unix_seconds():
            del self._scopes[key]
            return None
        return scope


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
