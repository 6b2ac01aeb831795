"""One client link of a session: the runner's side (`Connection`) and the transport's side (`Attachment`).

An attachment needs two tasks of the transport's own: a reader that calls `receive` for each frame, and a writer that
sends what `frames` yields. A third small wait, `wait_aborted`, tells the transport to drop the socket while its writer
may be stuck in a write. Neighbours: `runner` (owns connections), `outbox`, `transports` (own attachments).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from parley.protocol.realtime.dialects import Dialect, encode
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ConnectionId, SessionId
from parley.protocol.realtime.requests import decode_client_event
from parley.protocol.realtime.server_events import ServerEvent
from parley.runtime.appends import AppendDecoder
from parley.runtime.mailbox import Frame, Mailbox
from parley.runtime.outbox import Outbox
from parley.runtime.permit import Permit

__all__ = ["Attachment", "Connection", "Spelling"]

_BINARY = ClientFault(
    code="invalid_event", message="Binary frames are not part of the protocol. Send each event as one JSON text frame."
)


class Spelling:
    """One event, spelled at most once per dialect and permit however many connections get it.

    `silent` is what a link without audio gets instead, None if it gets nothing.
    """

    def __init__(self, event: ServerEvent, silent: ServerEvent | None) -> None:
        self._event = event
        self._silent = silent
        self._spelled: dict[tuple[Dialect, bool, Permit | None], str | None] = {}

    def frame(self, dialect: Dialect, *, with_audio: bool, permit: Permit | None = None) -> str | None:
        """Give the event as a text frame, with what `permit` lets a connection see; None if the link gets nothing."""
        event = self._event if with_audio else self._silent
        if event is None:
            return None
        key = (dialect, event is self._event, permit)
        if key not in self._spelled:
            seen = event if permit is None else permit.shown(event)
            spelled = encode(seen, dialect)
            self._spelled[key] = None if spelled is None else spelled.decode()
        return self._spelled[key]


class Connection:
    """What a session knows of a link. `left` once its client is gone."""

    def __init__(
        self,
        connection_id: ConnectionId,
        outbox: Outbox,
        appends: AppendDecoder,
        *,
        dialect: Dialect,
        wants_audio: bool,
        permit: Permit | None = None,
    ) -> None:
        self.connection_id = connection_id
        self.outbox = outbox
        self.appends = appends
        self.left = False
        self.wants_audio = wants_audio
        self.permit = permit
        self._dialect = dialect

    def send(self, spelling: Spelling) -> None:
        """Put the event into the outbox, as this link wants it."""
        frame = spelling.frame(self._dialect, with_audio=self.wants_audio, permit=self.permit)
        if frame is not None:
            self.outbox.put(frame)


class Attachment:
    """A transport's hold on a session. `close_code` and `close_reason` are valid after `frames` has ended."""

    def __init__(
        self, session_id: SessionId, connection: Connection, mailbox: Mailbox, detach: Callable[[], None]
    ) -> None:
        self.session_id = session_id
        self._connection = connection
        self._outbox = connection.outbox
        self._mailbox = mailbox
        self._detach = detach

    @property
    def close_code(self) -> int:
        """WebSocket close code to send."""
        return self._outbox.close_code

    @property
    def close_reason(self) -> str:
        """WebSocket close reason to send, cut to the 123 bytes a close frame holds."""
        return self._outbox.close_reason.encode()[:123].decode(errors="ignore")

    async def receive(self, frame: str | bytes) -> None:
        """Take one client frame. Waits while the session has too much to do: read no further meanwhile.

        Never raises on what a client sends: a frame that is no event is answered with an `error` event.
        """
        message = _BINARY if isinstance(frame, bytes) else decode_client_event(frame)
        permit = self._connection.permit
        if permit is not None and not isinstance(message, ClientFault):
            message = permit.admit(message)
        await self._mailbox.put_frame(Frame(self._connection.connection_id, message, len(frame)))

    async def frames(self) -> AsyncIterator[str]:
        """Yield JSON text frames to send, in order, until the connection is to be closed. One consumer."""
        async for frame in self._outbox.frames():
            yield frame

    async def wait_aborted(self) -> None:
        """Return when the socket must be closed at once, unsent frames or not (slow reader, end of the server)."""
        await self._outbox.wait_aborted()

    def detach(self) -> None:
        """Say that the client is gone. Idempotent. The session ends with its last connection."""
        self._detach()
