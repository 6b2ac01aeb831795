"""Every client event: what it answers, and every way in which it can be wrong. One row each."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from driven_session import CLIENT, DrivenSession, Event, configured, types
from msgspec.structs import replace

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ConnectionId
from parley.protocol.realtime.inputs import Connected
from parley.protocol.realtime.outputs import DropItemAudio, Send, TranscribeItemAudio, TruncateItemAudio
from parley.protocol.realtime.session_config import SessionConfig

MANUAL = {"audio": {"input": {"turn_detection": None}}}


def fresh() -> DrivenSession:
    return DrivenSession()


def manual() -> DrivenSession:
    return DrivenSession(config=configured(MANUAL))


def buffered() -> DrivenSession:
    session = manual()
    session.hear(1008, 0.9)
    return session


def short() -> DrivenSession:
    session = manual()
    session.hear(80, 0.9)
    return session


def speaking() -> DrivenSession:
    session = fresh()
    session.hear(960, 0.9)
    return session


def transcribing() -> DrivenSession:
    return DrivenSession(config=replace(SessionConfig(), type="transcription"))


def chatted() -> DrivenSession:
    """item_000001 of the user (text), item_000002 of the assistant (speech, done)."""
    session = fresh()
    text(session, "hello")
    session.client(type="response.create")
    session.answer("Good morning. ", "How are you?")
    return session


def answering() -> DrivenSession:
    session = fresh()
    text(session, "hello")
    session.client(type="response.create")
    session.speak("Good morning. ")
    return session


def server_paced() -> DrivenSession:
    return DrivenSession(pacing="server")


def text(session: DrivenSession, words: str, **fields: Any) -> list[Event]:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}], **fields}
    return session.client(type="conversation.item.create", item=item)


@dataclass(frozen=True)
class Row:
    name: str
    given: Callable[[], DrivenSession]
    event: dict[str, Any]
    answers: tuple[str, ...] = ()
    code: str | None = None
    param: str | None = None
    says: str = ""


USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
ITEM_EVENTS = ("conversation.item.added", "conversation.item.done")

ROWS = (
    Row("update", fresh, {"type": "session.update", "session": {"type": "realtime"}}, ("session.updated",)),
    Row("update without a type", fresh, {"type": "session.update", "session": {"instructions": ""}},
        ("session.updated",)),
    Row("update to another type", fresh, {"type": "session.update", "session": {"type": "transcription"}},
        code="invalid_value", param="session.type", says="new session"),
    Row("append does nothing by itself", fresh, {"type": "input_audio_buffer.append", "audio": "AAAA"}),
    Row("commit", buffered, {"type": "input_audio_buffer.commit"}, ("input_audio_buffer.committed", *ITEM_EVENTS)),
    Row("commit of speech going on", speaking, {"type": "input_audio_buffer.commit"},
        ("input_audio_buffer.committed", *ITEM_EVENTS)),
    Row("commit of nothing", manual, {"type": "input_audio_buffer.commit"},
        code="input_audio_buffer_commit_empty", says="only has 0.00ms of audio. Append more"),
    Row("commit of 80 ms", short, {"type": "input_audio_buffer.commit"},
        code="input_audio_buffer_commit_empty", says="Expected at least 100ms of audio, but buffer only has 80.00ms"),
    Row("commit of silence under turn detection", fresh, {"type": "input_audio_buffer.commit"},
        code="input_audio_buffer_commit_empty", says="set turn_detection to null"),
    Row("clear", buffered, {"type": "input_audio_buffer.clear"}, ("input_audio_buffer.cleared",)),
    Row("clear of nothing", fresh, {"type": "input_audio_buffer.clear"}, ("input_audio_buffer.cleared",)),
    Row("output clear where the client plays", answering, {"type": "output_audio_buffer.clear"}),
    Row("output clear of nothing", server_paced, {"type": "output_audio_buffer.clear"}),
    Row("create", fresh, {"type": "conversation.item.create", "item": USER}, ITEM_EVENTS),
    Row("create after null", fresh, {"type": "conversation.item.create", "item": USER, "previous_item_id": None},
        ITEM_EVENTS),
    Row("create at the root", chatted, {"type": "conversation.item.create", "item": USER, "previous_item_id": "root"},
        ITEM_EVENTS),
    Row("create after an item", chatted,
        {"type": "conversation.item.create", "item": USER, "previous_item_id": "item_000001"}, ITEM_EVENTS),
    Row("create after the unknown", chatted,
        {"type": "conversation.item.create", "item": USER, "previous_item_id": "item_none"},
        code="invalid_value", param="previous_item_id", says='"root"'),
    Row("create named like the beginning", chatted,
        {"type": "conversation.item.create", "item": {**USER, "id": "root"}},
        code="invalid_value", param="item.id", says="another id"),
    Row("create twice", chatted, {"type": "conversation.item.create", "item": {**USER, "id": "item_000001"}},
        code="invalid_value", param="item.id", says="delete that item first"),
    Row("create what was promised to a turn", speaking,
        {"type": "conversation.item.create", "item": {**USER, "id": "item_000001"}},
        code="invalid_value", param="item.id"),
    Row("create a tool's output that nobody called for", fresh,
        {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": ""}},
        ITEM_EVENTS),
    Row("retrieve", chatted, {"type": "conversation.item.retrieve", "item_id": "item_000002"},
        ("conversation.item.retrieved",)),
    Row("retrieve the unknown", chatted, {"type": "conversation.item.retrieve", "item_id": "nobody"},
        code="item_retrieve_invalid_item_id", param="item_id", says="'nobody' does not exist"),
    Row("delete", chatted, {"type": "conversation.item.delete", "item_id": "item_000001"},
        ("conversation.item.deleted",)),
    Row("delete the unknown", chatted, {"type": "conversation.item.delete", "item_id": "nobody"},
        code="item_delete_invalid_item_id", param="item_id", says="'nobody' does not exist"),
    Row("truncate", chatted, {"type": "conversation.item.truncate", "item_id": "item_000002", "content_index": 0,
        "audio_end_ms": 500}, ("conversation.item.truncated",)),
    Row("truncate the unknown", chatted, {"type": "conversation.item.truncate", "item_id": "nobody",
        "content_index": 0, "audio_end_ms": 500}, code="item_truncate_invalid_item_id", param="item_id"),
    Row("truncate the user", chatted, {"type": "conversation.item.truncate", "item_id": "item_000001",
        "content_index": 0, "audio_end_ms": 500}, code="invalid_value", param="item_id",
        says="Only model output audio messages can be truncated"),
    Row("truncate a part that is not there", chatted, {"type": "conversation.item.truncate", "item_id": "item_000002",
        "content_index": 1, "audio_end_ms": 500}, code="invalid_value", param="content_index", says="use 0"),
    Row("response", fresh, {"type": "response.create"}, ("response.created",)),
    Row("second response", answering, {"type": "response.create"}, code="conversation_already_has_active_response",
        says="Conversation already has an active response in progress: resp_000001. Wait until the response "
        "is finished before creating a new one."),
    Row("second response out of band", answering, {"type": "response.create", "response": {"conversation": "none"}},
        ("response.created",)),
    Row("response to the unknown", chatted, {"type": "response.create", "response": {"input": [
        {"type": "item_reference", "id": "nobody"}]}}, code="invalid_value", param="response.input[0].id"),
    Row("response to unheard audio", chatted, {"type": "response.create", "response": {"input": [
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}]}},
        code="invalid_value", param="response.input[0].content", says="item_reference"),
    Row("response in a transcription session", transcribing, {"type": "response.create"},
        code="invalid_value", param="type", says="transcription session has no responses"),
    Row("cancel", answering, {"type": "response.cancel"}, (
        "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
        "conversation.item.done", "response.output_item.done", "response.done")),
    Row("cancel by id", answering, {"type": "response.cancel", "response_id": "resp_000001"}, (
        "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
        "conversation.item.done", "response.output_item.done", "response.done")),
    Row("cancel nothing", chatted, {"type": "response.cancel"}, code="response_cancel_not_active",
        says="Cancellation failed: no active response found"),
    Row("cancel what is done", chatted, {"type": "response.cancel", "response_id": "resp_000001"},
        code="response_cancel_not_active", param="response_id", says="Cancellation failed"),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_client_event(row: Row) -> None:
    session = row.given()
    session.feed(Connected(ConnectionId("sideband")))
    before = len(session.outputs)
    answers = session.client(**row.event, event_id="mine")
    sent = [output for output in session.outputs[before:] if isinstance(output, Send)]
    if row.code is None:
        assert tuple(types(answers)) == row.answers
        assert all(output.to is None or row.event["type"] == "conversation.item.retrieve" for output in sent)
        return
    assert types(answers) == ["error"]
    assert [output.to for output in sent] == [CLIENT], "an error goes to its sender only"
    error = answers[0]["error"]
    assert (error["code"], error["param"], error["event_id"]) == (row.code, row.param, "mine")
    assert error["type"] == "invalid_request_error"
    assert row.says in error["message"]
    assert len(session.outputs) == before + 1, "a refused event changes nothing"


def test_every_client_event_has_a_row() -> None:
    tags = {event.__struct_config__.tag for event in get_args(ClientEvent)}
    assert tags == {row.event["type"] for row in ROWS}


def test_a_frame_that_is_no_event_is_answered_to_its_sender() -> None:
    session = fresh()
    answers = session.fault(ClientFault(code="invalid_json", message="Not JSON.", event_id="e1"))
    assert answers[0]["error"] == {
        "type": "invalid_request_error", "code": "invalid_json", "message": "Not JSON.", "param": None,
        "event_id": "e1",
    }  # fmt: skip


def test_every_connection_is_greeted_alone() -> None:
    session = fresh()
    session.feed(Connected(ConnectionId("sideband")))
    greetings = [output for output in session.outputs if isinstance(output, Send)]
    assert [output.to for output in greetings] == ["client", "client", "sideband", "sideband"]
    assert types(session.events) == ["session.created", "conversation.created"] * 2
    created = session.events[0]["session"]
    assert created["expires_at"] == 1_700_000_000 + 3600
    assert created["audio"]["input"]["turn_detection"]["interrupt_response"] is True


def test_a_transcription_session_is_greeted_as_one() -> None:
    session = transcribing()
    assert types(session.events) == ["session.created"]
    assert session.events[0]["session"]["type"] == "transcription"


def test_updates_merge_and_are_echoed_whole() -> None:
    session = fresh()
    echo = session.update(
        instructions="", audio={"output": {"voice": "ash"}}, tools=[{"type": "function", "name": "f"}]
    )
    updated = echo[0]["session"]
    assert updated["instructions"] == ""
    assert updated["audio"]["output"]["voice"] == "ash"
    assert updated["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session.update(tools=[])[0]["session"]["tools"] == []
    assert session.machine.config.audio.output.voice == "ash"


def test_unknown_names_are_aliases() -> None:
    session = fresh()
    echo = session.update(
        model="gpt-realtime-2.1", audio={"input": {"transcription": {"model": "whisper-9"}}, "output": {"voice": "zoë"}}
    )[0]["session"]
    assert echo["audio"]["output"]["voice"] == "zoë"
    assert echo["audio"]["input"]["transcription"]["model"] == "whisper-9"


def test_items_chain() -> None:
    session = fresh()
    text(session, "one", id="a")
    text(session, "three", id="c")
    session.client(type="conversation.item.create", item={**USER, "id": "b"}, previous_item_id="a")
    session.client(type="conversation.item.create", item={**USER, "id": "zero"}, previous_item_id="root")
    session.client(type="conversation.item.delete", item_id="a")
    added = [(e["item"]["id"], e["previous_item_id"]) for e in session.of_type("conversation.item.added")]
    assert added == [("a", None), ("c", "a"), ("b", "a"), ("zero", None)]
    assert [item["id"] for item in session.items()] == ["zero", "b", "c"]
    text(session, "four", id="d")
    assert session.events[-1]["previous_item_id"] == "c"


def test_an_id_is_free_again_after_deletion() -> None:
    session = chatted()
    session.client(type="conversation.item.delete", item_id="item_000002")
    again = {"id": "item_000002", "type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": "Good evening."}]}  # fmt: skip
    answers = session.client(type="conversation.item.create", item=again, previous_item_id="item_000001")
    assert types(answers) == list(ITEM_EVENTS)
    session.client(type="response.create")
    assert "Good evening." in str(session.contexts[-1].items)
    assert "How are you" not in str(session.contexts[-1].items)
    assert session.last(DropItemAudio).item_id == "item_000002"


def test_audio_given_with_an_item_is_recognised_before_it_is_answered() -> None:
    session = fresh()
    audio = base64.b64encode(bytes(48_000)).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
    added = session.client(type="conversation.item.create", item=item)
    assert "audio" not in added[0]["item"]["content"][0]
    handed = session.last(TranscribeItemAudio)
    assert (handed.item_id, len(handed.audio)) == ("item_000001", 48_000)
    assert types(session.client(type="response.create")) == ["response.created"]
    assert session.contexts == []
    session.recognise("item_000001", "play some music")
    assert "play some music" in str(session.contexts[-1].items)
    usage = session.answer("Sure.")[-1]["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 10


def test_a_replayed_transcript_needs_no_recogniser() -> None:
    session = fresh()
    item = {"type": "message", "role": "user",
            "content": [{"type": "input_audio", "audio": "AAAA", "transcript": "good day"}]}  # fmt: skip
    session.client(type="conversation.item.create", item=item)
    session.client(type="response.create")
    assert session.all(TranscribeItemAudio) == []
    assert "good day" in str(session.contexts[-1].items)


def test_truncation_is_clamped_and_gives_the_item() -> None:
    session = chatted()
    cut = session.client(
        type="conversation.item.truncate", item_id="item_000002", content_index=0, audio_end_ms=99_999
    )[0]
    assert cut["audio_end_ms"] == 2000
    assert cut["item"]["content"] == [{"type": "output_audio", "transcript": "Good morning. How are you?"}]
    cut = session.client(type="conversation.item.truncate", item_id="item_000002", content_index=0, audio_end_ms=1400)[
        0
    ]
    assert cut["item"]["content"][0]["transcript"] == "Good morning. How"
    assert session.last(TruncateItemAudio).end_ms == 1400
    cut = session.client(type="conversation.item.truncate", item_id="item_000002", content_index=0, audio_end_ms=0)[0]
    assert (cut["audio_end_ms"], cut["item"]["content"][0]["transcript"]) == (0, "")
    shown = session.client(type="conversation.item.retrieve", item_id="item_000002")[0]
    assert shown["item"]["content"][0]["transcript"] == ""


def test_a_sideband_gets_the_answer_to_its_own_question_only() -> None:
    session = chatted()
    session.client("sideband", type="conversation.item.retrieve", item_id="item_000002")
    assert session.last(Send).to == "sideband"
    session.client("sideband", type="response.cancel")
    assert session.last(Send).to == "sideband"
    session.client("sideband", type="session.update", session={"instructions": "x"})
    assert session.last(Send).to is None
