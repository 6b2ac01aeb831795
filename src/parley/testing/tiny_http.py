"""As much of an HTTP/1.1 server as a stub needs, with the freedom to break every rule of it. Loopback only.

Neighbour: `stub_openai`, which decides what is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from typing import Any, Self

__all__ = ["ClientGone", "HttpRequest", "HttpResponse", "TinyHttpServer"]


class ClientGone(Exception):  # noqa: N818 - a state, phrased as one
    """The client closed the connection."""


@dataclass(slots=True)
class HttpRequest:
    """What came in. `fields` and `files` are a multipart form's; `gone` says that the client left before the end."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    gone: bool = False
    pieces_sent: int = 0

    @property
    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`."""
        return json.loads(self.body)

    def read_form(self) -> None:
        """Take a multipart body apart."""
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            return
        message = BytesParser(policy=policy.HTTP).parsebytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + self.body
        )
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if not isinstance(content, bytes):
                continue
            if part.get_filename():
                self.files[str(name)] = content
            else:
                self.fields[str(name)] = content.decode()


class HttpResponse:
    """What goes out, in the handler's hands: a status line and headers, pieces of a body, an end or none."""

    def __init__(self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._request = request
        self._reader = reader
        self._writer = writer
        self._chunked = False

    async def begin(
        self, status: int = 200, headers: dict[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """Send the head; without a `length` the body is chunked."""
        self._chunked = length is None
        lines = [f"HTTP/1.1 {status} Status"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
        await self._write("\r\n".join([*lines, "", ""]).encode())

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body at once. Raises `ClientGone`."""
        if data:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
            self._request.pieces_sent += 1

    async def end(self) -> None:
        """Finish the body properly."""
        if self._chunked:
            await self._write(b"0\r\n\r\n")

    async def whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send everything."""
        await self.begin(status, headers, length=len(body))
        await self.piece(body)

    async def answer_json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a JSON document."""
        await self.whole(status, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})

    def abort(self) -> None:
        """Cut the connection in mid-answer."""
        self._writer.transport.abort()
        raise ClientGone

    async def pause(self, ms: float | None) -> None:
        """Wait `ms`, or for ever if None. Raises `ClientGone` as soon as the client closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if ms is None else ms / 1000):
                await self._reader.read(1)
                raise ClientGone

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing() or self._reader.at_eof():
            raise ClientGone
        self._writer.write(data)
        await self._writer.drain()


Handle = Callable[[HttpRequest, HttpResponse], Awaitable[None]]


class TinyHttpServer:
    """Serve `handle` on a free loopback port: `async with`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections_made = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        self.connections_made += 1
        try:
            while (request := await _read_request(reader)) is not None:
                try:
                    await self._handle(request, HttpResponse(request, reader, writer))
                except (ClientGone, ConnectionError):
                    request.gone = True
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._writers.discard(writer)
            self._connections.discard(task)


async def _read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    request = HttpRequest(method, path, headers, body)
    request.read_form()
    return request
