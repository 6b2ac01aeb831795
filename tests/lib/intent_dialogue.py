"""Build contexts and run the brain as a session would, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from parley.engines.base import ChatModel
from parley.engines.local.intent import DemoBrain
from parley.protocol.realtime.generation import (
    Chunk,
    Done,
    GenerationContext,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    Item,
    MessageItem,
    OutputAudioPart,
)
from parley.protocol.realtime.tools import Tool, ToolChoice

__all__ = ["Answer", "Talk", "answer", "context", "heard", "said"]


def said(text: str) -> MessageItem:
    return MessageItem(id="item_u", role="user", content=(InputAudioPart(transcript=text),))


def heard(text: str) -> MessageItem:
    return MessageItem(id="item_a", role="assistant", content=(OutputAudioPart(transcript=text),))


def context(
    *items: Item,
    tools: Sequence[Tool] = (),
    tool_choice: ToolChoice = "auto",
    instructions: str = "",
    limit: int | None = None,
    response_id: str = "resp_1",
) -> GenerationContext:
    return GenerationContext(
        response_id=ResponseId(response_id),
        instructions=instructions,
        items=items,
        tools=tuple(tools),
        tool_choice=tool_choice,
        output_modality="audio",
        voice="alloy",
        speed=1.0,
        max_output_tokens=limit,
    )


class Answer:
    """What one response said and called; checks the streaming contract as it collects."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = list(chunks)
        self.text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.call_items: list[FunctionCallItem] = []
        streamed: dict[str, str] = {}
        for chunk in chunks:
            if isinstance(chunk, ToolCallDelta):
                streamed[chunk.call_id] = streamed.get(chunk.call_id, "") + chunk.arguments
            elif isinstance(chunk, ToolCallDone):
                assert streamed[chunk.call_id] == chunk.arguments
                self.calls.append((chunk.name, json.loads(chunk.arguments)))
                self.call_items.append(
                    FunctionCallItem(id="item_f", call_id=chunk.call_id, name=chunk.name, arguments=chunk.arguments)
                )
        assert sum(isinstance(chunk, Done) for chunk in chunks) == 1
        assert isinstance(chunks[-1], Done)


def answer(given: GenerationContext, brain: DemoBrain | None = None, small_talk: ChatModel | None = None) -> Answer:
    """Run one response to its end."""

    async def run() -> list[Chunk]:
        generation = (brain or DemoBrain(small_talk)).generate(given)
        return [chunk async for chunk in generation]

    return Answer(asyncio.run(run()))


class Talk:
    """A conversation that grows: each user turn is answered, each call gets the output it is given."""

    def __init__(self, tools: Sequence[Tool] = (), small_talk: ChatModel | None = None) -> None:
        self.tools = tools
        self.items: list[Item] = []
        self.brain = DemoBrain(small_talk)
        self.count = 0

    def user(self, text: str) -> Answer:
        self.items.append(said(text))
        return self.respond()

    def output(self, text: str) -> Answer:
        """Give the newest call its output and let the brain speak."""
        call = next(item for item in reversed(self.items) if isinstance(item, FunctionCallItem))
        self.items.append(FunctionCallOutputItem(id="item_o", call_id=call.call_id, output=text))
        return self.respond()

    def respond(self) -> Answer:
        self.count += 1
        result = answer(context(*self.items, tools=self.tools, response_id=f"resp_{self.count}"), self.brain)
        if result.text:
            self.items.append(heard(result.text))
        self.items.extend(result.call_items)
        return result
