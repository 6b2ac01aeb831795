"""What can keep a person from talking with the console, made for real, and the way in through a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from console import Talk, artifacts, hold, run_driver
from served import Served, parley_serve
from speech_script import Line, write_script
from spoken import words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KEY = "sk-a-key-of-this-test"
TRANSPORT = "webrtc"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


# --- what stands in the way -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refusals(server: Served) -> dict[str, Any]:
    folder = artifacts("refusals")
    run_driver("refusals.mjs", f"{server.url}/", str(folder), TRANSPORT, limit_s=120)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


@pytest.mark.parametrize(
    ("case", "title", "fix"),
    [
        ("microphone-missing", "No microphone found", "Plug one in"),
        ("microphone-denied", "The microphone is blocked", "Set Microphone to Allow"),
        ("sound-blocked", "Sound is held back", "Click the button below"),
        ("insecure-origin", "This address cannot use a microphone", "http://127.0.0.1"),
    ],
)
def test_each_obstacle_has_its_own_screen_with_the_fix(
    refusals: dict[str, Any], case: str, title: str, fix: str
) -> None:
    if case not in refusals:
        pytest.skip("this machine has no address but loopback")
    assert refusals[case]["said"].startswith(title)
    assert fix in refusals[case]["said"]


def test_blocked_sound_starts_with_a_click(refusals: dict[str, Any]) -> None:
    assert refusals["sound-blocked"]["recovered"] == "by a click"


def test_where_no_sound_is_allowed_answers_are_asked_for_in_writing(refusals: dict[str, Any]) -> None:
    if "insecure-origin" not in refusals:
        pytest.skip("this machine has no address but loopback")
    assert refusals["insecure-origin"]["recovered"] == "text"


def test_without_a_microphone_one_may_type(refusals: dict[str, Any]) -> None:
    assert refusals["microphone-denied"]["recovered"] == "by keyboard"


def test_a_server_that_dies_is_named_and_what_was_said_is_not_taken_for_more() -> None:
    folder = artifacts("server-gone")
    with parley_serve() as served:
        script = write_script(folder / "microphone.wav", (Line(30, "Nobody hears this."),))
        preferences = {"transport": TRANSPORT}
        plan = {
            "url": served.url,
            "microphone": str(script),
            "preferences": preferences,
            "until": "over",
            "limit_s": 40,
        }
        timer = threading.Timer(8, served.process.kill)
        timer.start()
        talk = hold(folder, {**plan, "until": "over", "limit_s": 40})
        timer.join()
    assert talk.seen["phase"] == "error"
    assert "The server does not answer" in talk.seen["alert"]
    assert "parley serve" in talk.seen["alert"]


# --- with a key -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed_in() -> Iterator[Talk]:
    folder = artifacts("signed-in")
    with parley_serve("--api-key", KEY) as served:
        typed = [{"after_s": 0.5, "text": "Please change the orb color to green."}]
        plan = {"url": served.url, "keys": ["wrong", KEY], "typed": typed, "record": False, "limit_s": 6}
        yield hold(folder, {**plan, "preferences": {"greet": False, "transport": TRANSPORT}})


def test_only_a_key_of_the_server_opens_the_page(signed_in: Talk) -> None:
    assert signed_in.seen["logins"] == [401, 204]


def test_a_typed_wish_is_granted_within_the_page_s_own_policy(signed_in: Talk) -> None:
    assert signed_in.seen["orb"] == "#1f9d6b"
    assert "green" in words(signed_in.lines("Parley")[-1]["words"])
    # The refused sign-in is the only thing the browser complains about: no script, style or socket was blocked.
    assert [problem for problem in signed_in.seen["problems"] if "401" not in problem] == []


def test_the_page_keeps_no_key(signed_in: Talk) -> None:
    assert KEY not in signed_in.seen["kept"]
    assert all(KEY not in json.dumps(row) for row in signed_in.events)


# --- below a path -----------------------------------------------------------------------------------------------------


def test_the_page_works_below_a_proxy_s_path() -> None:
    folder = artifacts("root-path")
    with parley_serve("--root-path", "/voice") as served:
        typed = [{"after_s": 0.5, "text": "Please change the orb color to green."}]
        plan = {"url": f"{served.url}/voice/", "typed": typed, "record": False, "limit_s": 6}
        talk = hold(folder, {**plan, "preferences": {"greet": False}})
    assert talk.seen["orb"] == "#1f9d6b"
    assert talk.seen["problems"] == []
    assert "/voice/v1/realtime/calls" in talk.seen["paths"]
    assert [path for path in talk.seen["paths"] if not path.startswith("/voice/")] == []
