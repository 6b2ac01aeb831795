"""Identifiers of a realtime session: one `NewType` per kind, and where new ones come from.

Ids are arguments to the state machine, like time: production passes random ids, tests and replays pass a counter,
so the same inputs give byte-identical outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NewType

__all__ = [
    "CallId",
    "ConnectionId",
    "ConversationId",
    "EventId",
    "IdKind",
    "IdSource",
    "ItemId",
    "LaneId",
    "Ms",
    "ResponseId",
    "SessionId",
    "counting_ids",
]

SessionId = NewType("SessionId", str)
"""`sess_…`"""
ConversationId = NewType("ConversationId", str)
"""`conv_…`"""
ItemId = NewType("ItemId", str)
"""`item_…`, or whatever the client chose."""
ResponseId = NewType("ResponseId", str)
"""`resp_…`"""
EventId = NewType("EventId", str)
"""`event_…`"""
CallId = NewType("CallId", str)
"""A tool call's `call_…`; the same prefix-free type names a WebRTC leg's `rtc_…`."""
ConnectionId = NewType("ConnectionId", str)
"""One client link of a session. Never on the wire."""
LaneId = NewType("LaneId", str)
"""One speaker's input into a session. Never on the wire; an ordinary client has the single lane `"0"`."""

Ms = NewType("Ms", int)
"""Milliseconds of the runner's monotonic clock. Absolute; a duration is a plain `int` named `*_ms` or `*_for`."""

IdKind = Literal["sess", "conv", "item", "resp", "event", "call", "part"]

IdSource = Callable[[IdKind], str]
"""Give a fresh id `<kind>_<unique>`, at most 32 characters."""


def counting_ids() -> IdSource:
    """Make a deterministic source: `item_000001`, `item_000002`, … one counter per kind."""
    counters: dict[str, int] = {}

    def fresh(kind: IdKind) -> str:
        counters[kind] = counters.get(kind, 0) + 1
        return f"{kind}_{counters[kind]:06d}"

    return fresh
