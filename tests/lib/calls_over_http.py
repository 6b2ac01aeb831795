"""The Calls API over HTTP on a server whose media plane is in memory and keeps real time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from running_server import RunningServer, running_server
from scripted_browser import ScriptedBrowser
from ticking_plane import ticking_plane

from parley.media.loopback import LoopbackPlane
from parley.server.settings import Settings

__all__ = [
    "APP",
    "BASE",
    "BEARER",
    "OTHER",
    "OTHER_SECRET",
    "SECRET",
    "SETTINGS",
    "calls_server",
    "new_session",
    "pushed",
]

APP, SECRET = "a" * 32, "secret-of-the-app"
OTHER, OTHER_SECRET = "b" * 32, "secret-of-the-other"
SETTINGS = Settings(calls_apps=((APP, SECRET), (OTHER, OTHER_SECRET)))
BASE = f"/v1/apps/{APP}"
BEARER = {"authorization": f"Bearer {SECRET}"}


@asynccontextmanager
async def calls_server(settings: Settings = SETTINGS) -> AsyncIterator[tuple[RunningServer, LoopbackPlane]]:
    """Run the server for the length of the block."""
    async with ticking_plane() as plane, running_server(settings, plane=plane) as server:
        yield server, plane


async def new_session(http: httpx.AsyncClient, query: str = "") -> str:
    """`sessions/new`"""
    answer = await http.post(f"{BASE}/sessions/new{query}")
    assert answer.status_code == 201, answer.text
    assert list(answer.json()) == ["sessionId"]
    return str(answer.json()["sessionId"])


async def pushed(
    http: httpx.AsyncClient,
    name: str = "mic",
    base: str = BASE,
    direction: str = "sendonly",
    extra: dict[str, Any] | None = None,
) -> tuple[str, ScriptedBrowser]:
    """Make a session that publishes one audio track."""
    session, browser = await new_session(http), ScriptedBrowser("a")
    item = {"location": "local", "trackName": name, "mid": browser.add("audio", direction), **(extra or {})}
    body = {"sessionDescription": {"type": "offer", "sdp": browser.offer()}, "tracks": [item]}
    answer = await http.post(f"{base}/sessions/{session}/tracks/new", json=body)
    assert answer.status_code == 200, answer.text
    browser.accept(answer.json()["sessionDescription"]["sdp"])
    return session, browser
