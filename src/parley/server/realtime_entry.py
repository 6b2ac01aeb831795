"""How a realtime WebSocket gets its session: policy, credential, configuration, capacity, in that order.

Every refusal is an `error` event and a close code that tells clients whether to come again: 3000 for a bad credential,
1008 for a wrong site, 4000 for what will never work, 1013 for later (Realtime API, "Handshake failures").
Neighbours: `parley.transports.websocket` (asks and carries), `engine_room` (has the supervisor).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from parley.auth.client_secrets import SecretStore
from parley.auth.keys import ApiKeys
from parley.auth.permissions import Refusal, SitePolicy, identify
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.errors import ClientFault
from parley.runtime.supervisor import AtCapacity, SessionEnded
from parley.server.engine_room import EngineRoom, NotReady
from parley.server.session_start import SessionDefaults, config_from_secret
from parley.transports.handshake import Handshake
from parley.transports.websocket import Link, Refused

__all__ = ["BAD_CREDENTIAL", "LATER", "NEVER", "WRONG_SITE", "RealtimeEntry"]

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
    room: EngineRoom
    defaults: SessionDefaults

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
        call_id = handshake.query.get("call_id")
        if call_id:
            return Refused("call_id_not_found", "There is no call of that id on this server.", NEVER, param="call_id")
        minted = config_from_secret(who.secret.session if who.secret else None)
        config = self.defaults.start(minted, model=handshake.model, intent=handshake.query.get("intent"))
        if isinstance(config, ClientFault):
            return Refused(config.code, config.message, NEVER, config.type, config.param)
        try:
            supervisor = await self.room.supervisor()
            return (await supervisor.open(config)).attach(dialect=_dialect(handshake))
        except NotReady as error:
            return Refused("server_starting", str(error), LATER, "server_error")
        except AtCapacity as error:
            return Refused("rate_limit_exceeded", error.reason, LATER, "rate_limit_error")
        except SessionEnded:
            return Refused("server_starting", "The server is shutting down.", LATER, "server_error")


def _dialect(handshake: Handshake) -> Dialect:
    """Choose the spelling of events. Beta clients get GA events; their requests are translated either way."""
    return Dialect.GA
