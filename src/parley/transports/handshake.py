"""What a client says while it opens a WebSocket: address, credential, sub-protocols. Pure reading, no decision.

Realtime API, "WebSocket connection": a key travels as `Authorization: Bearer`, as Azure's `api-key`, or inside the
sub-protocol `openai-insecure-api-key.<key>`, the only way a browser has. Neighbours: `websocket` (asks), the server
(decides).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["REALTIME_PATHS", "Handshake", "bearer_of", "header_map", "read_handshake"]

REALTIME_PATHS = frozenset({"/v1/realtime", "/openai/v1/realtime", "/openai/realtime"})
"""Where realtime clients connect; the last two are Azure's forms."""

_KEY_PROTOCOL = "openai-insecure-api-key."
_BETA_PROTOCOL = "openai-beta.realtime-v1"
_BETA_HEADER = "realtime=v1"


@dataclass(frozen=True, slots=True, repr=False)
class Handshake:
    """One attempt to connect. No `repr`: it holds a credential."""

    path: str
    query: Mapping[str, str]
    host: str | None
    origin: str | None
    bearer: str | None
    subprotocols: tuple[str, ...]
    asks_for_beta: bool

    @property
    def model(self) -> str | None:
        """The model that the address names; Azure says `deployment`."""
        return self.query.get("model") or self.query.get("deployment") or None

    @property
    def call_id(self) -> str | None:
        """The call whose sideband this is to be."""
        return self.query.get("call_id") or None

    @property
    def answered_subprotocol(self) -> str | None:
        """What to select: `realtime` when offered, never the one that bears the key."""
        if "realtime" in self.subprotocols:
            return "realtime"
        harmless = (name for name in self.subprotocols if not name.startswith(_KEY_PROTOCOL))
        return next(harmless, None)


def read_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Read an ASGI WebSocket scope."""
    headers = header_map(scope["headers"])
    offered = tuple(scope.get("subprotocols") or ())
    return Handshake(
        path=scope["path"].rstrip("/") or "/",
        query=dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)),
        host=headers.get("host"),
        origin=headers.get("origin"),
        bearer=bearer_of(headers) or _offered_key(offered),
        subprotocols=offered,
        asks_for_beta=_BETA_HEADER in headers.get("openai-beta", "") or _BETA_PROTOCOL in offered,
    )


def header_map(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """ASGI headers by lower-case name; a repeated header keeps its first value, except `cookie`, which is joined."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in found:
            found[name] = value
        elif name == "cookie":
            found[name] += "; " + value
    return found


def bearer_of(headers: Mapping[str, str]) -> str | None:
    """Find the credential of the `Authorization` or `api-key` header. A scheme other than Bearer gives None."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    return headers.get("api-key") or None


def _offered_key(offered: tuple[str, ...]) -> str | None:
    for name in offered:
        if name.startswith(_KEY_PROTOCOL):
            return name[len(_KEY_PROTOCOL) :] or None
    return None
