"""The fakes, and a cascade of them, keep what the engine roles promise: with every option that changes their timing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from parley.engines.base import ChatModel, EngineSet, Recognizer, Responder, Synthesizer, TurnDetector
from parley.engines.turn.heuristic import HeuristicTurnDetector
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.tools import FunctionTool
from parley.testing import (
    FakeChatModel,
    FakeRecognizer,
    FakeSynthesizer,
    FakeTurnDetector,
    Reply,
    call,
    engine_set,
    generation_context,
    say,
    user_says,
)
from parley.testing.contracts import (
    ChatModelContract,
    RecognizerContract,
    ResponderContract,
    SynthesizerContract,
    TurnDetectorContract,
)

TOOL = FunctionTool(name="look_up", description="Look something up")


def answer(context: GenerationContext) -> Reply:
    if context.tools:
        return [*say("Let me look."), *call("look_up", {"what": "it"})]
    return say("I am well, thank you. It costs $3.50 for **you**, my friend; what about the others?", word_ms=2)


class TestFakeRecognizer(RecognizerContract):
    hears = "good morning to you"

    @pytest.fixture(params=[0, 5])
    def engine(self, request: pytest.FixtureRequest) -> Recognizer:
        return FakeRecognizer([self.hears], delay_ms=request.param, word_every_ms=request.param * 20)


class TestFakeSynthesizer(SynthesizerContract):
    @pytest.fixture(params=["instant", "slow", "untimed"])
    async def engine(self, request: pytest.FixtureRequest) -> AsyncIterator[Synthesizer]:
        slow = request.param == "slow"
        engine = FakeSynthesizer(
            delay_ms=5 if slow else 0, realtime_factor=0.01 if slow else 0, word_times=request.param != "untimed"
        )
        yield engine
        await engine.aclose()


class TestFakeChatModel(ChatModelContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[ChatModel]:
        engine = FakeChatModel(answer)
        yield engine
        await engine.aclose()

    def tool_context(self) -> GenerationContext:
        return generation_context(user_says("Look it up."), tools=(TOOL,))


class TestCascadeOfFakes(ResponderContract):
    @pytest.fixture(params=["timed", "untimed", "slow"])
    async def engine(self, request: pytest.FixtureRequest) -> AsyncIterator[Responder]:
        synthesizer = FakeSynthesizer(
            word_times=request.param == "timed", realtime_factor=0.02 if request.param == "slow" else 0
        )
        engines: EngineSet = engine_set(chat=FakeChatModel(answer), synthesizer=synthesizer)
        yield engines.responder
        await engines.responder.aclose()

    def tool_context(self) -> GenerationContext:
        return generation_context(user_says("Look it up."), tools=(TOOL,))


class TestFakeTurnDetector(TurnDetectorContract):
    @pytest.fixture
    def engine(self) -> TurnDetector:
        return FakeTurnDetector(0.7)


class TestHeuristicTurnDetector(TurnDetectorContract):
    @pytest.fixture
    def engine(self) -> TurnDetector:
        return HeuristicTurnDetector()
