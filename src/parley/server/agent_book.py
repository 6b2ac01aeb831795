"""The agents by name, always those of the file as it is now: read again for the next session when it has changed.

A file with a mistake changes nothing: the agents that were read before stay, and the log says once what to mend, which
`problem` repeats. Python modules of tools are imported once; a new version needs a restart. Neighbours: `agent_file`
(reads), `session_door` (asks), `routes_models` (lists).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parley.auth.scope import Scope
from parley.server.agent_file import ListedAgent, read_agents
from parley.server.settings_values import ConfigError

__all__ = ["AgentBook", "agent_scope"]

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Edition:
    stamp: Stamp
    agents: Mapping[str, ListedAgent]


class AgentBook:
    """See the module. Raises `ConfigError` when made on a file with a mistake: a server starts right or not at all."""

    def __init__(self, path: Path | None, read: Callable[[Path], Mapping[str, ListedAgent]] = read_agents) -> None:
        self._path = path
        self._read = read
        self._edition = _Edition(_stamp(path), read(path) if path is not None else {})
        self.problem = ""
        """Why the newest version of the file is not in use; empty when it is."""

    def names(self) -> tuple[str, ...]:
        """Name every agent, in the file's order."""
        return tuple(self._current())

    def find(self, name: str | None) -> ListedAgent | None:
        """Give the agent of that name, as the file says now."""
        return self._current().get(name) if name else None

    def _current(self) -> Mapping[str, ListedAgent]:
        stamp = _stamp(self._path)
        if self._path is not None and stamp != self._edition.stamp:
            agents = self._edition.agents
            try:
                agents = self._read(self._path)
            except ConfigError as error:
                self.problem = str(error)
                log.warning("settings file has a mistake: agents stay as they were", extra={"reason": self.problem})
            else:
                self.problem = ""
                log.info("agents read again", extra={"count": len(agents)})
            self._edition = _Edition(stamp, agents)
        return self._edition.agents


def agent_scope(listed: ListedAgent, *, by_secret: bool) -> Scope:
    """Give what a client of the agent may do. Only bearers of client secrets are hidden anything."""
    own = Scope(lock=listed.agent.locked, hide=listed.hides if by_secret else frozenset())
    limits = listed.limits
    bounds = Scope(
        lock=limits.lock,
        client_events=limits.client_events,
        origins=limits.origins,
        max_session_seconds=limits.max_session_seconds,
        max_tokens=limits.max_tokens,
        max_sessions=limits.max_sessions,
    )
    return own.and_also(bounds)


def _stamp(path: Path | None) -> Stamp:
    try:
        about = path.stat() if path is not None else None
    except OSError:
        return None
    return (about.st_mtime_ns, about.st_size, about.st_ino) if about is not None else None
