"""How a realtime WebSocket gets its session: policy, credential, configuration, capacity, in that order.

Every refusal is an `error` event and a close code that tells clients whether to come again: 3000 for a bad credential,
1008 for a wrong site, 4000 for what will never work, 1013 for later (Realtime API, "Handshake failures"); but for a
sideband to an unknown call, whose upgrade is answered 404.
Neighbours: `parley.transports.websocket` (asks and carries), `session_door` (begins the session).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from parley.auth.client_secrets import SecretStore
from parley.auth.keys import ApiKeys
from parley.auth.permissions import Principal, Refusal, SitePolicy, identify
from parley.auth.rates import RequestRates
from parley.protocol.realtime.dialects import Dialect
from parley.runtime.supervisor import SessionEnded
from parley.server.problems import Problem
from parley.server.realtime_calls import RealtimeCalls
from parley.server.session_door import Asked, SessionDoor, close_code
from parley.transports.handshake import Handshake
from parley.transports.websocket import Link, Refused

__all__ = ["BAD_CREDENTIAL", "LATER", "NEVER", "WRONG_SITE", "RealtimeEntry", "dialect_of"]

BAD_CREDENTIAL = 3000
WRONG_SITE = 1008
NEVER = 4000
LATER = 1013

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RealtimeEntry:
    """Open sessions for handshakes; `open` is the transport's `Opener`."""

    policy: SitePolicy
    keys: ApiKeys
    secrets: SecretStore
    door: SessionDoor
    calls: RealtimeCalls
    rates: RequestRates | None = None

    async def open(self, handshake: Handshake) -> Link | Refused:
        """Judge the handshake and attach it to a session."""
        outcome = await self._open(handshake)
        if isinstance(outcome, Refused):
            log.info("connection refused", extra={"code": outcome.code, "close_code": outcome.close_code})
        return outcome

    async def _open(self, handshake: Handshake) -> Link | Refused:
        refusal = self.policy.refuse(handshake.host, handshake.origin)
        if refusal is not None:
            return Refused(refusal.code, refusal.message, WRONG_SITE, refusal.type)
        who = await identify(handshake.bearer, self.keys, self.secrets)
        if isinstance(who, Refusal):
            return Refused(who.code, who.message, BAD_CREDENTIAL, who.type)
        refused = self.rates.refuse(who.account) if self.rates is not None else None
        if refused is not None:
            return Refused(refused[0].code, refused[0].message, LATER, refused[0].type)
        if handshake.call_id:
            return self._sideband(who, handshake.call_id, handshake)
        asked = Asked(model=handshake.model, intent=handshake.query.get("intent"), origin=handshake.origin)
        try:
            opened = await self.door.open(who, asked)
            return opened.handle.attach(
                dialect=dialect_of(who, asks_for_beta=handshake.asks_for_beta), permit=opened.permit
            )
        except Problem as problem:
            return _refused(problem)
        except SessionEnded:
            return Refused("server_starting", "The server is shutting down.", LATER, "server_error")

    def _sideband(self, who: Principal, call_id: str, handshake: Handshake) -> Link | Refused:
        try:
            dialect = dialect_of(who, asks_for_beta=handshake.asks_for_beta)
            return self.calls.attach(who, call_id, dialect, handshake.origin)
        except Problem as problem:
            return _refused(problem, status=problem.status)


def _refused(problem: Problem, status: int | None = None) -> Refused:
    code = problem.code or "invalid_request"
    return Refused(code, problem.message, close_code(problem), problem.type, problem.param, status)


def dialect_of(who: Principal, *, asks_for_beta: bool) -> Dialect:
    """Choose the spelling of a connection's events (Realtime API, "Choosing the dialect")."""
    minted_for_beta = who.secret is not None and who.secret.dialect is Dialect.BETA
    return Dialect.BETA if asks_for_beta or minted_for_beta else Dialect.GA
