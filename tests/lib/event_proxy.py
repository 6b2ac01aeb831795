"""A WebSocket between a client and the server: it keeps what the server says, and may be told to garble it.

Headers that carry meaning (credential, dialect, sub-protocols) and the address pass through. For order and shape of a
client's whole conversation, however the client keeps its own log; and for faults that a check must find.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["EventProxy", "event_proxy"]

Event = dict[str, Any]
PASSED = ("authorization", "openai-beta", "api-key", "user-agent")


def unchanged(event: Event) -> Iterable[Event]:
    """Pass every event on as it is."""
    return (event,)


@dataclass
class EventProxy:
    """Where the proxy listens, and one log per connection, of what the server sent before it was garbled."""

    port: int = 0
    logs: list[list[Event]] = field(default_factory=list)
    asked: list[Event] = field(default_factory=list)
    """What clients have sent, of all connections, without sound."""

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@asynccontextmanager
async def event_proxy(
    websocket_url: str, alter: Callable[[], Callable[[Event], Iterable[Event]]] = lambda: unchanged
) -> AsyncIterator[EventProxy]:
    """Listen in front of the server at `websocket_url`. `alter` makes, per connection, what changes events."""
    proxy = EventProxy()

    async def pass_through(client: ServerConnection) -> None:
        assert client.request is not None
        headers = {name: client.request.headers[name] for name in PASSED if name in client.request.headers}
        offered = client.request.headers.get("Sec-WebSocket-Protocol")
        if offered:
            headers["Sec-WebSocket-Protocol"] = offered
        url = websocket_url + client.request.path
        options: dict[str, Any] = {"max_size": None, "proxy": None, "compression": None, "user_agent_header": None}
        log: list[Event] = []
        proxy.logs.append(log)
        async with connect(url, additional_headers=headers, **options) as server, asyncio.TaskGroup() as group:
            down = group.create_task(_down(server, client, alter(), log))
            up = group.create_task(_up(client, server, proxy.asked))
            await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
            down.cancel()
            up.cancel()

    def select(_: ServerConnection, offered: Any) -> Any:
        return "realtime" if "realtime" in offered else None

    async with serve(
        pass_through, "127.0.0.1", 0, max_size=None, compression=None, select_subprotocol=select
    ) as listening:
        proxy.port = next(iter(listening.sockets)).getsockname()[1]
        yield proxy


async def _down(server: Any, client: Any, change: Callable[[Event], Iterable[Event]], log: list[Event]) -> None:
    with suppress(ConnectionClosed):
        async for frame in server:
            event = json.loads(frame)
            log.append(event)
            for altered in change(event):
                await client.send(json.dumps(altered))
    await client.close(server.close_code or 1001, server.close_reason or "")


async def _up(client: Any, server: Any, asked: list[Event]) -> None:
    with suppress(ConnectionClosed):
        async for frame in client:
            if isinstance(frame, str) and '"input_audio_buffer.append"' not in frame[:200]:
                with suppress(ValueError):
                    asked.append(json.loads(frame))
            await server.send(frame)
    await server.close()
