"""Page control by voice and by typing: real Chromium, real `parley serve`, real engines. What changed is read from the
page's computed styles, what was said about it from the recording.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from console import ROOT, Talk, artifacts, hold
from served import Served, parley_serve
from speech_script import Line, write_script
from spoken import heard, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KEY = "sk-a-key-of-this-test"
BACKEND = ROOT / "examples/page_control_backend.py"
WATCHED = {
    "background": ["body", "background-color"],
    "font": ["#page h1", "color"],
    "button": ["#page button", "background-color"],
    "size": ["#page button", "font-size"],
}
PURPLE, WHITE, GREEN = "rgb(128, 0, 128)", "rgb(255, 255, 255)", "rgb(0, 128, 0)"


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
UNDONE = {"button", "back"}
"""What the answer to "undo" names: that of the button's change does not say that anything went back."""


def styles(talk: Talk) -> list[dict[str, str]]:
    """Give the page's looks in the order in which it had them."""
    return [row["event"] for row in talk.events if row["direction"] == "style"]


def px(look: dict[str, str]) -> float:
    return float(look["size"].removesuffix("px"))


def repainted(looks: list[dict[str, str]]) -> None:
    """Check the five wishes: purple page, white text, bigger green button, and the button back again."""
    first, purple, white, *rest, last = looks
    assert purple == first | {"background": PURPLE}
    assert white == purple | {"font": WHITE}
    button = rest[-1]
    assert (button["background"], button["font"], button["button"]) == (PURPLE, WHITE, GREEN)
    assert px(button) > 1.2 * px(first)
    assert last == white


# --- by voice, served by Parley -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken_to() -> Talk:
    folder = artifacts("page-control-voice")
    lines = (
        Line(11.0, "Make the page purple."),
        Line(17.0, "Text white."),
        Line(23.0, "Make the button bigger and green."),
        Line(29.5, "What does the heading say?"),
        Line(37.0, "Please undo the last change."),
        Line(43.0, "Goodbye."),
    )
    script = write_script(folder / "microphone.wav", lines)
    with parley_serve() as served:
        plan = {"url": f"{served.url}/page-control/", "microphone": str(script), "watch": WATCHED, "limit_s": 70}
        return hold(folder, plan, "example.mjs")


def test_five_spoken_wishes_are_granted_and_taken_back(spoken_to: Talk) -> None:
    repainted(styles(spoken_to))
    assert spoken_to.seen["ended"]
    assert spoken_to.seen["problems"] == []
    assert spoken_to.of("error") == []


@pytest.mark.parametrize(
    ("turn", "named"),
    [(0, {"purple"}), (1, {"white"}), (2, {"bigger", "green"}), (3, {"heading", "repaint", "voice"}), (4, UNDONE)],
)
def test_the_spoken_answer_names_the_change(spoken_to: Talk, turn: int, named: set[str]) -> None:
    recording = spoken_to.recording
    turns = recording.voiced(recording.microphone)
    assert len(turns) == 6, turns
    answer = words(heard(recording.pcm(recording.speaker, turns[turn].end_s, turns[turn + 1].start_s)))
    assert named <= set(answer), answer


def undone(talk: Talk, said: str) -> None:
    """Check that these words alone led to the call, and that its result said what is back."""
    items = {event["item"]["id"]: event for event in talk.of("conversation.item.done")}
    (call,) = [event for event in items.values() if event["item"].get("name") == "undo"]
    wish = items[call["previous_item_id"]]["item"]
    transcripts = {event["item_id"]: event["transcript"] for event in talk.of(TRANSCRIBED)}
    assert words(wish["content"][0].get("text") or transcripts[wish["id"]]) == words(said)
    given = [event["item"] for event in talk.of("conversation.item.create")]
    told = [item["output"] for item in given if item.get("call_id") == call["item"]["call_id"]]
    assert told == ["Done, the button is back to what it was before."]


def test_the_wish_takes_back_the_last_change(spoken_to: Talk) -> None:
    undone(spoken_to, "please undo the last change")


def test_results_go_back_to_the_model(spoken_to: Talk) -> None:
    outputs = [
        event["item"]["output"]
        for event in spoken_to.of("conversation.item.create")
        if event["item"]["type"] == "function_call_output"
    ]
    assert outputs[0] == "The background of the page is purple now."
    assert any("<h1>Repaint this page with your voice</h1>" in output for output in outputs)


def test_one_function_has_no_parameters_and_colours_are_free(spoken_to: Talk) -> None:
    tools: list[dict[str, Any]] = spoken_to.of("session.update")[0]["session"]["tools"]
    undo = next(tool for tool in tools if tool["name"] == "undo")
    assert "parameters" not in undo
    paint = next(tool for tool in tools if tool["name"] == "change_background_color")
    assert paint["parameters"]["properties"]["color"] == {
        "type": "string",
        "description": "Any color, as the user said it.",
    }


# --- typed, through a back end that keeps the key ------------------------------------------------------------------


@contextmanager
def backend(server: Served, key: str) -> Iterator[str]:
    """Run the example's back end on a free port; give the page's address."""
    given = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": key, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(BACKEND), "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | given
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def typed() -> Talk:
    folder = artifacts("page-control-typed")
    wishes = ("make the page purple", "text white", "button bigger and green", "undo", "goodbye")
    lines = [{"after_s": 4, "text": wish} for wish in wishes]
    with parley_serve("--api-key", KEY) as served, backend(served, KEY) as url:
        return hold(folder, {"url": url, "typed": lines, "watch": WATCHED, "limit_s": 30}, "example.mjs")


def test_typed_wishes_are_granted_through_a_back_end(typed: Talk) -> None:
    repainted(styles(typed))
    recording = typed.recording
    audible = set(words(heard(recording.pcm(recording.speaker, 0, recording.length_s))))
    assert {"purple", "white", "green"} <= audible
    assert typed.seen["ended"]
    assert typed.seen["problems"] == []


def test_the_typed_bare_word_is_answered_with_what_it_took_back(typed: Talk) -> None:
    undone(typed, "undo")
    recording = typed.recording
    *_, answer, _goodbye = recording.voiced(recording.speaker)
    assert set(words(heard(recording.pcm(recording.speaker, answer.start_s - 0.2, answer.end_s + 0.2)))) >= UNDONE


def test_the_browser_never_sees_the_key(typed: Talk) -> None:
    posts = [request for request in typed.seen["requests"] if request["method"] == "POST"]
    assert [request["url"].rpartition("/api/")[2] for request in posts] == ["rtc-connect"]
    assert not any(request["keyed"] for request in posts)
    assert KEY not in (typed.folder / "events.jsonl").read_text()


def test_the_back_end_is_short_and_tells_a_refused_key() -> None:
    code = [line for line in BACKEND.read_text(encoding="utf-8").split('"""')[2].splitlines() if line.strip()]
    assert len(code) <= 42
    folder = artifacts("page-control-refused")
    with parley_serve("--api-key", KEY) as served, backend(served, "sk-another") as url:
        talk = hold(folder, {"url": url, "typed": [], "limit_s": 6}, "example.mjs")
    assert "The voice server refused the call." in talk.seen["alert"]
    assert talk.of("session.created") == []
