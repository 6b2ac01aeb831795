"""What a session or response may ask for beyond talk: prompts, pictures, long conversations, quotas, bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from driven_session import DrivenSession, client_event, configured, types
from msgspec.structs import replace

from parley.protocol.realtime.client_events import ResponseCreate, SessionUpdate
from parley.protocol.realtime.generation import Done, EngineUsage, TokenLogProb
from parley.protocol.realtime.ids import ConnectionId, ItemId
from parley.protocol.realtime.inputs import ClientEventReceived, QuotasChanged, TranscriptFinal
from parley.protocol.realtime.items import Item, MessageItem
from parley.protocol.realtime.outputs import DropItemAudio, StartTranscription
from parley.protocol.realtime.requests import decode_client_event
from parley.protocol.realtime.resources import RateLimit
from parley.protocol.realtime.responses import MAX_RUNNING
from parley.protocol.realtime.session_config import SessionConfig, SessionPatch, StoredPrompt
from parley.protocol.realtime.shortening import CONTEXT_TOKENS, item_tokens, kept
from parley.protocol.realtime.tools import FunctionTool

PICTURE = "data:image/png;base64,iVBORw0KGgo="
CLIENT = ConnectionId("client")


def text(session: DrivenSession, words: str, item_id: str | None = None) -> list[dict[str, Any]]:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    return session.client(type="conversation.item.create", item=item | ({"id": item_id} if item_id else {}))


# --- stored prompts

STORED = StoredPrompt(SessionPatch(instructions="Be a pirate.", tools=(FunctionTool(name="sail"),)))


def with_prompt(driven: DrivenSession, found: StoredPrompt | None = STORED, **event: Any) -> list[dict[str, Any]]:
    before = len(driven.events)
    driven.feed(ClientEventReceived(CLIENT, client_event(event_id="mine", **event), found))
    return driven.events[before:]


def test_a_sessions_prompt_applies_below_its_own_fields() -> None:
    session = DrivenSession()
    echo = with_prompt(session, type="session.update", session={
        "prompt": {"id": "pirate", "version": "2", "variables": {"name": "Anne"}}, "tools": []})  # fmt: skip
    updated = echo[0]["session"]
    assert updated["instructions"] == "Be a pirate."
    assert updated["tools"] == []
    assert updated["prompt"] == {"id": "pirate", "version": "2", "variables": {"name": "Anne"}}
    assert session.update(prompt=None)[0]["session"]["prompt"] is None


def test_a_responses_prompt_is_for_that_response() -> None:
    session = DrivenSession()
    with_prompt(session, type="response.create", response={"prompt": {"id": "pirate"}})
    assert session.contexts[0].instructions == "Be a pirate."
    assert list(session.contexts[0].tools) == [FunctionTool(name="sail")]
    session.answer("Arr.")
    with_prompt(session, type="response.create", response={"prompt": {"id": "pirate"}, "instructions": "Be brief."})
    assert session.contexts[1].instructions == "Be brief."
    session.answer("Arr.")
    session.client(type="response.create")
    assert session.contexts[2].instructions == SessionConfig().instructions


@pytest.mark.parametrize(("kind", "where"), [("session.update", "session"), ("response.create", "response")])
def test_an_unknown_prompt_is_refused(kind: str, where: str) -> None:
    session = DrivenSession()
    events = with_prompt(session, None, type=kind, **{where: {"prompt": {"id": "nobody", "version": "7"}}})
    error = events[0]["error"]
    assert (error["code"], error["param"], error["event_id"]) == ("prompt_not_found", f"{where}.prompt.id", "mine")
    assert "'nobody' in version '7'" in error["message"]


# --- pictures


def picture_item() -> dict[str, Any]:
    parts = [{"type": "input_text", "text": "what is this"}, {"type": "input_image", "image_url": PICTURE}]
    return {"type": "message", "role": "user", "content": parts}


def test_a_model_that_sees_is_shown_pictures() -> None:
    session = DrivenSession()
    session.client(type="conversation.item.create", item=picture_item())
    session.client(type="response.create")
    message = session.contexts[0].items[0]
    assert isinstance(message, MessageItem)
    assert PICTURE in str(message.content[1])
    usage = session.answer("A pixel.")[-1]["response"]["usage"]
    details = usage["input_token_details"]
    assert details["image_tokens"] == 765
    assert details["image_tokens"] + details["text_tokens"] + details["audio_tokens"] == usage["input_tokens"]


def test_an_engines_count_of_a_picture_is_not_counted_twice() -> None:
    session = DrivenSession()
    session.client(type="conversation.item.create", item=picture_item())
    session.client(type="response.create")
    session.engine(EngineUsage(1000, 0, 3))
    assert session.answer("A pixel.")[-1]["response"]["usage"]["input_tokens"] == 1000


@pytest.mark.parametrize(
    ("size", "echoes", "retrieves"), [(1000, True, True), (1 << 20, False, True), (8 << 20, False, False)]
)
def test_a_large_picture_is_seen_by_the_model_and_not_thrown_back(size: int, echoes: bool, retrieves: bool) -> None:
    session = DrivenSession()
    url = "data:image/jpeg;base64," + "A" * size
    item = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]}
    for event in session.client(type="conversation.item.create", item=item):
        shown = event["item"]["content"][0]["image_url"]
        assert shown == (url if echoes else "data:image/jpeg;base64,")
    retrieved = session.client(type="conversation.item.retrieve", item_id=event["item"]["id"])[0]
    assert (retrieved["item"]["content"][0]["image_url"] == url) == retrieves
    session.client(type="response.create")
    assert url in str(session.contexts[0].items[0])


@pytest.mark.parametrize("sees", [True, False])
def test_a_picture_is_taken_whether_or_not_the_model_sees(sees: bool) -> None:
    session = DrivenSession(sees=sees)
    session.client(type="conversation.item.create", item=picture_item())
    assert [event["type"] for event in session.events[-2:]] == ["conversation.item.added", "conversation.item.done"]
    session.client(type="response.create")
    session.client(type="response.create", response={"conversation": "none", "input": [picture_item()]})
    for context in session.contexts:
        assert PICTURE in str(context.items)
        session.engine(Done(), response_id=context.response_id)
    details = [event["response"]["usage"]["input_token_details"] for event in session.of_type("response.done")]
    assert [bool(each["image_tokens"]) for each in details] == [sees, sees]


# --- sizes

WORDS = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 1_000_000}]}


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "conversation.item.create", "item": WORDS}, "item"),
        ({"type": "conversation.item.create",
          "item": {"type": "function_call_output", "call_id": "c", "output": "\x01" * 200_000}}, "item"),
        ({"type": "session.update", "session": {"instructions": "x" * 1_000_000}}, "session"),
        ({"type": "session.update", "session": {"tracing": {"metadata": {"a": "x" * 1_000_000}}}}, "session"),
    ],
)  # fmt: skip
def test_what_could_not_be_echoed_is_refused_and_changes_nothing(event: dict[str, Any], param: str) -> None:
    session = DrivenSession()
    config = session.machine.config
    error = session.client(**event, event_id="mine")[0]["error"]
    assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", param, "mine")
    assert "1000000 bytes" in error["message"]
    assert session.items() == []
    assert session.machine.config == config


# --- long conversations


def long_session(truncation: Any, count: int = 10) -> DrivenSession:
    session = DrivenSession(config=configured({"truncation": truncation}))
    for number in range(count):
        text(session, "x" * 392, f"m{number}")
    return session


def seen(session: DrivenSession) -> list[str]:
    return [item.id for item in session.contexts[-1].items]


def limit(tokens: int, ratio: float = 1.0) -> dict[str, Any]:
    return {"type": "retention_ratio", "retention_ratio": ratio, "token_limits": {"post_instructions": tokens}}


def test_a_short_conversation_is_seen_whole() -> None:
    session = long_session("auto")
    session.client(type="response.create")
    assert len(seen(session)) == 10


def test_the_oldest_items_are_left_out() -> None:
    session = long_session(limit(500))
    session.client(type="response.create")
    assert seen(session) == ["m5", "m6", "m7", "m8", "m9"]
    assert len(session.items()) == 10, "the conversation itself stays"
    assert not session.of_type("error")


def test_a_retention_ratio_makes_room_that_lasts() -> None:
    session = long_session(limit(500, 0.6))
    session.client(type="response.create")
    assert seen(session) == ["m7", "m8", "m9"]
    session.answer("Yes.")
    text(session, "x" * 100, "next")
    session.client(type="response.create")
    assert seen(session)[0] == "m7", "the beginning holds until the next overflow"


def test_what_was_left_out_stays_out() -> None:
    session = long_session(limit(500))
    session.client(type="response.create")
    session.answer("Yes.")
    session.client(type="conversation.item.delete", item_id="m9")
    session.client(type="response.create")
    assert seen(session)[0] == "m5"


def test_without_truncation_a_long_conversation_fails() -> None:
    session = DrivenSession(config=configured({"truncation": "disabled"}))
    text(session, "x" * 4 * CONTEXT_TOKENS)
    done = session.client(type="response.create")[-1]["response"]
    assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "context_length_exceeded")
    assert session.contexts == []


def test_given_input_is_never_shortened() -> None:
    session = long_session(limit(500))
    references = [{"type": "item_reference", "id": f"m{number}"} for number in range(10)]
    session.client(type="response.create", response={"input": references})
    assert len(seen(session)) == 10


def test_a_call_and_its_output_go_together() -> None:
    items = msgspec.json.decode(
        b"""[{"type":"function_call","id":"1","call_id":"c","name":"f","arguments":"%s"},
             {"type":"function_call_output","id":"2","call_id":"c","output":"%s"},
             {"type":"message","id":"3","role":"user","content":[{"type":"input_text","text":"%s"}]}]"""
        % ((b"x" * 400,) * 3),
        type=tuple[Item, ...],
    )
    truncation = configured({"truncation": limit(250)}).truncation
    assert [item.id for item in kept(items, truncation)] == ["3"]
    assert sum(map(item_tokens, items)) > 250


def test_what_is_answered_is_never_left_out() -> None:
    session = long_session(limit(1))
    session.client(type="response.create")
    assert seen(session) == ["m9"]


@pytest.mark.parametrize(
    ("truncation", "param"),
    [
        ("sometimes", "session.truncation"),
        ({"type": "retention_ratio", "retention_ratio": 2}, "session.truncation.retention_ratio"),
        ({"type": "retention_ratio", "retention_ratio": 1, "token_limits": {"post_instructions": 0}},
         "session.truncation.token_limits.post_instructions"),
    ],
)  # fmt: skip
def test_a_truncation_that_is_none_is_refused(truncation: Any, param: str) -> None:
    fault = decode_client_event(msgspec.json.encode({"type": "session.update", "session": {"truncation": truncation}}))
    assert getattr(fault, "param", None) == param


def test_truncation_is_echoed_as_it_came() -> None:
    session = DrivenSession()
    for given in ("auto", "disabled", {"type": "retention_ratio", "retention_ratio": 0.5}, limit(500, 0.5)):
        assert session.update(truncation=given)[0]["session"]["truncation"] == given


# --- bounds


def test_a_conversation_is_bounded() -> None:
    session = DrivenSession()
    photograph = {"type": "input_image", "image_url": "data:image/jpeg;base64," + "A" * (13 << 20)}
    item = {"type": "message", "role": "user", "content": [photograph]}
    answers = [session.client(type="conversation.item.create", item={**item, "id": str(n)}) for n in range(5)]
    assert [types(answer)[0] for answer in answers] == ["conversation.item.added"] * 4 + ["error"]
    assert answers[-1][0]["error"]["code"] == "conversation_full"
    session.client(type="conversation.item.delete", item_id="0")
    assert types(session.client(type="conversation.item.create", item=item))[0] == "conversation.item.added"


def test_responses_out_of_band_are_bounded_and_keep_no_audio() -> None:
    session = DrivenSession()
    for _ in range(MAX_RUNNING):
        session.client(type="response.create", response={"conversation": "none"})
    refused = session.client(type="response.create", response={"conversation": "none"}, event_id="mine")
    error = refused[0]["error"]
    assert (error["type"], error["code"], error["event_id"]) == ("rate_limit_error", "rate_limit_exceeded", "mine")
    done = session.answer("Hello.")[-1]["response"]
    assert session.last(DropItemAudio).item_id == done["output"][0]["id"]
    assert types(session.client(type="response.create", response={"conversation": "none"})) == ["response.created"]


# --- quotas, probabilities, language, settings that reach the engine

QUOTAS = (RateLimit(name="requests", limit=100, remaining=99, reset_seconds=60),)


def test_quotas_are_told() -> None:
    session = DrivenSession()
    session.feed(QuotasChanged(QUOTAS))
    assert session.events[-1]["type"] == "rate_limits.updated"
    assert session.events[-1]["rate_limits"][0]["remaining"] == 99
    transcribing = DrivenSession(config=replace(SessionConfig(), type="transcription"))
    transcribing.feed(QuotasChanged(QUOTAS))
    assert types(transcribing.events) == ["session.created"]


@pytest.mark.parametrize("wanted", [True, False])
def test_probabilities_are_told_to_who_asks(wanted: bool) -> None:
    session = DrivenSession(config=configured({"audio": {"input": {"transcription": {"model": "x"}}}}))
    session.update(include=["item.input_audio_transcription.logprobs"] if wanted else None)
    session.hear(960, 0.9)
    session.hear(512, 0.0)
    assert session.last(StartTranscription).options.logprobs == wanted
    item_id = session.last(StartTranscription).item_id
    session.feed(TranscriptFinal(ItemId(item_id), "höre", 1.0, logprobs=(TokenLogProb("hö", -0.5),)))
    completed = session.of_type("conversation.item.input_audio_transcription.completed")[0]
    expected = [{"token": "hö", "logprob": -0.5, "bytes": [104, 195, 182]}]
    assert completed.get("logprobs") == (expected if wanted else None)


@pytest.mark.parametrize(
    ("transcription", "heard_as"),
    [({"language": "en", "prompt": "names"}, ("en", "names")), ({"model": "x"}, ("de", None)), (None, ("de", None))],
)
def test_language_and_prompt_reach_the_recogniser(transcription: Any, heard_as: tuple[str, str | None]) -> None:
    config = configured({"audio": {"input": {"transcription": transcription}}})
    session = DrivenSession(config=replace(config, language="de"))
    session.hear(960, 0.9)
    options = session.last(StartTranscription).options
    assert (options.language, options.prompt) == heard_as


@pytest.mark.parametrize(("session_says", "response_says", "engine_hears"),
                         [(None, None, None), (False, None, False), (False, True, True)])  # fmt: skip
def test_parallel_tool_calls_reach_the_engine(session_says: Any, response_says: Any, engine_hears: Any) -> None:
    session = DrivenSession(config=configured({"parallel_tool_calls": session_says}))
    session.client(type="response.create", response={"parallel_tool_calls": response_says})
    assert session.contexts[0].parallel_tool_calls is engine_hears


def test_settings_that_change_nothing_here_are_accepted() -> None:
    session = DrivenSession()
    echo = session.update(
        tracing="auto", reasoning={"effort": "low"}, audio={"input": {"noise_reduction": {"type": "far_field"}}}
    )[0]["session"]
    assert echo["tracing"] == "auto"
    assert echo["audio"]["input"]["noise_reduction"] == {"type": "far_field", "strength": 1.0}
    assert session.update(tracing={"workflow_name": "w"})[0]["session"]["tracing"] == "auto", "once on, it stays"
    assert session.update(tracing=None)[0]["session"]["tracing"] is None


def test_events_decode_with_what_they_may_ask_for() -> None:
    update = decode_client_event(b'{"type":"session.update","session":{"prompt":{"id":"a","variables":{"x":"1"}}}}')
    assert isinstance(update, SessionUpdate)
    create = decode_client_event(
        b'{"type":"response.create","response":{"prompt":{"id":"a"},"parallel_tool_calls":true}}'
    )
    assert isinstance(create, ResponseCreate)
