"""`POST /v1/realtime/calls` and what can be done with a call; also the retired form, an offer to `/v1/realtime`.

Source: Realtime API, "Create call", "Hang up call"; the restart of ICE is ours. SIP's verbs answer 501.
Neighbours: `realtime_calls` does the work, `offer_body` reads what was posted.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from parley.auth.permissions import Permission, Principal
from parley.protocol.realtime.dialects import Dialect
from parley.server.offer_body import MAX_OFFER_BODY_BYTES, OfferBody, read_offer_body
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem
from parley.server.realtime_entry import dialect_of
from parley.server.session_door import Asked

__all__ = ["ROUTES"]

_SDP = "application/sdp"
_BETA_FIELDS = ("instructions", "voice")
_SIP_VERBS = frozenset({"accept", "reject", "refer"})
_OPT = {PERMISSION: Permission.START_SESSION}


@post(
    "/v1/realtime/calls",
    status_code=201,
    tags=["realtime"],
    opt=_OPT,
    request_max_body_size=MAX_OFFER_BODY_BYTES,
)
async def create_call(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> Response[str]:
    """Place a call: post a WebRTC offer, get the answer. `Location` names the call.

    Body: the offer as `application/sdp`, or `multipart/form-data` with `sdp` and, optional, `session` (JSON). With a
    client secret the session starts as the secret says. `?model=` is taken as well.
    """
    asks_for_beta = "realtime=v1" in request.headers.get("openai-beta", "")
    dialect = dialect_of(_who(request), asks_for_beta=asks_for_beta)
    return await _placed(request, parts, await _body(request), dialect)


@post("/v1/realtime", status_code=201, tags=["realtime"], opt=_OPT, request_max_body_size=MAX_OFFER_BODY_BYTES)
async def create_beta_call(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> Response[str]:
    """Place a call as before 2026: an offer as `application/sdp`; `model`, `voice`, `instructions` in the query.

    Events are spelled as they were then.
    """
    body = await _body(request)
    if body.session is None:
        fields = {name: request.query_params[name] for name in _BETA_FIELDS if name in request.query_params}
        body = OfferBody(body.sdp, fields or None)
    return await _placed(request, parts, body, Dialect.BETA)


@post(
    "/v1/realtime/calls/{call_id:str}",
    status_code=200,
    tags=["realtime"],
    opt=_OPT,
    request_max_body_size=MAX_OFFER_BODY_BYTES,
)
async def restart_ice(
    request: Request[Any, Any, Any], parts: NamedDependency[Parts], call_id: FromPath[str]
) -> Response[str]:
    """Restart a call's ICE after a change of network: post the offer of `createOffer({iceRestart: true})`.

    Session and conversation go on.
    """
    answer = parts.calls.restart(_who(request), call_id, (await _body(request)).sdp, _origin(request))
    return Response(answer, media_type=_SDP)


@post("/v1/realtime/calls/{call_id:str}/{verb:str}", status_code=200, tags=["realtime"], opt=_OPT)
async def act_on_call(
    request: Request[Any, Any, Any], parts: NamedDependency[Parts], call_id: FromPath[str], verb: FromPath[str]
) -> Response[bytes]:
    """`hangup`: end the call; its data channel and every sideband close. `accept`, `reject`, `refer` need SIP: 501."""
    if verb in _SIP_VERBS:
        words = f"`{verb}` is for SIP calls, and this server has no SIP trunk. Place WebRTC calls: /v1/realtime/calls."
        raise Problem(501, words, code="not_implemented", type="server_error", headers={"x-should-retry": "false"})
    if verb != "hangup":
        words = "A call knows `hangup`, and POST of an offer to the call itself."
        raise Problem(404, words, code="unknown_url")
    parts.calls.hang_up(_who(request), call_id, _origin(request))
    return Response(b"", media_type="text/plain")


async def _placed(request: Request[Any, Any, Any], parts: Parts, body: OfferBody, dialect: Dialect) -> Response[str]:
    asked = Asked(
        model=request.query_params.get("model") or None,
        session=body.session,
        origin=_origin(request),
    )
    answered = await parts.calls.place(_who(request), asked, body.sdp, dialect)
    return Response(
        answered.answer,
        status_code=201,
        media_type=_SDP,
        headers={"location": f"/v1/realtime/calls/{answered.call_id}", "cache-control": "no-store"},
    )


async def _body(request: Request[Any, Any, Any]) -> OfferBody:
    return read_offer_body(request.headers.get("content-type", ""), await request.body())


def _who(request: Request[Any, Any, Any]) -> Principal:
    who: Principal = request.scope["state"]["principal"]
    return who


def _origin(request: Request[Any, Any, Any]) -> str | None:
    return request.headers.get("origin")


ROUTES: tuple[Any, ...] = (create_call, create_beta_call, restart_ice, act_on_call)
