"""What the default install brings along: no GPL, no torch, nothing that forbids embedding."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from client_venvs import client_python

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


def copyleft_files(package: metadata.Distribution) -> list[str]:
    """Name the files of a package that are libraries known to be under the GPL, or to be built with such."""
    suspects = re.compile(r"lib(x264|x265|espeak|fftw3|avcodec|avformat|mp3lame|readline)", re.IGNORECASE)
    return [file.name for file in package.files or [] if suspects.search(file.name)]


@pytest.mark.parametrize("name", locked())
def test_a_runtime_package_bundles_no_copyleft_library(name: str) -> None:
    assert copyleft_files(metadata.distribution(name)) == []


@pytest.mark.conformance
@pytest.mark.timeout(180)
def test_a_package_that_bundles_copyleft_libraries_is_found_out() -> None:
    """aiortc's codecs are such a package, which is why the client for devices is an extra."""
    (packages,) = client_python("aiortc").parents[1].glob("lib/python3*/site-packages")
    (codecs,) = metadata.distributions(name="av", path=[str(packages)])
    found = " ".join(copyleft_files(codecs))
    assert "libx264" in found
    assert "libx265" in found
    assert "av" not in locked()


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
