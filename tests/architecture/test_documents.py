"""What the documents promise exists: paths, commands, flags; and they speak of the product only."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
PROMISED = ("README", "ARCHITECTURE", "CONTRIBUTING", "STYLE", "CHANGELOG", "SECURITY")


@pytest.mark.parametrize("name", PROMISED)
def test_the_document_exists(name: str) -> None:
    assert len((ROOT / f"{name}.md").read_text(encoding="utf-8")) > 200


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_in_backticks_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|rust|web|tests|tools|docs|benchmarks|examples|requirements)/[\w./*-]+)`", text):
        assert list(ROOT.glob(name.rstrip("/"))), f"{path} names {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_repository_resolve(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links {target}"


def test_every_flag_that_the_readme_shows_is_one() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "parley.cli", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"parley serve[^\n`]*", readme):
        for flag in re.findall(r"--[a-z][a-z-]+", line):
            assert flag in helped, f"README shows {flag}"


def test_every_make_verb_that_the_documents_show_is_one() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        for verb in re.findall(r"`make ([a-z][a-z-]+)", document.read_text(encoding="utf-8")):
            assert verb in targets, f"{document.name} shows make {verb}"


def test_the_list_of_deviations_is_what_the_sources_say() -> None:
    checked = subprocess.run([sys.executable, "tools/deviations.py", "--check"], cwd=ROOT, check=False)
    assert checked.returncode == 0, "run: python tools/deviations.py"


def test_codes_are_found_wherever_they_are_given() -> None:
    """One of each way: by name, by position, as a default, in a JSON object; of events and of HTTP."""
    page = (ROOT / "docs/reference/compatibility.md").read_text(encoding="utf-8")
    for code in ("model_not_found", "invalid_api_key", "transcription_timeout", "engine_error", "event_too_large"):
        assert f"| `{code}` |" in page
