"""What the runtime tells whoever counts: a role, so that `observe.metrics` and tests can listen. No numbers here."""

from __future__ import annotations

from typing import Literal, Protocol

from parley.protocol.realtime.server_events import ResponseTimeline

__all__ = ["EndReason", "NoMetrics", "SessionMetrics"]

EndReason = Literal["client_left", "finished", "unattached", "crashed"]
"""Why a session ended. `finished`: the machine said so (expired, drained)."""


class SessionMetrics(Protocol):
    """Called on the event loop; must not block or raise."""

    def session_opened(self) -> None: ...

    def session_refused(self, reason: str) -> None:
        """No capacity; `reason` is one of a few short words."""

    def session_closed(self, reason: EndReason, lasted_ms: int) -> None: ...

    def response_done(self, status: str, timeline: ResponseTimeline | None) -> None:
        """Count a response that ended with `status`; `timeline` says where its time went, if that is known."""

    def slow_reader(self) -> None:
        """Count a connection that was closed because its client did not read."""


class NoMetrics:
    """Count nothing."""

    def session_opened(self) -> None:
        """Ignore it."""

    def session_refused(self, reason: str) -> None:
        """Ignore it."""

    def session_closed(self, reason: EndReason, lasted_ms: int) -> None:
        """Ignore it."""

    def response_done(self, status: str, timeline: ResponseTimeline | None) -> None:
        """Ignore it."""

    def slow_reader(self) -> None:
        """Ignore it."""
