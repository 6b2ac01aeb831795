"""Agents by name: what `[agents.NAME]` of parley.toml means, and the tools that the server runs for them.

Here: reading an agent's table (`table`), its typed Python functions (`functions`), remote MCP servers (`remote_tools`),
stored prompts (`prompts`), the first words (`greeting`). Not here: files and the environment (`parley.server`), when a
call begins and ends (`parley.protocol`), who pays for it (`parley.auth`).
"""

from parley.agents.functions import ToolRefusal

__all__ = ["ToolRefusal"]
