"""Placing calls over HTTP on a server whose media plane is in memory and keeps real time; the far end's events.

Neighbours: `call_kit` (calls in virtual time, without HTTP), `calls_over_http` (the Calls API).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from running_server import RunningServer, running_server
from sdp_kit import offer_text
from ticking_plane import ticking_plane

from parley.media.loopback import LoopbackPlane
from parley.media.loopback_remote import LoopbackRemote
from parley.media.peer_spec import PeerId
from parley.server.settings import Settings

__all__ = ["CALLS", "OFFER", "SDP", "call_id_of", "calls_server", "events_of", "form", "place", "remote_of"]

CALLS = "/v1/realtime/calls"
OFFER = offer_text("chromium_audio_and_data")
SDP = {"content-type": "application/sdp"}


@asynccontextmanager
async def calls_server(
    settings: Settings | None = None, **options: Any
) -> AsyncIterator[tuple[RunningServer, LoopbackPlane]]:
    """Run a server whose media plane is in memory and keeps real time."""
    async with ticking_plane() as plane, running_server(settings, plane=plane, **options) as server:
        yield server, plane


def call_id_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].split("/")[-1]


async def place(http: httpx.AsyncClient, offer: str = OFFER, path: str = CALLS) -> str:
    return call_id_of(await http.post(path, content=offer, headers=SDP))


async def remote_of(plane: LoopbackPlane, call_id: str) -> LoopbackRemote:
    async with asyncio.timeout(5):
        while True:
            try:
                return plane.remote(PeerId(call_id))
            except KeyError:
                await asyncio.sleep(0.01)


async def events_of(remote: LoopbackRemote, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while len(remote.messages) < count:
            await asyncio.sleep(0.01)
    return [json.loads(data) for _, data in remote.messages]


def form(*parts: tuple[str, str, str], boundary: str = "frontier") -> dict[str, Any]:
    """A form body: name, further header lines, value."""
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{headers}\r\n\r\n{value}\r\n'
        for name, headers, value in parts
    )
    return {
        "content": f"{body}--{boundary}--\r\n",
        "headers": {"content-type": f"multipart/form-data; boundary={boundary}"},
    }
