"""Pipecat's unmodified OpenAI realtime service in a pipeline, run by its own interpreter: no test itself.

Takes the server's WebSocket address and a folder with speech; holds three conversations and prints what came of them
as one line of JSON. The pipeline is Pipecat's usual one: context aggregators around the service.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loguru import logger  # type: ignore[import-not-found]
from pipecat.adapters.schemas.function_schema import FunctionSchema  # type: ignore[import-not-found]
from pipecat.adapters.schemas.tools_schema import ToolsSchema  # type: ignore[import-not-found]
from pipecat.frames.frames import (  # type: ignore[import-not-found]
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    LLMRunFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # type: ignore[import-not-found]
from pipecat.pipeline.runner import PipelineRunner  # type: ignore[import-not-found]
from pipecat.pipeline.task import PipelineParams, PipelineTask  # type: ignore[import-not-found]
from pipecat.processors.aggregators.llm_context import LLMContext  # type: ignore[import-not-found]
from pipecat.processors.aggregators.llm_response_universal import (  # type: ignore[import-not-found]
    LLMContextAggregatorPair,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # type: ignore[import-not-found]
from pipecat.services.openai.realtime import events  # type: ignore[import-not-found]
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService  # type: ignore[import-not-found]

WAIT_S = 60


class Notes:
    """What passed the ears."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.errors: list[str] = []
        self.transcripts: list[str] = []
        self.text = ""
        self.sound = bytearray()

    def take(self, frame: Any) -> None:
        self.kinds.append(type(frame).__name__)
        if isinstance(frame, ErrorFrame):
            self.errors.append(frame.error)
        elif isinstance(frame, TTSAudioRawFrame):
            self.sound += frame.audio
        elif isinstance(frame, TTSTextFrame):
            self.text += frame.text
        elif isinstance(frame, TranscriptionFrame):
            self.transcripts.append(frame.text)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.01)

    def count(self, kind: str) -> int:
        return self.kinds.count(kind)

    def report(self, **more: Any) -> dict[str, Any]:
        said = {"kinds": self.kinds, "errors": self.errors, "transcripts": self.transcripts, "text": self.text}
        return {**said, **more}


class Ear(FrameProcessor):  # type: ignore[misc]
    """Stands beside the service and notes what leaves it in one direction: sound goes on, transcripts go back."""

    def __init__(self, notes: Notes, direction: Any) -> None:
        super().__init__()
        self._notes, self._direction = notes, direction

    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if direction == self._direction:
            self._notes.take(frame)
        await self.push_frame(frame, direction)


class Talk:
    """A running pipeline."""

    def __init__(self, task: Any, ear: Notes, service: Any) -> None:
        self.task, self.ear, self.service = task, ear, service

    async def speak(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 4_800):
            await self.task.queue_frame(InputAudioRawFrame(pcm[start : start + 4_800], 24_000, 1))


@asynccontextmanager
async def talking(url: str, instructions: str, tools: Any = None) -> AsyncIterator[Talk]:
    transcription = events.InputAudioTranscription(model="gpt-4o-mini-transcribe")
    audio = events.AudioConfiguration(input=events.AudioInput(transcription=transcription))
    settings = OpenAIRealtimeLLMService.Settings(
        system_instruction=instructions, session_properties=events.SessionProperties(audio=audio)
    )
    service = OpenAIRealtimeLLMService(api_key="none", base_url=url, settings=settings)
    context = LLMContext([], tools) if tools else LLMContext([])
    pair = LLMContextAggregatorPair(context)
    ear = Notes()
    front, back = Ear(ear, FrameDirection.UPSTREAM), Ear(ear, FrameDirection.DOWNSTREAM)
    params = PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000)
    task = PipelineTask(Pipeline([pair.user(), front, service, back, pair.assistant()]), params=params)

    @task.event_handler("on_pipeline_error")  # type: ignore[untyped-decorator]
    async def failed(_task: Any, frame: Any) -> None:
        ear.errors.append(frame.error)

    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    try:
        yield Talk(task, ear, service)
    finally:
        await task.queue_frame(EndFrame())
        await asyncio.wait_for(running, WAIT_S)


async def turn(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question."""
    async with talking(url, "Be brief.") as talk:
        await talk.ear.until(lambda: bool(talk.service._api_session_ready))
        await talk.speak((speech / "hello.pcm").read_bytes())
        await talk.ear.until(lambda: talk.ear.count("LLMFullResponseEndFrame") == 1 and bool(talk.ear.transcripts))
        (speech / "pipecat_client.pcm").write_bytes(talk.ear.sound)
        return talk.ear.report()


async def tool(url: str, speech: Path) -> dict[str, Any]:
    """A spoken question that a function answers, whose result is spoken."""
    asked: list[str] = []
    city = {"city": {"type": "string", "description": "The city."}}
    schema = FunctionSchema("get_weather", "Get the current weather in a city.", city, ["city"])
    async with talking(url, "Be brief.", ToolsSchema(standard_tools=[schema])) as talk:

        async def get_weather(params: Any) -> None:
            asked.append(params.arguments["city"])
            await params.result_callback({"sky": "sunny"})

        talk.service.register_function("get_weather", get_weather)
        await talk.task.queue_frame(LLMRunFrame())
        await talk.ear.until(lambda: talk.ear.count("LLMFullResponseEndFrame") == 1)
        talk.ear.sound.clear()
        await talk.speak((speech / "weather.pcm").read_bytes())
        await talk.ear.until(lambda: "sunny" in talk.ear.text.lower())
        ends = talk.ear.count("LLMFullResponseEndFrame")
        await talk.ear.until(lambda: talk.ear.count("LLMFullResponseEndFrame") >= min(ends + 1, 3))
        (speech / "pipecat_client_tool.pcm").write_bytes(talk.ear.sound)
        return talk.ear.report(asked_for=asked)


async def barge_in(url: str, speech: Path) -> dict[str, Any]:
    """A long answer that the user's voice interrupts; the service cuts it by itself."""
    story = 'Say exactly: "' + "One, two, three, four, five, six, seven, eight, nine, ten. " * 4 + '"'
    async with talking(url, story) as talk:
        await talk.task.queue_frame(LLMRunFrame())
        await talk.ear.until(lambda: talk.ear.count("TTSAudioRawFrame") > 3)
        await talk.speak((speech / "wait.pcm").read_bytes())
        await talk.ear.until(lambda: bool(talk.ear.transcripts))
        await talk.ear.until(lambda: talk.ear.count("LLMFullResponseEndFrame") >= 2)
        return talk.ear.report()


async def main() -> None:
    logger.remove()
    url, folder = sys.argv[1], Path(sys.argv[2])
    report = {}
    for scene in (turn, tool, barge_in):
        report[scene.__name__] = await scene(url, folder)
    sys.stdout.write(json.dumps(report) + "\n")


asyncio.run(main())
