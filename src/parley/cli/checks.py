"""The checks of `parley doctor`, each small: what was looked at, how it is, and the fix."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import parley
from parley.auth.permissions import is_loopback
from parley.cli.finding import Finding
from parley.cli.media_checks import media_checks
from parley.cli.start import engine_settings, needed_models
from parley.engines.base import EngineError
from parley.engines.catalog import StageSettings, build_engine
from parley.engines.local.store import ModelStore
from parley.engines.probe import find_offers
from parley.server.serving import bind
from parley.server.settings import ConfigError, Settings

__all__ = ["all_checks"]

_SHORT_KEY = 16


async def all_checks(settings: Settings, models: Path) -> list[Finding]:
    """Run every check, in the order in which a start would fail."""
    findings = [*_build(), *_port(settings), *_access(settings), *_models(settings, models)]
    for check in (_engines, _offers):
        run: Callable[[Settings, Path], Awaitable[list[Finding]]] = check
        findings += await run(settings, models)
    return [*findings, *await media_checks(settings), *_capture(settings), *_microphone()]


def _build() -> Iterator[Finding]:
    version = f"Parley {parley.__version__}, Python {platform.python_version()}, {platform.machine()}"
    if importlib.util.find_spec("parley._media") is None:
        yield Finding("media core", "bad", f"{version}; the Rust part is not built.", "Run `make build`.")
    else:
        yield Finding("version", "ok", version)
    pages = Path(parley.__file__).parent / "web_assets" / "console" / "index.html"
    if pages.exists():
        yield Finding("pages", "ok", "The console is built.")
    else:
        yield Finding(
            "pages", "bad", "The console is not built; the API works without it.", "Run `make build` (needs Node 20)."
        )


def _port(settings: Settings) -> Iterator[Finding]:
    try:
        for listener in bind(settings.host, settings.port):
            listener.close()
    except ConfigError as error:
        what, _, fix = str(error).partition(". ")
        yield Finding("port", "bad", what + ".", fix or "If it is Parley itself, all is well: it is running.")
        return
    yield Finding("port", "ok", f"{settings.host}:{settings.port} is free.")


def _access(settings: Settings) -> Iterator[Finding]:
    if not settings.api_keys:
        yield Finding("access", "ok", "No keys: only this machine is served.")
        return
    if any(len(key) < _SHORT_KEY for key in settings.api_keys):
        words = f"A key has fewer than {_SHORT_KEY} characters and may be guessed."
        yield Finding("access", "note", words, "Make one with: openssl rand -hex 24")
    else:
        yield Finding("access", "ok", f"{len(settings.api_keys)} key(s); clients send one as bearer.")
    if not is_loopback(settings.host):
        words = "Browsers allow the microphone on https or localhost only."
        yield Finding("https", "note", words, "Put a TLS proxy in front for other machines' browsers.")


def _models(settings: Settings, models: Path) -> Iterator[Finding]:
    store = ModelStore(models)
    for name in needed_models(settings, store):
        if store.missing((name,)):
            size = f"{store.model(name).bytes / 1e6:.0f} MB"
            yield Finding("model", "bad", f"{name} is not in {models}.", f"parley models pull {name} ({size})")
        elif wrong := store.verify(name):
            fix = f"parley models rm {name} && parley models pull {name}"
            yield Finding("model", "bad", f"{name}: {', '.join(wrong)} is damaged.", fix)
        else:
            yield Finding("model", "ok", f"{name} is here and genuine.")
    free = shutil.disk_usage(next(path for path in (models, *models.parents) if path.exists())).free
    if free < 1 << 30:
        yield Finding("disk", "note", f"{free / 1e6:.0f} MB are free beside {models}.", "Free some space.")


async def _engines(settings: Settings, models: Path) -> list[Finding]:
    """Build each engine and run it once, as the start would."""
    chosen = engine_settings(settings, models)
    stages = {"stt": chosen.stt, "llm": chosen.llm, "tts": chosen.tts, "turn": StageSettings()}
    return [await _engine(stage, wanted, models) for stage, wanted in stages.items()]


async def _engine(stage: str, wanted: StageSettings, models: Path) -> Finding:
    try:
        engine = build_engine(stage, wanted, models)
    except EngineError as error:
        return Finding(stage, "bad", f"{stage} cannot be built.", error.message)
    try:
        await engine.warm_up()
    except EngineError as error:
        return Finding(stage, "bad", f"{engine.info.name} does not work.", error.message)
    finally:
        await engine.aclose()
    info = engine.info
    return Finding(stage, "ok", f"{info.name} ({info.model}, {info.licence}) works: {info.source}.")


async def _offers(settings: Settings, models: Path) -> list[Finding]:
    offers = await find_offers(skip_port=settings.port)
    return [
        Finding("found", "note", f"{offer.software} answers on this machine.", f"parley serve {offer.flags}")
        for offer in offers
    ]


def _capture(settings: Settings) -> Iterator[Finding]:
    if settings.capture is not None:
        words = f"Every session is recorded into {settings.capture}, audio and text included."
        yield Finding("capture", "note", words, "Leave --capture out when you are done.")


def _microphone() -> Iterator[Finding]:
    if importlib.util.find_spec("sounddevice") is None:
        yield Finding(
            "parley talk",
            "note",
            "No microphone in the terminal: sounddevice is not installed.",
            "pip install 'parley[talk]'",
        )
    else:
        yield Finding("parley talk", "ok", "sounddevice is installed.")
