"""What is counted for whom, and when an account is exhausted."""

from __future__ import annotations

from parley.auth.ledger import Claim, Ledger, Tab
from parley.auth.permissions import Refusal


def opened(ledger: Ledger, *claims: Claim) -> Tab:
    tab = ledger.open(claims)
    assert isinstance(tab, Tab), tab
    return tab


def refused(ledger: Ledger, *claims: Claim) -> Refusal:
    refusal = ledger.open(claims)
    assert isinstance(refusal, Refusal)
    return refusal


def test_places_are_given_back_once() -> None:
    ledger = Ledger(unix_seconds=lambda: 0)
    claim = Claim("secret:a", "This secret", max_sessions=1)
    tab = opened(ledger, claim)
    assert refused(ledger, claim).code == "rate_limit_exceeded"
    tab.close()
    tab.close()
    again = opened(ledger, claim)
    assert refused(ledger, claim).status == 429
    again.close()


def test_tokens_add_up_over_sessions_and_stay_spent() -> None:
    ledger = Ledger(unix_seconds=lambda: 0)
    claim = Claim("secret:a", "This secret", max_tokens=100)
    first, second = opened(ledger, claim), opened(ledger, claim)
    assert first.spend(60)
    assert (second.remaining_tokens, second.token_limit) == (40, 100)
    assert not second.spend(70)
    assert first.remaining_tokens == 0
    first.close()
    second.close()
    assert refused(ledger, claim).code == "insufficient_quota"


def test_the_tightest_account_decides_and_a_refusal_charges_nobody() -> None:
    ledger = Ledger(unix_seconds=lambda: 0)
    key = Claim("key:k", "This key", max_sessions=2)
    opened(ledger, key, Claim("secret:a", "This secret", max_sessions=1))
    assert (
        "This secret holds 1 session" in refused(ledger, key, Claim("secret:a", "This secret", max_sessions=1)).message
    )
    opened(ledger, key)
    assert "This key holds 2 sessions" in refused(ledger, key).message


def test_a_bound_without_account_is_the_sessions_own() -> None:
    ledger = Ledger(unix_seconds=lambda: 0)
    claim = Claim(None, "This agent", max_tokens=10)
    assert not opened(ledger, claim).spend(10)
    assert opened(ledger, claim).remaining_tokens == 10
    assert len(ledger) == 0


def test_accounts_are_forgotten_when_their_time_has_passed_and_nothing_is_open() -> None:
    now = [0.0]
    ledger = Ledger(unix_seconds=lambda: now[0])
    live = opened(ledger, Claim("secret:live", "x", max_tokens=5, keep_until=10))
    for number in range(1_005):
        opened(ledger, Claim(f"secret:{number}", "x", max_tokens=5, keep_until=10)).close()
    assert len(ledger) == 1_006
    now[0] = 11
    opened(ledger, Claim("secret:new", "x", max_tokens=5, keep_until=20))
    assert len(ledger) == 2
    assert live.remaining_tokens == 5
