"""The Calls API over HTTP: `/v1/apps/{app}/…` and the same without `/v1`.

Bodies are JSON whatever the content type says, since clients post strings; replies are JSON whatever happens, since
clients parse before they look. Unknown query parameters are ignored.
What lives here: reading requests, spelling replies. What is done: `parley.calls.service`. Errors take their envelope in
`problems`. Source: Calls API, "Endpoint index".
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import HttpMethod, Request, Response, Router, delete, get, post, put, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from parley.calls.access import Access
from parley.calls.service import CallsService
from parley.protocol.calls import (
    ChannelsRequest,
    CloseRequest,
    EstablishReply,
    EstablishRequest,
    IceServersReply,
    NegotiationReply,
    NewSessionReply,
    NewSessionRequest,
    RenegotiateRequest,
    SessionListing,
    SessionsListing,
    SessionStatistics,
    TokenReply,
    TokenRequest,
    TracksReply,
    TracksRequest,
)
from parley.server.calls_documents import documented
from parley.server.calls_paths import read_body
from parley.server.problems import Problem
from parley.transports.handshake import bearer_of, header_map

__all__ = ["ROUTES"]

T = TypeVar("T")
Calls = NamedDependency[CallsService]
_Request = Request[Any, Any, Any]
_SESSION = "/sessions/{session_id:str}"


def _access(request: _Request, calls: CallsService, app_id: str) -> Access:
    return calls.authorize(app_id, bearer_of(header_map(request.scope["headers"])))


@post("/sessions/new", status_code=201, operation_class=documented(NewSessionRequest))
async def new_session(request: _Request, calls: Calls, app_id: FromPath[str]) -> NewSessionReply:
    """Make a session. The body may be empty, or hold an offer, which is answered.

    `thirdparty=true`: the far end is a server; we connect to it. `correlationId`: a label for lists and logs.
    """
    access = _access(request, calls, app_id)
    asked = await read_body(request, NewSessionRequest, calls.max_body_bytes, empty=NewSessionRequest())
    third_party = request.query_params.get("thirdparty", "").lower() in {"true", "1"}
    label = request.query_params.get("correlationId", "")
    return await calls.new_session(access, asked, third_party=third_party, correlation_id=label)


@get("/sessions")
async def list_sessions(request: _Request, calls: Calls, app_id: FromPath[str]) -> SessionsListing:
    """List the app's sessions (extension)."""
    return SessionsListing(calls.sessions(_access(request, calls, app_id)))


@get(_SESSION)
async def show_session(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> SessionListing:
    """List a session's tracks and data channels."""
    return calls.listing(_access(request, calls, app_id), session_id)


@get(_SESSION + "/statistics")
async def show_statistics(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> SessionStatistics:
    """Tell packets, loss, jitter, layers and the estimate of a session, track by track (extension)."""
    return await calls.statistics(_access(request, calls, app_id), session_id)


@delete(_SESSION, status_code=200)
async def delete_session(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> dict[str, Any]:
    """End a session (extension)."""
    calls.delete_session(_access(request, calls, app_id), session_id)
    return {}


@post(_SESSION + "/tracks/new", status_code=200, operation_class=documented(TracksRequest))
async def new_tracks(request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]) -> TracksReply:
    """Publish (local) or pull (remote) up to 64 tracks."""
    access = _access(request, calls, app_id)
    return await calls.new_tracks(access, session_id, await read_body(request, TracksRequest, calls.max_body_bytes))


@put(_SESSION + "/renegotiate", operation_class=documented(RenegotiateRequest))
async def renegotiate(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> NegotiationReply:
    """Deliver the answer to our offer, or an offer that restarts ICE."""
    access = _access(request, calls, app_id)
    return await calls.renegotiate(
        access, session_id, await read_body(request, RenegotiateRequest, calls.max_body_bytes)
    )


@put(_SESSION + "/tracks/close", operation_class=documented(CloseRequest))
async def close_tracks(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> TracksReply:
    """Close tracks by mid, by the client's offer or by force."""
    access = _access(request, calls, app_id)
    return await calls.close_tracks(access, session_id, await read_body(request, CloseRequest, calls.max_body_bytes))


@put(_SESSION + "/tracks/update", operation_class=documented(TracksRequest))
async def update_tracks(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> TracksReply:
    """Change the source or the simulcast layer of what is pulled."""
    access = _access(request, calls, app_id)
    return await calls.update_tracks(access, session_id, await read_body(request, TracksRequest, calls.max_body_bytes))


@post(_SESSION + "/datachannels/establish", status_code=200, operation_class=documented(EstablishRequest))
async def establish(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> EstablishReply:
    """Negotiate data channels and open `server-events`."""
    access = _access(request, calls, app_id)
    asked = await read_body(request, EstablishRequest, calls.max_body_bytes, empty=EstablishRequest())
    return await calls.establish(access, session_id, asked)


@post(_SESSION + "/datachannels/new", status_code=200, operation_class=documented(ChannelsRequest))
async def new_channels(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> ChannelsRequest:
    """Publish (local) or subscribe (remote) data channels."""
    access = _access(request, calls, app_id)
    return await calls.new_channels(access, session_id, await read_body(request, ChannelsRequest, calls.max_body_bytes))


@put(_SESSION + "/datachannels/update", operation_class=documented(ChannelsRequest))
async def update_channels(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> ChannelsRequest:
    """Give or take the right to answer on a subscribed channel."""
    access = _access(request, calls, app_id)
    return await calls.update_channels(
        access, session_id, await read_body(request, ChannelsRequest, calls.max_body_bytes)
    )


@put(_SESSION + "/datachannels/close", operation_class=documented(ChannelsRequest))
async def close_channels(
    request: _Request, calls: Calls, app_id: FromPath[str], session_id: FromPath[str]
) -> ChannelsRequest:
    """Close data channels by id."""
    access = _access(request, calls, app_id)
    return await calls.close_channels(
        access, session_id, await read_body(request, ChannelsRequest, calls.max_body_bytes)
    )


@post("/tokens", status_code=201, operation_class=documented(TokenRequest))
async def mint_token(request: _Request, calls: Calls, app_id: FromPath[str]) -> TokenReply:
    """Mint a client token (extension): for one session or some, some tracks, or listening only."""
    access = _access(request, calls, app_id)
    return calls.mint_token(access, await read_body(request, TokenRequest, calls.max_body_bytes, empty=TokenRequest()))


@get("/generate-ice-servers")
async def app_ice_servers(request: _Request, calls: Calls, app_id: FromPath[str]) -> Response[bytes]:
    """Give ICE servers to browsers that use the app's URL without a proxy (extension).

    Without a secret or a token, only servers that need no credential: a relay is not open to strangers.
    """
    bearer = bearer_of(header_map(request.scope["headers"]))
    if bearer:
        calls.authorize(app_id, bearer)
        servers = calls.turn.relays(_ONE_DAY_S)
    elif app_id in calls.app_ids:
        servers = calls.turn.open_servers()
    else:
        raise Problem(404, "No such app. Start the server with --calls-app ID:SECRET.", code="not_found")
    return Response(
        msgspec.json.encode(IceServersReply(servers)),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


_ONE_DAY_S = 86_400
_EVERY_METHOD = [HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE]


@route(
    ["/adapters/websocket/{verb:str}", "/whip", "/whip/{rest:path}", "/whep", "/whep/{rest:path}"],
    http_method=_EVERY_METHOD,
    include_in_schema=False,
)
async def not_served(request: _Request, calls: Calls, app_id: FromPath[str]) -> None:
    """Say what is missing."""
    _access(request, calls, app_id)
    what = "WebSocket adapters are" if "/adapters/" in request.url.path else "WHIP and WHEP are"
    words = f"{what} not served by this version. Publish and pull over WebRTC with sessions/new and tracks/new."
    raise Problem(501, words, code="not_implemented")


_HANDLERS: tuple[Any, ...] = (
    new_session,
    list_sessions,
    show_session,
    show_statistics,
    delete_session,
    new_tracks,
    renegotiate,
    close_tracks,
    update_tracks,
    establish,
    new_channels,
    update_channels,
    close_channels,
    mint_token,
    app_ice_servers,
    not_served,
)
ROUTES: tuple[Router, ...] = (
    Router("/v1/apps/{app_id:str}", route_handlers=_HANDLERS, tags=["calls"]),
    Router(
        "/apps/{app_id:str}",
        route_handlers=_HANDLERS,
        include_in_schema=False,
    ),
)
