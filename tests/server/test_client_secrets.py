"""Minting: what comes back, what is refused, and that a session starts as the secret says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from running_server import KEY, receive, running_server

from parley.server.settings import Settings


async def test_a_secret_comes_twice_and_with_the_whole_session() -> None:
    async with running_server(unix_seconds=lambda: 1_000.0) as server, server.http() as http:
        answer = await http.post(
            "/v1/realtime/client_secrets",
            json={"session": {"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": "marin"}}}},
        )
        body = answer.json()
        assert answer.status_code == 200
        assert body["value"].startswith("ek_")
        assert body["client_secret"] == {"value": body["value"], "expires_at": 1_600}
        assert body["expires_at"] == 1_600
        session = body["session"]
        assert (session["type"], session["object"], session["expires_at"]) == ("realtime", "realtime.session", 0)
        assert session["id"].startswith("sess_")
        assert (session["model"], session["audio"]["output"]["voice"]) == ("gpt-realtime", "marin")
        assert session["audio"]["input"]["turn_detection"]["interrupt_response"] is True


@pytest.mark.parametrize("body", [b"", b"{}", b'{"session": null, "expires_after": null}', b'{"unknown": 1}'])
async def test_an_empty_request_mints(body: bytes) -> None:
    async with running_server() as server, server.http() as http:
        assert (await http.post("/v1/realtime/client_secrets", content=body)).status_code == 200


REFUSED = [
    ({"expires_after": {"anchor": "created_at", "seconds": 9}}, "invalid_value", "expires_after.seconds"),
    ({"expires_after": {"anchor": "created_at", "seconds": 7201}}, "invalid_value", "expires_after.seconds"),
    ({"expires_after": {"anchor": "later", "seconds": 60}}, "invalid_value", "expires_after.anchor"),
    ({"expires_after": {"seconds": "60"}}, "invalid_type", "expires_after.seconds"),
    ({"session": {"audio": {"output": {"speed": 9}}}}, "invalid_value", "session.audio.output.speed"),
    ({"session": {"type": "other"}}, "invalid_value", "session.type"),
    ({"session": []}, "invalid_type", "session"),
    ([], "invalid_type", None),
]


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
async def test_refusals_name_the_field(body: Any, code: str, param: str | None) -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post("/v1/realtime/client_secrets", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
        assert (error["code"], error["param"]) == (code, param)


async def test_broken_json_is_told() -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post("/v1/realtime/client_secrets", content=b'{"session"')
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


async def test_credentials_of_tools_are_not_echoed() -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": "https://x.example", "authorization": "hush-hush"}
    async with running_server() as server, server.http() as http:
        answer = await http.post("/v1/realtime/client_secrets", json={"session": {"tools": [tool]}})
        assert "hush-hush" not in answer.text


async def test_sessions_start_as_the_secret_says_as_often_as_wanted() -> None:
    asked = {"session": {"type": "realtime", "instructions": "Be brief.", "output_modalities": ["text"]}}
    async with running_server(Settings(api_keys=(KEY,))) as server, server.http(KEY) as http:
        secret = (await http.post("/v1/realtime/client_secrets", json=asked)).json()["value"]
        for _ in range(2):
            async with server.websocket("/v1/realtime", key=secret) as socket:
                session = (await receive(socket))["session"]
                assert (session["instructions"], session["output_modalities"]) == ("Be brief.", ["text"])


async def test_a_transcription_secret_starts_a_transcription_session() -> None:
    async with running_server() as server, server.http() as http:
        minted = await http.post("/v1/realtime/client_secrets", json={"session": {"type": "transcription"}})
        assert minted.json()["session"]["object"] == "realtime.transcription_session"
        async with server.websocket("/v1/realtime", key=minted.json()["value"]) as socket:
            assert (await receive(socket))["session"]["type"] == "transcription"


async def test_a_running_session_outlives_its_secret() -> None:
    now = [1_000.0]
    async with (
        running_server(Settings(api_keys=(KEY,)), unix_seconds=lambda: now[0]) as server,
        server.http(KEY) as http,
    ):
        secret = (await http.post("/v1/realtime/client_secrets", json={})).json()["value"]
        async with server.websocket(key=secret) as socket:
            await receive(socket)
            now[0] += 601
            await socket.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
            while (await receive(socket))["type"] != "session.updated":
                pass
            async with server.websocket(key=secret) as late:
                assert (await receive(late))["error"]["code"] == "invalid_api_key"
