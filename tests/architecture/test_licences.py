"""What the default install brings along: no GPL, no torch, nothing that forbids embedding."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
FORBIDDEN = re.compile(r"^(torch|nvidia|espeakng|piper|kokoro|phonemizer)", re.IGNORECASE)


def locked() -> list[str]:
    lines = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8").splitlines()
    return [match.group(1) for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)==", line))]


@pytest.mark.parametrize("name", locked())
def test_a_runtime_package_is_permissive(name: str) -> None:
    assert not FORBIDDEN.match(name)
    about = metadata.distribution(name).metadata.json
    classifiers = " ".join(value for value in about.get("classifier", []) if value.startswith("License"))
    stated = f"{about.get('license_expression', '')} {classifiers} {str(about.get('license', ''))[:80]}"
    if COPYLEFT.search(stated):
        assert re.search(r"LGPL|Lesser", stated), f"{name}: {stated}"
        pytest.fail(f"{name} is copyleft: {stated}")


@pytest.mark.parametrize("name", locked())
def test_a_runtime_package_bundles_no_copyleft_library(name: str) -> None:
    suspects = re.compile(r"lib(x264|x265|espeak|fftw3|avcodec|avformat|mp3lame|readline)", re.IGNORECASE)
    for file in metadata.distribution(name).files or []:
        assert not suspects.search(file.name), f"{name} bundles {file}"


def test_the_crates_are_permissive() -> None:
    described = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked", "--offline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for package in json.loads(described.stdout)["packages"]:
        licence = package["license"] or ""
        choices = [choice.strip(" ()") for choice in re.split(r"\bOR\b|/", licence)]
        assert any(not re.search(r"GPL|^$", choice) for choice in choices), (
            f"{package['name']}: {licence or 'no licence'}"
        )


def test_lock_files_name_no_registry() -> None:
    for path in [*ROOT.glob("requirements/*.txt"), ROOT / "web/package-lock.json"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"index-url|find-links|trusted-host|\"resolved\"\s*:\s*\"http", text), path
