"""Stored prompts from a folder: `NAME.md`, `NAME@VERSION.md`, or `.toml` where a prompt sets more than instructions.

Placeholders `{{name}}` are filled with the variables that come with the reference; a TOML file may give defaults:

    instructions = "You are a guide to {{city}}."
    [variables]
    city = "Lisbon"
    [session]                      # in the shape of the API's session object
    audio = { output = { voice = "marin" } }

Without a version the plain file is meant, else the highest version. A changed file counts from its next use. Implements
`runtime.prompts.PromptBook`; neighbour: `parley.server.session_door` (asks for a session's first prompt).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.requests import parse_session_patch
from parley.protocol.realtime.session_config import StoredPrompt

__all__ = ["PromptFolder"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_KINDS = (".md", ".toml")


@dataclass(frozen=True, slots=True)
class _Prompt:
    instructions: str
    defaults: Mapping[str, str]
    session: Mapping[str, Any]

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(_PLACEHOLDER.findall(self.instructions))


class _Broken(Exception):  # noqa: N818 - a state of a file
    """A prompt's file cannot be used; the text says why."""


class PromptFolder:
    """The prompts of one folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, _Prompt]] = {}

    def find(self, reference: PromptReference, *, param: str) -> StoredPrompt | ClientFault | None:
        """Give what `reference` stands for, filled in; None if there is none; a fault if its variables do not fit."""
        path = self._path(reference)
        if path is None:
            return None
        try:
            prompt = self._load(path)
        except FileNotFoundError:
            return None
        except _Broken as error:
            words = f"The stored prompt '{reference.id}' cannot be used: {error}"
            return ClientFault(code="invalid_prompt", message=words, param=f"{param}.id", type="server_error")
        given = _texts(reference.variables or {}, f"{param}.variables")
        if isinstance(given, ClientFault):
            return given
        fault = _misfit(prompt, given, param)
        if fault is not None:
            return fault
        values = {**prompt.defaults, **given}
        text = _PLACEHOLDER.sub(lambda found: values[found[1]], prompt.instructions)
        patch = parse_session_patch({**prompt.session, "instructions": text}, prefix=f"{param}.session")
        return patch if isinstance(patch, ClientFault) else StoredPrompt(patch)

    def _path(self, reference: PromptReference) -> Path | None:
        """Choose the file. Names are plain: nothing outside the folder can be meant."""
        if not _NAME.fullmatch(reference.id) or (reference.version and not _NAME.fullmatch(reference.version)):
            return None
        try:
            present = set(os.listdir(self._folder))
        except OSError:
            return None
        stem = f"{reference.id}@{reference.version}" if reference.version else reference.id
        for kind in _KINDS:
            if stem + kind in present:
                return self._folder / (stem + kind)
        if reference.version:
            return None
        versions = [name for name in present if name.startswith(f"{reference.id}@") and name.endswith(_KINDS)]
        return self._folder / max(versions, key=_natural) if versions else None

    def _load(self, path: Path) -> _Prompt:
        stamp = path.stat().st_mtime_ns
        known = self._read.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        prompt = _read(path)
        self._read[path] = (stamp, prompt)
        return prompt


def _read(path: Path) -> _Prompt:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            return _Prompt(text.strip(), {}, {})
        table = tomllib.loads(text)
    except UnicodeDecodeError:
        raise _Broken(f"{path.name} is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise _Broken(f"{path.name} is not valid TOML: {error}.") from None
    unknown = sorted(table.keys() - {"instructions", "variables", "session"})
    instructions, defaults, session = table.get("instructions"), table.get("variables", {}), table.get("session", {})
    if unknown or not isinstance(instructions, str) or not isinstance(defaults, dict) or not isinstance(session, dict):
        raise _Broken(f"{path.name} holds `instructions`, a text, and perhaps [variables] and [session].")
    return _Prompt(instructions.strip(), {name: str(value) for name, value in defaults.items()}, session)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort `v10` after `v9`."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", name)]


def _texts(variables: Mapping[str, Any], param: str) -> dict[str, str] | ClientFault:
    """Write variables as text: strings, or `input_text` parts."""
    found: dict[str, str] = {}
    for name, value in variables.items():
        text = value.get("text") if isinstance(value, dict) and value.get("type") == "input_text" else value
        if not isinstance(text, str):
            words = f"'{param}.{name}' is a string or an input_text part."
            return ClientFault(code="invalid_type", message=words, param=f"{param}.{name}")
        found[name] = text
    return found


def _misfit(prompt: _Prompt, given: Mapping[str, str], param: str) -> ClientFault | None:
    wanted = prompt.placeholders
    for name in given:
        if name not in wanted:
            known = ", ".join(sorted(wanted)) or "none"
            words = f"The stored prompt has no variable '{name[:64]}'. Its variables: {known}."
            return ClientFault(code="unknown_parameter", message=words, param=f"{param}.variables.{name}")
    for name in sorted(wanted - given.keys() - prompt.defaults.keys()):
        words = f"The stored prompt needs its variable '{name}'."
        return ClientFault(code="missing_required_parameter", message=words, param=f"{param}.variables.{name}")
    return None
