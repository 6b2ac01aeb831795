"""Failures of a server elsewhere come out as one sentence that names the server, the stage and the fix."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from parley.engines.base import EngineError
from parley.engines.catalog import StageSettings
from parley.engines.llm.openai_http import OpenAIChatModel
from parley.engines.openai_endpoint import Endpoint, Timeouts
from parley.protocol.realtime.generation import Chunk, TextDelta
from parley.testing import Hang, generation_context, say, user_says
from parley.testing.stub_openai import Behaviour, StubOpenAI

QUICK = Timeouts(connect_s=0.5, first_s=1.5, stall_s=0.4)


async def answer(engine: OpenAIChatModel) -> list[Chunk]:
    try:
        return [chunk async for chunk in engine.generate(generation_context(user_says("the canary sings")))]
    finally:
        await engine.aclose()


async def failure(stub_url: str, *, timeouts: Timeouts = QUICK, key: str | None = None) -> EngineError:
    engine = OpenAIChatModel(StageSettings(stub_url, "m", key), timeouts=timeouts)
    with pytest.raises(EngineError) as caught:
        await answer(engine)
    assert "canary" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("behaviour", "code", "retryable", "says"),
    [
        (Behaviour(status=401), "llm_unauthorized", False, "rejected the key (HTTP 401): --llm-key sets it."),
        (Behaviour(status=403), "llm_unauthorized", False, "rejected the key"),
        (Behaviour(status=404), "llm_not_found", False, "no model 'm' (HTTP 404): --llm should end in /v1"),
        (Behaviour(status=413), "llm_rejected", False, "too large"),
        (Behaviour(status=429), "llm_rate_limited", True, "asked too often (HTTP 429)"),
        (Behaviour(status=500), "llm_failed", True, "failed (HTTP 500)"),
        (Behaviour(status=503), "llm_failed", True, "failed (HTTP 503)"),
        (Behaviour(status=400, error_param="tools"), "llm_rejected", False, "(HTTP 400) about tools"),
        (Behaviour(status=400, error_code="the canary sings"), "llm_rejected", False, "(HTTP 400): does --llm-model"),
        (Behaviour(status=307, headers=(("location", "http://127.0.0.1:9/"),)), "llm_moved", False, "give the final"),
        (Behaviour(stall_after=0), "llm_timeout", True, "fell silent"),
        (Behaviour(stall_after=2), "llm_timeout", True, "fell silent"),
        (Behaviour(first_delay_ms=5000), "llm_timeout", True, "is it overloaded?"),
        (Behaviour(garble_after=1), "llm_garbled", False, "no OpenAI-compatible answer: does --llm point at one?"),
        (Behaviour(close_after=2), "llm_broken", True, "broke off in mid-answer"),
        (Behaviour(end_after=2), "llm_broken", True, "broke off in mid-answer"),
        (Behaviour(body=b"<html>hello", content_type="text/html"), "llm_garbled", False, "does --llm point at one?"),
    ],
)
async def test_what_a_bad_server_does(behaviour: Behaviour, code: str, retryable: bool, says: str) -> None:
    async with StubOpenAI() as stub:
        stub.behave("chat", behaviour, times=None)
        error = await failure(stub.url)
    assert (error.code, error.retryable) == (code, retryable)
    assert says in error.message
    assert error.message.startswith(f"The LLM at {stub.url.removesuffix('/v1')} ")


async def test_an_error_event_in_the_stream_is_a_failure() -> None:
    async with StubOpenAI(chat=[[TextDelta("Hi"), EngineError("the canary sings")]]) as stub:
        assert (await failure(stub.url)).code == "llm_failed"


async def test_nobody_there() -> None:
    error = await failure("http://127.0.0.1:9/v1")
    assert error.code == "llm_unreachable"
    assert (
        error.message == "The LLM at http://127.0.0.1:9 refused the connection: is it running? --llm sets its address."
    )


async def test_an_unknown_host() -> None:
    error = await failure("http://no-such-host.invalid/v1", timeouts=Timeouts(connect_s=10, first_s=20))
    assert error.code == "llm_unreachable"
    assert "unknown host name" in error.message


async def test_a_host_that_never_accepts() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.socket() as filler, socket.socket() as second:
            for one in (filler, second):
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            error = await failure(f"http://127.0.0.1:{full.getsockname()[1]}/v1", timeouts=Timeouts(0.3, 5, 5))
    assert error.code == "llm_unreachable"
    assert "could not be reached in 0.3 s" in error.message


async def test_a_key_is_sent_only_where_it_was_configured() -> None:
    async with StubOpenAI(key="sesame") as stub:
        assert await answer(OpenAIChatModel(StageSettings(stub.url, key="sesame")))
        assert (await failure(stub.url)).code == "llm_unauthorized"
        sent = {request.headers["authorization"] for request in stub.requests}
    assert sent == {"Bearer sesame", "Bearer none"}


async def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "stray-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Stray: stray-secret\nAuthorization: Bearer stray-secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with StubOpenAI() as stub:
        await answer(OpenAIChatModel(StageSettings(stub.url)))
        for request in stub.requests:
            assert "stray" not in repr(request.headers)
            assert request.headers["authorization"] == "Bearer none"
            assert not any(name.startswith("openai-") for name in request.headers)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_once_more(status: int) -> None:
    async with StubOpenAI() as stub:
        stub.behave("chat", Behaviour(status=status))
        assert await answer(OpenAIChatModel(StageSettings(stub.url)))
        assert len(stub.chat_requests) == 2


@pytest.mark.parametrize("behaviour", [Behaviour(status=401), Behaviour(close_after=3), Behaviour(stall_after=3)])
async def test_what_will_not_pass_or_was_half_said_is_not_tried_again(behaviour: Behaviour) -> None:
    async with StubOpenAI() as stub:
        stub.behave("chat", behaviour, times=None)
        await failure(stub.url)
        assert len(stub.chat_requests) == 1


async def test_a_server_that_asks_for_a_long_wait_is_not_waited_for() -> None:
    async with StubOpenAI() as stub:
        stub.behave("chat", Behaviour(status=429, headers=(("retry-after", "60"),)), times=None)
        began = time.monotonic()
        assert (await failure(stub.url)).code == "llm_rate_limited"
        assert time.monotonic() - began < 5
        assert len(stub.chat_requests) == 1


async def test_a_cancel_closes_the_connection_and_the_server_notices() -> None:
    async with StubOpenAI(chat=[[*say("Hello there. "), Hang()]]) as stub:
        engine = OpenAIChatModel(StageSettings(stub.url))
        generation = engine.generate(generation_context(user_says("Hi")))
        await anext(aiter(generation))
        generation.cancel()
        await generation.closed()
        async with asyncio.timeout(5):
            while not stub.chat_requests[0].gone:
                await asyncio.sleep(0.005)
        await engine.aclose()


async def test_connections_are_kept() -> None:
    async with StubOpenAI() as stub:
        engine = OpenAIChatModel(StageSettings(stub.url))
        for _ in range(3):
            assert [chunk async for chunk in engine.generate(generation_context(user_says("Hi")))]
        await engine.aclose()
        assert stub.connections_made == 1


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/openai/v1/audio/speech", "https://host/openai/v1"),
        ("https://host/api", "https://host/api"),
    ],
)
def test_an_address_may_be_given_in_many_ways(given: str, root: str) -> None:
    assert Endpoint("llm", StageSettings(given)).url == root


async def test_the_first_model_is_asked_for_if_none_is_named() -> None:
    async with StubOpenAI(models=["big", "small"]) as stub:
        await answer(OpenAIChatModel(StageSettings(stub.url)))
        assert stub.chat_requests[0].json["model"] == "big"
    async with StubOpenAI(models=[]) as stub:
        engine = OpenAIChatModel(StageSettings(stub.url))
        with pytest.raises(EngineError, match="lists no model: name one with --llm-model"):
            await answer(engine)


async def test_warming_up_asks_whether_the_server_is_there() -> None:
    async with StubOpenAI(key="sesame") as stub:
        for settings, code in (
            (StageSettings(stub.url), "llm_unauthorized"),
            (StageSettings("http://127.0.0.1:9"), "llm_unreachable"),
        ):
            engine = OpenAIChatModel(settings)
            with pytest.raises(EngineError) as caught:
                await engine.warm_up()
            assert caught.value.code == code
            await engine.aclose()
        stub.behave("models", Behaviour(status=404), times=None)
        engine = OpenAIChatModel(StageSettings(stub.url, key="sesame"))
        await engine.warm_up()
        await engine.aclose()
