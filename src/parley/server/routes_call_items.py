"""`POST /v1/realtime/calls/{call_id}/items`: add an item to a call's conversation over HTTP. An extension of ours.

A data channel bounds its messages, and browsers bound theirs to 256 KiB: a photograph does not fit. Over HTTP it does.
The item goes the way of any client event, through a connection of its own that leaves again, so that secrets bound it
and everybody else sees it. Neighbours: `realtime_calls` (attaches), `routes_realtime_calls` (everything else on calls).
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from parley.auth.permissions import Permission
from parley.protocol.realtime.dialects import Dialect
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem
from parley.server.routes_realtime import read_body
from parley.transports.websocket import Link

__all__ = ["ROUTES"]

_MAX_BYTES = 32 << 20
_ANSWERED_WITHIN_S = 10.0
_EVENT_ID = "item_upload"


@post(
    "/v1/realtime/calls/{call_id:str}/items",
    status_code=201,
    tags=["realtime"],
    opt={PERMISSION: Permission.START_SESSION},
    request_max_body_size=_MAX_BYTES,
)
async def add_item(
    request: Request[Any, Any, Any], parts: NamedDependency[Parts], call_id: FromPath[str]
) -> dict[str, Any]:
    """Add an item to a call's conversation, of any size up to 32 MiB: a picture too large for the data channel.

    Body: as `conversation.item.create`: `{"item": {…}, "previous_item_id": …}`. Answers with the item as it was added.
    """
    body = await read_body(request, dict[str, Any])
    given = body.get("item")
    if not isinstance(given, dict):
        words = 'Send the item as JSON: {"item": {"type": "message", …}}.'
        raise Problem(400, words, code="missing_required_parameter", param="item")
    item: dict[str, Any] = {**given, "id": given.get("id") or parts.ids("item")}
    event = {"type": "conversation.item.create", "event_id": _EVENT_ID, "item": item}
    if "previous_item_id" in body:
        event["previous_item_id"] = body["previous_item_id"]
    link = parts.calls.attach(request.scope["state"]["principal"], call_id, Dialect.GA, request.headers.get("origin"))
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            await link.receive(msgspec.json.encode(event).decode())
            return await _added(link, str(item["id"]))
    except TimeoutError:
        raise Problem(
            503, "The call did not take the item in time. Try again.", code="busy", type="server_error"
        ) from None
    finally:
        link.detach()


async def _added(link: Link, item_id: str) -> dict[str, Any]:
    """Wait for the item, or for what is wrong with it."""
    async for frame in link.frames():
        event: dict[str, Any] = msgspec.json.decode(frame)
        if event["type"] == "conversation.item.done" and event["item"]["id"] == item_id:
            item: dict[str, Any] = event["item"]
            return {"item": item, "previous_item_id": event["previous_item_id"]}
        if event["type"] == "error" and event["error"]["event_id"] == _EVENT_ID:
            error = event["error"]
            raise Problem(400, error["message"], code=error["code"], param=error["param"], type=error["type"])
    raise Problem(404, "The call has ended.", code="call_id_not_found")


ROUTES: tuple[Any, ...] = (add_item,)
