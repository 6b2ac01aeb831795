"""The WebSocket transport: an ASGI endpoint that carries text frames between a client and a session's attachment.

What lives here: accept, refuse after the upgrade (browsers cannot read a failed one; a sideband's unknown call alone is
a 404, as the vendor's), reader, writer, abort, close.
What does not: who may connect and which session it gets; the server passes that in as an `Opener`. Who closes whom:

| event | what follows |
|---|---|
| client closes or vanishes | reader ends, the link is detached, the writer ends |
| session closes the link | writer sends the rest, then the close frame, the reader is stopped |
| link aborted (slow reader) | the writer has `_ABORT_GRACE_S` for the close frame, then the socket is torn down |

Back-pressure: the reader takes no frame while `receive` waits, so TCP slows the client; the writer waits on the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from parley.protocol.realtime.dialects import Dialect, encode
from parley.protocol.realtime.server_events import ErrorBody, ErrorEvent
from parley.transports.handshake import Handshake, read_handshake

__all__ = ["ABORT_EXTENSION", "Link", "Opener", "RealtimeWebSocket", "Refused"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ABORT_EXTENSION = "parley.abort"
"""ASGI extension of our own server: `scope["extensions"][ABORT_EXTENSION]["abort"]()` tears the connection down."""

_ABORT_GRACE_S = 2.0


class Link(Protocol):
    """A transport's hold on a session (`runtime.connection.Attachment`)."""

    @property
    def close_code(self) -> int: ...
    @property
    def close_reason(self) -> str: ...
    async def receive(self, frame: str | bytes) -> None: ...
    def frames(self) -> AsyncIterator[str]: ...
    async def wait_aborted(self) -> None: ...
    def detach(self) -> None: ...


class Refused(msgspec.Struct, frozen=True):
    """Why a client gets no session: an `error` event, then a close. `retry` codes (1013) invite another attempt.

    With a `status` the upgrade itself is refused, which only a sideband's can be: it is judged before.
    """

    code: str
    message: str
    close_code: int
    type: str = "invalid_request_error"
    param: str | None = None
    status: int | None = None


Opener = Callable[[Handshake], Awaitable["Link | Refused"]]
"""Judge a handshake and give the session's link."""


@dataclass(frozen=True, slots=True)
class RealtimeWebSocket:
    """The ASGI application for realtime WebSockets. `event_id` makes ids for refusals, which belong to no session."""

    open: Opener
    event_id: Callable[[], str]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection from upgrade to close."""
        handshake = read_handshake(scope)
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            early = await self.open(handshake) if handshake.call_id else None
            if isinstance(early, Refused) and early.status is not None:
                await _turn_away(early, early.status, send)
                return
            await _accept(early, handshake, send)
            outcome = early or await self.open(handshake)
            if isinstance(outcome, Refused):
                await self._refuse(outcome, send)
                return
        except OSError:
            return  # gone before it began
        abort = scope.get("extensions", {}).get(ABORT_EXTENSION, {}).get("abort")
        try:
            await _carry(outcome, receive, send, abort)
        finally:
            outcome.detach()

    async def _refuse(self, refused: Refused, send: Send) -> None:
        body = ErrorBody(type=refused.type, code=refused.code, message=refused.message, param=refused.param)
        event = ErrorEvent(event_id=self.event_id(), error=body)
        frame = encode(event, Dialect.GA) or b""
        await send({"type": "websocket.send", "text": frame.decode()})
        reason = f"{refused.type}.{refused.code}"
        await send({"type": "websocket.close", "code": refused.close_code, "reason": reason})


async def _accept(early: Link | Refused | None, handshake: Handshake, send: Send) -> None:
    """Upgrade; let go of a link that was got early for a client that is gone."""
    try:
        await send({"type": "websocket.accept", "subprotocol": handshake.answered_subprotocol})
    except OSError:
        if early is not None and not isinstance(early, Refused):
            early.detach()
        raise


async def _turn_away(refused: Refused, status: int, send: Send) -> None:
    """Answer the upgrade with an HTTP error and the API's envelope."""
    error = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": msgspec.json.encode({"error": error})})


async def _carry(link: Link, receive: Receive, send: Send, abort: Callable[[], None] | None) -> None:
    """Run reader, writer and the wait for an abort until the connection is over."""
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_read(link, receive))
        writer = group.create_task(_write(link, send))
        aborted = group.create_task(link.wait_aborted())
        await asyncio.wait({reader, writer, aborted}, return_when=asyncio.FIRST_COMPLETED)
        if aborted.done() and not reader.done() and not writer.done():
            await asyncio.wait({reader, writer}, timeout=_ABORT_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
            if not writer.done() and abort is not None:
                abort()
        for task in (reader, writer, aborted):
            task.cancel()


async def _read(link: Link, receive: Receive) -> None:
    """Hand the client's frames over until it is gone."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        await link.receive(text if text is not None else message.get("bytes") or b"")


async def _write(link: Link, send: Send) -> None:
    """Send what the session says, then close as it wishes."""
    try:
        async for frame in link.frames():
            await send({"type": "websocket.send", "text": frame})
        await send({"type": "websocket.close", "code": link.close_code, "reason": link.close_reason})
    except OSError:
        return  # the client is gone, which the reader notices too
