"""A real server on a free port, in the test's own event loop: uvicorn, gate, framework, engine room, supervisor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from parley.engines.base import EngineSet
from parley.server.app import ParleyApp, create_app, limits_of
from parley.server.serving import address_of, bind, serve
from parley.server.settings import Settings
from parley.testing import engine_set

__all__ = ["RunningServer", "running_server"]

KEY = "key-for-tests"


@dataclass
class RunningServer:
    """Where the server is, and what it is made of."""

    app: ParleyApp
    port: int
    stop: asyncio.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def http(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        given = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=self.url, headers={**given, **headers}, trust_env=False, timeout=15)

    def websocket(self, path: str = "/v1/realtime?model=m", key: str | None = None, **options: Any) -> connect:
        headers = dict(options.pop("additional_headers", {}))
        if key:
            headers["Authorization"] = f"Bearer {key}"
        address = f"ws://127.0.0.1:{self.port}{path}"
        return connect(address, additional_headers=headers, proxy=None, max_size=None, compression=None, **options)


@asynccontextmanager
async def running_server(
    settings: Settings | None = None,
    *,
    build: Callable[[], EngineSet] = engine_set,
    wait: bool = True,
    tls: tuple[Path, Path] | None = None,
    **options: Any,
) -> AsyncIterator[RunningServer]:
    """Run a server for the length of the block; leaving drains it. A busy machine is no reason to refuse a session."""
    settings = settings or Settings()
    options.setdefault("limits", replace(limits_of(settings), loop_lag_ms=10_000))
    app = create_app(settings, build=build, **options)
    sockets = bind("127.0.0.1", 0)
    server = RunningServer(app, address_of(sockets)[1], asyncio.Event())
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(
            serve(
                app, sockets, tls=tls, trusted_proxies=("127.0.0.1",), signals=(), stop=server.stop, started=started.set
            )
        )
        try:
            await started.wait()
            if wait:
                await app.room.engines()
            yield server
        finally:
            server.stop.set()
            await asyncio.wait({serving})


async def receive(socket: ClientConnection) -> dict[str, Any]:
    """Receive one event."""
    event = json.loads(await asyncio.wait_for(socket.recv(), 10))
    assert isinstance(event, dict)
    return event


async def receive_until(socket: ClientConnection, *types: str) -> list[dict[str, Any]]:
    """Receive events up to the first of one of `types`."""
    events = [await receive(socket)]
    while events[-1]["type"] not in types:
        events.append(await receive(socket))
    return events


async def ask(socket: ClientConnection, text: str) -> list[dict[str, Any]]:
    """Say something in writing and receive the whole answer."""
    part = {"type": "input_text", "text": text}
    item = {"type": "message", "role": "user", "content": [part]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send(json.dumps({"type": "response.create"}))
    return await receive_until(socket, "response.done")
