"""Bad input by WebSocket: each row's exact error or close, and a second session that talks throughout."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from running_server import ask, receive, receive_until, running_server
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parley.engines.base import ChatModel, EngineError
from parley.engines.catalog import StageSettings, build_engine
from parley.runtime.limits import Limits
from parley.testing import FakeChatModel, FakeSynthesizer, engine_set, say
from parley.testing.steps import Hang, Wait
from parley.testing.stub_openai import Behaviour, StubOpenAI

MIB = 1 << 20


@asynccontextmanager
async def witness(socket: ClientConnection) -> AsyncIterator[list[str]]:
    """Let a second session talk until the block ends; every answer must be whole."""
    answers: list[str] = []
    await receive_until(socket, "session.created")
    done = asyncio.Event()

    async def talk() -> None:
        while not done.is_set() or not answers:
            events = await ask(socket, f"turn {len(answers)}")
            texts = [event["delta"] for event in events if event["type"] == "response.output_audio_transcript.delta"]
            assert events[-1]["response"]["status"] == "completed"
            assert "".join(texts) == f"You said: turn {len(answers)}"
            audio = sum(len(event["delta"]) for event in events if event["type"] == "response.output_audio.delta")
            assert audio > 1_000
            answers.append("".join(texts))

    async with asyncio.TaskGroup() as group:
        group.create_task(talk())
        try:
            yield answers
        finally:
            done.set()


def append(audio: bytes, **extra: Any) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode(), **extra})


ROWS: list[tuple[str, str | bytes, str, str | None, str]] = [
    # name, frame, code, param, words
    ("malformed JSON", "{", "invalid_json", None, "one JSON object per text frame"),
    ("not an object", "[1]", "invalid_event", None, "object with a `type`"),
    ("no type", '{"event_id": "e1"}', "invalid_event", "type", "no `type`"),
    (
        "unknown type",
        '{"type": "bark", "event_id": "e1"}',
        "invalid_value",
        "type",
        "Supported values are: 'session.update'",
    ),
    ("binary frame", b"{}", "invalid_event", None, "text frame"),
    ("invalid base64", '{"type": "input_audio_buffer.append", "audio": "@@@"}', "invalid_value", "audio", "base64"),
    ("audio missing", '{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio", "'audio'"),
    ("24 MiB frame", append(b"\0" * (18 * MIB)), "invalid_value", "audio", "15 MiB"),
    ("tiny commit", '{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty", None, "100ms"),
    ("cancel nothing", '{"type": "response.cancel"}', "response_cancel_not_active", None, "Cancellation failed"),
    (
        "bad value",
        '{"type": "session.update", "session": {"audio": {"output": {"speed": 9}}}}',
        "invalid_value",
        "session.audio.output.speed",
        "1.5",
    ),
    (
        "bad format",
        '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/mp3"}}}}}',
        "invalid_value",
        "session.audio.input.format.type",
        "audio/pcmu",
    ),
    (
        "unknown item",
        '{"type": "conversation.item.delete", "item_id": "nope", "event_id": "e1"}',
        "item_delete_invalid_item_id",
        None,
        "nope",
    ),
    (
        "item without a type",
        '{"type": "conversation.item.create", "item": {}}',
        "missing_required_parameter",
        "item.type",
        "",
    ),
]


async def test_each_mistake_is_answered_exactly_and_the_session_lives() -> None:
    async with (
        running_server() as server,
        server.websocket() as other,
        witness(other) as answers,
        server.websocket() as socket,
    ):
        await receive_until(socket, "conversation.created")
        for name, frame, code, param, words in ROWS:
            await socket.send(frame)
            error = (await receive(socket))["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", code), name
            if param is not None:
                assert error["param"] == param, name
            assert words in error["message"], name
            sent_id = json.loads(frame).get("event_id") if frame[:1] == "{" and len(frame) > 2 else None
            assert error["event_id"] == sent_id, name
        assert (await ask(socket, "still here"))[-1]["response"]["status"] == "completed"
    assert answers


async def test_an_odd_byte_is_carried_over() -> None:
    async with running_server() as server, server.websocket() as socket:
        update = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}
        await socket.send(json.dumps(update))
        await receive_until(socket, "session.updated")
        for size in (4_801, 4_799):
            await socket.send(append(b"\1" * size))
        await socket.send('{"type": "input_audio_buffer.commit"}')
        assert (await receive(socket))["type"] == "input_audio_buffer.committed"


@pytest.mark.timeout(60)
async def test_a_frame_over_32_mib_closes_with_1009_and_hurts_nobody() -> None:
    async with running_server() as server, server.websocket() as other, witness(other) as answers:
        socket = await server.websocket()
        await receive_until(socket, "conversation.created")
        with pytest.raises(ConnectionClosed) as closed:
            await send_and_wait(socket, "x" * (40 * MIB))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    assert answers


async def send_and_wait(socket: ClientConnection, frame: str) -> None:
    await socket.send(frame)
    while True:
        await socket.recv()


async def test_a_client_gone_in_mid_answer_leaves_nothing_behind() -> None:
    chat = FakeChatModel([[*say("one two three"), Hang()]])
    async with running_server(build=lambda: engine_set(chat=chat)) as server:
        async with server.websocket() as socket:
            await socket.send('{"type": "response.create"}')
            await receive_until(socket, "response.output_audio_transcript.delta")
            socket.transport.abort()
        supervisor = await server.app.room.supervisor()
        for _ in range(300):
            if len(supervisor) == 0:
                break
            await asyncio.sleep(0.01)
        assert len(supervisor) == 0


ENGINES = [
    (
        "dead",
        [
            EngineError(
                "The LLM at http://127.0.0.1:9 refused the connection: is it running? --llm sets it.", code="llm_error"
            )
        ],
    ),
    ("dies midway", [*say("one two three"), EngineError("The LLM stopped. Start it again.", code="llm_error")]),
]


@pytest.mark.parametrize(("name", "reply"), ENGINES)
async def test_a_broken_engine_fails_its_response_with_words_and_no_error_event(name: str, reply: list[Any]) -> None:
    chat = FakeChatModel(lambda _context: reply)
    async with running_server(build=lambda: engine_set(chat=chat)) as server, server.websocket() as socket:
        events = await ask(socket, "hello")
        done = events[-1]["response"]
        assert done["status"] == "failed"
        assert done["status_details"]["error"]["code"] == "llm_error"
        assert "LLM" in done["status_details"]["error"]["message"]
        assert "error" not in [event["type"] for event in events]


GARBLED = [
    Behaviour(garble_after=2),
    Behaviour(body=b"<html>not what you think</html>", content_type="text/html"),
    Behaviour(close_after=1),
    Behaviour(status=500),
]


@pytest.mark.parametrize("behaviour", GARBLED)
async def test_a_garbled_model_server_fails_its_response_and_says_which(behaviour: Behaviour, tmp_path: Path) -> None:
    async with StubOpenAI() as stub:
        chat = build_engine("llm", StageSettings(target=stub.url, model="m"), tmp_path)
        async with running_server(build=lambda: engine_set(chat=cast("ChatModel", chat))) as server:
            stub.behave("chat", behaviour, times=None)
            async with server.websocket() as socket:
                events = await ask(socket, "hello")
                assert events[-1]["response"]["status"] == "failed"
                assert "127.0.0.1" in events[-1]["response"]["status_details"]["error"]["message"]
                assert "error" not in [event["type"] for event in events]
                stub.behave("chat", Behaviour(), times=None)
                assert (await ask(socket, "again"))[-1]["response"]["status"] == "completed"


async def test_a_slow_engine_does_not_slow_another_session() -> None:
    def reply(context: Any) -> Any:
        text = context.items[-1].content[0].text
        return [Wait(30_000)] if text == "slow" else say(f"You said: {text}")

    async with running_server(build=lambda: engine_set(chat=FakeChatModel(reply))) as server:
        async with server.websocket() as slow, server.websocket() as quick, witness(quick) as answers:
            await slow.send(
                json.dumps(
                    {
                        "type": "conversation.item.create",
                        "item": {
                            "type": "message",
                            "role": "user",
                            "content": [{"type": "input_text", "text": "slow"}],
                        },
                    }
                )
            )
            await slow.send('{"type": "response.create"}')
            await receive_until(slow, "response.created")
            await slow.send('{"type": "response.cancel"}')
            assert (await receive_until(slow, "response.done"))[-1]["response"]["status"] == "cancelled"
        assert answers


@pytest.mark.timeout(60)
async def test_a_reader_that_stops_reading_is_closed_and_hurts_nobody() -> None:
    """Speech of many minutes against a socket that nobody reads: what waits too long tears the connection down."""
    text = " ".join(f"word{index}" for index in range(6_000))
    chat = FakeChatModel(lambda context: say(text) if len(context.items) == 0 else say("You said: turn 0"))
    engines = engine_set(chat=chat, synthesizer=FakeSynthesizer())
    limits = Limits(outbox_age_ms=3_000)
    async with running_server(build=lambda: engines, limits=limits) as server, server.websocket() as other:
        await receive_until(other, "session.created")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 10)
        writer.write(
            b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        frame = b'{"type": "response.create"}'
        writer.write(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)
        supervisor = await server.app.room.supervisor()
        assert len(supervisor) == 2
        for _ in range(2_000):
            if len(supervisor) == 1:
                break
            await asyncio.sleep(0.02)
        assert len(supervisor) == 1
        assert (await ask(other, "turn 0"))[-1]["response"]["status"] == "completed"
        assert "parley_slow_readers_total 1.0" in server.app.parts.metrics.render().decode()
        writer.transport.abort()
