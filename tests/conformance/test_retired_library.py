"""What only speaks the retired beta still works: a client written from the abandoned library's habits, by voice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from retired_client import retired_client
from served import Served, parley_serve
from spoken import BYTES_PER_MS, heard, say, silence, words

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

NEWER = {"conversation.item.added", "conversation.item.done"}
URL = "/v1/realtime?model=gpt-4o-realtime-preview-2024-10-01"
VAD = {"type": "server_vad"}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


async def test_a_spoken_turn_is_transcribed_and_answered_aloud(server: Served) -> None:
    async with retired_client(server.websocket_url + URL) as client:
        await client.update_session(turn_detection=VAD, input_audio_transcription={"model": "whisper-1"})
        await client.append(silence(500) + say("Hello, what can you do?") + silence(1_500))
        await client.until(lambda: [one for one in client.responses.values() if one["status"] == "completed"])
        question, answer = (client.items[name] for name in client.order)
        await client.until(lambda: question.transcript)
        assert words(question.transcript) == words("Hello, what can you do?")
        assert words(await asyncio.to_thread(heard, bytes(question.sound))) == words("Hello, what can you do?")
        said = words(await asyncio.to_thread(heard, bytes(answer.sound)))
        assert len(set(said) & set(words(answer.transcript))) >= 0.7 * len(set(words(answer.transcript)))
        assert [part["type"] for part in answer.item["content"]] == ["audio"]
        kinds = {event["type"] for event in client.log}
        assert not [kind for kind in kinds if kind in NEWER or "output_audio" in kind or "output_text" in kind]


async def test_a_tool_is_run_and_its_result_spoken(server: Served) -> None:
    asked: list[str] = []

    async def get_weather(arguments: dict[str, Any]) -> dict[str, Any]:
        asked.append(arguments["city"])
        return {"temperature": 21, "sky": "sunny"}

    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with retired_client(server.websocket_url + URL) as client:
        await client.update_session(turn_detection=VAD)
        weather = {"name": "get_weather", "description": "Get the weather in a city.", "parameters": parameters}
        await client.add_tool(weather, get_weather)
        await client.append(silence(300) + say("What is the weather in Lisbon?") + silence(1_500))
        await client.until(lambda: len([one for one in client.responses.values() if one["status"] == "completed"]) == 2)
        assert asked == ["Lisbon"]
        assert "sunny" in words(await asyncio.to_thread(heard, bytes(client.items[client.order[-1]].sound)))


async def test_push_to_talk_and_a_cancelled_answer(server: Served) -> None:
    story = "One, two, three, four, five, six, seven, eight, nine, ten. " * 4
    async with retired_client(server.websocket_url + URL) as client:
        await client.update_session(instructions=f'Say exactly: "{story}"')
        await client.append(say("Hello, what can you do?"))
        await client.create_response()
        await client.until(lambda: [one for one in client.items.values() if len(one.sound) > 500 * BYTES_PER_MS])
        item_id = client.order[-1]
        await client.cancel_response(item_id, samples=12_000)
        await client.until(lambda: [event for event in client.log if event["type"] == "conversation.item.truncated"])
        await client.until(lambda: all(one["status"] != "in_progress" for one in client.responses.values()))
        cut = next(event for event in client.log if event["type"] == "conversation.item.truncated")
        assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, 500)


async def test_a_written_turn(server: Served) -> None:
    async with retired_client(server.websocket_url + URL) as client:
        await client.update_session(modalities=["text"])
        await client.say("What can you do?")
        await client.until(lambda: [one for one in client.responses.values() if one["status"] == "completed"])
        answer = client.items[client.order[-1]]
        assert len(words(answer.text)) > 3
        assert answer.item["content"][0]["type"] == "text"


async def test_a_voice_interrupts(server: Served) -> None:
    story = "One, two, three, four, five, six, seven, eight, nine, ten. " * 4
    async with retired_client(server.websocket_url + URL) as client:
        await client.update_session(turn_detection=VAD, instructions=f'Say exactly: "{story}"')
        await client.create_response()
        await client.until(lambda: [one for one in client.items.values() if one.sound])
        await client.append(silence(200) + say("Wait a moment, please.") + silence(1_500))
        await client.until(lambda: client.interrupted)
        await client.until(lambda: len(client.responses) == 2)
        await client.until(lambda: all(one["status"] != "in_progress" for one in client.responses.values()))
        assert {one["status"] for one in client.responses.values()} <= {"completed", "cancelled"}
