"""Clients of the retired beta: how they ask for their dialect, what they mint, and a conversation in their words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from running_server import receive, receive_until, running_server
from websockets.asyncio.client import ClientConnection

from parley.engines.catalog import StageSettings
from parley.engines.llm.openai_http import OpenAIChatModel
from parley.testing import engine_set
from parley.testing.stub_openai import StubOpenAI

BETA_HEADER: dict[str, Any] = {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}
BETA_PROTOCOL: dict[str, Any] = {"subprotocols": ["realtime", "openai-insecure-api-key.k", "openai-beta.realtime-v1"]}


async def say(socket: ClientConnection, event: dict[str, Any]) -> None:
    await socket.send(json.dumps(event))


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/realtime?model=gpt-4o-realtime-preview", BETA_HEADER),
        ("/v1/realtime", BETA_PROTOCOL),
        ("/openai/realtime?api-version=2024-10-01-preview&deployment=d", BETA_HEADER),
    ],
)
async def test_who_asks_for_beta_gets_it(path: str, options: dict[str, Any]) -> None:
    async with running_server() as server, server.websocket(path, **options) as socket:
        created = await receive(socket)
        assert created["type"] == "session.created"
        assert created["session"]["modalities"] == ["text", "audio"]
        assert created["session"]["input_audio_format"] == "pcm16"


@pytest.mark.parametrize("path", ["/v1/realtime", "/openai/v1/realtime", "/openai/realtime?deployment=d"])
async def test_others_get_ga(path: str) -> None:
    async with running_server() as server, server.websocket(path) as socket:
        assert (await receive(socket))["session"]["output_modalities"] == ["audio"]


async def test_a_conversation_in_betas_words() -> None:
    async with running_server() as server, server.websocket("/v1/realtime", **BETA_HEADER) as socket:
        await receive_until(socket, "session.created")
        await say(socket, {"type": "session.update", "session": {"voice": "verse", "temperature": 0.7}})
        updated = (await receive_until(socket, "session.updated"))[-1]["session"]
        assert (updated["voice"], updated["temperature"]) == ("verse", 0.7)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        await say(socket, {"type": "conversation.item.create", "item": item})
        await say(socket, {"type": "response.create", "response": {"modalities": ["text", "audio"]}})
        events = await receive_until(socket, "response.done")
        kinds = [event["type"] for event in events]
        assert kinds.count("conversation.item.created") == 2
        assert not [kind for kind in kinds if "output_audio" in kind or kind == "conversation.item.added"]
        order = [kinds.index(kind) for kind in ("response.created", "response.output_item.added",
                 "response.content_part.added", "response.audio_transcript.delta", "response.audio.delta",
                 "response.audio.done", "response.done")]  # fmt: skip
        assert order[:3] == sorted(order[:3])
        created = max(index for index, kind in enumerate(kinds) if kind == "conversation.item.created")
        assert order[1] < created < order[2], "the retired library looks the item up between the two"
        done = events[-1]["response"]
        assert (done["voice"], done["output"][0]["content"][0]["type"]) == ("verse", "audio")


async def test_the_temperature_reaches_the_model_server() -> None:
    """Of the session and of one response, which goes before; none that nobody set."""
    async with (
        StubOpenAI() as stub,
        running_server(build=lambda: engine_set(chat=OpenAIChatModel(StageSettings(stub.url, model="tiny")))) as server,
    ):
        async with server.websocket("/v1/realtime", **BETA_HEADER) as socket:
            await receive(socket)
            changes: list[dict[str, Any]] = [
                {},
                {"session": {"temperature": 0.65, "modalities": ["text"]}},
                {"response": {"temperature": 1.1}},
                {},
            ]
            for change in changes:
                if "session" in change:
                    await say(socket, {"type": "session.update", **change})
                response = change.get("response", {})
                await say(socket, {"type": "response.create", "response": response})
                done = (await receive_until(socket, "response.done"))[-1]["response"]
                assert done["status"] == "completed", done
        asked = [request.json.get("temperature") for request in stub.chat_requests]
        assert asked == [None, 0.65, 1.1, 0.65]


async def test_a_minted_beta_session_is_flat_and_speaks_beta() -> None:
    async with running_server(unix_seconds=lambda: 1_000.0) as server, server.http() as http:
        body = {"model": "gpt-4o-realtime-preview", "voice": "verse", "turn_detection": None,
                "client_secret": {"expires_after": {"anchor": "created_at", "seconds": 30}}}  # fmt: skip
        minted = (await http.post("/v1/realtime/sessions", json=body)).json()
        assert minted["client_secret"] == {"value": minted["value"], "expires_at": 1_030}
        assert (minted["object"], minted["model"], minted["voice"]) == (
            "realtime.session",
            "gpt-4o-realtime-preview",
            "verse",
        )
        assert minted["turn_detection"] is None
        protocols = ["realtime", f"openai-insecure-api-key.{minted['value']}"]
        async with server.websocket("/v1/realtime", subprotocols=protocols) as socket:
            session = (await receive(socket))["session"]
            assert (session["voice"], session["input_audio_format"]) == ("verse", "pcm16")


async def test_a_minted_beta_transcription_session() -> None:
    async with running_server() as server, server.http() as http:
        body = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
        minted = (await http.post("/v1/realtime/transcription_sessions", json=body)).json()
        assert (minted["object"], minted["input_audio_format"]) == ("realtime.transcription_session", "g711_ulaw")
        headers = {"Authorization": f"Bearer {minted['client_secret']['value']}"}
        async with server.websocket("/v1/realtime", additional_headers=headers) as socket:
            created = await receive(socket)
            assert created["type"] == "transcription_session.created"
            assert created["session"]["input_audio_transcription"]["model"] == "whisper-1"
            change = {
                "type": "transcription_session.update",
                "session": {"input_audio_transcription": {"language": "en"}},
            }
            await say(socket, change)
            updated = await receive(socket)
            assert updated["type"] == "transcription_session.updated"
            assert updated["session"]["input_audio_transcription"]["language"] == "en"


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("sessions", {"speed": 9}, "invalid_value", "speed"),
        ("sessions", {"client_secret": {"expires_after": {"seconds": 5}}}, "invalid_value",
         "client_secret.expires_after.seconds"),
        ("transcription_sessions", {"client_secret": {"expires_at": {"seconds": 9999}}}, "invalid_value",
         "client_secret.expires_at.seconds"),
        ("sessions", {"client_secret": 7}, "invalid_type", "client_secret"),
        ("sessions", {"client_secret": {"expires_after": {"seconds": "5"}}}, "invalid_type",
         "client_secret.expires_after.seconds"),
        ("sessions", [], "invalid_type", None),
    ],
)  # fmt: skip
async def test_refusals_name_the_field(path: str, body: Any, code: str, param: str | None) -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post(f"/v1/realtime/{path}", content=json.dumps(body))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
        assert param is None or f"'{param}'" in error["message"]
