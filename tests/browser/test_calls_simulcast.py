"""Simulcast in Chromium: a picture of 640 by 360 at 15 frames a second in two layers, and viewers who each come over a
network of their own. The one whose network narrows gets the lower layer and, when there is room again, the better one.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls
from udp_relay import udp_relay

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

BEST, LOWER = 360, 180


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    out = artifacts("calls-simulcast") / "report.json"
    with udp_relay() as relay, native_calls(relay=relay) as server:
        run_driver("simulcast.mjs", f"{server.url}/v1/apps/{APP}", SECRET, relay.control, str(out), limit_s=280)
        assert relay.passed.queue_full > 0, "the narrow network was never too narrow"
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["errors"] == []
    return found


def seen(report: dict[str, Any], step: str, viewer: str, pull: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = report["steps"][step]["seen"][viewer][pull]
    return found


def test_a_narrow_network_gets_the_lower_layer_and_the_better_one_when_there_is_room(report: dict[str, Any]) -> None:
    assert report["heights"]["narrow"] == [BEST, LOWER, BEST]
    assert [seen(report, step, "narrow")["rid"] for step in ("at first", "capped", "lifted")] == ["a", "b", "a"]
    assert max(report["steps"][step]["took_s"] for step in ("capped", "lifted")) < 60


def switched(report: dict[str, Any], viewer: str) -> int:
    """How often the server changed the layer while one network was narrow and wide again."""
    before, after = (seen(report, step, viewer)["switches"] for step in ("at first", "lifted"))
    return int(after - before)


def test_the_layer_changes_once_for_every_change_of_the_network(report: dict[str, Any]) -> None:
    assert switched(report, "narrow") == 2


def test_nobody_elses_layer_changes(report: dict[str, Any]) -> None:
    assert report["heights"]["wide"] == [BEST]
    assert switched(report, "wide") == 0


def test_who_wants_one_layer_or_none_keeps_it_under_pressure(report: dict[str, Any]) -> None:
    assert report["heights"]["keeper"] == [BEST]
    assert switched(report, "keeper") == 0


def test_no_decoder_loses_its_way(report: dict[str, Any]) -> None:
    # A decoder that cannot go on asks for a key frame; a picture that was lost for good may cost one.
    # What comes too late to be shown is dropped: a part of what a stuffed network brings.
    for viewer, most_asked, most_dropped in (("wide", 0, 0.1), ("narrow", 3, 0.15), ("keeper", 5, 0.25)):
        asked, dropped, decoded = (
            seen(report, "lifted", viewer)[field] - seen(report, "at first", viewer)[field]
            for field in ("pliCount", "framesDropped", "framesDecoded")
        )
        assert asked <= most_asked, viewer
        assert dropped <= most_dropped * decoded, viewer
    before, after = (seen(report, step, "wide") for step in ("at first", "lifted"))
    seconds = report["steps"]["capped"]["took_s"] + report["steps"]["lifted"]["took_s"]
    assert after["framesDecoded"] - before["framesDecoded"] > 7 * seconds
    assert after["totalFreezesDuration"] - before["totalFreezesDuration"] < 1
    # Three changes of layer, and not one key frame for every packet that was lost.
    assert after["keyFramesDecoded"] - before["keyFramesDecoded"] <= 8


def test_the_preferred_layer_is_given_and_may_be_changed(report: dict[str, Any]) -> None:
    assert seen(report, "wishes", "wishes", 0)["frameHeight"] == LOWER
    assert seen(report, "another wish", "wishes", 0)["frameHeight"] == BEST


def test_a_layer_that_is_not_sent_is_replaced_unless_the_pull_says_none(report: dict[str, Any]) -> None:
    assert seen(report, "wishes", "wishes", 2)["frameHeight"] == BEST
    assert seen(report, "another wish", "wishes", 1)["rid"] is None
    assert seen(report, "another wish", "wishes", 1)["framesDecoded"] == 0


def test_two_layers_were_sent_all_the_time(report: dict[str, Any]) -> None:
    assert {layer["rid"]: layer["frameHeight"] for layer in report["layers"]} == {"a": BEST, "b": LOWER}
