"""Whole engine sets and contexts for tests, made of fakes unless told otherwise. Neighbours: the fakes, `cascade`."""

from __future__ import annotations

from typing import Literal

from parley.engines.base import ChatModel, EngineSet, Recognizer, Responder, Synthesizer, TurnDetector
from parley.engines.cascade import Cascade
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import InputTextPart, Item, MessageItem
from parley.protocol.realtime.tools import Tool, ToolChoice
from parley.testing.fake_chat import FakeChatModel
from parley.testing.fake_recognizer import FakeRecognizer
from parley.testing.fake_synthesizer import FakeSynthesizer
from parley.testing.fake_turn import FakeTurnDetector

__all__ = ["engine_set", "generation_context", "user_says"]


def engine_set(
    *,
    recognizer: Recognizer | None = None,
    turn_detector: TurnDetector | None = None,
    chat: ChatModel | None = None,
    synthesizer: Synthesizer | None = None,
    responder: Responder | None = None,
) -> EngineSet:
    """Give an engine set: fakes, with what is passed put in their place. The responder is a real cascade."""
    chat = chat or FakeChatModel()
    synthesizer = synthesizer or FakeSynthesizer()
    return EngineSet(
        recognizer=recognizer or FakeRecognizer(),
        turn_detector=turn_detector or FakeTurnDetector(),
        chat=chat,
        synthesizer=synthesizer,
        responder=responder or Cascade(chat, synthesizer),
    )


def user_says(text: str, *, item_id: str = "item_user") -> MessageItem:
    """Make a user's message."""
    return MessageItem(item_id, "user", (InputTextPart(text),))


def generation_context(
    *items: Item,
    response_id: str = "resp_test",
    instructions: str = "",
    tools: tuple[Tool, ...] = (),
    tool_choice: ToolChoice = "auto",
    output_modality: Literal["audio", "text"] = "audio",
    voice: str = "alloy",
    speed: float = 1.0,
    max_output_tokens: int | None = None,
) -> GenerationContext:
    """Make the context of one response, with defaults for all that a test does not care about."""
    return GenerationContext(
        response_id=ResponseId(response_id),
        instructions=instructions,
        items=items,
        tools=tools,
        tool_choice=tool_choice,
        output_modality=output_modality,
        voice=voice,
        speed=speed,
        max_output_tokens=max_output_tokens,
    )
