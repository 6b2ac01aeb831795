"""Sessions that speak first: when they begin, and when they leave it to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime_kit import Client, supervised

from parley.agents.greeting import with_greeting
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.equipment import Equipment
from parley.runtime.opening import GREETING_WAIT_MS
from parley.testing import engine_set
from parley.testing.fake_chat import FakeChatModel

WORDS = "Harbour Hotel, good day. How may I help you?"


@asynccontextmanager
async def greeting(chat: FakeChatModel | None = None) -> AsyncIterator[Client]:
    engines = engine_set(chat=chat or FakeChatModel())
    async with supervised(engines) as supervisor:
        equipment = Equipment(engines=with_greeting(engines, WORDS), greets=True)
        yield await Client.connect(supervisor, SessionConfig(), equipment=equipment)


def said(client: Client) -> list[str]:
    return [event["transcript"] for event in client.of("response.output_audio_transcript.done")]


async def test_a_client_that_says_nothing_is_greeted_word_for_word() -> None:
    chat = FakeChatModel()
    async with greeting(chat) as client:
        await asyncio.sleep(GREETING_WAIT_MS / 1000 / 2)
        assert client.of("response.created") == []
        await client.until("response.done")
        assert said(client) == [WORDS]
        assert client.audio()
        assert chat.contexts == []


async def test_a_greeting_waits_for_the_clients_configuration_and_uses_it() -> None:
    async with greeting() as client:
        await client.send("session.update", session={"audio": {"output": {"format": {"type": "audio/pcmu"}}}})
        await client.until("response.created")
        created = client.of("response.created")[0]["response"]
        assert created["audio"]["output"]["format"]["type"] == "audio/pcmu"
        await client.until("response.done")
        await asyncio.sleep(2)
        assert len(client.of("response.created")) == 1


async def test_a_client_that_asks_for_a_response_itself_gets_one_greeting() -> None:
    async with greeting() as client:
        await client.send("response.create")
        await client.until("response.done")
        await asyncio.sleep(2)
        assert said(client) == [WORDS]
        assert client.of("error") == []


async def test_a_client_that_speaks_first_is_answered_instead() -> None:
    async with greeting() as client:
        part = {"type": "input_text", "text": "hello there"}
        await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await asyncio.sleep(2)
        assert client.of("response.created") == []
        await client.send("response.create")
        await client.until("response.done")
        assert said(client) == ["You said: hello there"]


async def test_a_second_connection_is_not_greeted_again() -> None:
    async with greeting() as client:
        await client.until("response.done")
        other = await Client.join(client.handle)
        await asyncio.sleep(2)
        assert len(client.of("response.created")) == 1
        assert other.of("response.created") == []
