"""With which configuration a session starts: the server's defaults, then the secret's, then the address's. Pure.

Model and voice names are aliases: whatever a client names is echoed, never refused. Neighbours: `session_door` and
`routes_realtime` (ask), `parley.protocol.realtime.session_config` (merges).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.requests import parse_session_patch
from parley.protocol.realtime.session_config import SessionConfig, merged

__all__ = ["SessionDefaults", "config_from_secret"]


@dataclass(frozen=True, slots=True)
class SessionDefaults:
    """What a session has when nobody asks for anything else."""

    config: SessionConfig

    def start(
        self, session: dict[str, Any] | None = None, *, model: str | None = None, intent: str | None = None
    ) -> SessionConfig | ClientFault:
        """Configure a session from a raw session object and the address's `model` and `intent`."""
        patch = parse_session_patch(session or {})
        if isinstance(patch, ClientFault):
            return patch
        kind: Any = patch.type if isinstance(patch.type, str) else "realtime"
        if intent == "transcription" and not model:
            kind = "transcription"
        named = model or (patch.model if isinstance(patch.model, str) else None)
        start = msgspec.structs.replace(self.config, type=kind, model=named or self.config.model)
        return merged(start, patch)

    def amended(self, config: SessionConfig, session: Mapping[str, Any]) -> SessionConfig | ClientFault:
        """Apply a caller's own session object to what its secret set."""
        patch = parse_session_patch(dict(session))
        if isinstance(patch, ClientFault):
            return patch
        if isinstance(patch.type, str) and patch.type != config.type:
            return ClientFault(
                code="invalid_value",
                message=f"'session.type' is '{config.type}' with this client secret. Leave it out, or mint another.",
                param="session.type",
            )
        return merged(config, patch)


def config_from_secret(session: bytes | None) -> dict[str, Any]:
    """Give the raw session object that a secret was minted with; empty if it was minted without one."""
    return msgspec.json.decode(session, type=dict[str, Any]) if session else {}
