"""`POST /v1/realtime/client_secrets`, and honest answers for the parts of the Realtime surface that are not served.

Source: Realtime API, "Create client secret". Neighbours: `session_start`, `parley.auth.client_secrets`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from litestar import HttpMethod, Request, post, route
from litestar.di import NamedDependency
from msgspec import UNSET, UnsetType

from parley.auth.client_secrets import DEFAULT_LIFETIME_S, MAX_LIFETIME_S, MIN_LIFETIME_S, TooManySecrets
from parley.auth.permissions import Permission
from parley.auth.scope import UNBOUNDED, Scope, read_scope
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.session_config import SessionObject, session_object
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem, validation_problem
from parley.server.unserved import UNSERVED_PATHS, unserved

__all__ = ["ROUTES", "ExpiresAfter", "SecretValue", "lifetime_seconds", "mint", "read_body"]

_Shape = TypeVar("_Shape")


class ExpiresAfter(msgspec.Struct, frozen=True):
    """When the secret expires: `seconds` (10 to 7200) after its creation."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = DEFAULT_LIFETIME_S


class SecretRequest(msgspec.Struct, frozen=True):
    """Everything is optional. `session` is the configuration that sessions of the secret start with, `parley` a scope:
    what its bearer may do and see (docs/client-secrets.md).
    """

    expires_after: ExpiresAfter | None = None
    session: dict[str, Any] | None = None
    parley: dict[str, Any] | None = None


class SecretValue(msgspec.Struct, frozen=True):
    """A minted secret. `expires_at` in Unix seconds."""

    value: str
    expires_at: int


class ScopeEcho(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scope of a minted secret, as it is enforced."""

    locked: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    client_events: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    max_session_seconds: int | None = None
    max_tokens: int | None = None
    max_sessions: int | None = None


class MintedSecret(msgspec.Struct, frozen=True):
    """The secret, at the top and once more as `client_secret`, where older clients look; and the effective session."""

    value: str
    expires_at: int
    session: SessionObject
    client_secret: SecretValue
    parley: ScopeEcho | UnsetType = UNSET


@post(
    "/v1/realtime/client_secrets",
    status_code=200,
    tags=["realtime"],
    opt={PERMISSION: Permission.MINT_SECRET},
    request_max_body_size=1 << 20,
)
async def create_client_secret(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> MintedSecret:
    """Mint a short-lived secret with which a browser may start sessions, as often as it likes until it expires.

    Body: `{"expires_after": {"anchor": "created_at", "seconds": 10…7200}, "session": {…}, "parley": {…}}`, all
    optional. `parley` bounds what the bearer may do: `lock`, `hide`, `client_events`, `origins`,
    `max_session_seconds`, `max_tokens`, `max_sessions`.
    """
    asked = await read_body(request, SecretRequest)
    seconds = lifetime_seconds(asked.expires_after, "expires_after.seconds")
    config = parts.door.checked(asked.session)
    scope = asked_scope(asked.parley)
    minted = await mint(parts, asked.session, seconds, scope, request.scope["state"]["principal"].account)
    return MintedSecret(
        value=minted.value,
        expires_at=minted.expires_at,
        session=session_object(config, session_id=parts.ids("sess"), expires_at=0),
        client_secret=minted,
        parley=UNSET if asked.parley is None else _echo(scope),
    )


def _echo(scope: Scope) -> ScopeEcho:
    return ScopeEcho(
        locked=scope.locked,
        hidden=tuple(sorted(scope.hide)),
        client_events=None if scope.client_events is None else tuple(sorted(scope.client_events)),
        origins=scope.origins,
        max_session_seconds=scope.max_session_seconds,
        max_tokens=scope.max_tokens,
        max_sessions=scope.max_sessions,
    )


def lifetime_seconds(expires_after: ExpiresAfter | None, param: str) -> int:
    """Give how long a secret is to live. Raises `Problem` for what is out of range, at `param`."""
    seconds = (expires_after or ExpiresAfter()).seconds
    if not MIN_LIFETIME_S <= seconds <= MAX_LIFETIME_S:
        words = f"'{param}' is {MIN_LIFETIME_S} to {MAX_LIFETIME_S}, not {seconds}."
        raise Problem(400, words, code="invalid_value", param=param)
    return seconds


def asked_scope(raw: Any) -> Scope:
    """Read the `parley` object of a mint's body; None bounds nothing. Raises `Problem`."""
    scope = read_scope(raw, param="parley") if raw is not None else UNBOUNDED
    if isinstance(scope, ClientFault):
        raise Problem(400, scope.message, code=scope.code, param=scope.param, type=scope.type)
    return scope


async def read_body(request: Request[Any, Any, Any], shape: type[_Shape]) -> _Shape:
    """Read a JSON body whose members are all optional; no body is an empty one. Raises `Problem`."""
    body = await request.body()
    if not body.strip():
        return shape()
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise validation_problem(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, "The body is not valid JSON. Send one JSON object.", code="invalid_json") from None


async def mint(
    parts: Parts,
    session: dict[str, Any] | None,
    lifetime_s: int,
    scope: Scope = UNBOUNDED,
    minted_by: str = "",
    dialect: Dialect = Dialect.GA,
) -> SecretValue:
    """Make a secret that carries `session`, which must have been checked. Raises `Problem` when the store is full."""
    try:
        value, secret = await parts.secrets.mint(
            lifetime_s=lifetime_s,
            session=msgspec.json.encode(session) if session else None,
            scope=scope,
            minted_by=minted_by,
            dialect=dialect,
        )
    except TooManySecrets:
        words = "Too many client secrets are waiting to expire. Try again later, or mint with a shorter lifetime."
        raise Problem(
            429, words, code="rate_limit_exceeded", type="rate_limit_error", headers={"retry-after": "10"}
        ) from None
    return SecretValue(value, secret.expires_at)


_EVERY_METHOD = [HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE]


@route(
    [path for start in UNSERVED_PATHS for path in (start, start + "/{rest:path}")],
    http_method=_EVERY_METHOD,
    include_in_schema=False,
    opt={PERMISSION: Permission.START_SESSION},
)
async def not_served(request: Request[Any, Any, Any]) -> None:
    """Say that a known part of the vendor's surface is not served, and what is."""
    problem = unserved(request.scope["path"])
    if problem is not None:
        raise problem


@route("/v1/realtime", http_method=HttpMethod.GET, include_in_schema=False, opt={PERMISSION: Permission.START_SESSION})
async def only_by_upgrade() -> None:
    """Say that the address is a WebSocket's."""
    words = "/v1/realtime is a WebSocket. Connect with an upgrade request."
    raise Problem(426, words, code="upgrade_required", headers={"upgrade": "websocket"})


ROUTES: tuple[Any, ...] = (create_client_secret, only_by_upgrade, not_served)
