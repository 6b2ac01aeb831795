"""When a session that speaks first begins to speak: once its client is there and has said what it wants to say.

Clients send their configuration right after connecting, the sound's format included, so the greeting waits for the
first `session.update`, but not for long. A client that asks for a response or speaks first gets no greeting. Pure.
Neighbour: `runner` (tells it what happens, and asks).
"""

from __future__ import annotations

from parley.protocol.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    InputAudioBufferCommit,
    ResponseCreate,
    SessionUpdate,
)
from parley.protocol.realtime.ids import Ms

__all__ = ["GREETING_WAIT_MS", "Opening"]

GREETING_WAIT_MS = 400


class Opening:
    """One session's first words. `active`: there are any."""

    def __init__(self, *, active: bool) -> None:
        self._active = active
        self._at: Ms | None = None

    @property
    def deadline(self) -> Ms | None:
        """When the greeting is due at the latest; None while nobody is there, and afterwards."""
        return self._at

    def joined(self, now: Ms) -> None:
        """Take note that a client is there."""
        if self._active and self._at is None:
            self._at = Ms(now + GREETING_WAIT_MS)

    def heard(self, event: ClientEvent, now: Ms) -> None:
        """Take note of what the client said."""
        match event:
            case SessionUpdate() if self._at is not None:
                self._at = now
            case ResponseCreate() | InputAudioBufferCommit() | ConversationItemCreate():
                self._active, self._at = False, None
            case _:
                pass

    def take(self, now: Ms) -> bool:
        """Say whether to greet now; True once."""
        if self._at is None or now < self._at:
            return False
        self._active, self._at = False, None
        return True
