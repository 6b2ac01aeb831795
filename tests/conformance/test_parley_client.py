"""`parley.client` on a device: the example as it stands, its tool called by voice, over WebRTC through aiortc; and the
terminal's conversation by both transports. What counts is what was heard.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_venvs import client_python
from served import Served, parley_serve
from spoken import heard, say, silence, words

from parley.audio import decode_file, wav_bytes

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
PATHS = [str(ROOT / "src"), sysconfig.get_paths()["purelib"]]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


def device(*paths: Path) -> dict[str, str]:
    """The environment of a device that has aiortc and this checkout."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join([*map(str, paths), *PATHS]), "PYTHONUNBUFFERED": "1"}


def test_the_hello_example_is_short() -> None:
    assert len((ROOT / "examples/hello_client.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_the_hello_example_calls_its_tool_by_voice_over_webrtc(server: Served, tmp_path: Path) -> None:
    speech = silence(6000) + say("Switch on the lamp in the kitchen.") + silence(8000)
    (tmp_path / "in.wav").write_bytes(wav_bytes(speech))
    sound = {"SOUND_IN": str(tmp_path / "in.wav"), "SOUND_OUT": str(tmp_path / "out.pcm")}
    hello = subprocess.Popen(
        [client_python("aiortc"), "examples/hello_client.py", server.url],
        cwd=ROOT,
        env=device(ROOT / "tests/lib/filed_sound") | sound,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hello.stdout is not None
    lines = []
    asked_at = 0
    try:
        for line in hello.stdout:
            lines.append(line)
            if line.startswith("You:"):
                asked_at = (tmp_path / "out.pcm").stat().st_size
            if line.startswith("Parley:") and "kitchen" in line:
                break
        wait_until_said(tmp_path / "out.pcm", asked_at)
    finally:
        hello.terminate()
        hello.stdout.close()
        hello.wait(20)
    assert any(line.startswith("You:") and "kitchen" in line for line in lines), lines
    said = words(heard((tmp_path / "out.pcm").read_bytes()[asked_at:]))
    assert "lamp" in said
    assert "kitchen" in said


def wait_until_said(recording: Path, since: int) -> None:
    """Wait until something was played after `since`, and a second of silence after it; two minutes at most."""
    for _ in range(1200):
        played = recording.read_bytes()[since:]
        if any(played) and not any(played[-48_000:]):
            return
        time.sleep(0.1)
    pytest.fail("the device did not speak, or never fell silent")


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_the_terminal_talks_by_both_transports(server: Served, tmp_path: Path, transport: str) -> None:
    (tmp_path / "in.wav").write_bytes(wav_bytes(silence(300) + say("What can you do?") + silence(1000)))
    python = sys.executable if transport == "websocket" else str(client_python("aiortc"))
    flags = ["--webrtc"] if transport == "webrtc" else []
    talk = [python, "-m", "parley.cli", "talk", "--url", server.url, *flags, "--input", "in.wav", "--output", "out.wav"]
    done = subprocess.run(talk, cwd=tmp_path, env=device(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "You: What can you do?" in done.stdout
    assert {"demo", "brain", "english"} <= set(words(heard(decode_file((tmp_path / "out.wav").read_bytes()))))


def test_without_aiortc_the_error_has_the_line_that_installs_it(server: Served, tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(wav_bytes(silence(100)))
    talk = [sys.executable, "-m", "parley.cli", "talk", "--url", server.url, "--webrtc", "--input", "in.wav"]
    done = subprocess.run(talk, cwd=tmp_path, env=device(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "pip install 'parley[client]'" in done.stderr) == (1, True)
