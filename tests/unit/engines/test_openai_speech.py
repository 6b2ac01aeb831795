"""Speech from servers elsewhere: formats, voices, failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parley.engines.base import EngineError
from parley.engines.catalog import StageSettings
from parley.engines.openai_endpoint import Timeouts
from parley.engines.tts.openai_http import OpenAISynthesizer
from parley.testing.stub_openai import Behaviour, StubOpenAI

TEXT = "Good morning."
PCM_BYTES = len(TEXT) * 50 * 48


@pytest.fixture
async def stub() -> AsyncIterator[StubOpenAI]:
    async with StubOpenAI() as server:
        yield server


async def speak(engine: OpenAISynthesizer, *, voice: str = "alloy", speed: float = 1.0) -> list[bytes]:
    try:
        return [chunk.pcm async for chunk in engine.speak(TEXT, voice=voice, speed=speed)]
    finally:
        await engine.aclose()


def engine_at(stub: StubOpenAI, **settings: Any) -> OpenAISynthesizer:
    return OpenAISynthesizer(StageSettings(stub.url, **settings), timeouts=Timeouts(0.5, 1.5, 0.4))


async def failure(stub: StubOpenAI, **settings: str) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await speak(engine_at(stub, **settings))
    assert "morning" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(),
        Behaviour(split_bytes=7),
        Behaviour(split_bytes=333),
        Behaviour(wav="exact"),
        Behaviour(wav="unknown", split_bytes=5),
        Behaviour(wav="zero"),
        Behaviour(wav="exact", rate_hz=16_000, channels=2),
        Behaviour(content_type="audio/pcm;rate=48000", rate_hz=48_000),
    ],
)
async def test_every_way_to_send_sound_sounds_the_same(stub: StubOpenAI, behaviour: Behaviour) -> None:
    stub.behave("speech", behaviour)
    chunks = await speak(engine_at(stub))
    assert abs(sum(map(len, chunks)) - PCM_BYTES) <= 96
    assert all(len(chunk) % 2 == 0 for chunk in chunks)


async def test_what_is_asked_for(stub: StubOpenAI) -> None:
    await speak(engine_at(stub, model="kokoro", voice="amy"), voice="alloy", speed=1.5)
    await speak(engine_at(stub), voice="alloy")
    await speak(engine_at(stub), voice="alloy", speed=99.0)
    first, second, third = [request.json for request in stub.speech_requests]
    assert first == {"model": "kokoro", "input": TEXT, "voice": "amy", "response_format": "pcm", "speed": 1.5}
    assert second == {"model": "stub-model", "input": TEXT, "voice": "alloy", "response_format": "pcm"}
    assert third["speed"] == 4.0


async def test_an_unknown_voice_becomes_one_that_the_server_has() -> None:
    async with StubOpenAI(voices=["bella", "af_alloy"]) as stub:
        engine = engine_at(stub)
        for _ in range(2):
            assert [chunk async for chunk in engine.speak(TEXT, voice="alloy", speed=1.0)]
        assert [chunk async for chunk in engine.speak(TEXT, voice="nobody", speed=1.0)]
        await engine.aclose()
        assert [request.json["voice"] for request in stub.speech_requests] == [
            "alloy", "af_alloy", "af_alloy", "nobody", "bella",
        ]  # fmt: skip


async def test_a_configured_voice_is_never_replaced() -> None:
    async with StubOpenAI(voices=["bella"]) as stub:
        error = await failure(stub, voice="amy")
    assert error.code == "tts_rejected"
    assert "does it know the voice 'amy'? --voice sets another." in error.message


@pytest.mark.parametrize(
    ("behaviour", "code", "says"),
    [
        (Behaviour(status=500), "tts_failed", "failed (HTTP 500)"),
        (Behaviour(status=400), "tts_rejected", "does it know the voice"),
        (Behaviour(stall_after=2), "tts_timeout", "fell silent"),
        (Behaviour(close_after=2), "tts_broken", "broke off in mid-answer"),
        (Behaviour(body=b"", content_type="audio/pcm"), "tts_garbled", "without any sound"),
        (Behaviour(body=b"ID3\x04" + bytes(100), content_type="audio/mpeg"), "tts_garbled", "sends MP3 although"),
        (Behaviour(body=b'{"error": {}}'), "tts_garbled", "text instead of sound"),
    ],
)
async def test_failures_name_the_stage(stub: StubOpenAI, behaviour: Behaviour, code: str, says: str) -> None:
    stub.behave("speech", behaviour, times=None)
    error = await failure(stub)
    assert error.code == code
    assert says in error.message
    assert error.message.startswith("The speech synthesis at http://127.0.0.1:")


async def test_the_first_sound_does_not_wait_for_the_last() -> None:
    async with StubOpenAI(realtime_factor=0.5, chunk_ms=40) as stub:
        engine = engine_at(stub)
        loop = asyncio.get_running_loop()
        began = loop.time()
        at = [loop.time() - began async for _ in engine.speak(TEXT * 3, voice="alloy", speed=1.0)]
        await engine.aclose()
    assert at[0] < at[-1] / 3


async def test_a_cancel_reaches_the_server(stub: StubOpenAI) -> None:
    stub.behave("speech", Behaviour(stall_after=3))
    engine = engine_at(stub)
    speech = engine.speak(TEXT, voice="alloy", speed=1.0)
    await anext(aiter(speech))
    speech.cancel()
    await speech.closed()
    async with asyncio.timeout(5):
        while not stub.speech_requests[0].gone:
            await asyncio.sleep(0.005)
    await engine.aclose()
