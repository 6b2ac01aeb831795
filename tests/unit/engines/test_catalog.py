"""Names and URLs become engines; wrong ones become errors that name the fix."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parley.engines import catalog
from parley.engines.catalog import EngineConfigError, EngineSettings, StageSettings, available, build_engine
from parley.engines.llm.openai_http import OpenAIChatModel
from parley.engines.tts.openai_http import OpenAISynthesizer
from parley.testing import FakeChatModel

SELF = "parley.engines"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up package beside Parley's own entry points."""
    module = ModuleType("made_up_engines")
    module.build = lambda stage, models_dir: FakeChatModel()  # type: ignore[attr-defined]
    module.no_engine = lambda stage, models_dir: object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up_engines", module)
    points = [
        EntryPoint("llm.demo", "made_up_engines:build", SELF),
        EntryPoint("llm.openai", "parley.engines.llm.openai_http:build", SELF),
        EntryPoint("stt.openai", "parley.engines.stt.openai_http:build", SELF),
        EntryPoint("tts.openai", "parley.engines.tts.openai_http:build", SELF),
        EntryPoint("turn.heuristic", "parley.engines.turn.heuristic:build", SELF),
        EntryPoint("llm.broken", "no_such_module:build", SELF),
        EntryPoint("llm.wrong", "made_up_engines:no_engine", SELF),
        EntryPoint("llm.twice", "made_up_engines:build", SELF),
        EntryPoint("llm.twice", "made_up_engines:no_engine", SELF),
    ]

    def entry_points(group: str) -> EntryPoints:
        return EntryPoints(point for point in points if point.group == group)

    monkeypatch.setattr(catalog, "entry_points", entry_points)


def build(stage: str, **settings: Any) -> object:
    return build_engine(stage, StageSettings(**settings), Path("models"))


def test_a_url_means_a_server() -> None:
    engine = build("llm", target="http://localhost:11434", model="llama")
    assert isinstance(engine, OpenAIChatModel)
    assert engine.info.source == "localhost:11434"
    assert engine.info.model == "llama"


def test_a_name_means_an_installed_engine_and_nothing_means_the_default() -> None:
    assert isinstance(build("llm", target="demo"), FakeChatModel)
    assert isinstance(build("llm"), FakeChatModel)
    assert available("llm") == ("broken", "demo", "openai", "twice", "wrong")


@pytest.mark.parametrize(
    ("stage", "settings", "says"),
    [
        ("llm", {"target": "dmeo"}, "There is no llm engine 'dmeo': did you mean --llm demo?"),
        ("llm", {"target": "zzz"}, "there are broken, demo, openai, twice, wrong."),
        ("llm", {"target": "localhost:11434"}, "is no URL: write --llm http://localhost:11434."),
        ("llm", {"target": "ftp://host/x"}, "is no URL: write --llm http://host/x."),
        ("llm", {"target": "http:///v1"}, "names no host"),
        ("llm", {"model": "gpt"}, "--llm-model is set, but no server to use it with: add --llm URL."),
        ("tts", {"key": "k"}, "--tts-key is set, but no server to use it with: add --tts URL."),
        ("stt", {"target": "openai"}, "--stt openai needs a key"),
        ("llm", {"target": "broken"}, "is installed but cannot be loaded"),
        ("llm", {"target": "wrong"}, "has no warm_up(): it is no engine for this stage."),
        ("llm", {"target": "twice"}, "Two packages offer the llm engine 'twice'"),
        ("stt", {}, "There is no stt engine 'moonshine'"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_the_fix(stage: str, settings: dict[str, str], says: str) -> None:
    with pytest.raises(EngineConfigError) as caught:
        build(stage, **settings)
    assert says in caught.value.message
    assert caught.value.code == "engine_config"


def test_a_whole_set_is_built_and_the_voice_reaches_the_synthesizer() -> None:
    url = "http://127.0.0.1:9/v1"
    settings = EngineSettings(
        Path("models"), stt=StageSettings(url), llm=StageSettings(url), tts=StageSettings(url), voice="amy"
    )
    engines = catalog.build_engines(settings)
    assert isinstance(engines.synthesizer, OpenAISynthesizer)
    assert engines.synthesizer.capabilities.voices == ("amy",)
    assert engines.responder.info.name == "openai+openai"
    assert engines.turn_detector.info.name == "heuristic"


def test_a_key_is_never_shown() -> None:
    assert "s3cret" not in repr(StageSettings("http://x", key="s3cret"))
    assert "s3cret" not in repr(EngineSettings(Path("m"), llm=StageSettings("http://x", key="s3cret")))
