"""Sockets and signals: bind with clear refusals, run uvicorn beside the engine room, drain before the end.

The WebSocket protocol is uvicorn's sans-IO one with two additions. A frame above the bound gets its close frame 1009
through to the client, which is still sending, instead of a reset; and a connection can be torn down while its writer
is stuck. Neighbours: `app` (what is served), `cli.serve` (calls `serve`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from parley.engines.base import EngineError
from parley.server.app import ParleyApp
from parley.server.settings import ConfigError
from parley.transports.websocket import ABORT_EXTENSION

__all__ = ["MAX_FRAME_BYTES", "address_of", "bind", "check_tls", "serve"]

MAX_FRAME_BYTES = 32 << 20
"""One WebSocket message; above it the connection is closed with 1009 (Realtime API, framing)."""

_PING_S = 20.0
_LINGER_S = 10.0
_GRACE_S = 3

log = logging.getLogger(__name__)


def bind(host: str, port: int) -> list[socket.socket]:
    """Open listening sockets on every address of `host`. Raises `ConfigError` that says how to find another port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise ConfigError(
            f"--host {host}: there is no such address. Use 127.0.0.1, 0.0.0.0 or an own address."
        ) from None
    sockets: list[socket.socket] = []
    for family, _kind, _protocol, _name, address in dict.fromkeys(found):
        try:
            sockets.append(_listener(family, (address[0], sockets[0].getsockname()[1] if sockets else port)))
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT or (sockets and error.errno == errno.EADDRNOTAVAIL):
                continue
            for opened in sockets:
                opened.close()
            raise _refusal(host, port, error) from None
    return sockets


def _listener(family: int, address: tuple[Any, ...]) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(2048)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"--port {port}: another program listens on {host}:{port}. Stop it, or choose another port, e.g. "
            f"--port {port + 1 if port < 65_535 else 8080}; --port 0 takes a free one."
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"--port {port}: this user may not listen on ports below 1024. Use one above.")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"--host {host}: this machine does not have that address. Use 127.0.0.1 or 0.0.0.0.")
    return ConfigError(f"--host {host} --port {port}: cannot listen: {error.strerror}.")


def address_of(sockets: list[socket.socket]) -> tuple[str, int]:
    """Give the first socket's address and port."""
    host, port = sockets[0].getsockname()[:2]
    return host, port


async def serve(
    app: ParleyApp,
    sockets: list[socket.socket],
    *,
    tls: tuple[Path, Path] | None = None,
    trusted_proxies: tuple[str, ...] = (),
    signals: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM),
    stop: asyncio.Event | None = None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until a signal or `stop`; then refuse new sessions, let answers end, close, free the engines.

    With `tls`, a certificate and its key, it is https and wss. X-Forwarded-For and -Proto of `trusted_proxies` are
    believed. A second signal ends at once. Raises `EngineError` if
    the engines cannot be built.
    """
    server = _Server(_config(app, tls, trusted_proxies), started)
    stopping = stop or asyncio.Event()

    def on_signal(number: int) -> None:
        log.info("stopping", extra={"signal": signal.Signals(number).name})
        if stopping.is_set():
            server.force_exit = True
        stopping.set()

    failure: EngineError | None = None
    with _handled(signals, on_signal):
        try:
            async with asyncio.TaskGroup() as group:
                http = group.create_task(server.serve(sockets))
                engines = group.create_task(_run_engines(app))
                calls = group.create_task(app.calls.run())
                sfu = group.create_task(app.sfu.run())
                asked = group.create_task(stopping.wait())
                await asyncio.wait({http, engines, asked}, return_when=asyncio.FIRST_COMPLETED)
                app.room.stop()
                failure = await engines
                app.sfu.close("the server stops")
                sfu.cancel()
                app.calls.stop()
                await calls
                server.should_exit = True
                asked.cancel()
        finally:
            server.close_listeners()
            for listener in sockets:
                listener.close()
    if failure is not None:
        raise failure


async def _run_engines(app: ParleyApp) -> EngineError | None:
    """Run the engine room; give its failure instead of raising it, so that the HTTP server ends in its own time."""
    try:
        await app.room.run()
    except EngineError as error:
        return error
    return None


@contextlib.contextmanager
def _handled(signals: tuple[int, ...], on_signal: Callable[[int], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def check_tls(tls: tuple[Path, Path]) -> None:
    """Raise `ConfigError` unless the files are a certificate and its own key."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*tls)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise ConfigError(
            f"--tls: {tls[0]} and {tls[1]} are not a certificate and its key ({reason}). Give two PEM files, the "
            "certificate (with its chain) first; the key must not have a pass phrase."
        ) from None


def _config(app: ParleyApp, tls: tuple[Path, Path] | None, trusted_proxies: tuple[str, ...]) -> Config:
    certificate, key = tls or (None, None)
    return Config(
        app.asgi,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        forwarded_allow_ips=list(trusted_proxies),
        http="h11",
        ws=RealtimeProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PING_S,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=64 << 10,
    )


class _Server(Server):
    """uvicorn's server without its own signal handling: `serve` drains sessions first."""

    def __init__(self, config: Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when the port answers."""
        await super().startup(sockets)
        self._on_started()

    def close_listeners(self) -> None:
        """Close what an ordinary shutdown has closed already, after a cancellation."""
        for server in getattr(self, "servers", ()):
            server.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class RealtimeProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    def handle_connect(self, event: Any) -> None:
        """Offer the endpoint a way to tear the connection down."""
        super().handle_connect(event)
        if self.handshake_initiated and hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[ABORT_EXTENSION] = {"abort": self._abort}

    def _abort(self) -> None:
        self.transport.abort()

    def handle_parser_exception(self) -> None:
        """Send the close frame, then read on and discard until the client has seen it, so that no reset eats it."""
        closing = self.conn.close_sent
        if closing is None or closing.code != 1009 or not self.transport.can_write_eof():
            super().handle_parser_exception()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = True
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.close)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Discard what follows a frame that was too large."""
        if self.conn.parser_exc is None:
            super().data_received(data)
        elif self.close_timer is None:
            self.transport.close()
