"""The wheel alone is enough: a fresh environment without compiler, Rust or Node installs it, serves, and talks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from openai import OpenAI
from served import parley_serve
from spoken import say, words

from parley.audio import wav_bytes

pytestmark = [pytest.mark.package, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
ABSENT = ("cc", "gcc", "clang", "cmake", "cargo", "rustc", "node", "npm", "make")


@pytest.fixture(scope="module")
def wheel() -> Path:
    subprocess.run(["make", "wheel"], cwd=ROOT, check=True)
    (built,) = (ROOT / "dist").glob("parley-*.whl")
    return built


def test_the_wheel_holds_the_pages_and_no_sources_of_them(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "parley/web_assets/console/index.html" in names
    assert any(re.match(r"parley/_media.*\.so$", name) for name in names)
    assert not [name for name in names if name.endswith((".ts", ".rs", ".gguf", ".ort"))]
    assert "abi3" in wheel.name


def test_the_wheel_carries_the_licences_of_what_it_bundles(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    native = archive.read("parley/third_party_licences.txt").decode()
    pages = archive.read("parley/web_assets/assets/third-party-licences.txt").decode()
    assert "Xiph.Org" in native
    assert re.search(r"^earshot \d", native, re.MULTILINE)
    assert re.search(r"^lit \d", pages, re.MULTILINE)


def test_it_installs_serves_and_understands_without_any_compiler(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "uname", "ldconfig"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    path = f"{home / 'bin'}:{tools}"
    assert not [name for name in ABSENT if shutil.which(name, path=path)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "PYTHON", "VIRTUAL_ENV"))
    }
    environment |= {"PATH": path, "PARLEY_MODELS_DIR": str(tmp_path / "models"), "HOME": str(tmp_path)}
    subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", str(wheel)], check=True, env=environment)

    with parley_serve(command=(str(home / "bin/parley"),), environment=environment, inherit=False) as served:
        page = urllib.request.urlopen(f"{served.url}/", timeout=10).read().decode()
        for asset in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page):
            with urllib.request.urlopen(served.url + asset, timeout=10) as answer:
                assert answer.status == 200
        sentence = "Two cores are enough for a conversation."
        with OpenAI(api_key="none", base_url=f"{served.url}/v1") as client:
            recording = ("speech.wav", wav_bytes(say(sentence)), "audio/wav")
            text = client.audio.transcriptions.create(model="whisper-1", file=recording).text
            assert words(text) == words(sentence)
            assert len(client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.").content) > 4000
