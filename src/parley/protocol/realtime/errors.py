"""Mistakes of a client, as data: what becomes an `error` event."""

from __future__ import annotations

import msgspec

__all__ = ["ClientFault"]


class ClientFault(msgspec.Struct, frozen=True):
    """One client mistake. `message` names the fix; `param` is the JSON path of the field at fault, dotted.

    `event_id` is the offending event's own id, echoed so that a client can match it to its request.
    """

    code: str
    message: str
    param: str | None = None
    event_id: str | None = None
    type: str = "invalid_request_error"
