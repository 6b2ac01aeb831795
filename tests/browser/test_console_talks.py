"""A person talks with the console: real Chromium, real `parley serve`, real engines, and a microphone that plays
synthesised speech. What was said back is taken from the speaker's side of the recording and recognised.

Every conversation is held over each transport. Over WebSocket the page plays the audio and tells the server what was
heard; over WebRTC the server does both, and the recording is of what arrived.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from console import Recording, Stretch, Talk, artifacts, hold
from served import Served, parley_serve
from speech_script import Line, write_script
from spoken import heard, word_error_rate, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PAINT, GOODBYE = "Please change the orb color to purple.", "Please end the conversation."
ASK_STORY, REPAINT = "Tell me the story of the lighthouse.", "Stop. Please change the orb color to blue."
STORY = (
    "Once upon a time there was a lighthouse on a small rock in the northern sea and every evening the keeper climbed "
    "the long stairs and lit the lamp and looked over the dark water and counted the ships that came by from many "
    "countries with timber and tea and wool and when the last of them was safe behind the rock he sat down by the "
    "stove and wrote their names into a large green book that his grandfather had begun many years before."
)
STORY_TOOL = {
    "name": "tell_story",
    "description": "Tell the story of the lighthouse.",
    "parameters": json.dumps({"type": "object", "properties": {}}),
    "result": STORY,
}


TRANSPORTS = ("websocket", "webrtc")
FAINTEST = {"websocket": 0, "webrtc": 60}
"""The largest 16-bit sample that is silence: nothing at all, or what a decoder makes of silence."""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


@pytest.fixture(scope="module", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def plain(text: str) -> list[str]:
    """Give the words of a text, farewell in one spelling."""
    return words(re.sub("good[- ]?bye?", "goodbye", text, flags=re.IGNORECASE))


def said_back(recording: Recording, start_s: float, end_s: float) -> list[str]:
    """Recognise what came out of the speaker between two instants."""
    return plain(heard(recording.pcm(recording.speaker, start_s, end_s)))


# --- a whole conversation ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def talk(server: Served, transport: str) -> Talk:
    folder = artifacts(f"conversation-{transport}")
    script = write_script(folder / "microphone.wav", (Line(13.0, PAINT), Line(20.5, GOODBYE)))
    plan = {"url": server.url, "microphone": str(script), "preferences": {"transport": transport}, "until": "over"}
    return hold(folder, {**plan, "limit_s": 60})


@pytest.fixture(scope="module")
def turns(talk: Talk) -> list[Stretch]:
    """Where the person spoke."""
    found = talk.recording.voiced(talk.recording.microphone)
    assert len(found) == 2, found
    return found


def test_the_page_works_from_this_server_alone(talk: Talk, server: Served) -> None:
    assert talk.seen["problems"] == []
    assert talk.seen["hosts"] == [f"127.0.0.1:{server.port}"]
    assert talk.of("error") == []


def test_the_assistant_greets_aloud_before_anybody_speaks(talk: Talk, turns: list[Stretch]) -> None:
    greeting = talk.lines("Parley")[0]
    assert greeting["unheard"] == ""
    wanted = words(greeting["words"])
    assert len(wanted) >= 3
    assert word_error_rate(" ".join(wanted), " ".join(said_back(talk.recording, 0, turns[0].start_s))) <= 0.25


def test_what_the_person_says_is_on_the_page(talk: Talk) -> None:
    assert [words(line["words"]) for line in talk.lines("You")] == [words(PAINT), words(GOODBYE)]


def test_a_function_is_called_acts_on_the_page_and_is_spoken_about(talk: Talk, turns: list[Stretch]) -> None:
    assert talk.lines("Function")[0]["words"].startswith("set_orb_color")
    assert talk.seen["orb"] == "#8a5cd6"
    assert "purple" in said_back(talk.recording, turns[0].end_s, turns[1].start_s)


def test_the_answer_comes_within_three_seconds_and_the_page_says_how_fast(talk: Talk, turns: list[Stretch]) -> None:
    answers = talk.recording.voiced(talk.recording.speaker)
    first = next(answer for answer in answers if answer.start_s > turns[0].end_s - 0.3)
    assert first.start_s - turns[0].end_s < 3.0
    assert "answered in" in talk.lines("Parley")[1]["aside"]


def test_the_page_knows_how_its_line_is(talk: Talk, transport: str) -> None:
    line = talk.seen["line"]
    if transport == "websocket":
        assert line == []
        return
    # While the browser moves from one pair of addresses to a better one, it may name none.
    looks = [look for look in line if look["codec"] and look["path"]]
    assert len(looks) >= 5
    assert {look["codec"] for look in looks} == {"Opus"}
    assert {look["lossIn"] for look in looks if "lossIn" in look} == {0}
    assert {look["lossOut"] for look in looks if "lossOut" in look} == {0}
    assert all(0 <= look["roundTripMs"] < 1_000 for look in looks)
    assert max(look.get("inKbps", 0) for look in looks) > 10


def test_nothing_sounds_while_nobody_speaks(talk: Talk, turns: list[Stretch], transport: str) -> None:
    recording = talk.recording
    answers = recording.voiced(recording.speaker)
    spoken_about = next(answer for answer in answers if answer.start_s > turns[0].end_s - 0.3)
    assert turns[1].start_s - spoken_about.end_s > 1.0
    assert recording.loudest(recording.speaker, spoken_about.end_s + 0.3, turns[1].end_s) <= FAINTEST[transport]


def test_a_spoken_goodbye_ends_the_conversation_after_its_last_word(talk: Talk, turns: list[Stretch]) -> None:
    recording = talk.recording
    assert talk.seen["ended"]
    assert talk.seen["phase"] == "idle"
    last = recording.voiced(recording.speaker)[-1]
    assert last.start_s > turns[1].end_s - 0.3
    assert plain(talk.lines("Parley")[-1]["words"]) == said_back(recording, turns[1].end_s, recording.length_s)
    assert 0.1 < recording.length_s - last.end_s < 3.0
    assert talk.events[-1]["direction"] == "closed"


# --- by keyboard ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typed(server: Served, transport: str) -> Talk:
    folder = artifacts(f"keyboard-{transport}")
    lines = [{"after_s": 0.5, "text": ASK_STORY}, {"after_s": 5, "text": PAINT}, {"after_s": 5, "text": "Goodbye."}]
    preferences = {"greet": False, "customTools": [STORY_TOOL], "transport": transport}
    plan = {"url": server.url, "typed": lines, "preferences": preferences, "until": "over", "limit_s": 30}
    return hold(folder, plan)


def test_typing_interrupts_and_is_answered_aloud(typed: Talk) -> None:
    story, painted, farewell = typed.lines("Parley")
    assert len(words(story["words"])) > 3
    assert len(words(story["unheard"])) > 3
    assert len(typed.of("conversation.item.truncated")) == 1
    assert words(painted["words"])[-2:] == ["purple", "now"]
    audible = said_back(typed.recording, 0, typed.recording.length_s)
    assert audible[:4] == words(STORY)[:4]
    assert {"purple", "goodbye"} <= set(audible)
    assert "goodbye" in plain(farewell["words"])
    assert typed.seen["ended"]
    assert typed.of("error") == []


# --- an interruption --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interrupted(server: Served, transport: str) -> Talk:
    folder = artifacts(f"interruption-{transport}")
    lines = (Line(2.0, ASK_STORY), Line(10.0, REPAINT, "slt"), Line(19.0, "Goodbye.", "slt"))
    script = write_script(folder / "microphone.wav", lines)
    preferences = {"greet": False, "customTools": [STORY_TOOL], "transport": transport}
    plan = {"url": server.url, "microphone": str(script), "preferences": preferences, "until": "over", "limit_s": 60}
    return hold(folder, plan)


@pytest.fixture(scope="module")
def voices(interrupted: Talk) -> tuple[Stretch, Stretch]:
    """The person's interruption, and the answer it interrupts."""
    recording = interrupted.recording
    spoken = recording.voiced(recording.microphone)
    assert len(spoken) == 3, spoken
    answer = next(one for one in recording.voiced(recording.speaker) if one.start_s > spoken[0].end_s - 0.3)
    return spoken[1], answer


def test_the_old_answer_stops_within_a_second(
    interrupted: Talk, voices: tuple[Stretch, Stretch], transport: str
) -> None:
    interruption, answer = voices
    recording = interrupted.recording
    assert answer.start_s < interruption.start_s - 2, "it was well under way"
    assert recording.loudest(recording.speaker, interruption.start_s - 0.5, interruption.start_s) > 0
    left = recording.loudest(recording.speaker, interruption.start_s + 1.0, interruption.end_s + 0.3)
    assert left <= FAINTEST[transport]


def test_the_server_knows_how_much_was_heard(
    interrupted: Talk, voices: tuple[Stretch, Stretch], transport: str
) -> None:
    _interruption, answer = voices
    told = interrupted.of("conversation.item.truncate")
    known = interrupted.of("conversation.item.truncated")
    assert len(known) == 1
    assert [cut["audio_end_ms"] for cut in told] == ([known[0]["audio_end_ms"]] if transport == "websocket" else [])
    # An item's audio begins with a breath of silence, which the recording cannot tell from waiting.
    played_ms = (answer.end_s - answer.start_s) * 1000
    assert played_ms - 50 <= known[0]["audio_end_ms"] <= played_ms + 600


def test_the_page_tells_heard_from_unheard(interrupted: Talk, voices: tuple[Stretch, Stretch]) -> None:
    _interruption, answer = voices
    story = next(line for line in interrupted.lines("Parley") if line["unheard"])
    kept = words(story["words"])
    assert kept == words(STORY)[: len(kept)]
    assert len(words(story["unheard"])) > 5
    audible = said_back(interrupted.recording, answer.start_s - 0.2, answer.end_s + 0.2)
    assert abs(len(audible) - len(kept)) <= 2
    assert word_error_rate(" ".join(kept), " ".join(audible)) <= 0.25
    assert "interrupted after" in story["aside"]


def test_the_interruption_is_answered(interrupted: Talk, voices: tuple[Stretch, Stretch]) -> None:
    interruption, _answer = voices
    assert "blue" in said_back(interrupted.recording, interruption.end_s, interruption.end_s + 5)
    assert interrupted.seen["orb"] == "#3a78e0"
    assert interrupted.seen["problems"] == []


def test_one_word_of_farewell_ends_it(interrupted: Talk) -> None:
    assert interrupted.seen["ended"]
    assert "goodbye" in plain(interrupted.lines("Parley")[-1]["words"])
