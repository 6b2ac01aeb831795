"""The one door through which every realtime session begins, whatever the transport: who may open which session.

In order: the origin that the scope names, the agent or plain model that is asked for, the configuration (server's
defaults, agent's, secret's, then the caller's own as far as it may), the tab on every account that pays, the engines,
and capacity. What does not pass is a `Problem`, whose status `close_code` turns into a WebSocket's.
Neighbours: `session_start` (merges configurations), `realtime_entry` and the routes of calls (ask), `agent_book`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from parley.agents.agent import Agent
from parley.agents.greeting import reciting, with_greeting
from parley.auth.ledger import Claim, Ledger, Tab
from parley.auth.permissions import Principal, Refusal
from parley.auth.rates import LOCAL, RequestRates
from parley.auth.scope import UNBOUNDED, Scope
from parley.auth.scope_permit import ScopePermit
from parley.engines.base import EngineError
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.equipment import Equipment
from parley.runtime.permit import Permit
from parley.runtime.playout import Playout
from parley.runtime.supervisor import AtCapacity, SessionHandle, Supervisor
from parley.server.agent_book import AgentBook, agent_scope
from parley.server.agent_file import ListedAgent
from parley.server.engine_room import EngineRoom, NotReady
from parley.server.problems import Problem, engine_problem
from parley.server.session_start import SessionDefaults, config_from_secret
from parley.server.workshop import Workshop

__all__ = ["Asked", "Opened", "SessionDoor", "SessionPlan", "check_origin", "close_code"]

_CLOSE_CODES = {401: 3000, 403: 1008, 429: 1013, 503: 1013}
_NEVER = 4000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for. `session` is the raw object it sent along, which a scope may cut."""

    model: str | None = None
    intent: str | None = None
    session: Mapping[str, Any] | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A session that may begin: its configuration, and what its client may do with it."""

    config: SessionConfig
    scope: Scope
    agent: Agent | None = None
    claims: tuple[Claim, ...] = ()

    @property
    def permit(self) -> Permit | None:
        """What restricts the client's connections; None if nothing does."""
        return ScopePermit(self.scope) if self.scope.binds else None


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that runs. Attach the client's connections with `permit`; those of the operator need none."""

    handle: SessionHandle
    permit: Permit | None
    config: SessionConfig
    scope: Scope


@dataclass(frozen=True, slots=True)
class SessionDoor:
    """See the module. `sessions_per_key` bounds what one API key and its secrets hold at once; None for no bound."""

    defaults: SessionDefaults
    room: EngineRoom
    ledger: Ledger
    agents: AgentBook
    workshop: Workshop
    max_session_seconds: int
    sessions_per_key: int | None = None
    rates: RequestRates | None = None

    def plan(self, who: Principal, asked: Asked) -> SessionPlan:
        """Settle what would begin, without beginning it. Raises `Problem`."""
        scope = who.secret.scope if who.secret else UNBOUNDED
        minted = config_from_secret(who.secret.session if who.secret else None)
        own = dict(asked.session or {})
        model = _model(minted) or (None if scope.locks("model") else asked.model or _model(own))
        listed = self.agents.find(model)
        if listed is not None:
            if who.restricted and not _model(minted):
                words = f"This client secret was not minted for the agent '{model}'. Mint it with that session.model."
                raise Problem(403, words, code="permission_denied", type="permission_error", param="model")
            scope = scope.and_also(agent_scope(listed, by_secret=who.secret is not None))
        check_origin(scope, asked.origin)
        if who.secret is not None:
            own = scope.without_locked(own)
        agent = listed.agent if listed is not None else None
        config = self.defaults.start(minted or own, model=model, intent=asked.intent, agent=agent)
        if minted and own and not isinstance(config, ClientFault):
            config = self.defaults.amended(config, own)
        if isinstance(config, ClientFault):
            raise Problem(400, config.message, code=config.code, param=config.param, type=config.type)
        return SessionPlan(config, scope, agent, tuple(self._claims(who, listed)))

    def checked(self, session: Mapping[str, Any] | None) -> SessionConfig:
        """Give the configuration that sessions of a secret with `session` will start with. Raises `Problem`."""
        listed = self.agents.find(_model(session or {}))
        config = self.defaults.start(dict(session or {}), agent=listed.agent if listed is not None else None)
        if isinstance(config, ClientFault):
            raise Problem(400, config.message, code=config.code, param=config.param, type=config.type)
        return config

    async def sees(self, who: Principal, asked: Asked) -> bool:
        """Whether the model of the session that would begin looks at pictures. Raises `Problem`."""
        plan = self.plan(who, asked)
        await self._supervisor()
        engines = (await self._equipment(plan)).engines or await self.room.engines()
        return plan.config.type == "realtime" and engines.responder.capabilities.images

    async def open(
        self,
        who: Principal,
        asked: Asked,
        *,
        playout: Playout | None = None,
        in_call: bool = False,
        camera: bool = False,
    ) -> Opened:
        """Begin a session; with a `playout` its speech is server-paced, `in_call` it lives until it is hung up.

        With a `camera` its model is shown stills. Raises `Problem`.
        """
        plan = self.plan(who, asked)
        supervisor = await self._supervisor()
        equipment = await self._equipment(plan)
        tab = self._tab(plan, who)
        seconds = min(plan.scope.max_session_seconds or self.max_session_seconds, self.max_session_seconds)
        try:
            handle = await supervisor.open(
                plan.config,
                max_session_ms=seconds * 1000,
                playout=playout,
                equipment=replace(equipment, allowance=tab),
                in_call=in_call,
                camera=camera,
            )
        except AtCapacity as error:
            if tab is not None:
                tab.close()
            raise Problem(
                429, error.reason, code="rate_limit_exceeded", type="rate_limit_error", headers={"retry-after": "5"}
            ) from None
        return Opened(handle, plan.permit, plan.config, plan.scope)

    async def _supervisor(self) -> Supervisor:
        try:
            return await self.room.supervisor()
        except NotReady as error:
            raise Problem(
                503, str(error), code="server_starting", type="server_error", headers={"retry-after": "2"}
            ) from None

    async def _equipment(self, plan: SessionPlan) -> Equipment:
        """Give a session what its agent brings along: engines, tools, first words, words for waiting."""
        agent = plan.agent
        bare = Equipment(tools=self.workshop.tools_for(agent), prompts=self.defaults.prompts)
        if agent is None:
            return bare
        try:
            engines = await self.workshop.engines_for(agent, await self.room.engines())
        except EngineError as error:
            raise engine_problem(error) from None
        return replace(
            bare,
            engines=with_greeting(engines, agent.greeting) if agent.greeting else engines,
            interim=reciting(engines, agent.progress) if agent.progress else None,
            greets=bool(agent.greeting) and plan.config.type == "realtime",
        )

    def _tab(self, plan: SessionPlan, who: Principal) -> Tab | None:
        rates = self.rates
        if not plan.claims and rates is None:
            return None
        account = who.account or LOCAL
        tab = self.ledger.open(plan.claims, None if rates is None else lambda: rates.look(account))
        if isinstance(tab, Refusal):
            problem = Problem.of(tab)
            spent = tab.code == "insufficient_quota"
            problem.headers = {"x-should-retry": "false"} if spent else {"retry-after": "5"}
            raise problem
        return tab

    def _claims(self, who: Principal, listed: ListedAgent | None) -> list[Claim]:
        """Name who pays: an agent's tokens count per session, its sessions together; a secret's, both together."""
        claims: list[Claim] = []
        if listed is not None:
            limits, holder = listed.limits, f"The agent '{listed.agent.name}'"
            if limits.max_tokens is not None:
                claims.append(Claim(None, holder, max_tokens=limits.max_tokens))
            if limits.max_sessions is not None:
                claims.append(Claim(f"agent:{listed.agent.name}", holder, limits.max_sessions))
        if who.secret is not None:
            scope = who.secret.scope
            if scope.max_sessions is not None or scope.max_tokens is not None:
                claims.append(
                    Claim(
                        who.secret.account,
                        "This client secret",
                        scope.max_sessions,
                        scope.max_tokens,
                        keep_until=who.secret.expires_at,
                    )
                )
        if self.sessions_per_key is not None and who.account:
            claims.append(Claim(who.account, "This API key", self.sessions_per_key))
        return claims


def check_origin(scope: Scope, origin: str | None) -> None:
    """Raise `Problem` if pages of `origin` may not have to do with a session of `scope`."""
    if not scope.admits_origin(origin):
        words = "Pages of this origin may not use this session: it is for those that its minter or its agent lists."
        raise Problem(403, words, code="origin_not_allowed")


def close_code(problem: Problem) -> int:
    """Give the WebSocket close code: 1013 invites another attempt, 4000 does not (Realtime API, "Close codes")."""
    return _NEVER if problem.code == "insufficient_quota" else _CLOSE_CODES.get(problem.status, _NEVER)


def _model(session: Mapping[str, Any]) -> str | None:
    model = session.get("model")
    return model if isinstance(model, str) and model else None
