"""Codecs pass through the SFU in Chromium: a tone or a colour in each that it can encode arrives in that very codec."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console import artifacts, run_driver
from native_calls import APP, SECRET, native_calls

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

TONES = {"audio/opus": 500, "audio/PCMU": 900, "audio/PCMA": 1_300}
COLOURS = {
    "video/VP8": (0xC0, 0xC0, 0),
    "video/VP9": (0xC0, 0, 0),
    "video/H264": (0, 0xC0, 0),
    "video/AV1": (0, 0, 0xC0),
    "video/H265": (0xC0, 0, 0xC0),
}
SOFTWARE = {"video/VP8", "video/VP9", "video/AV1"}
"""Every Chromium can encode these. H.264 is a matter of how it was built, H.265 of the graphics card."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    out = artifacts("calls-codecs") / "report.json"
    with native_calls() as server:
        run_driver("codecs.mjs", f"{server.url}/v1/apps/{APP}", SECRET, str(out), limit_s=80)
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["errors"] == []
    return found


def came(report: dict[str, Any], name: str) -> dict[str, Any]:
    if name in report["missing"]:
        assert name not in TONES
        assert name not in SOFTWARE
        pytest.skip(f"this Chromium cannot encode {name}")
    found: dict[str, Any] = report["came"][name]
    assert found["codec"]["name"] == name
    return found


@pytest.mark.parametrize("name", TONES)
def test_sound_arrives_in_its_codec(report: dict[str, Any], name: str) -> None:
    assert abs(came(report, name)["sensed"] - TONES[name]) < 30


@pytest.mark.parametrize("name", COLOURS)
def test_pictures_arrive_in_their_codec(report: dict[str, Any], name: str) -> None:
    found = came(report, name)
    assert found["frames"] > 10
    # Full colours move a little on their way through YUV.
    assert all(abs(seen - sent) < 40 for seen, sent in zip(found["sensed"], COLOURS[name], strict=True))


def test_what_the_page_says_of_opus_comes_back_in_the_answer(report: dict[str, Any]) -> None:
    assert "a=fmtp:111 minptime=10;usedtx=1;useinbandfec=1\r\n" in report["answered"]
