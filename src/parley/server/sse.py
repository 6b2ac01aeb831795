"""Server-sent events: one JSON object per event, and errors that come after the first byte told as an event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from litestar.response import Stream

from parley.engines.base import EngineError
from parley.server.problems import engine_problem, problem_body

__all__ = ["EVENT_STREAM_HEADERS", "event", "event_stream"]

EVENT_STREAM_HEADERS: Mapping[str, str] = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def event(value: Mapping[str, Any]) -> bytes:
    """Spell one event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def event_stream(events: AsyncIterator[bytes]) -> Stream:
    """Answer with `events`; an engine that fails midway ends them with an `error` event."""
    return Stream(_told(events), media_type="text/event-stream", headers=dict(EVENT_STREAM_HEADERS))


async def _told(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for one in events:
            yield one
    except EngineError as error:
        yield b"data: " + problem_body(engine_problem(error)) + b"\n\n"
