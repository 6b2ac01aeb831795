"""Frames in, client events or exact faults out."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocol.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    ResponseCreate,
    SessionUpdate,
)
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import (
    FunctionCallOutputItem,
    InputAudioPart,
    InputTextPart,
    MessageItem,
    OutputTextPart,
)
from parley.protocol.realtime.requests import MAX_APPEND_BYTES, SUPPORTED_TYPES, decode_client_event
from parley.protocol.realtime.session_config import (
    PcmuFormat,
    SemanticVad,
    ServerVad,
    SessionConfig,
    SessionPatch,
    Transcription,
    merged,
    session_object,
)
from parley.protocol.realtime.tools import FunctionTool, McpTool


def decoded(event: dict[str, Any]) -> ClientEvent | ClientFault:
    return decode_client_event(json.dumps(event))


def session_patch(**session: Any) -> SessionPatch:
    event = decoded({"type": "session.update", "session": session})
    assert isinstance(event, SessionUpdate), event
    return event.session


FAULTS: list[tuple[str, str, str | None, str]] = [
    # frame, code, param, words of the message that name the mistake or its mending
    ("{", "invalid_json", None, "JSON"),
    ("", "invalid_json", None, "JSON"),
    ("\ud800", "invalid_json", None, "JSON"),
    ("[" * 100_000, "invalid_json", None, "JSON"),
    ("[]", "invalid_event", None, "object"),
    ('"hello"', "invalid_event", None, "object"),
    ("{}", "invalid_event", "type", "type"),
    ('{"type":7}', "invalid_event", "type", "type"),
    ('{"type":"response.crate","event_id":"e1"}', "invalid_value", "type", "response.create"),
    ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio", "audio"),
    ('{"type":"input_audio_buffer.append","audio":7}', "invalid_type", "audio", "base64"),
    ('{"type":"input_audio_buffer.append","audio":"a!"}', "invalid_value", "audio", "base64"),
    (json.dumps({"type": "response.cancel", "event_id": "x" * 513}), "invalid_value", "event_id", "512"),
    ('{"type":"input_audio_buffer.commit","event_id":7}', "invalid_type", "event_id", "string"),
    ('{"type":"session.update"}', "missing_required_parameter", "session", "session"),
    ('{"type":"session.update","session":[]}', "invalid_type", "session", "object"),
    ('{"type":"session.update","session":{"audio":[]}}', "invalid_type", "session.audio", "object"),
    ('{"type":"session.update","session":{"instructions":4}}', "invalid_type", "session.instructions", "str"),
    ('{"type":"session.update","session":{"type":"video"}}', "invalid_value", "session.type", "video"),
    ('{"type":"session.update","session":{"output_modalities":[]}}',
     "invalid_value", "session.output_modalities", "text"),
    (
        '{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":16000}}}}}',
        "invalid_value", "session.audio.input.format.rate", "resample",
    ),
    (
        '{"type":"session.update","session":{"input_audio_format":"mp3"}}',
        "invalid_value", "session.input_audio_format", "audio/pcmu",
    ),
    (
        '{"type":"session.update","session":{"turn_detection":{"type":"server_vad","threshold":3}}}',
        "invalid_value", "session.turn_detection.threshold", "'session.turn_detection.threshold'",
    ),
    (
        '{"type":"session.update","session":{"audio":{"input":{"turn_detection":{"type":"server_vad","threshold":3}}}}}',
        "invalid_value", "session.audio.input.turn_detection.threshold", "<= 1",
    ),
    ('{"type":"session.update","session":{"modalities":["video"]}}',
     "invalid_value", "session.modalities[0]", "'session.modalities[0]'"),
    ('{"type":"session.update","session":{"max_response_output_tokens":0}}',
     "invalid_value", "session.max_response_output_tokens", "4096"),
    ('{"type":"session.update","session":{"voice":5}}', "invalid_type", "session.voice", "str"),
    ('{"type":"session.update","session":{"audio":{"output":{"voice":{}}}}}',
     "missing_required_parameter", "session.audio.output.voice.id", "voice"),
    ('{"type":"session.update","session":{"reasoning":{"effort":"huge"}}}',
     "invalid_value", "session.reasoning.effort", "huge"),
    ('{"type":"session.update","session":{"audio":{"input":{"transcription":{"delay":"long"}}}}}',
     "invalid_value", "session.audio.input.transcription.delay", "long"),
    ('{"type":"session.update","session":{"temperature":9}}', "invalid_value", "session.temperature", "<= 2"),
    (
        '{"type":"session.update","session":{"audio":{"output":{"speed":9}}}}',
        "invalid_value", "session.audio.output.speed", "1.5",
    ),
    ('{"type":"session.update","session":{"max_output_tokens":0}}',
     "invalid_value", "session.max_output_tokens", "4096"),
    ('{"type":"session.update","session":{"tools":[{"type":"function"}]}}',
     "missing_required_parameter", "session.tools[0].name", "name"),
    ('{"type":"session.update","session":{"tools":[{"type":"function","name":""}]}}',
     "invalid_value", "session.tools[0].name", ">= 1"),
    ('{"type":"session.update","session":{"tools":[{"type":"mcp","server_label":"a","require_approval":"maybe"}]}}',
     "invalid_value", "session.tools[0].require_approval", "maybe"),
    ('{"type":"session.update","session":{"tools":[{"type":"mcp","server_label":"a","allowed_tools":"all"}]}}',
     "invalid_type", "session.tools[0].allowed_tools", "array"),
    ('{"type":"session.update","session":{"tool_choice":{"type":"function"}}}',
     "missing_required_parameter", "session.tool_choice.name", "name"),
    ('{"type":"response.create","response":{"tool_choice":{"type":"mcp"}}}',
     "missing_required_parameter", "response.tool_choice.server_label", "server_label"),
    ('{"type":"transcription_session.update"}', "missing_required_parameter", "session", "session"),
    ('{"type":"conversation.item.create"}', "missing_required_parameter", "item", "item"),
    ('{"type":"conversation.item.create","item":{}}', "missing_required_parameter", "item.type", "type"),
    ('{"type":"conversation.item.create","item":{"type":"song"}}', "invalid_value", "item.type", "message"),
    (
        '{"type":"conversation.item.create","item":{"type":"message","role":"user"}}',
        "missing_required_parameter", "item.content", "content",
    ),
    (
        '{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"smell"}]}}',
        "invalid_value", "item.content[0].type", "input_text",
    ),
    (
        '{"type":"conversation.item.create","item":{"type":"message","role":"user","content":'
        '[{"type":"input_image","image_url":"http://example.com/a.png"}]}}',
        "invalid_value", "item.content[0].image_url", "data:",
    ),
    (
        '{"type":"conversation.item.create","item":{"type":"message","role":"pope","content":[]}}',
        "invalid_value", "item.role", "pope",
    ),
    ('{"type":"conversation.item.delete"}', "missing_required_parameter", "item_id", "item_id"),
    ('{"type":"conversation.item.truncate","item_id":"a"}',
     "missing_required_parameter", "audio_end_ms", "audio_end_ms"),
    ('{"type":"conversation.item.truncate","item_id":"a","audio_end_ms":-1}', "invalid_value", "audio_end_ms", ">= 0"),
    ('{"type":"response.create","response":{"metadata":{"a":1}}}', "invalid_type", "response.metadata", "str"),
    ('{"type":"response.create","response":{"voice":5}}', "invalid_type", "response.voice", "str"),
    ('{"type":"response.create","response":{"audio":{"output":{"voice":5}}}}',
     "invalid_type", "response.audio.output.voice", "str"),
    ('{"type":"response.create","response":{"output_audio_format":"mp3"}}',
     "invalid_value", "response.output_audio_format", "audio/pcmu"),
    ('{"type":"response.create","response":{"temperature":-1}}', "invalid_value", "response.temperature", ">= 0"),
    ('{"type":"response.create","response":{"conversation":"both"}}', "invalid_value", "response.conversation", "both"),
    ('{"type":"response.create","response":{"max_output_tokens":5000}}',
     "invalid_value", "response.max_output_tokens", "4096"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "code", "param", "words"), FAULTS, ids=lambda value: str(value)[:60])
def test_a_mistake_is_named(frame: str, code: str, param: str | None, words: str) -> None:
    fault = decode_client_event(frame)
    assert isinstance(fault, ClientFault), fault
    assert (fault.code, fault.param, fault.type) == (code, param, "invalid_request_error")
    assert words in fault.message


def test_a_fault_echoes_the_clients_event_id() -> None:
    for event in (
        {"type": "nonsense", "event_id": "mine"},
        {"type": "session.update", "session": {"speed": 99}, "event_id": "mine"},
        {"type": "input_audio_buffer.append", "event_id": "mine"},
    ):
        fault = decoded(event)
        assert isinstance(fault, ClientFault)
        assert fault.event_id == "mine"


def test_an_append_carries_at_most_15_mib() -> None:
    most = decoded({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(MAX_APPEND_BYTES)).decode()})
    assert isinstance(most, InputAudioBufferAppend)
    fault = decoded({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(24 << 20)).decode()})
    assert isinstance(fault, ClientFault)
    assert (fault.code, fault.param) == ("invalid_value", "audio")
    assert "15 MiB" in fault.message


def test_an_odd_byte_of_audio_is_no_mistake() -> None:
    event = decoded({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"abc").decode()})
    assert isinstance(event, InputAudioBufferAppend)
    assert event.audio == b"abc"


@pytest.mark.parametrize("value", [None, False, {"type": "none"}])
def test_every_spelling_of_no_turn_detection(value: Any) -> None:
    for session in ({"turn_detection": value}, {"audio": {"input": {"turn_detection": value}}}):
        assert merged(SessionConfig(), session_patch(**session)).audio.input.turn_detection is None


def test_a_vad_without_type_is_guessed_and_nulls_are_ignored() -> None:
    vad = merged(SessionConfig(), session_patch(turn_detection={"threshold": None, "silence_duration_ms": 700.0}))
    assert vad.audio.input.turn_detection == ServerVad(silence_duration_ms=700)
    semantic = merged(SessionConfig(), session_patch(audio={"input": {"turn_detection": {"eagerness": "high"}}}))
    assert semantic.audio.input.turn_detection == SemanticVad(eagerness="high")


def test_beta_sessions_are_understood() -> None:
    config = merged(
        SessionConfig(),
        session_patch(
            modalities=["text", "audio"],
            voice="verse",
            speed=1.25,
            input_audio_format="g711_ulaw",
            output_audio_format="pcm16",
            input_audio_transcription={"model": "whisper-1"},
            max_response_output_tokens=100,
            temperature=0.8,
            tools=[{"type": "function", "name": "f", "parameters": {"type": "object", "strict": True}}],
        ),
    )
    assert config.output_modalities == ("audio",)
    assert (config.audio.output.voice, config.audio.output.speed) == ("verse", 1.25)
    assert config.audio.input.format == PcmuFormat()
    assert config.audio.input.transcription is not None
    assert config.max_output_tokens == 100
    assert config.temperature == 0.8
    assert [tool.name for tool in config.tools if hasattr(tool, "name")] == ["f"]


def test_only_what_is_present_changes_and_null_clears() -> None:
    start = merged(
        SessionConfig(),
        session_patch(
            instructions="Be brief.",
            tools=[{"type": "function", "name": "f"}],
            audio={"input": {"transcription": {"model": "m", "language": "en"}}, "output": {"voice": "ash"}},
        ),
    )
    changed = merged(start, session_patch(audio={"output": {"speed": 0.5}}))
    assert changed.instructions == "Be brief."
    assert changed.audio.output.voice == "ash"
    assert changed.audio.input == start.audio.input
    cleared = merged(changed, session_patch(instructions="", tools=None, audio={"input": {"transcription": None}}))
    assert (cleared.instructions, cleared.tools, cleared.audio.input.transcription) == ("", (), None)


def test_transcription_and_turn_detection_are_replaced_as_wholes() -> None:
    start = merged(
        SessionConfig(),
        session_patch(
            audio={
                "input": {
                    "transcription": {"model": "m", "language": "en"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.9, "interrupt_response": False},
                }
            }
        ),
    )
    changed = merged(
        start,
        session_patch(audio={"input": {"transcription": {"model": "n"}, "turn_detection": {"type": "server_vad"}}}),
    )
    assert changed.audio.input.transcription is not None
    assert changed.audio.input.transcription.language is None
    assert changed.audio.input.turn_detection == ServerVad()


def test_what_newer_models_take_is_used_and_echoed() -> None:
    newer = {"model": "gpt-live-transcribe", "languages": ["fr", "de"], "keywords": ["Paris", "Lyon"], "delay": "low"}
    config = merged(SessionConfig(), session_patch(audio={"input": {"transcription": newer}}))
    wanted = config.audio.input.transcription
    assert wanted is not None
    assert (wanted.language, wanted.prompt) == ("fr", "Paris, Lyon")
    shown = echo(config)["audio"]["input"]["transcription"]
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()} == {
        **newer,
        "language": "fr",
        "prompt": "Paris, Lyon",
    }
    cleared = {"model": "whisper-1", "languages": None, "keywords": None, "delay": None}
    config = merged(config, session_patch(audio={"input": {"transcription": cleared}}))
    assert config.audio.input.transcription == Transcription(model="whisper-1")


@pytest.mark.parametrize("setting", [{"reasoning": {"effort": "low"}}, {"parallel_tool_calls": False}])
def test_settings_of_reasoning_models_are_echoed_once_set(setting: dict[str, Any]) -> None:
    (name,) = setting
    assert name not in echo(SessionConfig())
    config = merged(SessionConfig(), session_patch(**setting))
    assert echo(config)[name] == setting[name]
    assert name not in echo(merged(config, session_patch(**{name: None})))


def test_who_streams_a_transcription_commits_by_hand_unless_told_otherwise() -> None:
    wanted = {"transcription": {"model": "gpt-realtime-whisper"}}
    config = merged(SessionConfig(type="transcription"), session_patch(audio={"input": wanted}))
    assert config.audio.input.turn_detection is None
    by_voice = session_patch(audio={"input": {**wanted, "turn_detection": {"type": "server_vad"}}})
    assert merged(config, by_voice).audio.input.turn_detection == ServerVad()
    talking = merged(SessionConfig(), session_patch(audio={"input": wanted}))
    assert talking.audio.input.turn_detection == ServerVad()


def echo(config: SessionConfig) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(session_object(config, session_id="sess_1", expires_at=0))
    return shown


def test_null_members_of_tools_are_absent() -> None:
    function = {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}
    server = {"type": "mcp", "server_label": "s", "server_url": "https://a.example", "authorization": None,
              "headers": None, "allowed_tools": None, "require_approval": None}  # fmt: skip
    tools = merged(SessionConfig(), session_patch(tools=[function, server])).tools
    assert tools == (FunctionTool(name="f"), McpTool(server_label="s", server_url="https://a.example"))


def test_noise_reduction_keeps_its_strength() -> None:
    start = merged(SessionConfig(), session_patch(audio={"input": {"noise_reduction": {"strength": 0.3}}}))
    changed = merged(start, session_patch(audio={"input": {"noise_reduction": {"type": "far_field"}}}))
    assert changed.audio.input.noise_reduction is not None
    assert changed.audio.input.noise_reduction.strength == 0.3
    nulls = session_patch(audio={"input": {"noise_reduction": {"type": None, "strength": None}}})
    assert merged(changed, nulls) == changed


def test_the_model_and_a_set_tracing_stay() -> None:
    start = merged(SessionConfig(model="mine"), session_patch(model="gpt-realtime", tracing="auto"))
    assert (start.model, start.tracing) == ("mine", "auto")
    assert merged(start, session_patch(tracing={"workflow_name": "w"})).tracing == "auto"
    assert merged(start, session_patch(tracing=None)).tracing is None


def item_of(item: dict[str, Any]) -> Any:
    event = decoded({"type": "conversation.item.create", "item": item})
    assert isinstance(event, ConversationItemCreate), event
    return event.item


@pytest.mark.parametrize(
    ("role", "part", "expected"),
    [
        ("user", {"type": "text", "text": "a"}, InputTextPart(text="a")),
        ("user", {"type": "input_audio", "audio": "AAA="}, InputAudioPart(audio=b"\0\0")),
        ("system", {"type": "text", "text": "a"}, InputTextPart(text="a")),
        ("developer", {"type": "input_text", "text": "a"}, InputTextPart(text="a")),
        ("assistant", {"type": "text", "text": "a"}, OutputTextPart(text="a")),
        ("assistant", {"type": "output_text", "text": "a"}, OutputTextPart(text="a")),
    ],
)
def test_parts_take_the_spelling_of_their_role(role: str, part: dict[str, Any], expected: Any) -> None:
    item = item_of({"type": "message", "role": role, "content": [part]})
    assert isinstance(item, MessageItem)
    assert item.content == (expected,)
    assert item.role == ("system" if role == "developer" else role)


def test_a_tools_output_may_be_anything() -> None:
    for output, text in (("fine", "fine"), ({"a": 1}, '{"a":1}'), (None, "")):
        item = item_of({"type": "function_call_output", "call_id": "c", "output": output})
        assert isinstance(item, FunctionCallOutputItem)
        assert item.output == text


def test_betas_transcription_update_is_a_session_update() -> None:
    beta = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
    event = decoded({"type": "transcription_session.update", "event_id": "e", "session": beta})
    ga = {
        "type": "transcription",
        "audio": {"input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1"}}},
    }
    assert event == decoded({"type": "session.update", "event_id": "e", "session": ga})


def test_milliseconds_may_come_with_a_fraction() -> None:
    event = decoded({"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1234.6})
    assert isinstance(event, ConversationItemTruncate)
    assert event.audio_end_ms == 1235


def test_a_response_may_override_everything() -> None:
    event = decoded(
        {
            "type": "response.create",
            "response": {
                "conversation": "none",
                "input": [{"type": "item_reference", "id": "i"}, {"role": "user", "content": "hi"}],
                "modalities": ["text"],
                "audio": {"output": {"voice": {"id": "voice_1"}}},
                "metadata": None,
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            },
        }
    )
    assert isinstance(event, ResponseCreate)
    assert event.response.output_modalities == ("text",)
    assert event.response.voice == "voice_1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "session",
        "item",
        "response",
        "audio",
        "event_id",
        "item_id",
        "content",
        "role",
        "type",
        "tools",
        "input",
        "output",
    ]
)


@given(kind=st.sampled_from(SUPPORTED_TYPES), members=st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON)))
def test_whatever_comes_is_an_event_or_a_fault(kind: str, members: dict[str, Any]) -> None:
    event = decode_client_event(json.dumps({**members, "type": kind}))
    if not isinstance(event, ClientFault):
        again = msgspec.json.decode(msgspec.json.encode(event), type=type(event))
        assert again == event


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_survived(frame: bytes) -> None:
    decode_client_event(frame)
