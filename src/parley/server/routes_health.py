"""`/healthz` (the process answers), `/readyz` (every engine is warm), `/metrics` (Prometheus)."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from parley.auth.permissions import Permission
from parley.calls.service import CallsService
from parley.observe.metrics import CONTENT_TYPE
from parley.server.parts import PERMISSION, Parts

__all__ = ["ROUTES"]


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """`state` is starting, warming, ready, degraded, failed or draining; `problems` says per stage what is missing, and
    under `agents` why the newest settings file is not in use.

    `media` is open, closed (the server comes or goes), or off (there is no media port).
    """

    ready: bool
    state: str
    media: str
    problems: dict[str, str]


@get("/healthz", tags=["operation"])
async def healthz() -> Health:
    """Answer at once, whatever the engines do."""
    return Health("ok")


@get("/readyz", tags=["operation"])
async def readyz(parts: NamedDependency[Parts]) -> Response[Readiness]:
    """Answer 200 when every engine is warm, else 503 with what is missing, in detail on servers without keys."""
    media = "off" if parts.media is None else "open" if parts.media.live else "closed"
    ready = parts.room.state == "ready" and media != "closed"
    problems = dict(parts.room.problems)
    if parts.door.agents.problem:
        problems["agents"] = parts.door.agents.problem
    if parts.keys:
        problems = dict.fromkeys(problems, "not ready; see the log")
    body = Readiness(ready, parts.room.state, media, problems)
    headers = {"cache-control": "no-store"} | ({} if ready else {"retry-after": "1"})
    return Response(body, status_code=200 if ready else 503, headers=headers)


@get("/metrics", tags=["operation"], opt={PERMISSION: Permission.OPERATE}, media_type="text/plain")
async def metrics(parts: NamedDependency[Parts], calls: NamedDependency[CallsService]) -> Response[bytes]:
    """Give counters and latencies in Prometheus' text format."""
    await calls.look()
    return Response(parts.metrics.render(), media_type=CONTENT_TYPE)


ROUTES: tuple[Any, ...] = (healthz, readyz, metrics)
