"""The composition root: settings in, one ASGI application and the engine room out. No logic lives here.

Order of things around a request: `serving` (socket, uvicorn) → `gate` (policy, credential, ids) → realtime endpoint, or
the framework's routes (`routes_*`) → engines through `engine_room`.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig

import parley
from parley.agents.addresses import AddressGuard, read_allowed
from parley.agents.errors import AgentError
from parley.agents.prompts import PromptFolder
from parley.auth.client_secrets import MemorySecretStore
from parley.auth.invitations import Invitations
from parley.auth.keys import ApiKeys
from parley.auth.ledger import Ledger
from parley.auth.pages import PageSessions, SignInLimit
from parley.auth.permissions import SitePolicy
from parley.auth.rates import RequestRates
from parley.calls.service import CallsService
from parley.engines.base import Engine, EngineSet
from parley.engines.catalog import StageSettings, build_engine
from parley.engines.local.store import default_models_dir
from parley.media.plane import MediaPlane
from parley.media.switchboard import Switchboard
from parley.observe.metrics import ServerMetrics
from parley.protocol.realtime.ids import IdKind, IdSource
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.clock import SystemClock
from parley.runtime.limits import Limits
from parley.runtime.supervisor import Supervisor
from parley.server import (
    routes_audio,
    routes_beta,
    routes_call_items,
    routes_calls,
    routes_chat,
    routes_docs,
    routes_health,
    routes_models,
    routes_pages,
    routes_realtime,
    routes_realtime_calls,
    routes_turn,
)
from parley.server.agent_book import AgentBook
from parley.server.calls_start import make_calls_service
from parley.server.engine_room import EngineRoom
from parley.server.gate import App, Gate
from parley.server.page_files import PageFiles
from parley.server.parts import Parts, parts_guard
from parley.server.problems import exception_handlers
from parley.server.realtime_calls import RealtimeCalls
from parley.server.realtime_entry import RealtimeEntry
from parley.server.session_door import SessionDoor
from parley.server.session_start import SessionDefaults
from parley.server.settings import ConfigError, Settings
from parley.server.workshop import Workshop
from parley.transports.websocket import RealtimeWebSocket

__all__ = ["MAX_BODY_BYTES", "ParleyApp", "create_app", "limits_of", "random_ids"]

MAX_BODY_BYTES = 8 << 20
"""What a JSON body may weigh; uploads of audio have their own bound."""

_ROUTES = (
    *routes_health.ROUTES,
    *routes_beta.ROUTES,
    *routes_call_items.ROUTES,
    *routes_realtime.ROUTES,
    *routes_realtime_calls.ROUTES,
    *routes_calls.ROUTES,
    *routes_turn.ROUTES,
    *routes_models.ROUTES,
    *routes_audio.ROUTES,
    *routes_chat.ROUTES,
    *routes_pages.ROUTES,
    *routes_docs.ROUTES,
)


@dataclass(frozen=True, slots=True)
class ParleyApp:
    """The server without a socket: `asgi` answers requests, `room.run()` gives it engines and sessions, `calls.run()`
    WebRTC.
    """

    asgi: App
    room: EngineRoom
    calls: RealtimeCalls
    sfu: CallsService
    parts: Parts


def create_app(
    settings: Settings,
    *,
    build: Callable[[], EngineSet],
    limits: Limits | None = None,
    unix_seconds: Callable[[], float] = time.time,
    assets: Path | None = None,
    on_change: Callable[[], None] = lambda: None,
    plane: MediaPlane | None = None,
) -> ParleyApp:
    """Put the server together. `build` makes the engines, on a thread; nothing is loaded before `room.run()`.
    `on_change` is called whenever the engine room's state changes. Without a `plane` there is no WebRTC. Raises
    `ConfigError` for agents that cannot be used.
    """
    ids = random_ids()
    metrics = ServerMetrics(parley.__version__)
    bounds = limits or limits_of(settings)

    def supervise(engines: EngineSet) -> Supervisor:
        return Supervisor(
            engines=engines, clock=SystemClock(), ids=ids, limits=bounds, metrics=metrics, capture_dir=settings.capture
        )

    keys = ApiKeys(settings.api_keys)
    policy = SitePolicy(cors_origins=settings.cors_origins, open_to_all=bool(keys))
    per_minute = settings.max_requests_per_minute
    rates = RequestRates(per_minute, monotonic_seconds=time.monotonic) if per_minute else None
    workshop = Workshop(_stage_builder(settings), _guard(settings))
    room = EngineRoom(
        build=build, supervise=supervise, metrics=metrics, on_change=on_change, also_close=workshop.aclose
    )
    defaults = SessionDefaults(_default_session(settings), _prompts(settings))
    door = SessionDoor(
        defaults=defaults,
        room=room,
        ledger=Ledger(unix_seconds=unix_seconds),
        agents=AgentBook(settings.config_file),
        workshop=workshop,
        max_session_seconds=bounds.max_session_ms // 1000,
        sessions_per_key=settings.max_sessions_per_key,
        rates=rates,
    )
    media = Switchboard(plane) if plane is not None else None
    if media is not None:
        metrics.watch_media(lambda: media.counters)
    calls = RealtimeCalls(door=door, board=media, random_bytes=secrets.token_bytes, metrics=metrics)
    parts = Parts(
        version=parley.__version__,
        keys=keys,
        secrets=MemorySecretStore(unix_seconds=unix_seconds, token=_token),
        pages=PageSessions(unix_seconds=unix_seconds, token=_token),
        sign_in=SignInLimit(monotonic_seconds=time.monotonic),
        invitations=Invitations(monotonic_seconds=time.monotonic, token=_token),
        root_path=settings.root_path,
        room=room,
        media=media,
        calls=calls,
        metrics=metrics,
        defaults=defaults,
        door=door,
        ids=ids,
        unix_seconds=unix_seconds,
    )
    sfu = make_calls_service(settings, media, SystemClock(), unix_seconds)
    calls.find_seat = sfu.find_seat
    metrics.watch(sfu.families)
    entry = RealtimeEntry(
        policy=policy, keys=keys, secrets=parts.secrets, door=parts.door, calls=parts.calls, rates=rates
    )
    gate = Gate(
        http=_framework(
            parts, sfu, PageFiles(assets or Path(parley.__file__).parent / "web_assets", settings.root_path)
        ),
        realtime=RealtimeWebSocket(open=entry.open, event_id=lambda: ids("event")),
        policy=policy,
        keys=keys,
        secrets=parts.secrets,
        metrics=metrics,
        request_id=lambda: f"req_{secrets.token_hex(12)}",
        root_path=settings.root_path,
        rates=rates,
    )
    return ParleyApp(asgi=gate, room=parts.room, calls=calls, sfu=sfu, parts=parts)


def _framework(parts: Parts, sfu: CallsService, files: PageFiles) -> Any:
    return Litestar(
        route_handlers=list(_ROUTES),
        dependencies={
            "parts": Provide(lambda: parts, sync_to_thread=False),
            "calls": Provide(lambda: sfu, sync_to_thread=False),
            "page_files": Provide(lambda: files, sync_to_thread=False),
        },
        guards=[parts_guard],
        exception_handlers=exception_handlers(),
        openapi_config=OpenAPIConfig(
            title="Parley",
            version=parts.version,
            use_handler_docstrings=True,
            render_plugins=[],
            path="/openapi-internal",
        ),
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        debug=False,
    )


def _stage_builder(settings: Settings) -> Callable[[str, StageSettings], Engine]:
    """Say how an agent's own engines are made."""
    return lambda stage, wanted: build_engine(stage, wanted, settings.models_dir or default_models_dir(os.environ))


def _guard(settings: Settings) -> AddressGuard:
    try:
        return read_allowed(settings.mcp_allow, "mcp_allow")
    except AgentError as error:
        raise ConfigError(str(error)) from None


def _prompts(settings: Settings) -> PromptFolder | None:
    beside = settings.config_file.parent / "prompts" if settings.config_file is not None else None
    folder = settings.prompts_dir or beside
    return PromptFolder(folder) if folder is not None else None


def _default_session(settings: Settings) -> SessionConfig:
    config = SessionConfig()
    if settings.llm.model:
        config = msgspec.structs.replace(config, model=settings.llm.model)
    if settings.voice:
        output = msgspec.structs.replace(config.audio.output, voice=settings.voice)
        config = msgspec.structs.replace(config, audio=msgspec.structs.replace(config.audio, output=output))
    return config


def limits_of(settings: Settings) -> Limits:
    """Give the runtime's bounds that the settings ask for."""
    bounds: Mapping[str, int] = {
        "max_sessions": settings.max_sessions,
        "max_session_ms": settings.max_session_minutes * 60_000,
    }
    return Limits(**bounds)


def _token() -> str:
    return secrets.token_urlsafe(32)


def random_ids() -> IdSource:
    """Make unguessable ids of 24 hexadecimal digits: at most 30 characters with their prefix."""

    def fresh(kind: IdKind) -> str:
        return f"{kind}_{secrets.token_hex(12)}"

    return fresh
