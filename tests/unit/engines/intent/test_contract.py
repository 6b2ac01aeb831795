"""The demonstration brain keeps the promises of every chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from intent_dialogue import context, said
from intent_tool_sets import TOOL_SETS

from parley.engines.base import ChatModel
from parley.engines.local.intent import DemoBrain
from parley.protocol.realtime.generation import GenerationContext
from parley.testing import FakeChatModel
from parley.testing.contracts import ChatModelContract


class TestDemoBrain(ChatModelContract):
    def tool_context(self) -> GenerationContext:
        return context(said("Pause the music, please."), tools=TOOL_SETS["music"])

    @pytest.fixture
    async def engine(self) -> AsyncIterator[ChatModel]:
        engine = DemoBrain(FakeChatModel())
        await engine.warm_up()
        yield engine
        await engine.aclose()
