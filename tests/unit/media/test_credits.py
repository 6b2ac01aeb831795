"""Credits: bounded, per key, given back."""

from __future__ import annotations

import pytest

from parley.media.credits import Credits
from parley.media.errors import Busy


def test_the_limit_holds_for_each_key() -> None:
    book: Credits[str] = Credits(10, "apples")
    book.take("a", 10)
    with pytest.raises(Busy, match="10 apples wait already, of at most 10"):
        book.take("a", 1)
    book.take("b", 10)
    assert (book.outstanding("a"), book.outstanding("b"), book.outstanding("c")) == (10, 10, 0)


def test_what_is_refused_is_not_counted() -> None:
    book: Credits[str] = Credits(10, "apples")
    book.take("a", 6)
    with pytest.raises(Busy):
        book.take("a", 5)
    book.take("a", 4)
    assert book.outstanding("a") == 10


def test_one_large_amount_passes_where_nothing_waits() -> None:
    book: Credits[str] = Credits(10, "apples")
    book.take("a", 25)
    with pytest.raises(Busy):
        book.take("a", 1)
    book.give("a", 25)
    book.take("a", 1)


def test_more_back_than_was_taken_is_none_outstanding() -> None:
    book: Credits[str] = Credits(10, "apples")
    book.take("a", 3)
    book.give("a", 5)
    assert book.outstanding("a") == 0
    book.give("never", 1)
    assert book.outstanding("never") == 0


def test_forgetting_frees_all_that_match() -> None:
    book: Credits[str] = Credits(10, "apples")
    for key in ("ann/1", "ann/2", "bob/1"):
        book.take(key, 10)
    book.forget(lambda key: key.startswith("ann"))
    assert [book.outstanding(key) for key in ("ann/1", "ann/2", "bob/1")] == [0, 0, 10]
