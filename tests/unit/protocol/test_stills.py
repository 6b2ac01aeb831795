"""Stills of a call's camera: when one is taken, where models see it, and that clients are told nothing of it."""

from __future__ import annotations

import pytest
from driven_session import DrivenSession, configured, said, types

from parley.protocol.realtime.generation import Done, GenerationContext, TextDelta, ToolCallDone
from parley.protocol.realtime.ids import CallId, ResponseId
from parley.protocol.realtime.inputs import StillTaken
from parley.protocol.realtime.items import InputImagePart, MessageItem
from parley.protocol.realtime.outputs import StartGeneration, TakeStill
from parley.protocol.realtime.session_config import SessionConfig
from parley.protocol.realtime.stills import MOST_SHOWN, STILL_WAIT_MS

SHOWN = "data:image/webp;base64,c3RpbGw="
TEXT = configured({"output_modalities": ["text"]})


def watching(config: SessionConfig = TEXT) -> DrivenSession:
    return DrivenSession(camera=True, config=config)


def write(session: DrivenSession, text: str, role: str = "user") -> str:
    kind = "output_text" if role == "assistant" else "input_text"
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    return str(session.client(type="conversation.item.create", item=item)[0]["item"]["id"])


def respond(session: DrivenSession, shows: str | None = SHOWN, **response: object) -> GenerationContext:
    """Have a response begin and its look answered; give what it is generated from."""
    session.client(type="response.create", response=response)
    session.feed(StillTaken(session.last(TakeStill).response_id, shows))
    return session.contexts[-1]


def finish(session: DrivenSession, text: str = "I see.") -> dict[str, object]:
    done = session.engine(TextDelta(text), Done())[-1]
    assert done["type"] == "response.done"
    return dict(done["response"])


def stills(context: GenerationContext) -> list[tuple[str, str]]:
    """Which messages have pictures."""
    return [
        (str(item.id), part.image_url)
        for item in context.items
        if isinstance(item, MessageItem)
        for part in item.content
        if isinstance(part, InputImagePart)
    ]


def test_a_spoken_turn_is_shown_the_still_behind_its_words() -> None:
    session = DrivenSession(camera=True)
    item_id = session.say("what am I holding")
    assert not session.contexts, "it waits for the still"
    look = session.last(TakeStill)
    session.feed(StillTaken(look.response_id, SHOWN))
    (context,) = session.contexts
    assert context.response_id == look.response_id
    assert stills(context) == [(item_id, SHOWN)]
    assert said(context.items) == [("user", "what am I holding ")]
    assert "image" not in str(session.events), "clients are told of words alone"


def test_a_written_turn_is_shown_it_as_well_and_pays_for_it() -> None:
    session = watching()
    first = write(session, "what is this")
    assert stills(respond(session)) == [(first, SHOWN)]
    usage = finish(session)["usage"]
    assert isinstance(usage, dict)
    assert usage["input_token_details"]["image_tokens"] == 765


def test_without_a_picture_the_response_begins_as_ever() -> None:
    session = watching()
    write(session, "what is this")
    context = respond(session, None)
    assert said(context.items) == [("user", "what is this")]
    assert not stills(context)


def test_only_calls_with_a_camera_look() -> None:
    session = DrivenSession(config=TEXT)
    write(session, "what is this")
    session.client(type="response.create")
    assert len(session.contexts) == 1
    assert not session.all(TakeStill)


def test_a_look_that_is_never_answered_holds_the_response_up_for_half_a_second() -> None:
    session = watching()
    write(session, "what is this")
    session.client(type="response.create")
    session.wait(STILL_WAIT_MS - 1)
    assert not session.contexts
    session.wait(1)
    assert len(session.contexts) == 1
    session.feed(StillTaken(session.last(TakeStill).response_id, SHOWN))
    assert len(session.all(StartGeneration)) == 1, "too late"
    finish(session)


def test_the_newest_stills_are_kept_with_their_messages() -> None:
    session = watching()
    shown = []
    for turn in range(MOST_SHOWN + 2):
        item_id = write(session, f"look {turn}")
        shown.append((item_id, f"{SHOWN}{turn}"))
        assert stills(respond(session, f"{SHOWN}{turn}")) == shown[-MOST_SHOWN:]
        finish(session)
    item_id = write(session, "and now?")
    assert stills(respond(session, None)) == shown[-MOST_SHOWN:], "a camera that is off takes nothing away"


def test_asking_again_shows_what_is_seen_now() -> None:
    session = watching()
    item_id = write(session, "what is this")
    respond(session, SHOWN + "old")
    session.client(type="response.cancel")
    assert stills(respond(session, SHOWN + "new")) == [(item_id, SHOWN + "new")]


@pytest.mark.parametrize("history", [[], [("user", "hello"), ("assistant", "Hello.")], [("system", "be brief")]])
def test_where_nobody_asked_anything_the_still_stands_by_itself(history: list[tuple[str, str]]) -> None:
    session = watching()
    for role, text in history:
        write(session, text, role)
    context = respond(session, instructions="Say what you see.")
    last = context.items[-1]
    assert isinstance(last, MessageItem)
    assert (last.role, last.content) == ("user", (InputImagePart(SHOWN),))
    assert len(context.items) == len(history) + 1
    assert len(session.items()) == len(history)


def test_words_of_the_system_do_not_part_a_question_from_its_still() -> None:
    session = watching()
    item_id = write(session, "what is this")
    write(session, "the user is in the kitchen", "system")
    assert stills(respond(session)) == [(item_id, SHOWN)]


def test_what_answers_a_function_has_the_still_of_its_turn() -> None:
    session = watching()
    item_id = write(session, "what is this")
    respond(session)
    session.engine(ToolCallDone(CallId("call_1"), "look_up", "{}"), Done())
    output = {"type": "function_call_output", "call_id": "call_1", "output": "a cup"}
    session.client(type="conversation.item.create", item=output)
    session.client(type="response.create")
    assert len(session.all(TakeStill)) == 1
    assert stills(session.contexts[-1]) == [(item_id, SHOWN)]


def test_what_a_client_gives_a_response_to_read_is_all_that_it_reads() -> None:
    session = watching()
    write(session, "what is this")
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "is this rude?"}]}
    session.client(type="response.create", response={"conversation": "none", "input": [message]})
    assert not session.all(TakeStill)
    assert said(session.contexts[-1].items) == [("user", "is this rude?")]


def test_a_response_may_be_cancelled_while_it_looks() -> None:
    session = watching()
    write(session, "what is this")
    session.client(type="response.create")
    look = session.last(TakeStill)
    told = types(session.client(type="response.cancel"))
    assert told[-1] == "response.done"
    session.feed(StillTaken(look.response_id, SHOWN))
    session.feed(StillTaken(ResponseId("resp_unknown"), SHOWN))
    assert not session.contexts
    session.wait(2 * STILL_WAIT_MS)
    assert not session.contexts


def test_stills_count_where_a_conversation_is_too_long() -> None:
    limit = {"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": {"post_instructions": 1_000}}
    session = watching(config=configured({"output_modalities": ["text"], "truncation": limit}))
    oldest = write(session, "look at this " * 20)
    respond(session)
    finish(session)
    newest = write(session, "and at this " * 20)
    context = respond(session, SHOWN + "2")
    assert stills(context) == [(newest, SHOWN + "2")]
    assert oldest not in [item.id for item in context.items], "stills count 765 tokens each"
