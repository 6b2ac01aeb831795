"""What a response is asked to be: the session's settings with one `response.create`'s overrides, settled once.

Pure. Neighbours: `responses` (runs plans), `context` (sees the conversation for them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import UnsetType

from parley.protocol.realtime.client_events import ItemReference, ResponseParams
from parley.protocol.realtime.conversation import Conversation, Entry, stripped_of_audio
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import InputAudioPart, Item, MessageItem
from parley.protocol.realtime.mcp import McpServers
from parley.protocol.realtime.response import ResponseShape
from parley.protocol.realtime.session_config import SessionConfig, StoredPrompt, Truncation
from parley.protocol.realtime.toolbox import Toolbox, settle_tools
from parley.protocol.realtime.tools import ToolChoice

__all__ = ["Plan", "filled", "plan_response"]

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Plan:
    """A response that may begin as soon as what it answers is known. `entries` is what it is generated from."""

    shape: ResponseShape
    entries: tuple[Entry, ...]
    from_conversation: bool
    instructions: str
    toolbox: Toolbox
    truncation: Truncation
    speed: float
    parallel_tool_calls: bool | None

    @property
    def prompt_chars(self) -> int:
        """Characters of instructions and tools."""
        functions = self.toolbox.functions
        return len(self.instructions) + (len(msgspec.json.encode(functions)) if functions else 0)

    def context(self, response_id: ResponseId, items: tuple[Item, ...]) -> GenerationContext:
        """Make what the engine reads."""
        limit = self.shape.max_output_tokens
        return GenerationContext(
            response_id=response_id,
            instructions=self.instructions,
            items=items,
            tools=self.toolbox.functions,
            tool_choice=self.toolbox.choice,
            output_modality="audio" if self.shape.spoken else "text",
            voice=self.shape.voice,
            speed=self.speed,
            max_output_tokens=None if limit == "inf" else limit,
            temperature=self.shape.temperature,
            parallel_tool_calls=self.parallel_tool_calls,
        )

    def next_context(self, response_id: ResponseId, items: tuple[Item, ...], *, last: bool) -> GenerationContext:
        """Make what the engine reads when the response goes on: nothing is forced any more, and `last` has no tools."""
        context = self.context(response_id, items)
        if last:
            return msgspec.structs.replace(context, tool_choice="none", tools=())
        return context if context.tool_choice == "none" else msgspec.structs.replace(context, tool_choice="auto")


def plan_response(
    params: ResponseParams, config: SessionConfig, conversation: Conversation, mcp: McpServers
) -> Plan | ClientFault:
    """Settle what `params` asks for under `config`; a fault if its input names what is not there or cannot be used."""
    tools = _or(params.tools, config.tools)
    choice: ToolChoice = _or(params.tool_choice, config.tool_choice)
    entries: tuple[Entry, ...] | ClientFault
    if isinstance(params.input, UnsetType):
        entries = conversation.entries()
    else:
        entries = _given_input(params.input, conversation)
    if isinstance(entries, ClientFault):
        return entries
    output = config.audio.output
    modalities = _or(params.output_modalities, config.output_modalities)
    shape = ResponseShape(
        spoken="audio" in modalities,
        output_modalities=modalities,
        max_output_tokens=_or(params.max_output_tokens, config.max_output_tokens),
        format=_or(params.output_format, output.format),
        voice=_or(params.voice, output.voice),
        temperature=_or(params.temperature, config.temperature),
        metadata=params.metadata,
        out_of_band=params.conversation == "none",
    )
    return Plan(
        shape=shape,
        entries=entries,
        from_conversation=isinstance(params.input, UnsetType),
        instructions=_or(params.instructions, config.instructions),
        toolbox=settle_tools(tools, choice, hosted=config.hosted_tools, offers=mcp.offers(tools)),
        truncation=config.truncation,
        speed=output.speed,
        parallel_tool_calls=_or(params.parallel_tool_calls, config.parallel_tool_calls),
    )


def filled(params: ResponseParams, prompt: StoredPrompt) -> ResponseParams:
    """Put a stored prompt's settings below those that the client sent itself."""
    below = prompt.settings
    return msgspec.structs.replace(
        params,
        instructions=_or(params.instructions, below.instructions),
        tools=_or(params.tools, below.tools),
        tool_choice=_or(params.tool_choice, below.tool_choice),
    )


def _or(override: _Value | UnsetType, value: _Value) -> _Value:
    """Give the override, if there is one."""
    return value if isinstance(override, UnsetType) else override


def _given_input(
    given: tuple[Item | ItemReference, ...], conversation: Conversation
) -> tuple[Entry, ...] | ClientFault:
    entries: list[Entry] = []
    for index, item in enumerate(given):
        if isinstance(item, ItemReference):
            entry = conversation.get(item.id)
            if entry is None:
                return ClientFault(
                    code="invalid_value",
                    message=f"The item with id '{item.id}' does not exist in the conversation; "
                    "reference an item that was added and not deleted.",
                    param=f"response.input[{index}].id",
                )
        # DEVIATION: the vendor's models hear audio inside response.input. Here words are recognised of items only.
        elif _is_unheard(item):
            return ClientFault(
                code="invalid_value",
                message="Audio inside response.input is not transcribed: add it with conversation.item.create and put "
                "an item_reference here, or give its transcript.",
                param=f"response.input[{index}].content",
            )
        else:
            entry = Entry(stripped_of_audio(item, item.id))
        entries.append(entry)
    return tuple(entries)


def _is_unheard(item: Item) -> bool:
    return isinstance(item, MessageItem) and any(
        isinstance(part, InputAudioPart) and not part.transcript and not isinstance(part.audio, UnsetType)
        for part in item.content
    )
