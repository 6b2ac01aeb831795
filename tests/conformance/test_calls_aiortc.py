"""aiortc as a foreign peer of the Calls API: publish, pull, switch, third-party relay, data channels, notices."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from client_venvs import client_python
from native_calls import APP, SECRET, native_calls

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "devices/aiortc_calls.py"
LIB = Path(__file__).parents[1] / "lib"
HUMAN_HZ, ENDPOINT_HZ = 500, 900


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    with native_calls() as server:
        asked = json.dumps({"api": f"{server.url}/v1/apps/{APP}", "secret": SECRET})
        command = [str(client_python("aiortc")), str(SCRIPT), asked]
        environment = {**os.environ, "PYTHONPATH": str(LIB)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def near(hz: int, wanted: int) -> bool:
    return abs(hz - wanted) <= 40


def test_a_person_and_a_third_party_endpoint_hear_each_other(report: dict[str, Any]) -> None:
    assert report["controlling"] is True
    assert report["descriptions"] == [False, False]
    assert near(report["human"], ENDPOINT_HZ), report
    assert near(report["endpoint"], HUMAN_HZ), report


def test_a_pull_is_heard_and_its_source_switched(report: dict[str, Any]) -> None:
    assert near(report["listener"], HUMAN_HZ), report
    assert near(report["switched"], ENDPOINT_HZ), report


def test_what_passed_is_told_by_track(report: dict[str, Any]) -> None:
    (pulled,) = report["statistics"]["remote"]
    assert pulled["trackName"] == "user-mic"
    assert pulled["packets"] > 25
    (published,) = report["published"]["local"]
    assert published["layers"][0]["packets"] >= pulled["packets"]
    assert published["layers"][0]["lost"] == 0


def test_a_data_channel_carries_both_ways(report: dict[str, Any]) -> None:
    assert (report["message"], report["reply"]) == ("hello", "and back")


def test_the_right_to_answer_is_taken_and_given(report: dict[str, Any]) -> None:
    told = report["channels"]
    number = told["ids"][0]
    for step, allowed in (("taken", False), ("given", True)):
        (item,) = told[step]["dataChannels"]
        assert (item["id"], item["canReply"], item["dataChannelName"]) == (number, allowed, "chat")
    assert told["answered"] == "with the right", "and nothing before it"


def test_a_channel_is_closed_for_its_subscriber_alone(report: dict[str, Any]) -> None:
    told = report["channels"]
    assert told["closed"] == {"dataChannels": [{"id": told["ids"][0]}]}
    assert told["states"] == ["open", "closed"]


def test_a_subscriber_that_acknowledges_hears_nothing_before(report: dict[str, Any]) -> None:
    told = report["channels"]
    assert told["waited"] is True
    assert told["acknowledged"] == "after it"
    assert told["ids"][0] != told["ids"][1]


def test_a_puller_is_told_that_its_track_ended(report: dict[str, Any]) -> None:
    assert report["ended"] == "voice"
