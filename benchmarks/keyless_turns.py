"""The keyless conversation: from the end of speech to the first audio of the answer, on the neural engines in process.

A tool turn calls a tool, gets its result at once, and speaks about it; small talk goes through the language model. The
silence that ends a turn (500 ms by default) is part of the waiting but not of the work, so both are shown. The baseline
is the engines alone, one after another, in the same process. Goals on two idle cores: tool turn ≤ 0.6 s and small talk
≤ 1.5 s beyond the silence window.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from parley.engines.base import EngineSet, RecognitionOptions
from parley.engines.catalog import EngineSettings, build_engines
from parley.engines.local.store import default_models_dir
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.clock import SystemClock
from parley.runtime.connection import Attachment
from parley.runtime.limits import Limits
from parley.runtime.supervisor import Supervisor

TURNS = 7
LEVEL_SAMPLES = 240
WINDOW_MS = 500
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CITIES = ("Lisbon", "London", "Boston", "Berlin", "Paris", "Madrid", "Chicago")
TOPICS = ("the sea", "the forest", "music", "winter", "bread", "books", "horses")


class _Session:
    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.events: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()

    async def read(self) -> None:
        async for frame in self.attachment.frames():
            await self.events.put((time.perf_counter(), json.loads(frame)))

    async def send(self, **event: Any) -> None:
        await self.attachment.receive(json.dumps(event))

    async def until(self, *kinds: str, matches: Callable[[dict[str, Any]], bool] = lambda _: True) -> tuple[float, Any]:
        while True:
            at, event = await asyncio.wait_for(self.events.get(), 30)
            if event["type"] in kinds and matches(event):
                return at, event

    async def speak(self, pcm: bytes, speech_bytes: int) -> float:
        """Append at the pace of speech; gives when the last sample of speech was sent."""
        started = time.perf_counter()
        for start in range(0, len(pcm), 960):
            await asyncio.sleep(max(0.0, started + start / 48_000 - time.perf_counter()))
            await self.send(type="input_audio_buffer.append", audio=base64.b64encode(pcm[start : start + 960]).decode())
        return started + speech_bytes / 48_000


async def _spoken(engines: EngineSet, text: str) -> bytes:
    """The sentence up to its last audible 10 ms: what fades out behind it is no speech."""
    pcm = b"".join([part.pcm async for part in engines.synthesizer.speak(text, voice="", speed=1.0)])
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    level = np.sqrt(
        np.mean(samples[: len(samples) // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES) ** 2, axis=1)
    )
    last = int(np.flatnonzero(level > 0.05 * level.max())[-1])
    return pcm[: (last + 1) * LEVEL_SAMPLES * 2]


async def _turn(session: _Session, engines: EngineSet, text: str, *, tool: bool) -> float:
    """Speak one turn; gives ms from the end of speech to the first audio of the spoken answer."""
    lead = bytes(48 * 200)
    speech = await _spoken(engines, text)
    speaking = asyncio.create_task(session.speak(lead + speech + bytes(48 * 1500), len(lead) + len(speech)))
    if tool:
        _, done = await session.until("response.done")
        call = done["response"]["output"][0]
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky": "sunny"}'}
        await session.send(type="conversation.item.create", item=item)
        await session.send(type="response.create")
    first_at, first = await session.until("response.output_audio.delta")
    ended_at = await speaking
    await session.until("response.done")
    await session.send(
        type="conversation.item.truncate", item_id=first["item_id"], content_index=0, audio_end_ms=10_000_000
    )
    return (first_at - ended_at) * 1000


async def _alone(engines: EngineSet, text: str, reply: str) -> float:
    """The engines by themselves: a cold decode of the turn plus the first audio of a short answer, in ms."""
    speech = await _spoken(engines, text)
    started = time.perf_counter()
    recognition = engines.recognizer.open(RecognitionOptions())
    recognition.feed(speech)
    await recognition.finish()
    stream = engines.synthesizer.speak(reply, voice="", speed=1.0)
    async for _ in stream:
        break
    stream.cancel()
    return (time.perf_counter() - started) * 1000


async def _measure() -> None:
    engines = build_engines(EngineSettings(models_dir=default_models_dir(os.environ)))
    for engine in (engines.recognizer, engines.chat, engines.synthesizer, engines.turn_detector):
        await engine.warm_up()
    supervisor = Supervisor(
        engines=engines, clock=SystemClock(), ids=lambda kind: f"{kind}_{secrets.token_hex(8)}", limits=Limits()
    )
    async with supervisor, asyncio.TaskGroup() as group:
        handle = await supervisor.open(SessionConfig())
        session = _Session(handle.attach())
        reading = group.create_task(session.read())
        await session.send(type="session.update", session={"type": "realtime", "tools": [TOOL]})
        tool = [await _turn(session, engines, f"What is the weather in {city}?", tool=True) for city in CITIES[:TURNS]]
        talk = [
            await _turn(session, engines, f"Tell me a little about {topic}.", tool=False) for topic in TOPICS[:TURNS]
        ]
        alone = [
            await _alone(engines, f"What is the weather in {city}?", "The sky is sunny.") for city in CITIES[:TURNS]
        ]
        session.attachment.detach()
        reading.cancel()
    base = statistics.median(alone)
    print(f"{'turn':>12} {'median ms':>10} {'best':>6} {'worst':>6} {'beyond the window':>18} {'÷ engines alone':>16}")
    for name, found in (("tool turn", tool), ("small talk", talk)):
        beyond = statistics.median(found) - WINDOW_MS
        print(
            f"{name:>12} {statistics.median(found):>10.0f} {min(found):>6.0f} {max(found):>6.0f} {beyond:>18.0f} "
            f"{beyond / base:>16.2f}"
        )
    print(f"engines alone (cold decode + first audio): {base:.0f} ms")


def main() -> None:
    """Run the two conversations."""
    asyncio.run(_measure())


if __name__ == "__main__":
    main()
