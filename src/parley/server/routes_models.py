"""`GET /v1/models`: what really runs, and which of it is a demonstration. Names that clients ask for are aliases."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from parley.auth.permissions import Permission
from parley.engines.base import Engine, EngineSet
from parley.server.engine_room import stages_of
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem

__all__ = ["ROUTES", "demo_note"]


class ModelNotes(msgspec.Struct, frozen=True, tag_field="kind", tag="model"):
    """What Parley adds about a model: the stage it serves, where it runs, what it can do, what it is not."""

    stage: str
    engine: str
    licence: str
    source: str
    demonstration: bool
    languages: tuple[str, ...]
    voices: tuple[str, ...]
    note: str


class AgentNotes(msgspec.Struct, frozen=True, tag_field="kind", tag="agent"):
    """What Parley says about an agent of its operator's: it is chosen like a model, by name."""


class Model(msgspec.Struct, frozen=True):
    """A model in the shape of the Models API."""

    id: str
    created: int
    owned_by: str
    parley: ModelNotes | AgentNotes
    object: Literal["model"] = "model"


class ModelList(msgspec.Struct, frozen=True):
    """Every model that runs here."""

    data: list[Model]
    object: Literal["list"] = "list"


_CREATED = 1_767_225_600
"""Unix seconds of a fixed day: models here have no date of their own, and clients only sort by it."""


@get("/v1/models", tags=["models"], opt={PERMISSION: Permission.START_SESSION})
async def list_models(parts: NamedDependency[Parts]) -> ModelList:
    """List the models that run here, one per stage, and the agents that can be chosen in their place."""
    return ModelList(_listed(parts, await parts.engines()))


@get("/v1/models/{model_id:path}", tags=["models"], opt={PERMISSION: Permission.START_SESSION})
async def get_model(parts: NamedDependency[Parts], model_id: FromPath[str]) -> Model:
    """Describe one model."""
    wanted = model_id.lstrip("/")
    models = _listed(parts, await parts.engines())
    for model in models:
        if model.id == wanted:
            return model
    known = ", ".join(model.id for model in models)
    words = f"No model of that name runs here; running: {known}. Requests may name any model, names are aliases."
    raise Problem(404, words, code="model_not_found", param="model")


def _listed(parts: Parts, engines: EngineSet) -> list[Model]:
    agents = [Model(name, _CREATED, "parley-agent", AgentNotes()) for name in parts.door.agents.names()]
    taken = {agent.id for agent in agents}
    return [*agents, *(model for model in _models(engines) if model.id not in taken)]


def _models(engines: EngineSet) -> list[Model]:
    found: dict[str, Model] = {}
    voices = engines.synthesizer.capabilities.voices
    for engine in [engines.chat, *stages_of(engines)]:
        model = _described(engine, voices)
        if engine.info.stage != "turn":
            found.setdefault(model.id, model)
    return list(found.values())


def _described(engine: Engine, voices: tuple[str, ...]) -> Model:
    info, can = engine.info, engine.capabilities
    speaks = can.demo or info.stage == "tts"
    notes = ModelNotes(
        stage=info.stage,
        engine=info.name,
        licence=info.licence,
        source=info.source,
        demonstration=can.demo,
        languages=can.languages or (("en",) if can.demo else ()),
        voices=can.voices or (voices if speaks else ()),
        note=demo_note(engine) or info.note,
    )
    return Model(id=info.model, created=_CREATED, owned_by=info.name, parley=notes)


def demo_note(engine: Engine) -> str:
    """Say honestly what a demonstration brain is; empty for a real model."""
    if not engine.capabilities.demo:
        return ""
    return "A demonstration brain: it understands the session's tools and small talk, in English, with one voice."


ROUTES: tuple[Any, ...] = (list_models, get_model)
