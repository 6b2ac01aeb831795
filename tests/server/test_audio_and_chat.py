"""The old pipeline on the session's engines: transcriptions, speech, chat, models; by plain HTTP and by the SDK."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, BadRequestError
from running_server import KEY, RunningServer, running_server

from parley.audio import OggOpusStream, decode_file, wav_bytes
from parley.engines.base import EngineError
from parley.server.settings import Settings
from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, call, engine_set, say

PCM = struct.pack("<24000h", *([1_000, -1_000] * 12_000))


def ogg() -> bytes:
    stream = OggOpusStream()
    return stream.push(PCM) + stream.finish()


def sdk(server: RunningServer, key: str = "any") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0)


async def upload(server: RunningServer, file: bytes | None, **fields: str) -> Any:
    async with server.http() as http:
        files = {"file": ("speech.wav", file)} if file is not None else {"other": ("x", b"x")}
        return await http.post("/v1/audio/transcriptions", data={"model": "whisper-1", **fields}, files=files)


async def test_transcription_in_every_form() -> None:
    engines = engine_set(recognizer=FakeRecognizer(["good morning world"] * 9, word_every_ms=200))
    async with running_server(build=lambda: engines) as server:
        for file in (wav_bytes(PCM), ogg()):
            answer = await upload(server, file)
            assert answer.json()["text"] == "good morning world"
            assert answer.json()["usage"]["type"] == "duration"
            assert answer.json()["usage"]["seconds"] == pytest.approx(1.0, abs=0.05)
        text = await upload(server, wav_bytes(PCM), response_format="text", language="en", prompt="hint")
        assert (text.text, text.headers["content-type"]) == ("good morning world\n", "text/plain; charset=utf-8")
        verbose = (await upload(server, wav_bytes(PCM), response_format="verbose_json")).json()
        assert (verbose["duration"], verbose["task"], verbose["segments"][0]["text"]) == (
            1.0,
            "transcribe",
            verbose["text"],
        )
        streamed = await upload(server, wav_bytes(PCM), stream="true")
        assert streamed.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")]
        assert [event["type"] for event in events][-1] == "transcript.text.done"
        deltas = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
        assert deltas == events[-1]["text"] == "good morning world"


BAD_UPLOADS = [
    (b"", {}, 400, "invalid_audio", "file", "empty"),
    (b"GIF89a" * 50, {}, 400, "invalid_audio", "file", "wav, flac, mp3, ogg (opus) or webm (opus)"),
    (wav_bytes(PCM)[:20], {}, 400, "invalid_audio", "file", ""),
    (wav_bytes(PCM), {"response_format": "srt"}, 400, "invalid_value", "response_format", "json, text, verbose_json"),
    (wav_bytes(PCM), {"stream": "perhaps"}, 400, "invalid_value", "stream", "stream"),
    (None, {}, 400, "missing_required_parameter", "file", "'file'"),
    (b"\0" * (27 << 20), {}, 413, "request_too_large", None, "too large"),
]


@pytest.mark.parametrize(("file", "fields", "status", "code", "param", "words"), BAD_UPLOADS)
async def test_bad_uploads(
    file: bytes | None, fields: dict[str, str], status: int, code: str, param: str | None, words: str
) -> None:
    async with running_server() as server:
        answer = await upload(server, file, **fields)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
        assert words in error["message"]


async def test_a_broken_recogniser_is_a_502_or_an_error_event() -> None:
    broken = FakeRecognizer([EngineError("The recogniser broke. Restart it.", code="stt_error")] * 2)
    async with running_server(build=lambda: engine_set(recognizer=broken)) as server:
        answer = await upload(server, wav_bytes(PCM))
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "stt_error")
        assert answer.headers["x-should-retry"] == "false"
        streamed = await upload(server, wav_bytes(PCM), stream="true")
        assert json.loads(streamed.text.splitlines()[-2][6:])["error"]["code"] == "stt_error"


async def test_speech_in_every_format_is_the_same_sound() -> None:
    synthesizer = FakeSynthesizer()
    async with running_server(build=lambda: engine_set(synthesizer=synthesizer)) as server, server.http() as http:
        sounds = {}
        for name in ("pcm", "wav", "opus"):
            answer = await http.post(
                "/v1/audio/speech",
                json={"model": "tts-1", "voice": "alloy", "input": "Hello there. Well.", "response_format": name},
            )
            assert answer.status_code == 200
            sounds[name] = answer.content if name == "pcm" else decode_file(answer.content)
            kind = {"pcm": "audio/pcm", "wav": "audio/wav", "opus": "audio/ogg; codecs=opus"}[name]
            assert answer.headers["content-type"] == kind
        assert len(sounds["pcm"]) > 24_000
        assert sounds["wav"] == sounds["pcm"]
        assert len(sounds["opus"]) == pytest.approx(len(sounds["pcm"]), abs=2_000)
        unnamed = await http.post("/v1/audio/speech", json={"input": "Hello.", "voice": {"id": "voice_1"}})
        assert unnamed.content[:4] == b"RIFF"


async def test_speech_as_events() -> None:
    async with running_server() as server, server.http() as http:
        body = {"input": "Hello.", "voice": "a", "response_format": "pcm", "stream_format": "sse"}
        answer = await http.post("/v1/audio/speech", json=body)
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        assert [event["type"] for event in events][-1] == "speech.audio.done"
        assert sum(len(base64.b64decode(event.get("audio", ""))) for event in events) > 4_800


BAD_SPEECH = [
    ({"input": ""}, "invalid_value", "input", "empty"),
    ({"input": "x" * 4_097}, "string_above_max_length", "input", "Split it"),
    ({"input": "x", "response_format": "mp3"}, "invalid_value", "response_format", "pcm, wav, opus"),
    ({"input": "x", "speed": 5}, "invalid_value", "speed", "0.25 to 4"),
    ({"input": 5}, "invalid_type", "input", "str"),
    ({"voice": "x"}, "missing_required_parameter", "input", "'input'"),
    ({"input": "x", "stream_format": "z"}, "invalid_value", "stream_format", "z"),
]


@pytest.mark.parametrize(("body", "code", "param", "words"), BAD_SPEECH)
async def test_bad_speech(body: dict[str, Any], code: str, param: str, words: str) -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post("/v1/audio/speech", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
        assert words in error["message"]


TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


async def test_chat_whole_and_streamed_through_the_sdk() -> None:
    chat = FakeChatModel(
        [say("Good day to you."), say("Good day to you."), call("look", {"at": "it"}), call("look", {"at": "it"})]
    )
    async with running_server(build=lambda: engine_set(chat=chat)) as server, sdk(server) as client:
        messages: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]
        whole = await client.chat.completions.create(model="gpt-5", messages=messages, max_completion_tokens=50)
        assert whole.choices[0].message.content == "Good day to you."
        assert (whole.choices[0].finish_reason, whole.model) == ("stop", "gpt-5")
        assert whole.usage is not None
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
        text, usage = "", None
        stream: Any = await client.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        async for piece in stream:
            usage = piece.usage or usage
            text += (piece.choices[0].delta.content or "") if piece.choices else ""
        assert text == "Good day to you."
        assert usage is not None
        called = await client.chat.completions.create(model="m", messages=messages, tools=[TOOL])
        calls: Any = called.choices[0].message.tool_calls
        assert (calls[0].function.name, json.loads(calls[0].function.arguments)) == ("look", {"at": "it"})
        assert called.choices[0].finish_reason == "tool_calls"
        arguments = ""
        stream = await client.chat.completions.create(model="m", messages=messages, tools=[TOOL], stream=True)
        async for piece in stream:
            for delta in piece.choices[0].delta.tool_calls or ():
                assert delta.index == 0
                arguments += delta.function.arguments or ""
        assert json.loads(arguments) == {"at": "it"}


async def test_chat_history_reaches_the_model_in_order() -> None:
    chat = FakeChatModel()
    messages: Any = [
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        {"role": "assistant", "content": "I see a cat."},
        {"role": "user", "content": "and now?"},
    ]
    choice: Any = {"type": "function", "function": {"name": "look"}}
    async with running_server(build=lambda: engine_set(chat=chat)) as server, sdk(server) as client:
        await client.chat.completions.create(
            model="m",
            messages=messages,
            tools=[TOOL],
            tool_choice=choice,
            temperature=0.3,
            max_tokens=7,
        )
    context = chat.contexts[0]
    kinds = [type(item).__name__ for item in context.items]
    assert kinds == [
        "MessageItem",
        "MessageItem",
        "FunctionCallItem",
        "FunctionCallOutputItem",
        "MessageItem",
        "MessageItem",
    ]
    assert (context.output_modality, context.temperature, context.max_output_tokens) == ("text", 0.3, 7)
    assert getattr(context.tool_choice, "name", None) == "look"


BAD_CHAT = [
    ({}, "missing_required_parameter", "messages"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": [{"role": "king", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "invalid_value", "messages[0].content[0].type"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{}]}]},
        "missing_required_parameter",
        "messages[0].tool_calls[0].function.name",
    ),
    ({"messages": [{"role": "user", "content": "x"}], "n": 2}, "unsupported_parameter", "n"),
    ({"messages": [{"role": "user", "content": "x"}], "stop": ["a"]}, "unsupported_parameter", "stop"),
    (
        {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}},
        "unsupported_parameter",
        "response_format",
    ),
    (
        {"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function", "function": {}}]},
        "missing_required_parameter",
        "tools[0].function.name",
    ),
    ({"messages": [{"role": "user", "content": "x"}], "tool_choice": "maybe"}, "invalid_value", "tool_choice"),
    (
        {"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": -1},
        "invalid_value",
        "max_completion_tokens",
    ),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD_CHAT)
async def test_bad_chat(body: dict[str, Any], code: str, param: str) -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post("/v1/chat/completions", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


async def test_a_dead_chat_model_is_an_http_error_before_the_first_byte_and_an_event_after_it() -> None:
    dead = EngineError("The LLM refused the connection: is it running? --llm sets it.", code="llm_error")
    chat = FakeChatModel([[dead], [dead], [*say("one two"), dead]])
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
    async with running_server(build=lambda: engine_set(chat=chat)) as server, server.http() as http:
        for stream in (False, True):
            answer = await http.post("/v1/chat/completions", json={**body, "stream": stream})
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "llm_error")
        late = await http.post("/v1/chat/completions", json={**body, "stream": True})
        assert late.status_code == 200
        assert json.loads(late.text.strip().splitlines()[-1][6:])["error"]["code"] == "llm_error"
        assert "[DONE]" not in late.text


async def test_the_sdk_gets_typed_errors() -> None:
    async with running_server(Settings(api_keys=(KEY,))) as server:
        async with sdk(server, KEY) as client:
            with pytest.raises(BadRequestError) as refused:
                await client.audio.speech.create(model="m", voice="a", input="x", response_format="aac")
            assert refused.value.param == "response_format"
            models = await client.models.list()
            assert [model.id for model in models.data] == ["fake-llm", "fake-stt", "fake-tts"]
            assert (await client.models.retrieve("fake-llm")).owned_by == "fake"
        async with sdk(server, "wrong") as client:
            with pytest.raises(APIStatusError) as stranger:
                await client.models.list()
            assert stranger.value.status_code == 401


async def test_unknown_urls_methods_and_bodies() -> None:
    rows = [
        ("GET", "/v1/nothing", None, 404, "unknown_url"),
        ("GET", "/nothing", None, 404, "unknown_url"),
        ("DELETE", "/v1/models", None, 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[" + b"0," * (5 << 20), 413, "request_too_large"),
        ("GET", "/v1/models/none", None, 404, "model_not_found"),
        ("POST", "/v1/live/sessions", b"{}", 501, "not_implemented"),
        ("POST", "/v1/realtime/calls/rtc_1/accept", b"{}", 501, "not_implemented"),
        ("POST", "/v1/realtime/calls", b"v=0", 501, "not_implemented"),
    ]
    async with running_server() as server, server.http() as http:
        for method, path, body, status, code in rows:
            answer = await http.request(method, path, content=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (status, code), path
            assert set(error) == {"message", "type", "param", "code"}
            assert answer.headers["x-request-id"]
