"""Answers before real judges: Debian's Chromium, and its Firefox where it is installed, take each of them.

One page makes every kind of offer; what the browser then says of its own transceivers is the evidence.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from console import artifacts, run_driver
from firefox import outcome_in_firefox
from negotiating_page import negotiating_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = artifacts(f"answers-{request.param}")
    with negotiating_server() as url:
        if request.param == "chromium":
            run_driver("descriptions.mjs", url, str(folder / "outcome.json"), limit_s=100)
            result: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
        elif shutil.which("firefox-esr") is None:
            pytest.skip("Firefox is not installed: apt-get install firefox-esr")
        else:
            result = outcome_in_firefox(url, tmp_path_factory.mktemp("profile"), limit_s=100)
            (folder / "outcome.json").write_text(json.dumps(result))
    return result


def kept(case: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give the transceivers that were not stopped, as (mid, kind, direction)."""
    assert "error" not in case, case["error"]
    assert case["signaling"] == "stable"
    return [(each["mid"], each["kind"], each["direction"]) for each in case["transceivers"] if each["mid"] is not None]


@pytest.mark.parametrize(
    ("name", "transceivers"),
    [
        ("audio_and_data", [("0", "audio", "sendrecv")]),
        ("audio_only", [("0", "audio", "sendrecv")]),
        ("data_only", []),
        ("receive_only", [("0", "audio", "recvonly")]),
        ("pcmu_only", [("0", "audio", "sendrecv")]),
        ("video_declined", [("0", "audio", "sendrecv")]),
        ("video_first_declined", [("1", "audio", "sendrecv")]),
        ("video_taken", [("0", "audio", "sendrecv"), ("1", "video", "sendonly")]),
        ("video_first_taken", [("0", "video", "sendonly"), ("1", "audio", "sendrecv")]),
        ("simulcast_to_realtime", [("0", "audio", "sendrecv"), ("1", "video", "sendonly")]),
        ("simulcast_to_calls", [("0", "audio", "sendonly"), ("1", "video", "sendonly")]),
    ],
)
def test_each_answer_is_taken(outcome: dict[str, Any], name: str, transceivers: list[tuple[str, str, str]]) -> None:
    assert kept(outcome["outcome"][name]) == transceivers


def test_the_voice_comes_with_its_stream(outcome: dict[str, Any]) -> None:
    for name in ("audio_and_data", "audio_only", "receive_only", "video_first_declined"):
        assert outcome["outcome"][name]["streams"] == [["stream-1"]], name


def test_big_messages_are_allowed(outcome: dict[str, Any]) -> None:
    assert outcome["outcome"]["audio_and_data"]["maxMessageSize"] == 262_144


def test_the_codecs_are_ours_in_our_order(outcome: dict[str, Any]) -> None:
    def codecs(name: str, index: int = 0) -> list[str]:
        found: list[str] = outcome["outcome"][name]["transceivers"][index]["codecs"]
        return found

    assert codecs("audio_and_data") == ["audio/opus", "audio/PCMU", "audio/PCMA"]
    assert codecs("pcmu_only") == ["audio/PCMU"]
    assert codecs("video_taken", 1) == ["video/VP8"]


def test_layers_are_sent_where_they_are_taken(outcome: dict[str, Any]) -> None:
    assert outcome["outcome"]["simulcast_to_calls"]["transceivers"][1]["encodings"] == ["f", "h", "q"]
    assert len(outcome["outcome"]["simulcast_to_realtime"]["transceivers"][1]["encodings"]) == 1


def test_a_connection_lives_through_closing_and_recycling_its_first_m_line(outcome: dict[str, Any]) -> None:
    life = outcome["outcome"]["life"]
    assert "error" not in life, life["error"]
    assert kept(life["push"]) == [("0", "audio", "sendonly"), ("1", "video", "sendonly")]
    assert kept(life["close"]) == [("1", "video", "sendonly")]
    assert "a=group:BUNDLE 1\r\n" in life["close"]["answer"]
    assert kept(life["recycle"]) == [("1", "video", "sendonly"), ("2", "audio", "recvonly")]
    assert life["recycle"]["answer"].count("m=") == 2
    assert life["recycle"]["streams"] == [["stream-0"]]
    assert kept(life["late"]) == kept(life["recycle"])
    assert life["late"]["maxMessageSize"] == 262_144
