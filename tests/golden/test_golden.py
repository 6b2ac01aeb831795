"""Golden transcripts: whole conversations, `(now, input) → outputs`, byte for byte.

Each scenario below plays a conversation; its transcript lies beside this file. The machine must give the same bytes
when the scenario is played and when the transcript is replayed. After a change that is meant, write them anew with
`PARLEY_UPDATE_GOLDEN=1` and read the difference: it is what clients will see.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from driven_session import DrivenSession, configured
from msgspec.structs import replace
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from parley.protocol.realtime.dialects import Dialect, encode
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import Done, EngineUsage, Failed, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import CallId, ConnectionId, ItemId, ResponseId
from parley.protocol.realtime.inputs import (
    Connected,
    Disconnected,
    McpToolsListed,
    PlayoutDrained,
    PlayoutFlushed,
    PlayoutStarted,
    StillTaken,
    TokensGranted,
    ToolFailed,
    ToolReturned,
    TurnScored,
)
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.outputs import CallTool, ListMcpTools, TakeStill
from parley.protocol.realtime.recording import Header, encode_header, encode_step, replay
from parley.protocol.realtime.server_events import ServerEvent
from parley.protocol.realtime.tools import FunctionTool

FOLDER = Path(__file__).parent
MS = 24
TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


def session(patch: dict[str, Any] | None = None, **options: Any) -> DrivenSession:
    return DrivenSession(config=configured(patch or {}), **options)


def text(driven: DrivenSession, words: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    driven.client(type="conversation.item.create", item=item)


def spoken_turn() -> DrivenSession:
    driven = session(TRANSCRIBED)
    driven.hear(192, 0.0)
    driven.hear(288, 0.9)
    driven.partial("item_000001", "what is", 4)
    driven.hear(512, 0.0)
    driven.recognise("item_000001", "what is new", 0.8)
    driven.answer("Nothing much, ", "I am afraid.", ms=80)
    return driven


def barge_in() -> DrivenSession:
    driven = session(TRANSCRIBED)
    driven.say("tell me a story", voice_ms=288)
    driven.speak("Once upon ", "a time ", "there was ", "a fish.", ms=80)
    driven.now += 100
    driven.hear(96, 0.9)
    driven.client(type="conversation.item.truncate", item_id="item_000002", content_index=0, audio_end_ms=170)
    driven.client(type="conversation.item.retrieve", item_id="item_000002")
    driven.hear(192, 0.9)
    driven.hear(512, 0.0)
    driven.recognise("item_000003", "when was that")
    driven.answer("Long ago.", ms=80)
    return driven


def tool_call() -> DrivenSession:
    driven = session({"tools": [TOOL]})
    text(driven, "what is the weather")
    driven.client(type="response.create", event_id="mine", response={"metadata": {"topic": "weather"}})
    driven.speak("Let me see.", ms=80)
    call = CallId("call_7")
    driven.engine(ToolCallDelta(call, "weather", "{"), ToolCallDelta(call, "weather", "}"))
    driven.engine(ToolCallDone(call, "weather", "{}"), EngineUsage(90, 60, 12), Done())
    output = {"type": "function_call_output", "call_id": "call_7", "output": '{"sky":"blue"}'}
    driven.client(type="conversation.item.create", item=output)
    driven.client(type="response.create")
    driven.answer("The sky is blue.", ms=80)
    return driven


def push_to_talk() -> DrivenSession:
    driven = session({"audio": {"input": {"turn_detection": None}}, "output_modalities": ["text"]})
    driven.hear(480, 0.9)
    driven.client(type="input_audio_buffer.commit")
    driven.client(type="response.create")
    driven.recognise("item_000001", "good day")
    driven.engine(TextDelta("Good day "), TextDelta("to you."))
    driven.client(type="response.cancel")
    driven.hear(480, 0.9)
    driven.client(type="input_audio_buffer.clear")
    driven.client(type="input_audio_buffer.commit", event_id="too_early")
    return driven


def semantic_turns() -> DrivenSession:
    driven = session({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}})
    driven.hear(288, 0.9)
    driven.partial("item_000001", "I would like", 0)
    driven.hear(224, 0.0)
    driven.feed(TurnScored(ItemId("item_000001"), 0.1))
    driven.hear(288, 0.9)
    driven.partial("item_000001", "I would like some tea", 0)
    driven.hear(224, 0.0)
    driven.feed(TurnScored(ItemId("item_000001"), 0.97))
    driven.recognise("item_000001", "I would like some tea")
    driven.answer("With milk?", ms=80)
    return driven


def out_of_band() -> DrivenSession:
    driven = session({"output_modalities": ["text"]})
    text(driven, "hello")
    driven.client(type="response.create")
    driven.feed(Connected(ConnectionId("sideband")))
    aside = {"conversation": "none", "input": [{"type": "item_reference", "id": "item_000001"}]}
    driven.client("sideband", type="response.create", response={**aside, "metadata": {"aside": "1"}})
    driven.engine(TextDelta("polite"), response_id="resp_000002")
    driven.engine(TextDelta("Hi."), Done(), response_id="resp_000001")
    driven.engine(Done(), response_id="resp_000002")
    driven.feed(Disconnected(ConnectionId("sideband")))
    return driven


def mistakes() -> DrivenSession:
    driven = session()
    driven.fault(ClientFault(code="invalid_json", message="The frame is not valid JSON."))
    driven.client(type="session.update", event_id="a", session={"type": "transcription"})
    driven.client(type="response.cancel", event_id="b")
    driven.client(type="input_audio_buffer.commit", event_id="c")
    for kind in ("retrieve", "delete", "truncate"):
        more: dict[str, Any] = {"content_index": 0, "audio_end_ms": 0} if kind == "truncate" else {}
        driven.client(type=f"conversation.item.{kind}", event_id=kind, item_id="nobody", **more)
    driven.client(type="response.create")
    driven.client(type="response.create", event_id="d")
    driven.engine(Done())
    return driven


def failures() -> DrivenSession:
    driven = session(TRANSCRIBED)
    driven.hear(288, 0.9)
    driven.hear(512, 0.0)
    driven.misrecognise("item_000001", "stt_unreachable", "The speech recogniser at localhost refused: --stt sets it.")
    text(driven, "hello")
    driven.client(type="response.create")
    driven.engine(TextDelta("He"), Failed("llm_stalled", "The LLM at localhost stopped answering."))
    driven.hear(288, 0.9)
    driven.hear(512, 0.0)
    driven.wait(15_000)
    return driven


def server_paced() -> DrivenSession:
    driven = session(pacing="server")
    driven.say("tell me a story", voice_ms=288)
    driven.speak("Once upon ", "a time ", "there was ", "a fish.", ms=80)
    driven.feed(PlayoutStarted(ResponseId("resp_000001")))
    driven.now += 100
    driven.hear(96, 0.9)
    driven.feed(PlayoutFlushed(ItemId("item_000002"), 180 * MS))
    driven.hear(512, 0.0)
    driven.recognise("item_000003", "go on")
    driven.speak("There was ", ms=80)
    driven.feed(PlayoutStarted(ResponseId("resp_000002")))
    driven.engine(Done())
    driven.feed(PlayoutDrained(ResponseId("resp_000002")))
    driven.client(type="response.create")
    driven.speak("And then ", ms=80)
    driven.feed(PlayoutStarted(ResponseId("resp_000003")))
    driven.hear(96, 0.9)
    driven.wait(100)
    return driven


def silence_and_the_end() -> DrivenSession:
    vad = {"type": "server_vad", "idle_timeout_ms": 5000, "silence_duration_ms": 200}
    driven = session({"audio": {"input": {"turn_detection": vad}}}, max_session_ms=30_000)
    driven.say("hello", voice_ms=288)
    driven.answer("Hello.", ms=80)
    driven.wait(5_080)
    driven.answer("Still there?", ms=80)
    driven.say("", voice_ms=96)
    driven.client(type="response.create")
    driven.wait(30_000)
    return driven


def transcription_only() -> DrivenSession:
    driven = DrivenSession(config=replace(configured(TRANSCRIBED), type="transcription"))
    driven.hear(288, 0.9)
    driven.partial("item_000001", "take a note", 6)
    driven.hear(512, 0.0)
    driven.recognise("item_000001", "take a note")
    driven.client(type="response.create", event_id="no")
    return driven


def hosted_function() -> DrivenSession:
    config = replace(configured({}), hosted_tools=(FunctionTool(name="clock"),))
    driven = DrivenSession(config=config)
    text(driven, "what time is it")
    driven.client(type="response.create")
    driven.speak("Let me see.", ms=80)
    driven.engine(ToolCallDone(CallId("call_1"), "clock", "{}"), Done())
    driven.feed(ToolReturned(driven.last(CallTool).item_id, "noon"))
    driven.answer("It is noon.", ms=80)
    return driven


def mcp_tools() -> DrivenSession:
    server = {"type": "mcp", "server_label": "files", "server_url": "https://files.example/mcp",
              "authorization": "secret", "require_approval": {"never": {"tool_names": ["read"]}}}  # fmt: skip
    driven = session({"output_modalities": ["text"]})
    driven.update(tools=[server])
    tools = tuple(McpToolInfo(name=name, input_schema={"type": "object"}) for name in ("read", "write"))
    driven.feed(McpToolsListed(driven.last(ListMcpTools).item_id, tools))
    text(driven, "read a, then write b")
    driven.client(type="response.create")
    driven.engine(ToolCallDelta(CallId("call_1"), "read", '{"path":'), ToolCallDelta(CallId("call_1"), "read", '"a"}'))
    driven.engine(ToolCallDone(CallId("call_1"), "read", '{"path":"a"}'), Done())
    driven.feed(ToolReturned(driven.last(CallTool).item_id, "contents"))
    driven.client(type="response.create")
    driven.engine(ToolCallDone(CallId("call_2"), "write", '{"path":"b"}'), Done())
    request = driven.of_type("response.done")[-1]["response"]["output"][0]["id"]
    approval = {"type": "mcp_approval_response", "approval_request_id": request, "approve": True}
    driven.client(type="conversation.item.create", item=approval, previous_item_id=request)
    error = McpError(type="tool_execution_error", message="The disk is full.")
    driven.feed(ToolFailed(driven.last(CallTool).item_id, error))
    driven.client(type="response.create")
    driven.engine(TextDelta("There is no room."), Done())
    return driven


def camera_on_a_budget() -> DrivenSession:
    driven = session({**TRANSCRIBED, "instructions": ""}, camera=True, pacing="server")
    driven.say("what is this", voice_ms=288)
    response_id = driven.last(TakeStill).response_id
    driven.feed(StillTaken(response_id, "data:image/webp;base64,UklGRg=="))
    driven.feed(TokensGranted(response_id, 790))
    driven.speak("It is ", "a lamp.", ms=80)
    driven.engine(Done())
    text(driven, "and this?")
    driven.client(type="response.create")
    response_id = driven.last(TakeStill).response_id
    driven.feed(StillTaken(response_id, None))
    driven.feed(TokensGranted(response_id, 798))
    driven.speak("Too dark ", "to tell, ", "I am afraid.", ms=80)
    return driven


SCENARIOS: tuple[Callable[[], DrivenSession], ...] = (
    spoken_turn,
    barge_in,
    tool_call,
    push_to_talk,
    semantic_turns,
    out_of_band,
    mistakes,
    failures,
    server_paced,
    silence_and_the_end,
    transcription_only,
    hosted_function,
    mcp_tools,
    camera_on_a_budget,
)


def transcript(driven: DrivenSession) -> bytes:
    header = Header(
        session_id="sess_test",
        config=driven.config,
        now=1000,
        created_unix=1_700_000_000,
        max_session_ms=driven.options["max_session_ms"],
        pacing=driven.options.get("pacing", "client"),
        camera=driven.options.get("camera", False),
    )
    return encode_header(header) + b"".join(encode_step(now, given, outputs) for now, given, outputs in driven.log)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_transcript_is_byte_identical(scenario: Callable[[], DrivenSession]) -> None:
    path = FOLDER / f"{scenario.__name__}.jsonl"
    played = transcript(scenario())
    if os.environ.get("PARLEY_UPDATE_GOLDEN"):
        path.write_bytes(played)
    written = path.read_bytes()
    assert replay(written.splitlines()) == []
    assert played == written, f"{path.name} differs: PARLEY_UPDATE_GOLDEN=1 writes it anew"


def test_the_official_sdk_accepts_every_event() -> None:
    """Validated strictly against its closed unions, as its stricter users do."""
    known: TypeAdapter[RealtimeServerEvent] = TypeAdapter(RealtimeServerEvent)
    seen = set()
    for path in FOLDER.glob("*.jsonl"):
        for line in path.read_bytes().splitlines()[1:]:
            for output in msgspec.json.decode(line)["outputs"]:
                if output["type"] == "Send":
                    known.validate_python(output["event"])
                    seen.add(output["event"]["type"])
    assert len(seen) > 25


def test_the_retired_library_finds_every_item_it_looks_up() -> None:
    """In beta an item is created between its announcement in the response and its first part, once."""
    for path in FOLDER.glob("*.jsonl"):
        created: set[str] = set()
        for line in path.read_bytes().splitlines()[1:]:
            for output in msgspec.json.decode(line)["outputs"]:
                frame = output["type"] == "Send" and encode(msgspec.convert(output["event"], ServerEvent), Dialect.BETA)
                event: dict[str, Any] = msgspec.json.decode(frame) if frame else {"type": ""}
                if event["type"] == "conversation.item.created":
                    assert event["item"]["id"] not in created
                    created.add(event["item"]["id"])
                elif path.stem != "out_of_band" and event["type"].startswith("response.") and "item_id" in event:
                    assert event["item_id"] in created


def test_every_transcript_belongs_to_a_scenario() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == {scenario.__name__ for scenario in SCENARIOS}


def test_a_replay_notices_the_smallest_difference() -> None:
    written = (FOLDER / "tool_call.jsonl").read_bytes()
    changed = written.replace(b'"output_tokens":', b'"output_tokens": ', 1).replace(b"blue.", b"grey.", 1)
    differences = replay(changed.splitlines())
    assert differences
    assert all(difference.startswith("line ") for difference in differences)
