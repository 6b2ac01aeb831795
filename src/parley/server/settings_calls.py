"""The settings of the Calls API's bounds: their options, and the limits they make.

In `parley.toml` they stand in a table, `[calls] max_sessions = 100`, or by their long names. Neighbours: `settings`
(finds the texts), `parley.calls.limits` (what each bound means).
"""

from __future__ import annotations

from typing import Any

from parley.calls.limits import CallsLimits
from parley.server.settings_values import ConfigError, Kind, as_count, as_count_or_0

__all__ = ["CALLS_BOUNDS", "as_kib", "calls_limits"]

_DEFAULTS = CallsLimits()
_MAX_KIB = 8 << 10
"""What the server reads of any request that carries JSON."""


def as_kib(text: str, where: str) -> int:
    """Take a size in KiB, as large as a body may be."""
    count = as_count(text, where)
    if count > _MAX_KIB:
        raise ConfigError(f"{where}: {count} KiB are too many; no body is read beyond {_MAX_KIB}.")
    return count


CALLS_BOUNDS: tuple[tuple[str, Kind, int | None, str], ...] = (
    ("calls_max_sessions", as_count, _DEFAULTS.max_sessions, "Calls sessions at once, of all apps."),
    ("calls_max_tracks", as_count, _DEFAULTS.max_tracks, "Tracks that one Calls session publishes and pulls."),
    ("calls_max_body_kib", as_kib, _DEFAULTS.max_body_bytes >> 10, "Largest body of a Calls request, in KiB."),
    ("calls_session_rate", as_count, _DEFAULTS.requests_per_second, "Requests a second for one Calls session."),
    ("calls_app_rate", as_count, None, "Requests a second of one Calls app, all sessions together."),
    (
        "calls_track_timeout",
        as_count_or_0,
        (_DEFAULTS.silent_track_ms or 0) // 1000,
        "Seconds without a packet after which a published track ends. 0: never.",
    ),
    (
        "calls_connect_timeout",
        as_count,
        _DEFAULTS.never_connected_ms // 1000,
        "Seconds after which a Calls session without a connection ends.",
    ),
    (
        "calls_third_party_timeout",
        as_count,
        _DEFAULTS.idle_third_party_ms // 1000,
        "Seconds after which a third-party session ends that nobody uses.",
    ),
)
"""Name, kind, default, meaning."""


def calls_limits(values: dict[str, Any]) -> CallsLimits:
    """Take the bounds out of all values. What was not settled keeps its default."""
    taken = {name: values.pop(name) for name, *_ in CALLS_BOUNDS}
    silent_s = taken["calls_track_timeout"]
    return CallsLimits(
        max_sessions=taken["calls_max_sessions"],
        max_tracks=taken["calls_max_tracks"],
        max_body_bytes=taken["calls_max_body_kib"] << 10,
        requests_per_second=taken["calls_session_rate"],
        app_requests_per_second=taken["calls_app_rate"],
        silent_track_ms=silent_s * 1000 if silent_s else None,
        never_connected_ms=taken["calls_connect_timeout"] * 1000,
        idle_third_party_ms=taken["calls_third_party_timeout"] * 1000,
    )
