"""What a connection may say and see, as a role: the server gives one where it restricts a client.

Neighbours: `connection` (asks it about every event, both ways), `parley.auth.scope_permit` (the implementation).
"""

from __future__ import annotations

from typing import Protocol

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.server_events import ServerEvent

__all__ = ["Permit"]


class Permit(Protocol):
    """Judges single events. Pure: the same event gets the same answer."""

    def admit(self, event: ClientEvent) -> ClientEvent | ClientFault:
        """Give the event as it may be done, or the fault to answer with."""
        ...

    def shown(self, event: ServerEvent) -> ServerEvent:
        """Give the event as the connection may see it."""
        ...
