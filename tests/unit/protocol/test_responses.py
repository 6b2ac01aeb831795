"""Responses: what they contain, how they end, and how many there may be."""

from __future__ import annotations

from typing import Any

import pytest
from driven_session import DrivenSession, clause, configured, said, types, wire
from event_order import order_faults

from parley.protocol.realtime.generation import (
    AudioDelta,
    Done,
    EngineUsage,
    Failed,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import CallId
from parley.protocol.realtime.outputs import AudioOut, CancelGeneration

CALL = CallId("call_1")
TOOL = {"type": "function", "name": "play", "parameters": {"type": "object"}}


def asked(words: str = "hello", *, config: dict[str, Any] | None = None, **response: Any) -> DrivenSession:
    session = DrivenSession(config=configured(config or {}))
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    session.client(type="conversation.item.create", item=item)
    session.client(type="response.create", response=response)
    return session


def call(*pieces: str, call_id: CallId = CALL, name: str = "play") -> list[Any]:
    return [*(ToolCallDelta(call_id, name, piece) for piece in pieces), ToolCallDone(call_id, name, "".join(pieces))]


def test_a_text_response() -> None:
    session = asked(output_modalities=["text"])
    said_events = session.engine(TextDelta("Hel"), TextDelta("lo."), Done())
    assert types(said_events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert said_events[0]["item"] == {
        "type": "message", "id": "item_000002", "role": "assistant", "content": [], "status": "in_progress",
        "object": "realtime.item",
    }  # fmt: skip
    assert said_events[2]["part"] == {"type": "text", "text": ""}
    assert said_events[5]["text"] == "Hello."
    assert said_events[6]["part"] == {"type": "text", "text": "Hello."}
    assert said_events[8]["item"]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert said_events[7]["previous_item_id"] == said_events[1]["previous_item_id"] == "item_000001"
    assert session.contexts[0].output_modality == "text"


def test_audio_in_a_text_response_is_dropped() -> None:
    session = asked(output_modalities=["text"])
    session.engine(*clause("Hello.", 500, char_start=0, start_ms=0), Done())
    assert session.all(AudioOut) == []


def test_a_spoken_response_says_audio_in_parts_and_output_audio_in_items() -> None:
    session = asked()
    events = session.answer("Hello.")
    parts = [event["part"] for event in events if "part" in event]
    assert parts == [{"type": "audio", "transcript": ""}, {"type": "audio", "transcript": "Hello."}]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello."}]
    out = session.last(AudioOut)
    assert (out.item_id, out.output_index, out.content_index, len(out.pcm)) == ("item_000002", 0, 0, 48_000)
    assert out.spans[0].char_end == 6


def test_the_resource_echoes_what_the_response_is() -> None:
    session = asked(
        metadata={"client_event_id": "e7"},
        max_output_tokens=100,
        audio={"output": {"voice": "ash", "format": {"type": "audio/pcmu"}}},
        instructions="Be brief.",
        tools=[TOOL],
        tool_choice="required",
    )
    created = session.of_type("response.created")[0]["response"]
    assert created == {
        "id": "resp_000001",
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": "conv_000001",
        "output_modalities": ["audio"],
        "max_output_tokens": 100,
        "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "ash"}},
        "usage": None,
        "metadata": {"client_event_id": "e7"},
        "object": "realtime.response",
    }
    context = session.contexts[0]
    assert (context.instructions, context.voice, context.max_output_tokens) == ("Be brief.", "ash", 100)
    assert (context.tools[0].name, context.tool_choice) == ("play", "required")  # type: ignore[union-attr]
    done = session.answer("Hi.")[-1]["response"]
    assert (done["metadata"], done["status"]) == ({"client_event_id": "e7"}, "completed")


def test_settings_changed_while_a_response_runs_apply_to_the_next() -> None:
    session = asked()
    session.update(audio={"output": {"voice": "verse"}}, instructions="New.")
    session.answer("Hi.")
    assert session.of_type("response.done")[0]["response"]["audio"]["output"]["voice"] == "alloy"
    session.client(type="response.create")
    assert (session.contexts[1].voice, session.contexts[1].instructions) == ("verse", "New.")


def test_a_function_call_streams_its_arguments() -> None:
    session = asked(tools=[TOOL])
    events = session.engine(*call('{"song":', '"x"}'), Done())
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[0]["item"]["arguments"] == ""
    assert events[0]["item"]["status"] == "in_progress"
    assert (events[4]["name"], events[4]["call_id"], events[4]["arguments"]) == ("play", "call_1", '{"song":"x"}')
    assert events[6]["item"]["status"] == "completed"
    assert events[7]["response"]["output"] == [events[6]["item"]]
    assert order_faults(session.events) == []


def test_a_call_given_whole_has_one_delta() -> None:
    session = asked()
    events = session.engine(ToolCallDone(CALL, "play", "{}"), Done())
    assert [event["delta"] for event in events if event["type"].endswith("arguments.delta")] == ["{}"]


def test_a_spoken_preamble_and_two_calls_are_three_items() -> None:
    session = asked()
    events = session.engine(
        *clause("One moment.", 800, char_start=0, start_ms=0),
        *call("{}", call_id=CallId("call_1")),
        *call("{}", call_id=CallId("call_2"), name="stop"),
        Done(),
    )
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    indexes = {event["item"]["id"]: event["output_index"] for event in events if event["type"].endswith("item.added")
               and "output_index" in event}  # fmt: skip
    assert list(indexes.values()) == [0, 1, 2]
    assert order_faults(session.events) == []


def test_a_tools_result_reaches_the_next_response_even_if_it_comes_early() -> None:
    session = asked()
    session.engine(*call("{}"))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "playing"}
    assert types(session.client(type="conversation.item.create", item=output)) == [
        "conversation.item.added",
        "conversation.item.done",
    ]
    session.engine(Done())
    session.client(type="response.create")
    assert said(session.contexts[1].items) == [
        ("user", "hello"),
        ("function_call", "{}"),
        ("function_call_output", "playing"),
    ]


def test_a_cancelled_call_is_incomplete_everywhere_and_was_never_made() -> None:
    session = asked()
    session.engine(ToolCallDelta(CALL, "play", '{"so'))
    events = session.client(type="response.cancel")
    assert types(events) == [
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert {event["item"]["status"] for event in events if "item" in event} == {"incomplete"}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"
    assert events[-1]["response"]["status_details"]["reason"] == "client_cancelled"
    session.client(type="response.create")
    assert said(session.contexts[1].items) == [("user", "hello")]


def test_a_call_that_its_engine_never_finished_is_not_made() -> None:
    session = asked()
    events = session.engine(ToolCallDelta(CALL, "play", "{}"), Done())
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_incomplete_response(reason: Any) -> None:
    session = asked()
    session.speak("A long ")
    response = session.engine(Done(reason))[-1]["response"]
    assert (response["status"], response["status_details"]) == ("incomplete", {"type": "incomplete", "reason": reason})
    assert response["output"][0]["status"] == "incomplete"
    session.now += 10
    session.client(type="response.create")
    assert said(session.contexts[1].items)[-1] == ("assistant", "A long "), "all of it was sent and will be heard"


def test_an_engines_failure_fails_the_response_and_nothing_else() -> None:
    session = asked()
    session.speak("I think ")
    events = session.engine(Failed("llm_unreachable", "The LLM at http://x refused."))
    assert "error" not in types(events)
    response = events[-1]["response"]
    assert response["status"] == "failed"
    assert response["status_details"] == {"type": "failed", "error": {
        "type": "server_error", "code": "llm_unreachable", "message": "The LLM at http://x refused."}}  # fmt: skip
    assert session.all(CancelGeneration) == []
    assert types(session.client(type="response.create")) == ["response.created"]


def test_an_empty_response() -> None:
    session = asked()
    assert types(session.engine(Done())) == ["response.done"]
    assert session.events[-1]["response"]["output"] == []


def test_chunks_for_nobody_are_dropped() -> None:
    session = asked()
    assert session.engine(TextDelta("x"), response_id="resp_none") == []
    session.engine(Done())
    assert session.engine(TextDelta("x"), AudioDelta(bytes(2)), Done(), response_id="resp_000001") == []


def test_a_call_without_an_id_is_given_one() -> None:
    session = asked()
    events = session.engine(ToolCallDelta(CallId(""), "play", "{"), ToolCallDone(CallId(""), "play", "{}"), Done())
    assert {event["call_id"] for event in events if "call_id" in event} == {"call_000001"}
    assert events[-1]["response"]["output"][0]["call_id"] == "call_000001"


def test_pictures_and_the_system_are_seen() -> None:
    session = DrivenSession()
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    for role, part in (("system", {"type": "input_text", "text": "Be kind."}), ("user", picture)):
        session.client(type="conversation.item.create",
                       item={"type": "message", "role": role, "content": [part], "status": "in_progress"})  # fmt: skip
    assert {item["status"] for item in session.items()} == {"completed"}, "a client's item is complete"
    session.client(type="response.create")
    seen = [wire(item)["content"][0]["type"] for item in session.contexts[0].items]
    assert seen == ["input_text", "input_image"]


def test_failed_speech_is_found_behind_what_the_system_says() -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": None}}}))
    session.hear(480, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.misrecognise("item_000001", "stt_down")
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
    session.client(type="conversation.item.create", item=system)
    session.client(type="response.create")
    assert session.of_type("response.done")[0]["response"]["status_details"]["error"]["code"] == "stt_down"


# --- several at once


def test_out_of_band_responses_run_beside_and_leave_no_items() -> None:
    session = asked()
    one = session.client(type="response.create", response={"conversation": "none", "output_modalities": ["text"]})
    two = session.client(type="response.create", response={
        "conversation": "none", "output_modalities": ["text"], "input": [], "metadata": {"topic": "two"}})  # fmt: skip
    assert one[0]["response"]["conversation_id"] is None
    assert (session.contexts[1].items, session.contexts[2].items) == (session.contexts[0].items, ())
    ids = [event["response"]["id"] for event in (one[0], two[0])]
    session.engine(TextDelta("B"), response_id=ids[1])
    session.engine(TextDelta("A"), response_id=ids[0])
    session.engine(TextDelta("Hello."), response_id="resp_000001")
    ended = [session.engine(Done(), response_id=one_id) for one_id in (*ids, "resp_000001")]
    assert [types(events).count("conversation.item.done") for events in ended] == [0, 0, 1]
    assert ended[1][-1]["response"]["output"][0]["content"][0]["text"] == "B"
    assert ended[1][-1]["response"]["metadata"] == {"topic": "two"}
    assert [item["id"] for item in session.items()] == ["item_000001", "item_000004"]
    assert order_faults(session.events) == []


def test_an_out_of_band_response_can_be_cancelled_by_its_id() -> None:
    session = asked()
    other = session.client(type="response.create", response={"conversation": "none"})[0]["response"]["id"]
    events = session.client(type="response.cancel", response_id=other)
    assert (events[-1]["response"]["id"], events[-1]["response"]["status"]) == (other, "cancelled")
    assert session.last(CancelGeneration).response_id == other
    assert session.engine(Done(), response_id="resp_000001")[-1]["response"]["status"] == "completed"


def test_given_input_replaces_the_context_and_may_refer_to_it() -> None:
    session = asked("first")
    session.answer("Hi.")
    inputs = [
        {"type": "item_reference", "id": "item_000001"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "second"}]},
    ]
    session.client(type="response.create", response={"conversation": "none", "input": inputs})
    assert said(session.contexts[-1].items) == [("user", "first"), ("user", "second")]


def test_a_response_sees_the_conversation_as_it_was_when_it_was_asked_for() -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": None}}}))
    session.hear(480, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.client(type="response.create")
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "later"}]}
    session.client(type="conversation.item.create", item=item)
    session.recognise("item_000001", "sooner")
    assert said(session.contexts[0].items) == [("user", "sooner")]


def test_an_explicit_response_waits_a_bounded_time_for_its_words() -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": None}}}))
    session.hear(480, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.client(type="response.create")
    session.wait(14_999)
    assert session.of_type("response.done") == []
    session.wait(1)
    response = session.of_type("response.done")[0]["response"]
    assert response["status_details"]["error"]["code"] == "transcription_timeout"
    assert response["usage"]["total_tokens"] == 0


def test_an_explicit_response_to_failed_speech_fails_and_to_older_failed_speech_does_not() -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"turn_detection": None}}}))
    session.hear(480, 0.9)
    session.client(type="input_audio_buffer.commit")
    session.misrecognise("item_000001", "stt_down")
    session.client(type="response.create")
    assert session.of_type("response.done")[0]["response"]["status_details"]["error"]["code"] == "stt_down"
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "typed"}]}
    session.client(type="conversation.item.create", item=item)
    session.client(type="response.create")
    assert said(session.contexts[0].items) == [("user", "typed")]


def test_a_deleted_item_of_a_running_response_ends_quietly() -> None:
    session = asked()
    session.speak("Hello ")
    session.client(type="conversation.item.delete", item_id="item_000002")
    events = session.engine(Done())
    assert "conversation.item.done" not in types(events)
    assert types(events)[-1] == "response.done"


# --- usage


def test_usage_counts_audio_by_time_and_text_by_the_engine() -> None:
    session = DrivenSession()
    session.say("tell me a story", voice_ms=5_344)  # 5 856 ms with the silence that ends the turn
    session.speak("Once upon a time.", ms=7_300)
    usage = session.engine(EngineUsage(120, 100, 30), Done())[-1]["response"]["usage"]
    assert usage == {
        "total_tokens": 120 + 59 + 30 + 146,
        "input_tokens": 120 + 59,
        "output_tokens": 30 + 146,
        "input_token_details": {
            "text_tokens": 120,
            "audio_tokens": 59,
            "image_tokens": 0,
            "cached_tokens": 100,
            "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 146},
    }


def test_usage_is_estimated_where_the_engine_says_nothing_and_always_whole() -> None:
    session = asked("a" * 40, instructions="b" * 40, output_modalities=["text"])
    usage = session.engine(TextDelta("c" * 10), Done())[-1]["response"]["usage"]
    assert usage["input_token_details"]["text_tokens"] == 22
    assert usage["output_token_details"] == {"text_tokens": 3, "audio_tokens": 0}
    assert usage["total_tokens"] == 25


def test_heard_speech_comes_back_as_audio_input() -> None:
    session = asked()
    session.answer("Hello.", ms=1000)
    session.client(type="response.create")
    usage = session.answer("Hi.")[-1]["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 20
