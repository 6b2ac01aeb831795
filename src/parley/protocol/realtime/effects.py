"""Where the sub-machines put what is to be done: one list of outputs per input, and the ids that events need.

Nothing is decided here. `RealtimeSession` owns one `Effects`, hands it to its sub-machines, and drains it to empty
after each input.
"""

from __future__ import annotations

from collections.abc import Callable

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import CallId, ConnectionId, EventId, IdSource, ItemId, ResponseId
from parley.protocol.realtime.outputs import Output, Send
from parley.protocol.realtime.server_events import ErrorBody, ErrorEvent, ServerEvent

__all__ = ["Effects"]


MOST_SAID = 1000
"""Characters of a message: what a client sent is quoted, not thrown back."""


class Effects:
    """The outputs of the input being handled, in order."""

    def __init__(self, ids: IdSource, *, item_taken: Callable[[str], bool]) -> None:
        """Take ids from `ids`. `item_taken`: whether a client has given an item that id already."""
        self._ids = ids
        self._item_taken = item_taken
        self._outputs: list[Output] = []

    def add(self, output: Output) -> None:
        """Have the runner do `output`, after everything added before."""
        self._outputs.append(output)

    def send(self, event: ServerEvent, to: ConnectionId | None = None) -> None:
        """Send `event` to connection `to`, or to all."""
        self._outputs.append(Send(event, to))

    def fail(self, fault: ClientFault, to: ConnectionId | None, event_id: str | None = None) -> None:
        """Answer a client's mistake with an `error` event, to its sender only (to all if it ends the session)."""
        body = ErrorBody(
            type=fault.type,
            code=fault.code,
            message=_clipped(fault.message, MOST_SAID),
            param=None if fault.param is None else _clipped(fault.param, MOST_SAID),
            event_id=fault.event_id if fault.event_id is not None else event_id,
        )
        self.send(ErrorEvent(event_id=self.event_id(), error=body), to)

    def event_id(self) -> EventId:
        """Give the next event's id."""
        return EventId(self._ids("event"))

    def item_id(self) -> ItemId:
        """Give a new item's id."""
        item_id = self._ids("item")
        while self._item_taken(item_id):
            item_id = self._ids("item")
        return ItemId(item_id)

    def response_id(self) -> ResponseId:
        """Give a new response's id."""
        return ResponseId(self._ids("resp"))

    def call_id(self) -> CallId:
        """Give a new call's id."""
        return CallId(self._ids("call"))

    def drain(self) -> list[Output]:
        """Take everything that was added."""
        outputs, self._outputs = self._outputs, []
        return outputs


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
