"""The real engines, loaded once for all speech tests. Missing weights fail a test with the command that gets them."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Iterator

import pytest
from served import Served, parley_serve
from spoken import models_dir

from parley.audio import RATE_HZ, Resampler
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.manifest import TWO_CITIES
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.smollm import SmolLm
from parley.engines.local.store import ModelStore


@pytest.fixture(scope="session")
def recognizer() -> Iterator[MoonshineRecognizer]:
    engine = MoonshineRecognizer(models_dir())
    asyncio.run(engine.warm_up())
    yield engine
    asyncio.run(engine.aclose())


@pytest.fixture(scope="session")
def synthesizer() -> Iterator[HibariSynthesizer]:
    engine = HibariSynthesizer()
    asyncio.run(engine.warm_up())
    yield engine
    asyncio.run(engine.aclose())


@pytest.fixture(scope="session")
def chat() -> Iterator[SmolLm]:
    engine = SmolLm(models_dir())
    asyncio.run(engine.warm_up())
    yield engine
    asyncio.run(engine.aclose())


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    """`parley serve` with its keyless engines, one for all conversations."""
    with parley_serve() as served:
        yield served


@pytest.fixture(scope="session")
def two_cities() -> bytes:
    """A human reading the opening of A Tale of Two Cities: 44 s, PCM16 mono 24 kHz."""
    store = ModelStore(models_dir())
    with wave.open(str(store.path(TWO_CITIES) / "two_cities.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        resampler = Resampler(file.getframerate(), RATE_HZ)
        return resampler.push(file.readframes(file.getnframes())) + resampler.flush()
