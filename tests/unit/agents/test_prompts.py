"""Stored prompts: names and versions, variables, what they set, and what does not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from parley.agents.prompts import PromptFolder
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.session_config import SessionConfig, StoredPrompt, merged

FILES = {
    "guide.md": "You are a guide to {{city}}, {{ country }}.",
    "guide@2.md": "Version two of {{city}}.",
    "news@9.md": "Nine.",
    "news@10.md": "Ten.",
    "plain.md": "Plain. {{}} {not} {{1x}}",
    "rich.toml": 'instructions = "In {{city}}."\nvariables = { city = "Lisbon" }\nsession = { temperature = 0.5 }',
    "broken.toml": "instructions = ",
    "odd.toml": 'instruction = "x"',
    "bent.toml": 'instructions = "x"\n[session]\noutput_modalities = 5\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> PromptFolder:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path.parent / "outside.md").write_text("Outside.")
    return PromptFolder(tmp_path)


def found(folder: PromptFolder, id: str, version: str | None = None, **variables: Any) -> SessionConfig:
    stored = folder.find(PromptReference(id, version, variables or None), param="session.prompt")
    assert isinstance(stored, StoredPrompt), stored
    return merged(SessionConfig(), stored.settings)


FOUND = [
    ("guide", None, {"city": "Faro", "country": "Portugal"}, "You are a guide to Faro, Portugal."),
    ("guide", "2", {"city": "Faro"}, "Version two of Faro."),
    ("guide", "2", {"city": {"type": "input_text", "text": "{{city}}"}}, "Version two of {{city}}."),
    ("news", None, {}, "Ten."),
    ("news", "9", {}, "Nine."),
    ("plain", None, {}, "Plain. {{}} {not} {{1x}}"),
    ("rich", None, {}, "In Lisbon."),
    ("rich", None, {"city": "Faro"}, "In Faro."),
]  # fmt: skip


@pytest.mark.parametrize(("id", "version", "variables", "text"), FOUND)
def test_a_prompt_is_found_and_filled(
    folder: PromptFolder, id: str, version: str | None, variables: dict[str, Any], text: str
) -> None:
    assert found(folder, id, version, **variables).instructions == text


def test_a_prompt_may_set_more_than_instructions(folder: PromptFolder) -> None:
    assert found(folder, "rich").temperature == 0.5


MISSING = [
    ("gone", None),
    ("guide", "3"),
    ("../outside", None),
    ("..", None),
    ("guide", "../2"),
    ("", None),
    ("a/b", None),
]


@pytest.mark.parametrize(("id", "version"), MISSING)
def test_what_is_not_there_is_not_found_and_nothing_outside_the_folder(
    folder: PromptFolder, id: str, version: str | None
) -> None:
    assert folder.find(PromptReference(id, version), param="session.prompt") is None


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("guide", {"city": "Faro"}, "session.prompt.variables.country", "missing_required_parameter"),
    ("guide", {"city": "F", "country": "P", "mood": "x"}, "session.prompt.variables.mood", "unknown_parameter"),
    ("guide", {"city": 5, "country": "P"}, "session.prompt.variables.city", "invalid_type"),
    ("broken", {}, "session.prompt.id", "invalid_prompt"),
    ("odd", {}, "session.prompt.id", "invalid_prompt"),
    ("bent", {}, "session.prompt.session.output_modalities", "invalid_type"),
]


@pytest.mark.parametrize(("id", "variables", "param", "code"), FAULTS)
def test_what_does_not_fit_is_named(
    folder: PromptFolder, id: str, variables: dict[str, Any], param: str, code: str
) -> None:
    fault = folder.find(PromptReference(id, None, variables), param="session.prompt")
    assert isinstance(fault, ClientFault)
    assert (fault.param, fault.code) == (param, code)


def test_a_changed_file_counts_from_its_next_use(folder: PromptFolder, tmp_path: Path) -> None:
    assert found(folder, "plain").instructions.startswith("Plain.")
    path = tmp_path / "plain.md"
    path.write_text("Changed.")
    about = path.stat()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1_000_000))
    assert found(folder, "plain").instructions == "Changed."
    path.unlink()
    assert folder.find(PromptReference("plain"), param="p") is None


def test_a_folder_need_not_exist() -> None:
    assert PromptFolder(Path("/nowhere/at/all")).find(PromptReference("x"), param="p") is None
