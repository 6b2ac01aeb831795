"""The keyless default keeps what the engine roles promise: the same suites as every other engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import pytest
from speech_engines import SENTENCES
from spoken import models_dir, say

from parley.engines.base import ChatModel, Recognizer, Synthesizer
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.smollm import SmolLm
from parley.testing.contracts import ChatModelContract, RecognizerContract, SynthesizerContract

pytestmark = [pytest.mark.speech, pytest.mark.timeout(120)]

E = TypeVar("E", HibariSynthesizer, MoonshineRecognizer, SmolLm)


class Kept(Generic[E]):
    """One loaded engine for many tests; a test that closed it costs the next one a fresh load."""

    def __init__(self, make: Callable[[], E]) -> None:
        self._make: Callable[[], E] = make
        self._engine: E | None = None

    async def open(self) -> E:
        if self._engine is None or self._engine._worker._closed:
            self._engine = self._make()
            await self._engine.warm_up()
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            asyncio.run(self._engine.aclose())


def kept(make: Callable[[], E]) -> Iterator[Kept[E]]:
    engine = Kept(make)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def moonshine() -> Iterator[Kept[MoonshineRecognizer]]:
    yield from kept(lambda: MoonshineRecognizer(models_dir()))


@pytest.fixture(scope="module")
def hibari() -> Iterator[Kept[HibariSynthesizer]]:
    yield from kept(HibariSynthesizer)


@pytest.fixture(scope="module")
def smollm() -> Iterator[Kept[SmolLm]]:
    yield from kept(lambda: SmolLm(models_dir()))


class TestMoonshine(RecognizerContract):
    hears = SENTENCES[1]

    def speech(self) -> bytes:
        return say(SENTENCES[1], "rms")

    @pytest.fixture
    async def engine(self, moonshine: Kept[MoonshineRecognizer]) -> Recognizer:
        return await moonshine.open()


class TestHibari(SynthesizerContract):
    @pytest.fixture
    async def engine(self, hibari: Kept[HibariSynthesizer]) -> Synthesizer:
        return await hibari.open()


class TestSmolLm(ChatModelContract):
    @pytest.fixture
    async def engine(self, smollm: Kept[SmolLm]) -> ChatModel:
        return await smollm.open()
