"""`POST /v1/realtime/sessions` and `/transcription_sessions`: how clients of the retired beta mint their secrets.

The body is beta's flat session, the answer the effective one with its `client_secret`; sessions of such a secret speak
the beta dialect. Source: Realtime API (beta), "Create session". Neighbours: `routes_realtime` (the current way).
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency

from parley.auth.permissions import Permission
from parley.protocol.realtime.dialects import Dialect, flat_session
from parley.protocol.realtime.session_config import session_object
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem, validation_problem
from parley.server.routes_realtime import ExpiresAfter, asked_scope, lifetime_seconds, mint, read_body

__all__ = ["ROUTES"]


@post(
    "/v1/realtime/sessions",
    status_code=200,
    tags=["realtime beta"],
    opt={PERMISSION: Permission.MINT_SECRET},
    request_max_body_size=1 << 20,
)
async def create_beta_session(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> dict[str, Any]:
    """Mint a secret for a beta client. Body: flat session fields and `client_secret.expires_after`, all optional."""
    # DEVIATION: the vendor's beta secrets lived 60 s and could be used once. Here they are like GA's: 600 s by default.
    return await _minted(request, parts, "realtime", "expires_after")


@post(
    "/v1/realtime/transcription_sessions",
    status_code=200,
    tags=["realtime beta"],
    opt={PERMISSION: Permission.MINT_SECRET},
    request_max_body_size=1 << 20,
)
async def create_beta_transcription_session(
    request: Request[Any, Any, Any], parts: NamedDependency[Parts]
) -> dict[str, Any]:
    """Mint a secret for a beta client's session of transcription. Body: beta's flat fields, all optional."""
    return await _minted(request, parts, "transcription", "expires_at")


_BESIDE = frozenset({"client_secret", "parley"})
"""Members of the body that are no fields of the session."""


async def _minted(request: Request[Any, Any, Any], parts: Parts, kind: str, lifetime: str) -> dict[str, Any]:
    asked = await read_body(request, dict[str, Any])
    session = {name: value for name, value in asked.items() if name not in _BESIDE} | {"type": kind}
    try:
        config = parts.door.checked(session)
    except Problem as problem:
        problem.param = (problem.param or "").removeprefix("session.") or None
        problem.message = problem.message.replace("'session.", "'")
        raise
    seconds = lifetime_seconds(_lifetime(asked.get("client_secret"), lifetime), f"client_secret.{lifetime}.seconds")
    account = request.scope["state"]["principal"].account
    minted = await mint(parts, session, seconds, asked_scope(asked.get("parley")), account, Dialect.BETA)
    flat = flat_session(session_object(config, session_id=parts.ids("sess"), expires_at=0))
    secret = {"value": minted.value, "expires_at": minted.expires_at}
    return {**flat, **secret, "client_secret": secret}


def _lifetime(given: Any, name: str) -> ExpiresAfter | None:
    """Read `client_secret.expires_after` (of transcription sessions: `expires_at`)."""
    at = "client_secret"
    try:
        members = msgspec.convert(given or {}, dict[str, Any])
        at = f"client_secret.{name}"
        return msgspec.convert(members.get(name), ExpiresAfter | None)
    except msgspec.ValidationError as error:
        raise validation_problem(str(error), prefix=at) from None


ROUTES: tuple[Any, ...] = (create_beta_session, create_beta_transcription_session)
