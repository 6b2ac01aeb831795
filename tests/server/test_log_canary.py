"""Nothing that is said, sent or secret reaches the log: a phrase through every door at DEBUG, then a look."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
from collections.abc import Iterator

import pytest
from running_server import ask, receive_until, running_server

from parley.audio import wav_bytes
from parley.engines.base import EngineError
from parley.observe.log import configure_logging
from parley.server.settings import Settings
from parley.testing import FakeChatModel, FakeRecognizer, call, engine_set, say

CANARY = "heron-at-midnight"
SECRETS = (CANARY, "key-" + CANARY, base64.b64encode(CANARY.encode()).decode())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("debug", stream)
    for name in ("asyncio", "websockets", "uvicorn", "openai", "httpx"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_a_phrase_through_every_door_is_in_no_log(log: io.StringIO) -> None:
    key = "key-" + CANARY
    chat = FakeChatModel(
        [
            say(f"I heard {CANARY}."),
            call("remember", {"phrase": CANARY}),
            [*say(CANARY), EngineError("The LLM stopped. Start it again.", code="llm_error")],
            say(CANARY),
        ]
    )
    engines = engine_set(chat=chat, recognizer=FakeRecognizer([CANARY] * 9))
    settings = Settings(api_keys=(key,), log_level="debug")
    async with running_server(settings, build=lambda: engines) as server:
        path = f"/v1/realtime?model={CANARY}&note={CANARY}"
        async with server.websocket(path, key=key, additional_headers={"X-Note": CANARY}) as socket:
            await receive_until(socket, "session.created")
            hearing = {"transcription": {"prompt": CANARY}, "turn_detection": None}
            session = {"instructions": CANARY, "audio": {"input": hearing}}
            await socket.send(json.dumps({"type": "session.update", "session": session}))
            await socket.send(json.dumps({"type": CANARY}))
            await socket.send("{" + CANARY)
            for _ in range(3):
                await ask(socket, CANARY)
            loud = base64.b64encode(b"\x00\x40\x00\xc0" * 12_000).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": loud}))
            await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
            await receive_until(socket, "conversation.item.input_audio_transcription.completed")
        async with server.websocket(f"/v1/realtime?k={CANARY}", key=CANARY) as refused:
            await receive_until(refused, "error")
        async with server.http(key) as http:
            await http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": CANARY}]})
            await http.post("/v1/chat/completions", content=CANARY.encode())
            await http.post("/v1/audio/speech", json={"input": CANARY})
            await http.post("/v1/audio/transcriptions", files={"file": (CANARY, wav_bytes(bytes(48_000)))})
            await http.post(f"/v1/realtime/client_secrets?x={CANARY}", json={"session": {"instructions": CANARY}})
            await http.get(f"/v1/models?name={CANARY}")
        await asyncio.sleep(0)
    text = log.getvalue()
    assert "request answered" in text, "the log was on"
    for secret in SECRETS:
        assert secret not in text
