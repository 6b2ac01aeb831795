"""The OpenAI-compatible engines keep what the roles promise, against a real server, well-behaved and odd."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from parley.engines.base import ChatModel, Recognizer, Responder, Synthesizer
from parley.engines.cascade import Cascade
from parley.engines.catalog import StageSettings
from parley.engines.llm.openai_http import OpenAIChatModel
from parley.engines.stt.openai_http import OpenAIRecognizer
from parley.engines.tts.openai_http import OpenAISynthesizer
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.tools import FunctionTool
from parley.testing import call, generation_context, say, user_says
from parley.testing.contracts import ChatModelContract, RecognizerContract, ResponderContract, SynthesizerContract
from parley.testing.stub_openai import Behaviour, StubOpenAI

TOOL = FunctionTool(name="look_up", description="Look something up")
TEXT = "I am well, thank you. It is a fine day for a walk by the old river; what about the others?"

CHAT = {
    "plain": Behaviour(),
    "odd": Behaviour(split_bytes=3, usage=False, reasoning="Let me see. ", finish_reason="stop", tool_ids="never"),
    "blobs": Behaviour(tool_arguments="object", tool_ids="every", tool_index=False),
}
SPEECH = {
    "plain": Behaviour(),
    "odd": Behaviour(split_bytes=777),
    "wav": Behaviour(wav="unknown", rate_hz=16_000, channels=2, split_bytes=101),
}


@pytest.fixture
async def stub() -> AsyncIterator[StubOpenAI]:
    def reply(asked: dict[str, object]) -> list[object]:
        if asked.get("tools"):
            return [*say("Let me look."), *call("look_up", {"what": "it"})]
        return list(say(TEXT))

    async with StubOpenAI(chat=reply, transcripts=["good morning to you"], chunk_ms=40) as server:  # type: ignore[arg-type]
        yield server


class TestOpenAIRecognizer(RecognizerContract):
    hears = "good morning to you"

    @pytest.fixture(params=[0, 30])
    async def engine(self, stub: StubOpenAI, request: pytest.FixtureRequest) -> AsyncIterator[Recognizer]:
        stub.behave("transcriptions", Behaviour(first_delay_ms=request.param), times=None)
        engine = OpenAIRecognizer(StageSettings(stub.url))
        yield engine
        await engine.aclose()


class TestOpenAIChatModel(ChatModelContract):
    @pytest.fixture(params=sorted(CHAT))
    async def engine(self, stub: StubOpenAI, request: pytest.FixtureRequest) -> AsyncIterator[ChatModel]:
        stub.behave("chat", CHAT[request.param], times=None)
        engine = OpenAIChatModel(StageSettings(stub.url))
        yield engine
        await engine.aclose()

    def tool_context(self) -> GenerationContext:
        return generation_context(user_says("Look it up."), tools=(TOOL,))


class TestOpenAISynthesizer(SynthesizerContract):
    @pytest.fixture(params=sorted(SPEECH))
    async def engine(self, stub: StubOpenAI, request: pytest.FixtureRequest) -> AsyncIterator[Synthesizer]:
        stub.behave("speech", SPEECH[request.param], times=None)
        engine = OpenAISynthesizer(StageSettings(stub.url))
        yield engine
        await engine.aclose()


class TestCascadeOverHttp(ResponderContract):
    @pytest.fixture(params=["plain", "odd"])
    async def engine(self, stub: StubOpenAI, request: pytest.FixtureRequest) -> AsyncIterator[Responder]:
        stub.behave("chat", CHAT[request.param], times=None)
        stub.behave("speech", SPEECH[request.param], times=None)
        chat, synthesizer = OpenAIChatModel(StageSettings(stub.url)), OpenAISynthesizer(StageSettings(stub.url))
        cascade = Cascade(chat, synthesizer)
        yield cascade
        for engine in (cascade, synthesizer, chat):
            await engine.aclose()

    def tool_context(self) -> GenerationContext:
        return generation_context(user_says("Look it up."), tools=(TOOL,))
