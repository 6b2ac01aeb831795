"""What a response may use at most, where somebody counts tokens: it is cut there, and says so."""

from __future__ import annotations

import pytest
from driven_session import DrivenSession, Event, configured, types

from parley.protocol.realtime.generation import AudioDelta, Done, EngineUsage, TextDelta
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.inputs import TokensGranted
from parley.protocol.realtime.outputs import CancelGeneration

TEXT = configured({"output_modalities": ["text"], "instructions": ""})
SPOKEN = configured({"instructions": ""})
FIFTH = AudioDelta(bytes(2 * 24 * 200))
"""200 ms: four tokens."""


def granted(session: DrivenSession, tokens: int) -> ResponseId:
    session.client(type="response.create")
    response_id = session.contexts[-1].response_id
    session.feed(TokensGranted(response_id, tokens))
    return response_id


def ending(session: DrivenSession) -> Event:
    (done,) = session.of_type("response.done")
    response: Event = done["response"]
    return response


def test_written_words_are_cut_where_the_grant_ends() -> None:
    session = DrivenSession(config=TEXT)
    response_id = granted(session, 10)
    for _ in range(30):
        session.engine(TextDelta("four"))
    response = ending(session)
    assert (response["status"], response["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert response["usage"]["total_tokens"] == 10
    assert response["output"][0]["content"][0]["text"] == "four" * 10
    assert session.all(CancelGeneration) == [CancelGeneration(response_id)]
    assert types(session.events).count("response.output_text.delta") == 10


def test_speech_is_counted_as_it_comes_and_what_was_not_sent_was_not_said() -> None:
    session = DrivenSession(config=SPOKEN)
    granted(session, 24)
    session.engine(TextDelta("one two three four five six seven eight nine ten"))
    for _ in range(30):
        session.engine(FIFTH)
    response = ending(session)
    assert response["status"] == "incomplete"
    assert 24 <= response["usage"]["total_tokens"] < 24 + 4
    assert response["usage"]["output_token_details"]["audio_tokens"] == 12


def test_a_question_that_takes_the_whole_grant_is_not_answered() -> None:
    session = DrivenSession(config=TEXT)
    part = {"type": "input_text", "text": "a long question " * 10}
    session.client(type="conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    granted(session, 10)
    response = ending(session)
    assert (response["status"], response["output"]) == ("incomplete", [])
    assert session.all(CancelGeneration)
    session.engine(TextDelta("too late"), Done())
    assert len(session.of_type("response.done")) == 1


def test_the_engines_own_count_counts() -> None:
    session = DrivenSession(config=TEXT)
    granted(session, 1_000)
    session.engine(TextDelta("hello"), EngineUsage(input_text_tokens=1_200, output_text_tokens=1))
    assert ending(session)["status"] == "incomplete"


@pytest.mark.parametrize("tokens", [11, 1_000])
def test_what_is_not_used_up_ends_as_ever(tokens: int) -> None:
    session = DrivenSession(config=TEXT)
    granted(session, tokens)
    session.engine(*[TextDelta("four")] * 10, Done())
    session.feed(TokensGranted(ResponseId("resp_unknown"), 1))
    assert ending(session)["status"] == "completed"
