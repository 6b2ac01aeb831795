"""What is used of what was granted: live sessions and tokens per account, over all sessions of a server.

An account is a client secret, an API key or an agent, by an opaque name. A session opens a `Tab` on every account that
pays for it; the tab counts its tokens and gives its place back. Refused is only what would exceed a bound; nothing
that runs is degraded. One process keeps its ledger in memory; several would share one. Neighbours: `scope` (the
bounds), `server.session_door` (opens tabs), `rates` (requests per minute).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from parley.auth.permissions import Refusal
from parley.auth.rates import Rate
from parley.protocol.realtime.resources import RateLimit

__all__ = ["Claim", "Ledger", "Tab"]

_SWEEP_ABOVE = 1_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What one account grants. `account` None: a bound of this session alone. `keep_until` in Unix seconds.

    An account is forgotten when nothing is open on it and its time has passed; `holder` names it in refusals.
    """

    account: str | None
    holder: str
    max_sessions: int | None = None
    max_tokens: int | None = None
    keep_until: int = 0


@dataclass(slots=True)
class _Account:
    keep_until: int
    open: int = 0
    tokens: int = 0


class Tab:
    """One session's use of its accounts. `close` is idempotent."""

    def __init__(self, charged: list[tuple[Claim, _Account]], requests: Callable[[], Rate] | None = None) -> None:
        self._charged = charged
        self._requests = requests
        self._open = True

    @property
    def remaining_tokens(self) -> int | None:
        """What the session may still use; None without a bound."""
        left = [claim.max_tokens - account.tokens for claim, account in self._charged if claim.max_tokens is not None]
        return max(0, min(left)) if left else None

    @property
    def token_limit(self) -> int | None:
        """The tightest bound on tokens; None without one."""
        limits = [claim.max_tokens for claim, _ in self._charged if claim.max_tokens is not None]
        return min(limits) if limits else None

    def facts(self) -> tuple[RateLimit, ...]:
        """Give what clients are told of their limits. A budget of tokens is never refilled: it resets after 0 s."""
        facts = []
        if self._requests is not None:
            rate = self._requests()
            facts.append(
                RateLimit(
                    name="requests", limit=rate.limit, remaining=rate.remaining, reset_seconds=round(rate.reset_s, 3)
                )
            )
        if self.token_limit is not None and self.remaining_tokens is not None:
            facts.append(
                RateLimit(name="tokens", limit=self.token_limit, remaining=self.remaining_tokens, reset_seconds=0.0)
            )
        return tuple(facts)

    def spend(self, tokens: int) -> bool:
        """Count `tokens`. False when nothing is left: the session is to end."""
        for _, account in self._charged:
            account.tokens += tokens
        return self.remaining_tokens != 0

    def close(self) -> None:
        """Give the session's place back."""
        if self._open:
            self._open = False
            for _, account in self._charged:
                account.open -= 1


class Ledger:
    """Every account that is in use or may come again."""

    def __init__(self, *, unix_seconds: Callable[[], float]) -> None:
        self._unix_seconds = unix_seconds
        self._accounts: dict[str, _Account] = {}

    def __len__(self) -> int:
        """How many accounts are remembered."""
        return len(self._accounts)

    def open(self, claims: Iterable[Claim], requests: Callable[[], Rate] | None = None) -> Tab | Refusal:
        """Open a session's tab on all of `claims`, or say which of them is exhausted and open none.

        `requests` says where the session's account stands with its requests per minute, if those are counted.
        """
        charged = [(claim, self._account(claim)) for claim in claims]
        for claim, account in charged:
            if claim.max_tokens is not None and account.tokens >= claim.max_tokens:
                words = f"{claim.holder} has used its {claim.max_tokens} tokens. Get a new one from your server."
                return Refusal(429, "insufficient_quota", "insufficient_quota", words)
            if claim.max_sessions is not None and account.open >= claim.max_sessions:
                many = "session" if claim.max_sessions == 1 else "sessions"
                words = f"{claim.holder} holds {claim.max_sessions} {many} at once, no more. End one, then try again."
                return Refusal(429, "rate_limit_error", "rate_limit_exceeded", words)
        for _, account in charged:
            account.open += 1
        return Tab(charged, requests)

    def _account(self, claim: Claim) -> _Account:
        if claim.account is None:
            return _Account(0)
        if len(self._accounts) > _SWEEP_ABOVE:
            now = self._unix_seconds()
            self._accounts = {name: one for name, one in self._accounts.items() if one.open or one.keep_until > now}
        account = self._accounts.setdefault(claim.account, _Account(claim.keep_until))
        account.keep_until = max(account.keep_until, claim.keep_until)
        return account
