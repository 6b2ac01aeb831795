"""Damaged client events by the thousand: the machine survives each, names each mistake, and keeps its order.

Well-formed events are damaged at random (members dropped, swapped, of the wrong type, absurdly long; bytes flipped; the
end torn off) and sent in between speech, engines' chunks and tools' answers. `PARLEY_SOAK_ROUNDS` rounds of 100 events.
"""

from __future__ import annotations

import copy
import json
import os
import random
import tracemalloc
from typing import Any

import msgspec
from driven_session import CLIENT, DrivenSession, configured
from event_order import order_faults
from msgspec.structs import replace

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    Failed,
    TextDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import CallId
from parley.protocol.realtime.inputs import (
    ClientEventReceived,
    ClientFaultReceived,
    EngineChunk,
    McpToolsListed,
    ToolReturned,
)
from parley.protocol.realtime.items import McpToolInfo
from parley.protocol.realtime.outputs import CallTool, FinishTranscription, ListMcpTools
from parley.protocol.realtime.requests import MAX_EVENT_ID_CHARS, decode_client_event
from parley.protocol.realtime.tools import FunctionTool

ROUNDS = int(os.environ.get("PARLEY_SOAK_ROUNDS", "100"))
EVENTS_PER_ROUND = 100
MCP = {"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "never"}
WHOLE: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "instructions": "x", "tools": [MCP], "speed": 1.2}},
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}},
    {"type": "session.update", "session": {"turn_detection": None, "modalities": ["text", "audio"], "voice": "ash"}},
    {"type": "session.update", "session": {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5}}},
    {"type": "session.update", "session": {"prompt": {"id": "p", "variables": {"a": "b"}}}},
    {"type": "transcription_session.update", "session": {"input_audio_format": "pcm16"}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {"type": "conversation.item.create", "previous_item_id": "root",
     "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}},
    {"type": "conversation.item.create",
     "item": {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}},
    {"type": "conversation.item.create",
     "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}},
    {"type": "conversation.item.create",
     "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}},
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "1"}},
    {"type": "conversation.item.create",
     "item": {"type": "mcp_approval_response", "approval_request_id": "item_000009", "approve": True}},
    {"type": "conversation.item.retrieve", "item_id": "item_000003"},
    {"type": "conversation.item.delete", "item_id": "item_000004"},
    {"type": "conversation.item.truncate", "item_id": "item_000005", "content_index": 0, "audio_end_ms": 300},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}}},
    {"type": "response.create", "response": {"tools": [{"type": "function", "name": "f"}], "tool_choice": "required"}},
    {"type": "response.cancel"},
    {"type": "response.cancel", "response_id": "resp_000001"},
]  # fmt: skip
ODD: list[Any] = [None, True, -1, 10**30, 1.5, "", "x" * 5000, "\ud800", [], {}, [[]], {"type": "x"}, "inf", "root"]


def damaged(chance: random.Random) -> bytes:
    """Give a client event, usually with something wrong in it."""
    event: Any = json.loads(json.dumps(chance.choice(WHOLE)))
    event["event_id"] = f"e{chance.randrange(1000)}"
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        _bend(event, chance)
    frame = bytearray(json.dumps(event).encode())
    if chance.random() < 0.1:
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
    if chance.random() < 0.05:
        del frame[chance.randrange(len(frame)) :]
    return bytes(frame)


def _bend(value: Any, chance: random.Random) -> None:
    """Change one member somewhere inside."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
            value = inner
            continue
        match chance.randrange(3):
            case 0 if isinstance(value, dict):
                del value[key]
            case 1 if isinstance(value, dict):
                value[str(chance.choice(ODD))[:40]] = value.pop(key)
            case _:
                value[key] = copy.deepcopy(chance.choice(ODD))
        return


def sent_id(frame: bytes) -> str | None:
    """Give the id that an error about the frame must repeat: the event's own, if it is an object with a usable one."""
    try:
        event = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    given = event.get("event_id") if isinstance(event, dict) else None
    return given if isinstance(given, str) and len(given) <= MAX_EVENT_ID_CHARS else None


def disturb(session: DrivenSession, chance: random.Random) -> None:
    """Let something else happen: speech, an engine's chunk, a tool's answer, time."""
    match chance.randrange(6):
        case 0:
            session.hear(16 * chance.randrange(1, 40), chance.choice((0.0, 0.9)))
        case 1:
            for listening in session.all(FinishTranscription)[-1:]:
                session.recognise(listening.item_id, chance.choice(("", "good day")))
        case 2 | 3:
            call = ToolCallDone(CallId(str(chance.random())), chance.choice(("f", "hosted", "m")), "{}")
            chunks: list[Chunk] = [TextDelta("Well. "), AudioDelta(bytes(4800)), call, Done(), Failed("down", "Down.")]
            for context in session.contexts[-2:]:
                session.feed(EngineChunk(context.response_id, chance.choice(chunks)))
        case 4:
            for called in session.all(CallTool)[-1:]:
                session.feed(ToolReturned(called.item_id, "fine"))
            for asked in session.all(ListMcpTools)[-1:]:
                session.feed(McpToolsListed(asked.item_id, (McpToolInfo(name="m", input_schema={}),)))
        case _:
            session.wait(chance.randrange(500))


def one_round(seed: int) -> int:
    """Play a round; give how many mistakes were named."""
    chance = random.Random(seed)
    config = replace(configured({"audio": {"input": {"transcription": {"model": "x"}}}}),
                     hosted_tools=(FunctionTool(name="hosted"),))  # fmt: skip
    session = DrivenSession(config=config, pacing=chance.choice(("client", "server")))
    for _ in range(EVENTS_PER_ROUND):
        frame = damaged(chance)
        event = decode_client_event(frame)
        before = len(session.events)
        if isinstance(event, ClientFault):
            session.feed(ClientFaultReceived(CLIENT, event))
            assert [answer["type"] for answer in session.events[before:]] == ["error"]
        else:
            session.feed(ClientEventReceived(CLIENT, event))
        for answer in session.events[before:]:
            if answer["type"] == "error":
                error = answer["error"]
                assert error["code"]
                assert error["message"]
                assert len(error["message"]) < 2000, "what was sent is not thrown back"
                assert error["event_id"] == sent_id(frame), "the mistake is tied to its event"
        disturb(session, chance)
    session.wait(3_600_000)
    assert session.machine.finished
    assert order_faults(session.events) == []
    return len(session.of_type("error"))


def test_damaged_events_are_survived_and_named() -> None:
    mistakes = sum(one_round(seed) for seed in range(ROUNDS))
    assert mistakes > ROUNDS * EVENTS_PER_ROUND // 4, "the damage was real"


def test_memory_is_flat() -> None:
    one_round(0)
    tracemalloc.start()
    try:
        one_round(0)
        before, _ = tracemalloc.get_traced_memory()
        for seed in range(10):
            one_round(seed)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
