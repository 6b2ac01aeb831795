"""How a conversation travels: what `session` needs of a transport.

Implementations: `websocket_link` (the client paces playback, sound is in the events) and `webrtc_link` (the server
paces it, sound is a track).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

__all__ = ["Event", "Link"]

Event = dict[str, Any]
"""One event of the Realtime protocol, parsed."""


class Link(Protocol):
    """One connection to a server, open until `close` or until the server ends it."""

    closed_because: str | None
    """Why the server ended it, once it has."""

    async def send(self, event: Event) -> None:
        """Send one event; lost without a word when the connection is gone, which `events` tells."""

    async def say(self, pcm: bytes) -> None:
        """Send speech, PCM16 mono 24 kHz."""

    def events(self) -> AsyncIterator[Event]:
        """Receive until the connection ends. Sound that belongs to events is in `response.output_audio.delta`."""

    async def close(self) -> None:
        """End the connection. Idempotent."""
