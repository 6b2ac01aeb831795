"""A voice page in one file, opened from disk and in another site's frame: real Chromium, real `parley serve`, real
engines. What was said back is recognised from the recording.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import ROOT, Talk, artifacts, hold
from served import parley_serve
from speech_script import Line, write_script
from spoken import heard, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PAGE = ROOT / "examples/one-file.html"
KEY = "sk-a-key-of-this-test"


def settings(server: str, key: str = "") -> dict[str, str]:
    return {"one-file": json.dumps({"server": server, "key": key})}


def audible(talk: Talk) -> list[str]:
    """Recognise everything that the page played."""
    recording = talk.recording
    return words(heard(recording.pcm(recording.speaker, 0, recording.length_s)))


def calls(talk: Talk, server: str) -> list[dict[str, Any]]:
    """Give the requests to the voice server."""
    return [request for request in talk.seen["requests"] if request["url"].startswith(server)]


# --- from disk ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def from_disk() -> tuple[Talk, str]:
    folder = artifacts("one-file")
    lines = (Line(4.5, "Stop. What time is it?"), Line(13.0, "Goodbye."))
    script = write_script(folder / "microphone.wav", lines)
    with parley_serve("--cors-origin", "null") as served:
        plan = {"url": PAGE.as_uri(), "microphone": str(script), "storage": settings(served.url), "limit_s": 40}
        return hold(folder, plan, "example.mjs"), served.url


def test_it_is_short_and_needs_no_build() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 250
    assert "import" not in text.split("<script>")[1]
    assert "src=" not in text.split("-->", 1)[1]


def test_its_one_request_is_the_vendor_s_own(from_disk: tuple[Talk, str]) -> None:
    talk, server = from_disk
    assert talk.seen["problems"] == []
    elsewhere = [request["url"] for request in talk.seen["requests"] if not request["url"].startswith("file:")]
    assert elsewhere == [f"{server}/v1/realtime/calls"]
    assert calls(talk, server)[0] | {"url": ""} == {
        "method": "POST",
        "url": "",
        "kind": "multipart/form-data",
        "keyed": False,
    }


def test_it_greets_by_asking_for_a_response(from_disk: tuple[Talk, str]) -> None:
    talk, _server = from_disk
    assert "hello" in audible(talk)[:4]
    assert talk.events[0]["event"]["type"] == "session.created"
    assert talk.of("response.create")[0]["response"]["instructions"].startswith("Greet")


def test_captions_tell_heard_from_unheard(from_disk: tuple[Talk, str]) -> None:
    talk, _server = from_disk
    greeting = talk.seen["captions"][0]
    assert greeting["who"] == "assistant"
    assert len(words(greeting["heard"])) > 3
    assert len(words(greeting["unheard"])) > 3
    kept = words(greeting["heard"])
    assert audible(talk)[: len(kept)][:3] == kept[:3]
    assert any("time" in words(line["heard"]) for line in talk.seen["captions"] if line["who"] == "you")


def test_a_function_of_the_page_is_spoken_about(from_disk: tuple[Talk, str]) -> None:
    talk, _server = from_disk
    assert "get_local_time" in [event["name"] for event in talk.of("response.function_call_arguments.done")]
    assert talk.of("error") == []


def test_the_goodbye_is_heard_to_its_last_word_and_only_then_all_is_closed(from_disk: tuple[Talk, str]) -> None:
    talk, _server = from_disk
    recording = talk.recording
    assert talk.seen["ended"]
    assert talk.seen["state"] == "Ended."
    assert words(talk.said("assistant")[-1])[-1] in {"goodbye", "bye", "you"}
    assert audible(talk)[-1] == words(talk.said("assistant")[-1])[-1]
    last = recording.voiced(recording.speaker)[-1]
    assert recording.length_s - last.end_s > 0.2, "silence was heard after the last word"
    order = [row["direction"] if not row["event"] else row["event"]["type"] for row in talk.events]
    assert order.index("track-stopped") > max(
        index for index, kind in enumerate(order) if kind == "output_audio_buffer.stopped"
    )
    assert "closed" in order[order.index("track-stopped") :]


# --- in a frame of another site, with a key ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def framed() -> tuple[Talk, str]:
    folder = artifacts("one-file-framed")
    script = write_script(folder / "microphone.wav", (Line(11.0, "Goodbye."),))
    with parley_serve("--api-key", KEY) as served:
        plan = {"url": PAGE.name, "framed": str(PAGE.parent), "microphone": str(script), "limit_s": 40}
        return hold(folder, {**plan, "storage": settings(served.url, KEY)}, "example.mjs"), served.url


def test_it_talks_in_a_frame_with_a_key(framed: tuple[Talk, str]) -> None:
    talk, server = framed
    assert talk.seen["problems"] == []
    assert [request["keyed"] for request in calls(talk, server) if request["method"] == "POST"] == [True]
    assert "hello" in audible(talk)[:4]
    assert talk.seen["ended"]
    assert talk.of("error") == []


# --- a server that does not want it -----------------------------------------------------------------------------------


def test_a_refused_origin_is_told_with_what_to_look_at() -> None:
    folder = artifacts("one-file-refused")
    script = write_script(folder / "microphone.wav", (Line(0.5, "Hello."),))
    with parley_serve() as served:
        plan = {"url": PAGE.as_uri(), "microphone": str(script), "storage": settings(served.url), "limit_s": 10}
        talk = hold(folder, plan, "example.mjs")
    assert "allow this page's origin, null" in talk.seen["state"]
