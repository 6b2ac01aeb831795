"""What `parley serve` shows and does around the server: progress of models, the table of engines, offers, the end.

Neighbours: `serve` (the command), `parley.server.serving` (the server), `fetching` (progress bars).
"""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import segno
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parley.cli.fetching import fetch_missing
from parley.engines.base import EngineSet
from parley.engines.catalog import DEFAULTS, EngineSettings, StageSettings, build_engines
from parley.engines.local.store import DEFAULT_MODELS, ModelStore
from parley.engines.probe import find_offers
from parley.server.app import ParleyApp, create_app
from parley.server.certificate import self_signed
from parley.server.engine_room import stages_of
from parley.server.media_port import open_media
from parley.server.own_addresses import own_addresses
from parley.server.serving import address_of, check_tls, serve
from parley.server.settings import ConfigError, EngineStage, Settings

__all__ = ["engine_settings", "needed_models", "run_server", "tls_files"]


def tls_files(settings: Settings, directory: Path) -> tuple[Path, Path] | None:
    """Find or make the certificate that the settings ask for. Raises `ConfigError`."""
    if settings.tls:
        check_tls(settings.tls)
        return settings.tls
    if not (settings.tls_self_signed or settings.lan):
        return None
    names = ("localhost", "127.0.0.1", "::1", socket.gethostname(), *own_addresses())
    try:
        return self_signed(tuple(dict.fromkeys(names)), directory, datetime.now(UTC))
    except OSError as error:
        raise ConfigError(f"Cannot keep a certificate in {directory}: {error.strerror}. Use --tls CERT KEY.") from None


def run_server(
    settings: Settings, sockets: list[socket.socket], models: Path, tls: tuple[Path, Path] | None = None
) -> None:
    """Serve until a signal. Raises `EngineError` if the engines cannot be built, `ConfigError` if the media port is
    taken.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    screen = _Screen(console, settings, address_of(sockets), "https" if tls else "http")
    app = create_app(
        settings,
        build=lambda: screen.build(models),
        on_change=lambda: screen.changed(app),
        plane=open_media(settings, address_of(sockets)[1]),
    )

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(
            serve(
                app, sockets, tls=tls, trusted_proxies=settings.trusted_proxies, started=lambda: screen.listening(app)
            )
        )
    console.print("Stopped.")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def engine_settings(settings: Settings, models: Path) -> EngineSettings:
    """Tell the catalogue what was configured."""

    def stage(chosen: EngineStage) -> StageSettings:
        return StageSettings(target=chosen.target, model=chosen.model, key=chosen.key)

    return EngineSettings(
        models_dir=models,
        stt=stage(settings.stt),
        llm=stage(settings.llm),
        tts=stage(settings.tts),
        voice=settings.voice,
    )


def needed_models(settings: Settings, store: ModelStore) -> tuple[str, ...]:
    """Name the models that the configured engines read."""
    chosen = {"stt": settings.stt.target, "llm": settings.llm.target, "tts": settings.tts.target}
    local = {stage for stage, target in chosen.items() if target in {None, DEFAULTS[stage]}}
    return tuple(name for name in DEFAULT_MODELS if store.model(name).stage in local)


class _Screen:
    """What the operator sees. Everything goes to stderr; the log joins it there."""

    def __init__(self, console: Console, settings: Settings, address: tuple[str, int], scheme: str) -> None:
        self._console = console
        self._settings = settings
        self._host, self._port = address
        self._scheme = scheme
        self._said_ready = False

    @property
    def _url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)  # noqa: S104 - shown, not bound
        return f"{self._scheme}://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self._port}"

    def build(self, models: Path) -> EngineSet:
        """Fetch the missing models and build the engines. Runs on a thread."""
        store = ModelStore(models)
        fetch_missing(self._console, store, needed_models(self._settings, store))
        engines = build_engines(engine_settings(self._settings, models))
        self._console.print(_table(engines))
        self._offer()
        return engines

    def listening(self, app: ParleyApp) -> None:
        """Say that the port answers."""
        self._console.print(f"Listening on {self._url}. Loading the engines …")
        if self._settings.lan:
            app.parts.invitations.on_taken = lambda: self._invite(app)
            self._invite(app)

    def _invite(self, app: ParleyApp) -> None:
        """Show the next link that lets a phone in, as text and as a QR code."""
        link = f"https://{own_addresses()[0]}:{self._port}/join/{app.parts.invitations.open()}"
        picture = io.StringIO()
        segno.make(link, error="l").terminal(picture, compact=True)
        self._console.print(f"\nTo let a phone on this network in, once, within ten minutes:\n[bold]{link}[/bold]")
        self._console.print(picture.getvalue(), highlight=False, markup=False)
        self._console.print("Its browser warns of a certificate it does not know: it was made on this machine.")

    def changed(self, app: ParleyApp) -> None:
        """Say what became of the engines."""
        room = app.room
        if room.state == "ready" and not self._said_ready:
            self._said_ready = True
            self._console.print(f"[bold]Ready.[/bold] Open [bold]{self._url}[/bold] and talk. Stop with Ctrl+C.")
            if self._settings.lan:
                self._console.print("The link above signs a browser in; API clients need a key: --api-key KEY.")
            elif self._settings.api_keys:
                self._console.print("The page asks for one of your keys once; API clients send it as bearer.")
        elif room.state == "degraded":
            for stage, words in room.problems.items():
                self._console.print(f"[yellow]{stage} is not ready:[/yellow] {escape(words)} Trying again.")
        elif room.state == "draining":
            self._console.print("Stopping: running answers may end. Once more Ctrl+C stops at once.")

    def _offer(self) -> None:
        """Say which model servers answer on this machine, with the flag that takes each. None is taken."""
        taken = {stage for stage in ("stt", "llm", "tts") if getattr(self._settings, stage).target is not None}
        for offer in asyncio.run(find_offers(skip_port=self._port)):
            if offer.stage not in taken:
                flags = escape(f"parley serve {offer.flags}")
                self._console.print(f"Found {offer.software} on this machine. To use it: [bold]{flags}[/bold]")


def _table(engines: EngineSet) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("stage", "engine", "model", "licence", "source"):
        table.add_column(column)
    for engine in stages_of(engines):
        info = engine.info
        table.add_row(info.stage, info.name, info.model, info.licence, info.source)
    return table
