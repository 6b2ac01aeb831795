"""What goes wrong when an agent is read."""

from __future__ import annotations

__all__ = ["AgentError"]


class AgentError(Exception):
    """An agent's table cannot be used. The text names the key, the value and the fix, and never shows a secret."""
