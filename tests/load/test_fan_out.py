"""Three hundred listeners of one track, connected through the Calls API: each decrypts, counts and decodes it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from benchmarks.meeting import Meeting
from benchmarks.sfu.parley_calls import CallsRoom
from native_calls import APP, SECRET, native_calls

pytestmark = pytest.mark.timeout(180)

LISTENERS = 300
TONE_HZ = 660.0
#: More than is asked for: the generator's tone begins anew every second, and a frame in which it begins is none.
SECONDS = 10.6


@dataclass(frozen=True)
class Report:
    """What the generator saw."""

    figures: dict[str, float]
    heard: list[dict[str, float]]
    listed: dict[str, Any]


@pytest.fixture(scope="module")
def report() -> Report:
    with native_calls() as server, Meeting() as meeting:
        headers = {"authorization": f"Bearer {SECRET}"}
        base = f"{server.url}/v1/apps/{APP}"
        with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30) as http:
            room = CallsRoom(http, meeting)
            speaker = room.publish(("audio",))
            meeting.talk(speaker.client, f"tone:{TONE_HZ}")
            room.audience(LISTENERS, [speaker])
            meeting.connect()
            figures = meeting.measure(SECONDS)
            heard = meeting.decode(TONE_HZ)
            listed = http.get(f"/sessions/{speaker.name}").json()
    return Report(figures, heard, listed)


def test_everybody_gets_every_packet_once(report: Report) -> None:
    sent = report.figures["sent"]
    assert sent >= SECONDS * 50 - 1
    assert (report.figures["least"], report.figures["most"]) == (sent, sent)
    assert [one["packets"] for one in report.heard] == [sent] * LISTENERS
    assert not any(one["amiss"] for one in report.heard)
    assert report.figures["closed"] == 0


def test_nobody_hears_silence_or_something_else_for_ten_seconds(report: Report) -> None:
    assert len(report.heard) == LISTENERS
    assert min(one["decoded_ms"] for one in report.heard) >= 10_000
    assert min(one["tone_ms"] for one in report.heard) >= 10_000
    assert max(one["silent_ms"] for one in report.heard) <= 60


def test_the_server_knows_how_many_listen(report: Report) -> None:
    (track,) = report.listed["tracks"]
    assert track["subscribers"] == LISTENERS
