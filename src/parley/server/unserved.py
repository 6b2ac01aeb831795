"""Known parts of the vendor's surface that are not served, and what is said instead of a bare 404. Pure.

Neighbours: `routes_realtime` (HTTP) and `gate` (WebSockets) ask; SIP's verbs are answered by `routes_realtime_calls`.
"""

from __future__ import annotations

from parley.server.problems import Problem

__all__ = ["UNSERVED_PATHS", "unserved"]

_INSTEAD = (
    "Served are realtime sessions: by WebSocket at /v1/realtime, by WebRTC at POST /v1/realtime/calls, with client "
    "secrets from POST /v1/realtime/client_secrets."
)
UNSERVED_PATHS = {
    "/v1/live": "The Live API is another protocol, which this server does not speak.",
    "/v1/realtime/translations": "Translation sessions need a translating voice model, and this server has none.",
}
"""Where each begins, and what is missing."""


def unserved(path: str) -> Problem | None:
    """Say what is missing at `path`, if it is known and not served."""
    for start, missing in UNSERVED_PATHS.items():
        if path == start or path.startswith(start + "/"):
            words = f"{missing} {_INSTEAD}"
            headers = {"x-should-retry": "false"}
            return Problem(501, words, code="not_implemented", type="server_error", headers=headers)
    return None
