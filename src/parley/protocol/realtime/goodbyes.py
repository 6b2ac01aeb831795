"""How a session ends: what its connections are told, and the close code that tells them whether to come again. Data.

1000 is an ordinary end, 1001 and 1011 invite another attempt, 4000 does not (Realtime API, "Close codes").
Neighbours: `session` (says it), `inputs.SessionExpired` (why).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.inputs import SessionExpired

__all__ = ["Goodbye", "at_the_time_limit", "goodbye"]

_NORMAL = 1000
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011
_REFUSED = 4000


@dataclass(frozen=True, slots=True)
class Goodbye:
    """`fault` is what running responses fail with, and what the client is told unless the end is an ordinary one."""

    fault: ClientFault
    close_code: int

    @property
    def is_ordinary(self) -> bool:
        """Nothing went wrong: no `error` is sent."""
        return self.close_code == _NORMAL


def at_the_time_limit(max_session_ms: int) -> Goodbye:
    """End a session that has lived as long as it may."""
    text = f"Your session hit the maximum duration of {max_session_ms / 60_000:g} minutes."
    return Goodbye(ClientFault(code="session_expired", message=text), _GOING_AWAY)


def goodbye(expired: SessionExpired) -> Goodbye:
    """End a session early."""
    match expired.reason:
        case "draining":
            text = "The server is shutting down; connect again."
            return Goodbye(ClientFault(code="session_expired", message=text, type="server_error"), _GOING_AWAY)
        case "internal_error":
            text = "The session ended because of a fault in the server; connect again."
            return Goodbye(ClientFault(code="internal_error", message=text, type="server_error"), _INTERNAL_ERROR)
        case "budget_spent":
            text = "The session has used all the tokens it was granted; get a new grant from your server."
            fault = ClientFault(code="insufficient_quota", message=text, type="insufficient_quota")
            return Goodbye(fault, _REFUSED)
        case "client_left":
            return Goodbye(ClientFault(code="client_left", message="The client has left."), _GOING_AWAY)
        case "call_ended":
            return Goodbye(ClientFault(code="call_ended", message="The call has ended."), _NORMAL)
        case _:
            assert_never(expired.reason)
