"""`/v1/turn/keys/{key}/…`: TURN credentials for back ends that hold a key's token.

Source: Calls API, "TURN credentials". Neighbours: `parley.calls.turn_credentials`, `routes_calls` (the browser's form).
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from parley.calls.service import CallsService
from parley.protocol.calls import IceServer, IceServersReply, TurnRequest
from parley.server.calls_documents import documented
from parley.server.calls_paths import read_body
from parley.transports.handshake import bearer_of, header_map

__all__ = ["ROUTES"]

Calls = NamedDependency[CallsService]
_Request = Request[Any, Any, Any]


async def _servers(request: _Request, calls: CallsService, key_id: str) -> list[IceServer]:
    calls.turn.check_key(key_id, bearer_of(header_map(request.scope["headers"])))
    asked = await read_body(request, TurnRequest, calls.max_body_bytes, empty=TurnRequest())
    return calls.turn.relays(asked.ttl)


@post("/credentials/generate-ice-servers", status_code=201, operation_class=documented(TurnRequest))
async def generate_ice_servers(request: _Request, calls: Calls, key_id: FromPath[str]) -> IceServersReply:
    """Make a TURN credential and give the list of ICE servers."""
    return IceServersReply(await _servers(request, calls, key_id))


@post("/credentials/generate", status_code=201, operation_class=documented(TurnRequest))
async def generate(request: _Request, calls: Calls, key_id: FromPath[str]) -> IceServersReply:
    """Make a TURN credential and give it with every URL in one object, the older form."""
    servers = await _servers(request, calls, key_id)
    urls = [url for server in servers for url in server.urls]
    last = servers[-1] if servers else IceServer([])
    return IceServersReply(IceServer(urls, last.username, last.credential))


@post("/credentials/{username:str}/revoke", status_code=204)
async def revoke(request: _Request, calls: Calls, key_id: FromPath[str], username: FromPath[str]) -> Response[None]:
    """Forget a credential. A relay that holds the shared secret takes it until it expires: keep lifetimes short."""
    # DEVIATION: nothing can be taken back. The credential is a signature that the relay checks without asking us.
    calls.turn.check_key(key_id, bearer_of(header_map(request.scope["headers"])))
    return Response(None, status_code=204)


_HANDLERS: tuple[Any, ...] = (generate_ice_servers, generate, revoke)
ROUTES: tuple[Router, ...] = (
    Router("/v1/turn/keys/{key_id:str}", route_handlers=_HANDLERS, tags=["calls"]),
    Router(
        "/turn/keys/{key_id:str}",
        route_handlers=_HANDLERS,
        include_in_schema=False,
    ),
)
