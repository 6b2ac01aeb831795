"""Streamed chat completions in every dialect come out as the same chunks."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parley.engines.llm.chat_stream import ChatStream
from parley.protocol.realtime.generation import Chunk, Done, EngineUsage, TextDelta, ToolCallDelta, ToolCallDone
from parley.testing import Reply, call, say
from parley.testing.stub_behaviour import Behaviour
from parley.testing.stub_chat import chat_events

ASKED: dict[str, Any] = {"model": "m", "stream_options": {"include_usage": True}}


def stream() -> ChatStream:
    numbers = itertools.count(1)
    return ChatStream(fresh_call_id=lambda: f"call_fresh_{next(numbers)}", estimate_input=9)


def read(events: list[Any]) -> list[Chunk]:
    reader = stream()
    return [chunk for event in events for chunk in reader.feed(event)] + reader.end()


def written(reply: Reply, behaviour: Behaviour) -> list[Any]:
    return [json.loads(event) for event in chat_events(reply, ASKED, behaviour) if isinstance(event, bytes)]


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def calls(chunks: list[Chunk]) -> list[tuple[str, str, str]]:
    pieces: dict[str, str] = {}
    for chunk in chunks:
        if isinstance(chunk, ToolCallDelta):
            pieces[chunk.call_id] = pieces.get(chunk.call_id, "") + chunk.arguments
    done: list[tuple[str, str, str]] = [
        (chunk.call_id, chunk.name, chunk.arguments) for chunk in chunks if isinstance(chunk, ToolCallDone)
    ]
    assert {call_id: arguments for call_id, _, arguments in done} == pieces
    return done


ODD = st.builds(
    Behaviour,
    tool_ids=st.sampled_from(["first", "every", "never"]),
    tool_index=st.booleans(),
    tool_arguments=st.sampled_from(["pieces", "blob", "object"]),
    finish_reason=st.sampled_from([None, "stop", "tool_calls"]),
    usage=st.booleans(),
    reasoning=st.sampled_from(["", "Hmm. "]),
)


@given(ODD, st.lists(st.sampled_from(["first", "second", "third"]), max_size=3, unique=True), st.booleans())
def test_no_dialect_changes_what_was_meant(behaviour: Behaviour, names: list[str], speaks: bool) -> None:
    reply = [*(say("Let me see.") if speaks else []), *(step for name in names for step in call(name, {"n": name}))]
    chunks = read(written(reply, behaviour))
    assert [(name, json.loads(arguments)) for _, name, arguments in calls(chunks)] == [
        (name, {"n": name}) for name in names
    ]
    assert len({call_id for call_id, _, _ in calls(chunks)}) == len(names)
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)) == ("Let me see." if speaks else "")
    (usage,) = [chunk for chunk in chunks if isinstance(chunk, EngineUsage)]
    assert usage.estimated is not behaviour.usage
    assert chunks[-1] == Done()


def test_interleaved_calls_are_kept_apart_by_index() -> None:
    chunks = read(
        [
            delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]),
            delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}]),
            delta(
                tool_calls=[{"index": 0, "function": {"arguments": "{}"}}, {"index": 1, "function": {"arguments": "}"}}]
            ),
            delta("tool_calls"),
        ]
    )
    assert calls(chunks) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_two_calls_under_one_index_are_two() -> None:
    chunks = read(
        [
            delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
            delta(tool_calls=[{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}]),
            delta("stop"),
        ]
    )
    assert calls(chunks) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_the_name_repeated_in_every_delta_is_one_name() -> None:
    deltas = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": piece}} for piece in ('{"a"', ": 1}")]
    assert calls(read([delta(tool_calls=[piece]) for piece in deltas])) == [("a", "f", '{"a": 1}')]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    chunks = read([delta(tool_calls=[{"index": 0, "function": {"name": "f"}}]), delta("stop")])
    assert calls(chunks) == [("call_fresh_1", "f", "{}")]


def test_the_old_function_call_is_understood() -> None:
    chunks = read([delta(function_call={"name": "f", "arguments": '{"a":'}), delta(function_call={"arguments": "1}"})])
    assert calls(chunks) == [("call_fresh_1", "f", '{"a":1}')]


def test_a_call_without_a_name_is_no_call() -> None:
    assert calls(read([delta(tool_calls=[{"index": 0, "id": "a", "function": {"arguments": "{}"}}])])) == []


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("tool_calls", "stop"), ("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_reasons(finish: str, reason: str) -> None:
    reader = stream()
    reader.feed(delta(content="x"))
    finished_early = reader.finished
    reader.feed(delta(finish))
    assert (finished_early, reader.finished) == (False, True)
    last = reader.end()[-1]
    assert isinstance(last, Done)
    assert last.reason == reason


def test_usage_comes_from_wherever_the_server_puts_it() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
    for events in ([delta("stop") | {"usage": usage}], [delta("stop"), {"choices": [], "usage": usage}]):
        assert EngineUsage(12, 8, 3) in read([delta(content="abc"), *events])
    assert EngineUsage(9, 0, 1, estimated=True) in read([delta(content="abc"), delta("stop")])


FIELDS = ["choices", "delta", "content", "tool_calls"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([*FIELDS, "function", "arguments", "name", "index", "id", "usage"]),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(JSON, max_size=6))
def test_nothing_a_server_sends_breaks_it(events: list[Any]) -> None:
    chunks = read(events)
    calls(chunks)
    assert isinstance(chunks[-1], Done)


@given(JSON)
@example([{"index": []}])
@example([{"text": 5}])
def test_nothing_inside_a_delta_breaks_it(inside: Any) -> None:
    for event in (delta(content=inside), delta(tool_calls=inside), delta(tool_calls=[inside]), {"choices": inside}):
        calls(read([event]))
