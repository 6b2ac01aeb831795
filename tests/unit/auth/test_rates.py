"""Requests per minute: a burst is forgiven, a flood is not, and everybody has their own bucket."""

from __future__ import annotations

from parley.auth.rates import RequestRates


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_up_to_the_limit_and_then_one_every_so_often() -> None:
    clock = Clock()
    rates = RequestRates(6, monotonic_seconds=clock)
    assert [rates.take("a").admitted for _ in range(7)] == [True] * 6 + [False]
    refused = rates.take("a")
    assert (refused.limit, refused.remaining, refused.wait_s) == (6, 0, 10.0)
    assert refused.reset_s == 60.0
    clock.now += 10
    assert rates.take("a").admitted
    assert not rates.take("a").admitted
    clock.now += 60
    assert rates.look("a").remaining == 6
    assert rates.look("a").reset_s == 0


def test_accounts_do_not_share() -> None:
    rates = RequestRates(1, monotonic_seconds=Clock())
    assert rates.refuse("a") is None
    assert rates.refuse("b") is None
    assert rates.refuse("") is None
    refused = rates.refuse("a")
    assert refused is not None
    assert (refused[0].status, refused[0].code) == (429, "rate_limit_exceeded")
    assert "60 s" in refused[0].message


def test_looking_costs_nothing() -> None:
    rates = RequestRates(1, monotonic_seconds=Clock())
    assert rates.look("a").remaining == 1
    assert rates.look("a").remaining == 1
    assert rates.take("a").admitted


def test_forgotten_accounts_take_no_room() -> None:
    clock = Clock()
    rates = RequestRates(5, monotonic_seconds=clock)
    for number in range(10_001):
        rates.take(str(number))
    clock.now += 60
    rates.take("new")
    assert len(rates._levels) == 1
