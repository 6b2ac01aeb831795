"""An agent's own words, said as they are written: its greeting, and what it says while a tool takes long.

The first answer to an empty conversation is the greeting; everything else is the real responder's. One per session.
Neighbours: `parley.engines.cascade` (speaks them), `parley.runtime.opening` and `generations` (ask for them).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from parley.engines.base import Capabilities, ChatModel, EngineInfo, EngineSet, Generation, Responder
from parley.engines.cascade import Cascade
from parley.protocol.realtime.generation import Chunk, Done, EngineUsage, GenerationContext, TextDelta
from parley.protocol.realtime.items import InputImagePart, Item, MessageItem

__all__ = ["reciting", "with_greeting"]


def reciting(engines: EngineSet, words: str) -> Responder:
    """Give a responder that says `words`, whatever it is asked, with the voice of `engines`."""
    return Cascade(_Script(words, engines.chat), engines.synthesizer)


def with_greeting(engines: EngineSet, words: str) -> EngineSet:
    """Give `engines` a responder whose first answer is `words`."""
    return replace(engines, responder=_Greeter(engines.responder, reciting(engines, words)))


class _Greeter:
    def __init__(self, responder: Responder, script: Responder) -> None:
        self._responder = responder
        self._script: Responder | None = script

    @property
    def info(self) -> EngineInfo:
        return self._responder.info

    @property
    def capabilities(self) -> Capabilities:
        return self._responder.capabilities

    async def warm_up(self) -> None:
        """Do nothing: the responder's owner warms it up."""

    async def aclose(self) -> None:
        """Do nothing: the responder's owner closes it."""

    def generate(self, context: GenerationContext) -> Generation:
        script, self._script = self._script, None
        if script is not None and all(map(_says_nothing, context.items)):
            return script.generate(context)
        return self._responder.generate(context)


def _says_nothing(item: Item) -> bool:
    """Whether it is but a still of the caller's camera."""
    return isinstance(item, MessageItem) and all(isinstance(part, InputImagePart) for part in item.content)


class _Script:
    """A chat model that says one text, whatever it is asked."""

    def __init__(self, words: str, chat: ChatModel) -> None:
        self._words = words
        self._chat = chat

    @property
    def info(self) -> EngineInfo:
        return self._chat.info

    @property
    def capabilities(self) -> Capabilities:
        return self._chat.capabilities

    async def warm_up(self) -> None:
        """Do nothing: there is nothing to load."""

    async def aclose(self) -> None:
        """Do nothing: there is nothing to free."""

    def generate(self, context: GenerationContext) -> Generation:
        return _Said(self._words)


class _Said:
    def __init__(self, words: str) -> None:
        self._words = words
        self._cancelled = False

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for chunk in (TextDelta(self._words), EngineUsage(output_text_tokens=0, estimated=True), Done()):
            if self._cancelled:
                return
            yield chunk

    def cancel(self) -> None:
        self._cancelled = True
