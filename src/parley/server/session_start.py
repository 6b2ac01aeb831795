"""With which configuration a session starts: the server's defaults, then the secret's, then the address's. Pure.

Model and voice names are aliases: whatever a client names is echoed, never refused. Neighbours: `session_door` and
`routes_realtime` (ask), `parley.protocol.realtime.session_config` (merges).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from parley.agents.agent import Agent
from parley.agents.prompts import PromptFolder
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.requests import parse_session_patch
from parley.protocol.realtime.session_config import SessionConfig, SessionPatch, StoredPrompt, merged

__all__ = ["SessionDefaults", "config_from_secret"]


@dataclass(frozen=True, slots=True)
class SessionDefaults:
    """What a session has when nobody asks for anything else."""

    config: SessionConfig
    prompts: PromptFolder | None = None

    def start(
        self,
        session: dict[str, Any] | None = None,
        *,
        model: str | None = None,
        intent: str | None = None,
        agent: Agent | None = None,
    ) -> SessionConfig | ClientFault:
        """Configure a session from a raw session object, the address's `model` and `intent`, and the agent it is of."""
        patch = parse_session_patch(session or {})
        if isinstance(patch, ClientFault):
            return patch
        base = self._base(agent)
        if isinstance(base, ClientFault):
            return base
        kind: Any = patch.type if isinstance(patch.type, str) else "realtime"
        if intent == "transcription" and not model:
            kind = "transcription"
        named = model or (patch.model if isinstance(patch.model, str) else None)
        return self._merged(msgspec.structs.replace(base, type=kind, model=named or base.model), patch)

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
        return self._merged(config, patch)

    def _base(self, agent: Agent | None) -> SessionConfig | ClientFault:
        """Give what a session of `agent` starts from: its stored prompt lies below what it sets itself."""
        if agent is None:
            return self.config
        if agent.prompt is None:
            return agent.apply(self.config)
        stored = self._stored(agent.prompt, f"agents.{agent.name}.prompt")
        return stored if isinstance(stored, ClientFault) else agent.apply(merged(self.config, stored.settings))

    def _merged(self, config: SessionConfig, patch: SessionPatch) -> SessionConfig | ClientFault:
        """Apply a patch, and below it the stored prompt that it names."""
        if isinstance(patch.prompt, PromptReference):
            stored = self._stored(patch.prompt, "session.prompt")
            if isinstance(stored, ClientFault):
                return stored
            config = merged(config, stored.settings)
        return merged(config, patch)

    def _stored(self, reference: PromptReference, param: str) -> StoredPrompt | ClientFault:
        stored = self.prompts.find(reference, param=param) if self.prompts is not None else None
        if stored is not None:
            return stored
        version = f" in version '{reference.version}'" if reference.version else ""
        words = f"This server has no stored prompt '{reference.id}'{version}."
        return ClientFault(code="prompt_not_found", message=words, param=f"{param}.id")


def config_from_secret(session: bytes | None) -> dict[str, Any]:
    """Give the raw session object that a secret was minted with; empty if it was minted without one."""
    return msgspec.json.decode(session, type=dict[str, Any]) if session else {}
