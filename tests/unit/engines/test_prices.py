"""Prices behind engine URLs: read, refused, kept from the wire."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from parley.engines.base import ChatModel
from parley.engines.catalog import EngineConfigError, EngineSettings, StageSettings, build_engine, engine_prices
from parley.engines.prices import FREE, PriceError, Prices, read_prices, without_prices

READ = [
    ({"llm": None, "stt": None, "tts": None}, FREE),
    ({"llm": "http://x/v1"}, FREE),
    ({"llm": "http://x/v1#input=0.15&output=0.6"}, Prices(input=0.15, cached=0.15, output=0.6)),
    ({"llm": "openai#input=2&cached=0.5&output=8"}, Prices(input=2, cached=0.5, output=8)),
    (
        {"stt": "http://x#minute=0.006&currency=eur", "tts": "http://y#minute=0.015"},
        Prices(heard_minute=0.006, spoken_minute=0.015, currency="EUR"),
    ),
]


@pytest.mark.parametrize(("targets", "prices"), READ)
def test_prices_are_read(targets: dict[str, str | None], prices: Prices) -> None:
    assert read_prices(targets) == prices
    assert prices.known is (prices != FREE)


REFUSED = [
    ({"llm": "http://x#minute=1"}, "--llm: there is no price `minute`"),
    ({"tts": "http://x#input=1"}, "write #minute="),
    ({"llm": "http://x#input=much"}, "is not a number"),
    ({"llm": "http://x#input=-1"}, "is not a number"),
    ({"llm": "http://x#input=nan"}, "is not a number"),
    ({"llm": "http://x#input=1&currency=EUR", "stt": "http://x#minute=1&currency=USD"}, "one currency"),
]


@pytest.mark.parametrize(("targets", "words"), REFUSED)
def test_what_is_no_price_is_refused(targets: dict[str, str | None], words: str) -> None:
    with pytest.raises(PriceError, match=words):
        read_prices(targets)
    with pytest.raises(EngineConfigError, match=words):
        engine_prices({stage: StageSettings(target) for stage, target in targets.items()})


@pytest.mark.parametrize(
    ("target", "sees"),
    [
        ("http://x.example/v1", False),
        ("http://x.example/v1#images=yes", True),
        ("http://x.example/v1#input=1&images=yes", True),
        ("http://x.example/v1#images=no", False),
        ("https://api.openai.com/v1", True),
    ],
)
def test_whether_a_model_looks_at_pictures_is_written_behind_its_url(tmp_path: Path, target: str, sees: bool) -> None:
    settings = StageSettings(target, model="m", key="k")
    engine = cast("ChatModel", build_engine("llm", settings, tmp_path))
    assert engine.capabilities.images is sees
    assert engine_prices({"llm": settings}).input == ("input" in target)


def test_pictures_are_wanted_or_not(tmp_path: Path) -> None:
    with pytest.raises(EngineConfigError, match="images='maybe' is neither yes nor no"):
        build_engine("llm", StageSettings("http://x.example/v1#images=maybe", model="m"), tmp_path)


def test_the_engine_never_sees_its_price(tmp_path: Path) -> None:
    assert without_prices("http://x/v1#input=1") == "http://x/v1"
    assert without_prices(None) is None
    engine = build_engine("llm", StageSettings("http://x.example/v1#input=1", model="m"), tmp_path)
    assert "#" not in repr(engine.info)
    assert EngineSettings(tmp_path).llm.target is None
