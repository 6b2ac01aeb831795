"""The agents of parley.toml: the file is opened here, and what its tables name besides (secrets, long instructions).

`[agents.NAME]` is `parley.agents.table`'s to read; `[agents.NAME.limits]` is a scope (`parley.auth.scope`). A path in a
table is relative to the file. Neighbours: `agent_book` (reads again when it changes), `settings` (the other keys).
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.agents.agent import Agent
from parley.agents.errors import AgentError
from parley.agents.table import STAGES, read_agent
from parley.auth.scope import UNBOUNDED, Scope, read_scope
from parley.protocol.realtime.errors import ClientFault
from parley.server.settings import AGENTS_KEY
from parley.server.settings_values import ConfigError

__all__ = ["ListedAgent", "read_agents"]

_FILE_KEYS = ("instructions", *(f"{stage}_key" for stage in STAGES))


@dataclass(frozen=True, slots=True, repr=False)
class ListedAgent:
    """An agent and what its clients may do. `hides`: bearers of client secrets see neither prompt nor tools."""

    agent: Agent
    limits: Scope
    hides: frozenset[str]


def read_agents(path: Path) -> Mapping[str, ListedAgent]:
    """Read every agent of the settings file; none if there is no file. Raises `ConfigError`."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get(AGENTS_KEY, {})
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    if not isinstance(tables, dict):
        raise ConfigError(f"{path.name}: `agents` is a table of agents: write [agents.NAME].")
    _let_import_from(path.parent)
    try:
        return {name: _listed(name, table, path.parent) for name, table in tables.items()}
    except AgentError as error:
        raise ConfigError(f"{path.name}: {error}") from None


def _listed(name: str, table: Any, folder: Path) -> ListedAgent:
    where = f"agents.{name}"
    own = dict(table) if isinstance(table, dict) else table
    limits = UNBOUNDED
    if isinstance(own, dict):
        if "limits" in own:
            limits = _limits(own.pop("limits"), f"{where}.limits")
        for key in _FILE_KEYS:
            if f"{key}_file" in own:
                own[key] = _text_of(folder, own.pop(f"{key}_file"), f"{where}.{key}_file")
    agent = read_agent(name, own)
    hides = limits.hide | (agent.locked & {"instructions", "tools"})
    return ListedAgent(agent, limits, hides)


def _limits(raw: Any, where: str) -> Scope:
    scope = read_scope(raw, param=where)
    if isinstance(scope, ClientFault):
        raise AgentError(scope.message)
    return scope


def _text_of(folder: Path, name: Any, where: str) -> str:
    if not isinstance(name, str) or not name:
        raise AgentError(f"{where} is the name of a file.")
    path = folder / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise AgentError(f"{where}: cannot read {path}: {reason}.") from None
    if not text:
        raise AgentError(f"{where}: {path} is empty.")
    return text


def _let_import_from(folder: Path) -> None:
    """Make modules beside the settings file importable: that is where an operator writes tools."""
    text = str(folder.resolve())
    if text not in sys.path:
        sys.path.append(text)
