"""The ordering rules of the Realtime API, as `parley.conformance` knows them, for tests of one log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parley.conformance.ordering import breaches

__all__ = ["Event", "order_faults"]

Event = dict[str, Any]


def order_faults(events: Iterable[Event], *, whole: bool = True, beta: bool = False) -> list[str]:
    """Name every breach of the ordering rules in `events`, which came in this order over one connection.

    `whole`: nothing was left running when the log ended. `beta`: the connection speaks the retired beta.
    """
    return [f"event {breach.index}: {breach.text}" for breach in breaches(events, whole=whole, beta=beta)]
