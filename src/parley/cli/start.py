"""What `parley serve` shows and does around the server: progress of models, the table of engines, offers, the end.

Neighbours: `serve` (the command), `parley.server.serving` (the server), `fetching` (progress bars).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parley.cli.fetching import fetch_missing
from parley.engines.base import EngineSet
from parley.engines.catalog import DEFAULTS, EngineSettings, StageSettings, build_engines
from parley.engines.local.store import DEFAULT_MODELS, ModelStore
from parley.engines.probe import find_offers
from parley.server.app import ParleyApp, create_app
from parley.server.engine_room import stages_of
from parley.server.serving import address_of, serve
from parley.server.settings import EngineStage, Settings

__all__ = ["engine_settings", "needed_models", "run_server"]


def run_server(settings: Settings, sockets: list[socket.socket], models: Path) -> None:
    """Serve until a signal. Raises `EngineError` if the engines cannot be built."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    screen = _Screen(console, settings, address_of(sockets))
    app = create_app(settings, build=lambda: screen.build(models), on_change=lambda: screen.changed(app))

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(app, sockets, started=screen.listening))
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

    def __init__(self, console: Console, settings: Settings, address: tuple[str, int]) -> None:
        self._console = console
        self._settings = settings
        self._host, self._port = address
        self._said_ready = False

    @property
    def _url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)  # noqa: S104 - shown, not bound
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self._port}"

    def build(self, models: Path) -> EngineSet:
        """Fetch the missing models and build the engines. Runs on a thread."""
        store = ModelStore(models)
        fetch_missing(self._console, store, needed_models(self._settings, store))
        engines = build_engines(engine_settings(self._settings, models))
        self._console.print(_table(engines))
        self._offer()
        return engines

    def listening(self) -> None:
        """Say that the port answers."""
        self._console.print(f"Listening on {self._url}. Loading the engines …")

    def changed(self, app: ParleyApp) -> None:
        """Say what became of the engines."""
        room = app.room
        if room.state == "ready" and not self._said_ready:
            self._said_ready = True
            self._console.print(f"[bold]Ready.[/bold] Open [bold]{self._url}[/bold] and talk. Stop with Ctrl+C.")
            if self._settings.api_keys:
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
