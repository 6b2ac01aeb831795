"""The console's devices, loudness, wake lock and line while it talks over WebRTC."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from served import parley_serve

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    file = artifacts("sound") / "report.json"
    with parley_serve() as served:
        run_driver("sound.mjs", served.url, str(file), limit_s=150)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_another_microphone_takes_over_in_the_running_call(report: dict[str, Any]) -> None:
    devices = report["devices"]
    assert devices["before"]["sending"] != devices["microphone"]["name"]
    assert devices["after"]["sending"] == devices["microphone"]["name"]


def test_another_loudspeaker_and_loudness_count_at_once(report: dict[str, Any]) -> None:
    devices = report["devices"]
    assert devices["before"] | {"sending": ""} == {"sending": "", "sink": "", "volume": 1, "muted": False}
    assert devices["after"]["sink"] == devices["loudspeaker"]["value"]
    assert devices["after"]["volume"] == pytest.approx(0.4)
    assert devices["after"]["muted"]


def test_choices_are_remembered(report: dict[str, Any]) -> None:
    devices = report["devices"]
    wanted = {"input": devices["microphone"]["value"], "output": devices["loudspeaker"]["value"], "volume": 0.4}
    assert wanted.items() <= devices["kept"].items()
    assert devices["kept"]["outputMuted"]


def test_a_phone_stays_awake_for_as_long_as_the_conversation_lasts(report: dict[str, Any]) -> None:
    assert report["phone"] == {"during": [False], "after": [True]}
    assert report["desk"] == {"during": [], "after": []}


def test_a_line_that_dies_is_found_again_at_the_call_s_own_address(report: dict[str, Any]) -> None:
    roaming = report["roaming"]
    opened, restarted = roaming["posts"]
    assert opened == {"path": "/v1/realtime/calls", "status": 201}
    assert restarted["path"].startswith("/v1/realtime/calls/rtc_")
    assert restarted["status"] == 200
    assert roaming["newCredentials"]
