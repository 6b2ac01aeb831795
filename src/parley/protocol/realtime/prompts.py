"""Stored prompts: how a client names one, and what the server knows under that name. Data only.

A folder, a version and the filling of variables are the runtime's business: whoever feeds the machine looks the
reference up and passes the result along with the event (`ClientEventReceived.prompt`). Neighbours: `session_config`
(a prompt's settings are a patch of it), `session` and `planning` (apply it below the fields that a client sent itself).
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["PromptReference"]


class PromptReference(msgspec.Struct, frozen=True, omit_defaults=True):
    """`prompt` of a session or response. `variables` fill the prompt's placeholders; values are strings or parts."""

    id: str
    version: str | None = None
    variables: dict[str, Any] | None = None
