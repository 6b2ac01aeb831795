"""A real server with the native media plane and engines that cost nothing, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from running_server import RunningServer, running_server
from udp_relay import UdpRelay

from parley.media.native import NativePlane
from parley.server.settings import Settings

__all__ = ["APP", "SECRET", "calls_settings", "native_calls"]

APP, SECRET = "a" * 32, "secret-of-the-app"


def calls_settings(**more: Any) -> Settings:
    """Settings with one app."""
    return Settings(calls_apps=((APP, SECRET),), **more)


@contextmanager
def native_calls(
    settings: Settings | None = None,
    *,
    shards: int = 2,
    relay: UdpRelay | None = None,
    announced: str = "127.0.0.1",
    **options: Any,
) -> Iterator[RunningServer]:
    """Run the server until the block ends. Media goes to `announced`, through `relay` where there is one; `options`
    are those of `running_server`.
    """
    ready: list[RunningServer] = []
    failed: list[BaseException] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        plane = NativePlane.open(announced=[announced], bind=announced, shards=shards)
        if relay:
            relay.stand_before(plane)
        async with running_server(settings or calls_settings(), plane=plane, **options) as server:
            ready.append(server)
            started.set()
            await asyncio.to_thread(stop.wait)

    def live() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # it is told to whoever waits
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=live)
    thread.start()
    started.wait()
    try:
        if failed:
            raise failed[0]
        yield ready[0]
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]
