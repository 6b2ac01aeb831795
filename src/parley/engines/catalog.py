"""Which engines there are and which ones a configuration means: names become engines here.

Here: settings of a stage, the search among entry points (group `parley.engines`, names `stage.name`), and the engine
set made of what was found. Not here: any engine. A package adds one with an entry point such as
`tts.mine = "mine:build"`, where `build(stage: StageSettings, models_dir: Path)` gives the engine.

A stage's `target` is a URL (then `<stage>.openai` speaks to it), a name, or None for the keyless default. Nothing is
taken that was not asked for: no environment variable, and no server that `probe` finds.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from parley.engines.base import ChatModel, Engine, EngineError, EngineSet, Recognizer, Synthesizer, TurnDetector
from parley.engines.cascade import Cascade
from parley.engines.prices import PriceError, Prices, read_prices, without_prices

__all__ = [
    "DEFAULTS",
    "GROUP",
    "EngineConfigError",
    "EngineSettings",
    "StageSettings",
    "available",
    "build_engine",
    "build_engines",
    "engine_prices",
]

GROUP = "parley.engines"

DEFAULTS: Mapping[str, str] = {"stt": "moonshine", "llm": "demo", "tts": "hibari", "turn": "heuristic"}
"""The keyless default of each stage."""

_ROLES = {
    "stt": ("open",),
    "llm": ("generate",),
    "tts": ("speak",),
    "turn": ("score",),
}


class EngineConfigError(EngineError):
    """A stage's settings name no engine. The text names the setting and the fix."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="engine_config")


@dataclass(frozen=True, slots=True)
class StageSettings:
    """What a stage runs on: a URL or name, the model to ask for, its key, and for `tts` the voice that always wins."""

    target: str | None = None
    model: str | None = None
    key: str | None = None
    voice: str | None = None
    images: bool = False
    """The model looks at pictures: `#images=yes` behind its URL, where that cannot be known."""

    def __repr__(self) -> str:
        """Show everything but the key."""
        key = "***" if self.key else None
        return f"StageSettings(target={self.target!r}, model={self.model!r}, key={key!r}, voice={self.voice!r})"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What a session's engines are made from."""

    models_dir: Path
    stt: StageSettings = StageSettings()
    llm: StageSettings = StageSettings()
    tts: StageSettings = StageSettings()
    voice: str | None = None


def available(stage: str) -> tuple[str, ...]:
    """Name the engines that are installed for `stage`, sorted."""
    return tuple(sorted({point.name.removeprefix(f"{stage}.") for point in _points(stage)}))


def build_engines(settings: EngineSettings) -> EngineSet:
    """Make every engine of a set. Blocks: it imports, and may read weights. Raises `EngineError`."""
    tts = replace(settings.tts, voice=settings.voice or settings.tts.voice)
    recognizer = cast("Recognizer", build_engine("stt", settings.stt, settings.models_dir))
    chat = cast("ChatModel", build_engine("llm", settings.llm, settings.models_dir))
    synthesizer = cast("Synthesizer", build_engine("tts", tts, settings.models_dir))
    detector = cast("TurnDetector", build_engine("turn", StageSettings(), settings.models_dir))
    prices = engine_prices({"stt": settings.stt, "llm": settings.llm, "tts": settings.tts})
    return EngineSet(recognizer, detector, chat, synthesizer, Cascade(chat, synthesizer), prices)


def engine_prices(stages: Mapping[str, StageSettings]) -> Prices:
    """Read what is written behind the engines' URLs. Raises `EngineConfigError`."""
    try:
        return read_prices({stage: settings.target for stage, settings in stages.items()})
    except PriceError as error:
        raise EngineConfigError(str(error)) from None


def build_engine(stage: str, settings: StageSettings, models_dir: Path) -> Engine:
    """Make the engine that `settings` mean for `stage`. Raises `EngineConfigError`, or what the engine raises."""
    images = settings.images or (stage == "llm" and _images(settings.target))
    settings = replace(settings, target=without_prices(settings.target), images=images)
    name = _name_of(stage, settings)
    point = _find(stage, name)
    try:
        factory: Callable[[StageSettings, Path], Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise EngineConfigError(
            f"The {stage} engine {name!r} is installed but cannot be loaded ({error}): reinstall {_package(point)}."
        ) from error
    engine = factory(settings, models_dir)
    missing = [method for method in ("warm_up", "aclose", *_ROLES[stage]) if not hasattr(engine, method)]
    if missing:
        raise EngineConfigError(
            f"The {stage} engine {name!r} of {_package(point)} has no {missing[0]}(): it is no engine for this stage."
        )
    return cast("Engine", engine)


def _images(target: str | None) -> bool:
    """Read whether a model looks at pictures from what is written behind its URL."""
    written = dict(parse_qsl((target or "").partition("#")[2], keep_blank_values=True)).get("images", "no")
    if written not in {"yes", "no"}:
        raise EngineConfigError(f"--llm: images={written!r} is neither yes nor no.")
    return written == "yes"


def _name_of(stage: str, settings: StageSettings) -> str:
    target = settings.target
    if target is None:
        for value, flag in ((settings.model, f"--{stage}-model"), (settings.key, f"--{stage}-key")):
            if value:
                raise EngineConfigError(f"{flag} is set, but no server to use it with: add --{stage} URL.")
        return DEFAULTS[stage]
    parts = urlsplit(target)
    if parts.scheme in {"http", "https"}:
        if not parts.hostname:
            raise EngineConfigError(f"--{stage} {target!r} names no host: write --{stage} http://HOST:PORT/v1.")
        return "openai"
    if "/" in target or ":" in target:
        raise EngineConfigError(f"--{stage} {target!r} is no URL: write --{stage} http://{target.split('//')[-1]}.")
    return target


def _points(stage: str) -> Iterable[EntryPoint]:
    return (point for point in entry_points(group=GROUP) if point.name.startswith(f"{stage}."))


def _find(stage: str, name: str) -> EntryPoint:
    found = [point for point in _points(stage) if point.name == f"{stage}.{name}"]
    if not found:
        names = available(stage)
        if not names:
            raise EngineConfigError(
                f"No {stage} engine is installed: Parley itself is not. Run `make build`, or `pip install parley`."
            )
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean --{stage} {near[0]}?" if near else f"there are {', '.join(names)}."
        raise EngineConfigError(
            f"There is no {stage} engine {name!r}: {hint} A server is given by its URL, --{stage} http://HOST:PORT/v1."
        )
    packages = {point.value for point in found}
    if len(packages) > 1:
        owners = ", ".join(sorted({_package(point) for point in found}))
        raise EngineConfigError(f"Two packages offer the {stage} engine {name!r} ({owners}): uninstall one of them.")
    return found[0]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
