"""A chat model behind any OpenAI-compatible `/v1/chat/completions`, streamed.

Here: the request, its time-outs and its one retry. Not here: what is sent (`messages`), how the answer is read
(`chat_stream`), the server and its failures (`openai_endpoint`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import openai

from parley.engines.base import Capabilities, EngineInfo
from parley.engines.catalog import StageSettings
from parley.engines.llm.chat_stream import ChatStream
from parley.engines.llm.messages import chat_messages, chat_tool_choice, chat_tools, estimated_tokens
from parley.engines.openai_endpoint import Endpoint, Timeouts
from parley.engines.read_ahead import ReadAhead
from parley.protocol.realtime.generation import Chunk, GenerationContext

__all__ = ["OpenAIChatModel", "build"]


class OpenAIChatModel:
    """Generate by HTTP. Any number at once; a cancelled one closes its connection, which tells the server to stop."""

    def __init__(self, settings: StageSettings, *, timeouts: Timeouts | None = None) -> None:
        self._endpoint = Endpoint("llm", settings, timeouts=timeouts)
        self._images = settings.images or self._endpoint.is_openai
        self._create = self._endpoint.client.chat.completions.create
        self._sends_usage_option = True
        self._open: set[ReadAhead[Chunk]] = set()

    @property
    def info(self) -> EngineInfo:
        endpoint = self._endpoint
        return EngineInfo("llm", "openai", endpoint.model or "the server's first", "the server's", endpoint.host)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tools=True, images=self._images)

    async def warm_up(self) -> None:
        """Ask whether the server is there. Raises `EngineError`."""
        await self._endpoint.check()

    async def aclose(self) -> None:
        for generation in list(self._open):
            generation.cancel()
            await generation.closed()
        await self._endpoint.aclose()

    def generate(self, context: GenerationContext) -> ReadAhead[Chunk]:
        return ReadAhead(lambda: self._generate(context), ahead=64, name=f"llm-{context.response_id}", among=self._open)

    async def _generate(self, context: GenerationContext) -> AsyncGenerator[Chunk, None]:
        endpoint = self._endpoint
        numbers = itertools.count(1)
        reader = ChatStream(
            fresh_call_id=lambda: f"call_{context.response_id.removeprefix('resp_')}_{next(numbers)}"[:32],
            estimate_input=estimated_tokens(context.items, context.instructions),
        )
        loop = asyncio.get_running_loop()
        answered = False
        try:
            due_at = loop.time() + endpoint.timeouts.first_s
            async with asyncio.timeout_at(due_at):
                stream = await self._request(context)
            async with stream:
                events = aiter(stream)
                while True:
                    async with asyncio.timeout_at(due_at):
                        event = await anext(events, None)
                    if event is None:
                        break
                    answered = True
                    due_at = loop.time() + endpoint.timeouts.stall_s
                    for chunk in reader.feed(event.to_dict(warnings=False)):
                        yield chunk
        except TimeoutError as error:
            raise endpoint.error("timeout", "fell silent: is it overloaded?", retryable=True) from error
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise endpoint.explain(error) from error
        if not answered:
            raise endpoint.explain(ValueError("no events"))
        if not reader.finished:
            raise endpoint.error("broken", "broke off in mid-answer: its own log says why.", retryable=True)
        for chunk in reader.end():
            yield chunk

    async def _request(self, context: GenerationContext) -> openai.AsyncStream[Any]:
        """Open the stream; one retry, since nothing was received yet."""
        request = await self._arguments(context)
        stream: openai.AsyncStream[Any]
        try:
            stream = await self._create(**request)
        except openai.BadRequestError as error:
            if "stream_options" not in request or not _is_about_usage(error):
                raise
            self._sends_usage_option = False
            del request["stream_options"]
        except (openai.APIError, httpx2.HTTPError) as error:
            delay_s = self._endpoint.retry_delay_s(error)
            if delay_s is None:
                raise
            await asyncio.sleep(delay_s)
        else:
            return stream
        stream = await self._create(**request)
        return stream

    async def _arguments(self, context: GenerationContext) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": await self._endpoint.model_name(),
            "messages": chat_messages(context, images=self._images),
            "stream": True,
        }
        if self._sends_usage_option:
            request["stream_options"] = {"include_usage": True}
        tools = chat_tools(context)
        if tools:
            request |= {"tools": tools, "tool_choice": chat_tool_choice(context)}
            if context.parallel_tool_calls is not None:
                request["parallel_tool_calls"] = context.parallel_tool_calls
        if context.max_output_tokens is not None:
            limit = "max_completion_tokens" if self._endpoint.is_openai else "max_tokens"
            request[limit] = context.max_output_tokens
        if context.temperature is not None:
            request["temperature"] = context.temperature
        return request


def _is_about_usage(error: openai.BadRequestError) -> bool:
    return "stream_options" in json.dumps(error.body, default=str) or "stream_options" in str(error.param)


def build(stage: StageSettings, models_dir: Path) -> OpenAIChatModel:
    """Make the engine for the catalogue."""
    del models_dir
    return OpenAIChatModel(stage)
