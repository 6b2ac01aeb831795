"""GStreamer's webrtcbin as a foreign peer of the Calls API: what it publishes aiortc hears, and the other way round.

Its bindings belong to the system's Python; where Debian's packages are not installed, the test says so and skips.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from client_venvs import client_python
from native_calls import APP, SECRET, native_calls

from parley.server.certificate import self_signed
from parley.server.own_addresses import own_addresses

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

DEVICES = Path(__file__).parent / "devices"
LIB = Path(__file__).parents[1] / "lib"
SYSTEM_PYTHON = "/usr/bin/python3"
NEEDED = """
import gi
for name in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(name, "1.0")
from gi.repository import Gst
Gst.init(None)
wanted = ("webrtcbin", "nicesink", "dtlsenc", "srtpenc", "opusenc", "rtpopuspay", "audiotestsrc")
missing = [name for name in wanted if Gst.ElementFactory.find(name) is None]
raise SystemExit(f"no {missing}" if missing else 0)
"""
HINT = "GStreamer's webrtcbin is not here: CI=1 tools/test_packages.sh installs it"
GSTREAMER_HZ, AIORTC_HZ = 600, 1_000


class Foreign:
    """A peer in a process of its own that publishes a tone and hears those of others."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.session: str = self._read()["session"]

    def hears(self, session: str) -> int:
        """The frequency of what that session publishes."""
        assert self._process.stdin
        self._process.stdin.write(session + "\n")
        self._process.stdin.flush()
        return int(self._read()["hz"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the peer ended; its complaint is above"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def foreign(python: str, script: str, api: str, hz: int, **more: str) -> Iterator[Foreign]:
    asked = json.dumps({"api": api, "secret": SECRET, "hz": hz, **more})
    with subprocess.Popen(
        [python, str(DEVICES / script), asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LIB)},
    ) as process:
        try:
            yield Foreign(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Foreign, Foreign]]:
    """GStreamer and aiortc."""
    tried = subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(HINT)
    address = own_addresses()[0]
    if address == "127.0.0.1":
        pytest.skip("GStreamer's ICE does not look at loopback, and this machine has no other address")
    folder = tmp_path_factory.mktemp("certificate")
    pem = folder / "both.pem"
    certificate, key = self_signed(("localhost",), folder, datetime.datetime.now(datetime.UTC))
    pem.write_text(key.read_text() + certificate.read_text())
    with (
        native_calls(announced=address) as server,
        foreign(
            SYSTEM_PYTHON, "gstreamer_calls.py", api := f"{server.url}/v1/apps/{APP}", GSTREAMER_HZ, pem=str(pem)
        ) as gstreamer,
        foreign(str(client_python("aiortc")), "aiortc_tone.py", api, AIORTC_HZ) as aiortc,
    ):
        yield gstreamer, aiortc


def test_what_gstreamer_publishes_is_heard(peers: tuple[Foreign, Foreign]) -> None:
    gstreamer, aiortc = peers
    assert abs(aiortc.hears(gstreamer.session) - GSTREAMER_HZ) <= 40


def test_gstreamer_hears_what_others_publish(peers: tuple[Foreign, Foreign]) -> None:
    gstreamer, aiortc = peers
    assert abs(gstreamer.hears(aiortc.session) - AIORTC_HZ) <= 40


def test_gstreamer_hears_gstreamer(peers: tuple[Foreign, Foreign]) -> None:
    gstreamer, _ = peers
    assert abs(gstreamer.hears(gstreamer.session) - GSTREAMER_HZ) <= 40
