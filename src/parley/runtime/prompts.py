"""Stored prompts, as a session's runner sees them: a book that is asked when a client's event names one.

The machine gets the answer along with the event (`ClientEventReceived.prompt`), so that a recording replays without the
book. Neighbours: `runner` (asks), the server (has the book).
"""

from __future__ import annotations

from typing import Protocol

from parley.protocol.realtime.client_events import ClientEvent, ResponseCreate, SessionUpdate
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.session_config import StoredPrompt

__all__ = ["PromptBook", "looked_up"]


class PromptBook(Protocol):
    """The stored prompts of a server. Synchronous: what it gives is in memory."""

    def find(self, reference: PromptReference, *, param: str) -> StoredPrompt | ClientFault | None:
        """Give what `reference`, which stands at `param`, is; None if there is no such prompt; a fault that names the
        variable if its variables do not fit.
        """
        ...


def looked_up(book: PromptBook | None, event: ClientEvent) -> StoredPrompt | ClientFault | None:
    """Look up the prompt that `event` names, if it names one."""
    match event:
        case SessionUpdate(session=session) if isinstance(session.prompt, PromptReference):
            reference, param = session.prompt, "session.prompt"
        case ResponseCreate(response=response) if response.prompt is not None:
            reference, param = response.prompt, "response.prompt"
        case _:
            return None
    found = book.find(reference, param=param) if book is not None else None
    return _for(found, event) if isinstance(found, ClientFault) else found


def _for(fault: ClientFault, event: ClientEvent) -> ClientFault:
    return ClientFault(fault.code, fault.message, fault.param, event.event_id, fault.type)
