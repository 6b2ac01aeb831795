"""Who holds which session: the one map across sessions, behind a role.

One server keeps it in memory; several servers would keep leases in a shared store, hence `async`. It knows names only:
the live sessions themselves belong to the `supervisor` of their node.
"""

from __future__ import annotations

from typing import Protocol

from parley.protocol.realtime.ids import SessionId

__all__ = ["MemoryDirectory", "SessionDirectory"]


class SessionDirectory(Protocol):
    """Leases `session → node`. Claims by another node are refused until the holder releases."""

    async def claim(self, session_id: SessionId, node: str) -> bool:
        """Make `node` the holder. False if another node holds it."""

    async def locate(self, session_id: SessionId) -> str | None:
        """Name the node that holds `session_id`."""

    async def release(self, session_id: SessionId, node: str) -> None:
        """Give it back, if `node` holds it."""


class MemoryDirectory:
    """The directory of a single process."""

    def __init__(self) -> None:
        self._holders: dict[SessionId, str] = {}

    async def claim(self, session_id: SessionId, node: str) -> bool:
        """Make `node` the holder. False if another node holds it."""
        return self._holders.setdefault(session_id, node) == node

    async def locate(self, session_id: SessionId) -> str | None:
        """Name the node that holds `session_id`."""
        return self._holders.get(session_id)

    async def release(self, session_id: SessionId, node: str) -> None:
        """Give it back, if `node` holds it."""
        if self._holders.get(session_id) == node:
            del self._holders[session_id]
