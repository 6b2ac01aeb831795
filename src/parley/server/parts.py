"""What the routes work with, put together once by `app` and handed to each route as `parts`.

Also the guard that checks a route's permission, so that no route can forget it: `parts_guard` refuses any route below
`/v1` that declares none. Neighbours: `app` (makes them), `gate` (recognises the principal).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from parley.auth.client_secrets import SecretStore
from parley.auth.invitations import Invitations
from parley.auth.keys import ApiKeys
from parley.auth.pages import PageSessions, SignInLimit
from parley.auth.permissions import Permission
from parley.engines.base import EngineSet
from parley.media.switchboard import Switchboard
from parley.observe.metrics import ServerMetrics
from parley.protocol.realtime.ids import IdSource
from parley.server.engine_room import EngineRoom, NotReady
from parley.server.problems import Problem
from parley.server.realtime_calls import RealtimeCalls
from parley.server.session_door import SessionDoor
from parley.server.session_start import SessionDefaults

__all__ = ["PERMISSION", "Parts", "parts_guard"]

PERMISSION = "permission"
"""Key of a route's `opt` that holds its `Permission`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The server's parts, each with one owner."""

    version: str
    keys: ApiKeys
    secrets: SecretStore
    pages: PageSessions
    sign_in: SignInLimit
    invitations: Invitations
    root_path: str
    room: EngineRoom
    media: Switchboard | None
    """The media plane; None where the media port is not open."""
    calls: RealtimeCalls
    metrics: ServerMetrics
    defaults: SessionDefaults
    door: SessionDoor
    ids: IdSource
    unix_seconds: Callable[[], float]

    async def engines(self) -> EngineSet:
        """Give the engines, or the problem that says when to ask again."""
        try:
            return await self.room.engines()
        except NotReady as error:
            raise Problem(
                503, str(error), code="server_starting", type="server_error", headers={"retry-after": "2"}
            ) from None


async def parts_guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Check the route's permission against the principal that the gate recognised.

    A coroutine, because the framework takes a plain function to a thread.
    """
    permission = handler.opt.get(PERMISSION)
    principal = connection.scope.get("state", {}).get("principal")
    if permission is None and principal is None:
        return
    if not isinstance(permission, Permission) or principal is None:
        raise Problem(403, "This URL is not open.", code="permission_denied", type="permission_error")
    if not principal.may(permission):
        words = f"A client secret may not {permission.value}. Send an API key."
        raise Problem(403, words, code="permission_denied", type="permission_error")
