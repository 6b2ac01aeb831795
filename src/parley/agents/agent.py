"""An agent: a named configuration of sessions, ready to use. Data; `table` makes it.

Neighbours: `functions` (what its tools are), `greeting` (its first words), `parley.server.agent_book` (keeps them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from parley.agents.functions import HostedFunction
from parley.engines.catalog import StageSettings
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.session_config import SessionConfig, SessionPatch, merged

__all__ = ["Agent"]


@dataclass(frozen=True, slots=True, repr=False)
class Agent:
    """What `model=NAME` stands for. No `repr`: it holds a prompt and keys.

    `locked` are the session's fields that it sets and clients cannot change. `engines` holds the stages that are its
    own; the server's serve for the others.
    """

    name: str
    settings: SessionPatch = field(default_factory=SessionPatch)
    locked: frozenset[str] = frozenset()
    functions: Mapping[str, HostedFunction] = field(default_factory=dict)
    greeting: str = ""
    progress: str = ""
    """What is said while a tool takes long; empty: nothing."""
    prompt: PromptReference | None = None
    engines: Mapping[str, StageSettings] = field(default_factory=dict)

    def apply(self, config: SessionConfig) -> SessionConfig:
        """Give the configuration its sessions start with; `config` holds the server's defaults."""
        hosted = tuple(one.tool for one in self.functions.values())
        return msgspec.structs.replace(merged(config, self.settings), model=self.name, hosted_tools=hosted)
