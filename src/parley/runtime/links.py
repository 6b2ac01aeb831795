"""A session's connections: who is there, who joins, who left, and how events reach them.

A link joins in two steps, so that nothing is sent to it before its `session.created`: a transport makes it, the owner
task admits it. Touched by the owner task, except for `join` and `leave`, which any task of the loop may call.
Neighbours: `connection`, `outbox` (what a link is made of), `runner` (admits and sends).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.ids import ConnectionId, SessionId
from parley.protocol.realtime.inputs import Connected, Disconnected
from parley.protocol.realtime.server_events import ServerEvent
from parley.runtime.appends import AppendDecoder
from parley.runtime.clock import Clock
from parley.runtime.connection import Attachment, Connection, Spelling
from parley.runtime.limits import Limits
from parley.runtime.mailbox import Mailbox
from parley.runtime.outbox import Outbox
from parley.runtime.permit import Permit

__all__ = ["Links"]


class Links:
    """Every connection of one session."""

    def __init__(
        self,
        session_id: SessionId,
        mailbox: Mailbox,
        limits: Limits,
        clock: Clock,
        on_slow_reader: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._mailbox = mailbox
        self._limits = limits
        self._clock = clock
        self._on_slow_reader = on_slow_reader
        self._made = 0
        self._joining: dict[ConnectionId, Connection] = {}
        self._admitted: dict[ConnectionId, Connection] = {}

    def __len__(self) -> int:
        """How many are there or about to be."""
        return len(self._joining) + len(self._admitted)

    def join(self, *, dialect: Dialect, wants_audio: bool, permit: Permit | None = None) -> Attachment:
        """Make a link; the machine hears of it through the mailbox."""
        connection_id = ConnectionId(str(self._made))
        self._made += 1
        outbox = Outbox(
            max_bytes=self._limits.outbox_bytes,
            max_age_ms=self._limits.outbox_age_ms,
            clock=self._clock,
            on_overflow=lambda: self._overflowed(connection_id),
        )
        appends = AppendDecoder(slice_ms=self._limits.slice_ms)
        connection = Connection(connection_id, outbox, appends, dialect=dialect, wants_audio=wants_audio, permit=permit)
        self._joining[connection_id] = connection
        self._mailbox.post(Connected(connection_id))
        return Attachment(self._session_id, connection, self._mailbox, lambda: self.leave(connection_id))

    def leave(self, connection_id: ConnectionId) -> None:
        """Let go of what a client that is gone was still to get. Idempotent."""
        connection = self._joining.get(connection_id) or self._admitted.get(connection_id)
        if connection is not None and not connection.left:
            connection.left = True
            connection.outbox.abort(1000, "")
            self._mailbox.post(Disconnected(connection_id))

    def admit(self, connection_id: ConnectionId) -> None:
        """From now on events reach it."""
        connection = self._joining.pop(connection_id, None)
        if connection is not None:
            self._admitted[connection_id] = connection

    def remove(self, connection_id: ConnectionId) -> None:
        """Forget it and the frames it left behind."""
        self._joining.pop(connection_id, None)
        self._admitted.pop(connection_id, None)
        self._mailbox.drop_connection(connection_id)

    def get(self, connection_id: ConnectionId) -> Connection | None:
        """Give an admitted connection."""
        return self._admitted.get(connection_id)

    def send(self, event: ServerEvent, to: ConnectionId | None, *, silent: ServerEvent | None) -> None:
        """Put `event` into the outbox of `to`, or of everybody; `silent` instead where a link wants no audio."""
        spelling = Spelling(event, silent)
        for connection in self._chosen(to):
            connection.send(spelling)

    def congested(self) -> bool:
        """Whether generations should wait for clients to read.

        The fastest link with audio sets the pace: a slower one beside it runs into its outbox's bounds.
        """
        waiting = [link.outbox.waiting_bytes for link in self._admitted.values() if link.wants_audio]
        return bool(waiting) and min(waiting) > self._limits.outbox_calm_bytes

    def close(self, code: int, reason: str, to: ConnectionId | None) -> None:
        """Close `to`, or everybody, after what was sent before."""
        for connection in self._chosen(to):
            connection.outbox.close(code, reason)

    def close_all(self, code: int, reason: str) -> None:
        """Close whoever is still open, joining links included: the session is over."""
        for connection in (*self._joining.values(), *self._admitted.values()):
            connection.outbox.close(code, reason)
        self._joining.clear()
        self._admitted.clear()

    def _chosen(self, to: ConnectionId | None) -> Iterable[Connection]:
        if to is None:
            return self._admitted.values()
        connection = self._admitted.get(to)
        return () if connection is None else (connection,)

    def _overflowed(self, connection_id: ConnectionId) -> None:
        self._on_slow_reader()
        self.leave(connection_id)
