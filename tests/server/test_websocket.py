"""The upgrade: every way to send a key, every path, sub-protocols, and refusals that a browser can read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from running_server import KEY, ask, receive, receive_until, running_server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley.engines.base import EngineSet
from parley.server.settings import Settings
from parley.testing import engine_set

KEYED = Settings(api_keys=(KEY,))


def protocols(*extra: str) -> list[str]:
    return ["realtime", *extra]


WELCOME: list[dict[str, Any]] = [
    {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
    {"additional_headers": {"authorization": f"bearer {KEY}"}},
    {"additional_headers": {"api-key": KEY}},
    {
        "additional_headers": {
            "Authorization": f"Bearer {KEY}",
            "OpenAI-Beta": "realtime=v1",
            "OpenAI-Organization": "o",
        }
    },
    {"subprotocols": protocols(f"openai-insecure-api-key.{KEY}")},
    {"subprotocols": protocols(f"openai-insecure-api-key.{KEY}", "openai-agents-sdk.0.20.0")},
    {"subprotocols": protocols(f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1")},
    {"subprotocols": protocols(f"openai-insecure-api-key.{KEY}", "openai-organization.o", "openai-project.p")},
    {"additional_headers": {"Authorization": f"Bearer {KEY}"}, "origin": "https://anywhere.example"},
]


@pytest.mark.parametrize("options", WELCOME)
async def test_every_way_to_send_a_key(options: dict[str, Any]) -> None:
    async with running_server(KEYED) as server, server.websocket(**options) as socket:
        assert (await receive(socket))["type"] == "session.created"
        assert socket.subprotocol == ("realtime" if "subprotocols" in options else None)


PATHS = [
    ("/v1/realtime?model=gpt-realtime-2.1", "realtime", "gpt-realtime-2.1"),
    ("/v1/realtime", "realtime", "parley-demo"),
    ("/v1/realtime/?model=x", "realtime", "x"),
    ("/openai/v1/realtime?model=x", "realtime", "x"),
    ("/openai/realtime?api-version=2025-04-01-preview&deployment=mine", "realtime", "mine"),
    ("/v1/realtime?intent=transcription", "transcription", None),
    ("/v1/realtime?intent=transcription&model=x", "realtime", "x"),
]


@pytest.mark.parametrize(("path", "kind", "model"), PATHS)
async def test_every_address_form(path: str, kind: str, model: str | None) -> None:
    async with running_server() as server, server.websocket(path) as socket:
        session = (await receive(socket))["session"]
        assert (session["type"], session.get("model")) == (kind, model)
        assert session["id"].startswith("sess_")


REFUSED: list[tuple[Settings, str, dict[str, Any], int, str, str, str]] = [
    # settings, path, options, close, type, code, words
    (KEYED, "", {}, 3000, "authentication_error", "invalid_api_key", "Authorization: Bearer KEY"),
    (KEYED, "", {"key": "wrong"}, 3000, "authentication_error", "invalid_api_key", "--api-key"),
    (KEYED, "", {"key": "ek_unknown"}, 3000, "authentication_error", "invalid_api_key", "client_secrets"),
    (
        KEYED,
        "",
        {"subprotocols": ["realtime", "openai-insecure-api-key.no"]},
        3000,
        "authentication_error",
        "invalid_api_key",
        "",
    ),
    (
        KEYED,
        "",
        {"additional_headers": {"Cookie": f"parley_page={KEY}"}},
        3000,
        "authentication_error",
        "invalid_api_key",
        "",
    ),
    (Settings(), "", {"key": "ek_unknown"}, 3000, "authentication_error", "invalid_api_key", "expired"),
    (
        Settings(),
        "",
        {"origin": "https://evil.example"},
        1008,
        "invalid_request_error",
        "origin_not_allowed",
        "--cors-origin",
    ),
    (Settings(), "", {"origin": "null"}, 1008, "invalid_request_error", "origin_not_allowed", "--cors-origin null"),
    (KEYED, "?call_id=rtc_1", {}, 3000, "authentication_error", "invalid_api_key", "API key"),
]


@pytest.mark.parametrize(("settings", "query", "options", "close", "type", "code", "words"), REFUSED)
async def test_refusals_come_after_the_upgrade(
    settings: Settings, query: str, options: dict[str, Any], close: int, type: str, code: str, words: str
) -> None:
    async with running_server(settings) as server, server.websocket("/v1/realtime" + query, **options) as socket:
        event = await receive(socket)
        assert event["type"] == "error"
        assert event["event_id"].startswith("event_")
        assert (event["error"]["type"], event["error"]["code"]) == (type, code)
        assert words in event["error"]["message"]
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (close, f"{type}.{code}")


async def test_a_foreign_host_is_refused() -> None:
    from websockets.asyncio.client import connect

    async with running_server() as server:
        address = f"ws://rebound.example:{server.port}/v1/realtime"
        async with connect(address, host="127.0.0.1", port=server.port, proxy=None) as socket:
            assert (await receive(socket))["error"]["code"] == "host_not_allowed"


async def test_the_bearer_in_a_subprotocol_is_never_echoed() -> None:
    offered = ["openai-insecure-api-key.x", "realtime"]
    async with running_server() as server, server.websocket(subprotocols=offered) as socket:
        assert socket.subprotocol == "realtime"


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/v1/other", 404, "unknown_url", "/v1/realtime"),
        ("/v1/live/sessions", 501, "not_implemented", "Live API"),
        ("/v1/realtime/translations?model=m", 501, "not_implemented", "Translation"),
    ],
)
async def test_other_addresses_take_no_websocket(path: str, status: int, code: str, words: str) -> None:
    async with running_server() as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.websocket(path):
                pass
        assert refused.value.response.status_code == status
        error = json.loads(refused.value.response.body)["error"]
        assert error["code"] == code
        assert words in error["message"]


async def test_a_plain_request_is_told_to_upgrade() -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.get("/v1/realtime?model=x")
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


async def test_a_conversation_in_writing() -> None:
    async with running_server() as server, server.websocket() as socket:
        assert (await receive(socket))["type"] == "session.created"
        events = await ask(socket, "hello")
        kinds = [event["type"] for event in events]
        assert (
            kinds.index("response.created") < kinds.index("response.output_audio.delta") < kinds.index("response.done")
        )
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_audio_transcript.delta")
        assert text == "You said: hello"


async def test_a_full_server_says_when_to_come_again() -> None:
    async with running_server(Settings(max_sessions=1)) as server, server.websocket() as first:
        await receive(first)
        async with server.websocket() as second:
            event = await receive(second)
            assert (event["error"]["type"], event["error"]["code"]) == ("rate_limit_error", "rate_limit_exceeded")
            with pytest.raises(ConnectionClosed) as closed:
                await second.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        assert (await ask(first, "still here"))[-1]["response"]["status"] == "completed"


async def test_a_session_waits_for_the_engines() -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def build() -> EngineSet:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
        return engine_set()

    async with running_server(build=build, wait=False) as server, server.http() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["state"]) == (503, "starting")
        async with server.websocket() as socket:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.05)
            gate.set()
            assert (await receive(socket))["type"] == "session.created"
        assert (await http.get("/readyz")).status_code == 200


async def test_draining_closes_sessions_and_refuses_new_ones() -> None:
    async with running_server() as server, server.websocket() as socket:
        await receive_until(socket, "session.created")
        server.stop.set()
        await socket.wait_closed()
        assert socket.close_code in {1001, 1012}


async def test_a_client_that_vanishes_frees_its_session() -> None:
    async with running_server() as server:
        async with server.websocket() as socket:
            await receive(socket)
            await socket.send(json.dumps({"type": "response.create"}))
            await receive_until(socket, "response.created")
            socket.transport.abort()
        supervisor = await server.app.room.supervisor()
        for _ in range(200):
            if len(supervisor) == 0:
                break
            await asyncio.sleep(0.01)
        assert len(supervisor) == 0
