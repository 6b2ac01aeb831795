"""What local servers offer, and that Parley never offers itself."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import pytest

from parley.engines.probe import find_offers
from parley.testing.stub_openai import Behaviour, StubOpenAI


def port_of(stub: StubOpenAI) -> int:
    return urlsplit(stub.url).port or 0


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["nomic-embed-text", "llama3.2:3b"], [("llm", "llama3.2:3b")]),
        (["x/whisper-small", "x/Kokoro-82M"], [("stt", "x/whisper-small"), ("tts", "x/Kokoro-82M")]),
        (["bge-m3"], []),
        (["x; rm -rf /", "good-model"], [("llm", "good-model")]),
        ([], []),
    ],
)  # fmt: skip
async def test_models_say_which_stage_a_server_is_for(models: list[str], expected: list[tuple[str, str]]) -> None:
    async with StubOpenAI(models=models) as stub:
        offers = await find_offers(ports=[port_of(stub)], budget_ms=3000)
    assert [(offer.stage, offer.model) for offer in offers] == expected
    for offer in offers:
        assert offer.flags == f"--{offer.stage} {stub.url} --{offer.stage}-model {offer.model}"


async def test_a_server_with_voices_alone_is_for_speech() -> None:
    async with StubOpenAI(models=[], voices=["af_heart"]) as stub:
        (offer,) = await find_offers(ports=[port_of(stub)], budget_ms=3000)
    assert offer.flags == f"--tts {stub.url}"


async def test_parley_is_never_offered() -> None:
    body = b'{"object":"list","data":[{"id":"some-model","object":"model","owned_by":"openai","parley":{}}]}'
    async with StubOpenAI(models=["parley-demo"]) as named, StubOpenAI() as marked:
        marked.behave("models", Behaviour(body=body), times=None)
        assert await find_offers(ports=[port_of(named), port_of(marked)], budget_ms=3000) == []


async def test_its_own_port_is_not_even_asked() -> None:
    async with StubOpenAI() as stub:
        assert await find_offers(ports=[port_of(stub)], skip_port=port_of(stub)) == []
        assert stub.requests == []


async def test_nobody_there_is_no_error_and_a_silent_server_costs_the_budget_only() -> None:
    async with StubOpenAI() as silent, StubOpenAI(models=["llama"]) as quick:
        silent.behave("models", Behaviour(first_delay_ms=60_000), times=None)
        began = time.monotonic()
        offers = await find_offers(ports=[9, port_of(silent), port_of(quick)], budget_ms=700)
        assert time.monotonic() - began < 3
    assert [offer.model for offer in offers] == ["llama"]


async def test_what_is_no_model_server_is_ignored() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, StubOpenAI() as garbled:
        garbled.behave("models", Behaviour(body=b"<html>"), times=None)
        mail = server.sockets[0].getsockname()[1]
        assert await find_offers(ports=[mail, port_of(garbled)], budget_ms=3000) == []
