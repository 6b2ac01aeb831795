"""Limits per API key: requests a minute, sessions at once, and what clients are told of them."""

from __future__ import annotations

import asyncio
from typing import Any

from running_server import KEY, ask, receive, receive_until, running_server

from parley.server.settings import Settings


def keyed(**limits: Any) -> Settings:
    return Settings(api_keys=(KEY, "other-key"), **limits)


async def test_requests_above_the_limit_get_429_with_what_to_wait() -> None:
    async with running_server(keyed(max_requests_per_minute=3)) as server:
        async with server.http(KEY) as http:
            assert [(await http.get("/v1/models")).status_code for _ in range(3)] == [200] * 3
            refused = await http.get("/v1/models")
            assert refused.status_code == 429
            error = refused.json()["error"]
            assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
            assert 1 <= int(refused.headers["retry-after"]) <= 20
            assert refused.headers["x-ratelimit-limit-requests"] == "3"
            assert refused.headers["x-ratelimit-remaining-requests"] == "0"
            assert (await http.get("/healthz")).status_code == 200
        async with server.http("other-key") as http:
            assert (await http.get("/v1/models")).status_code == 200
        async with server.websocket(key=KEY) as socket:
            assert (await receive(socket))["error"]["code"] == "rate_limit_exceeded"
            await asyncio.wait_for(socket.wait_closed(), 10)
            assert socket.close_code == 1013


async def test_a_stranger_spends_nobodys_requests() -> None:
    async with running_server(keyed(max_requests_per_minute=1)) as server:
        async with server.http("wrong") as http:
            assert [(await http.get("/v1/models")).status_code for _ in range(5)] == [401] * 5
        async with server.http(KEY) as http:
            assert (await http.get("/v1/models")).status_code == 200


async def test_the_sessions_of_a_key_include_those_of_its_secrets() -> None:
    async with running_server(keyed(max_sessions_per_key=2)) as server, server.http(KEY) as http:
        secret = (await http.post("/v1/realtime/client_secrets", json={})).json()["value"]
        async with server.websocket(key=KEY) as first, server.websocket("/v1/realtime", key=secret) as second:
            assert (await receive(first))["type"] == "session.created"
            assert (await receive(second))["type"] == "session.created"
            for key in (KEY, secret):
                async with server.websocket(key=key) as third:
                    assert (await receive(third))["error"]["code"] == "rate_limit_exceeded"
            async with server.websocket(key="other-key") as other:
                assert (await receive(other))["type"] == "session.created"


async def test_clients_are_told_what_is_left_after_each_response() -> None:
    async with running_server(keyed(max_requests_per_minute=10)) as server, server.http(KEY) as http:
        body = {"session": {"output_modalities": ["text"]}, "parley": {"max_tokens": 10_000}}
        secret = (await http.post("/v1/realtime/client_secrets", json=body)).json()["value"]
        async with server.websocket("/v1/realtime", key=secret) as socket:
            await receive(socket)
            used = (await ask(socket, "hello"))[-1]["response"]["usage"]["total_tokens"]
            requests, tokens = (await receive_until(socket, "rate_limits.updated"))[-1]["rate_limits"]
            assert (requests["name"], requests["limit"]) == ("requests", 10)
            assert requests["remaining"] == 8
            assert requests["reset_seconds"] > 0
            assert tokens == {"name": "tokens", "limit": 10_000, "remaining": 10_000 - used, "reset_seconds": 0.0}


async def test_without_limits_nothing_is_said_of_them() -> None:
    async with running_server() as server, server.websocket() as socket:
        await receive(socket)
        first = await ask(socket, "hello")
        second = await ask(socket, "hello again")
        assert "rate_limits.updated" not in {event["type"] for event in first + second}
