"""What one session is given beyond its configuration, together. Data; every part may be missing.

Neighbours: `supervisor` (takes it), `runner` and `performer` (use it), the server (puts it together).
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.engines.base import EngineSet, Responder
from parley.runtime.allowance import Allowance
from parley.runtime.prompts import PromptBook
from parley.runtime.tool_runs import ToolExecutor

__all__ = ["BARE", "Equipment"]


@dataclass(frozen=True, slots=True)
class Equipment:
    """`engines`: its own instead of the server's. `greets`: it speaks first when a client has come.

    `tools` runs what the server runs for it, `interim` says something where that takes long; `prompts` knows the
    prompts that its client may name; `allowance` counts what it uses and is closed with it.
    """

    engines: EngineSet | None = None
    tools: ToolExecutor | None = None
    prompts: PromptBook | None = None
    allowance: Allowance | None = None
    interim: Responder | None = None
    greets: bool = False


BARE = Equipment()
