"""What the bearer of a client secret, or the caller of an agent, may do with a session, and what it gets to see.

A `Scope` is data: locked fields, hidden fields, allowed client events, and bounds. Here it is read from JSON, combined
with another (the stricter wins) and asked about the session as a whole. Not here: judging single events
(`scope_permit`), counting what was used (`ledger`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault

__all__ = ["CLIENT_EVENTS", "LOCKABLE", "UNBOUNDED", "Scope", "read_scope"]

LOCKABLE = (
    "audio",
    "audio.input",
    "audio.input.format",
    "audio.input.noise_reduction",
    "audio.input.transcription",
    "audio.input.turn_detection",
    "audio.output",
    "audio.output.format",
    "audio.output.speed",
    "audio.output.voice",
    "include",
    "instructions",
    "max_output_tokens",
    "model",
    "output_modalities",
    "parallel_tool_calls",
    "prompt",
    "reasoning",
    "temperature",
    "tool_choice",
    "tools",
    "tracing",
    "truncation",
)
"""Fields of the session object that a scope may lock; a parent locks what is below it, `all` everything."""

HIDEABLE = ("instructions", "tools")
ALL = "all"


def _event_names() -> tuple[str, ...]:
    union: Any = ClientEvent
    return tuple(sorted(str(kind.__struct_config__.tag) for kind in union.__args__))


CLIENT_EVENTS = _event_names()


@dataclass(frozen=True, slots=True)
class Scope:
    """See the module. The default allows everything.

    `lock` holds names of `LOCKABLE`, or `all`; `hide` names of `HIDEABLE`, which are locked as well. `client_events` is
    None for every event. `origins` empty: any. `max_session_seconds` bounds one session, `max_tokens` what all
    sessions together may use, `max_sessions` how many there may be at once.
    """

    lock: frozenset[str] = field(default=frozenset())
    hide: frozenset[str] = field(default=frozenset())
    client_events: frozenset[str] | None = None
    origins: tuple[str, ...] = ()
    max_session_seconds: int | None = None
    max_tokens: int | None = None
    max_sessions: int | None = None

    @property
    def binds(self) -> bool:
        """Whether it restricts what a connection says or sees."""
        return bool(self.lock or self.hide) or self.client_events is not None

    def locks(self, path: str) -> bool:
        """Say whether the session's field `path`, dotted, keeps its value whatever the client sends."""
        if path == "prompt" and self.locks("instructions"):
            return True
        if ALL in self.lock or path in self.hide:
            return True
        parts = path.split(".")
        return any(".".join(parts[:count]) in self.lock for count in range(1, len(parts) + 1))

    @property
    def locked(self) -> tuple[str, ...]:
        """Everything that is locked, sorted, as clients are told."""
        return tuple(path for path in LOCKABLE if self.locks(path))

    def admits_origin(self, origin: str | None) -> bool:
        """Say whether a page of `origin` may use it. With a list, a caller that names no origin may not."""
        return not self.origins or (origin is not None and origin.lower() in self.origins)

    def without_locked(self, session: dict[str, Any]) -> dict[str, Any]:
        """Drop from a raw session object what is locked, in either dialect's spelling."""
        return _without(session, "", self)

    def and_also(self, other: Scope) -> Scope:
        """Combine two scopes that both hold: the union of what is locked, the stricter of each bound."""
        events = self.client_events
        if other.client_events is not None:
            events = other.client_events if events is None else events & other.client_events
        origins = self.origins or other.origins
        if self.origins and other.origins:
            origins = tuple(one for one in self.origins if one in other.origins) or ("none.invalid",)
        return Scope(
            lock=self.lock | other.lock,
            hide=self.hide | other.hide,
            client_events=events,
            origins=origins,
            max_session_seconds=_least(self.max_session_seconds, other.max_session_seconds),
            max_tokens=_least(self.max_tokens, other.max_tokens),
            max_sessions=_least(self.max_sessions, other.max_sessions),
        )


UNBOUNDED = Scope()

_BETA = {
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "output_audio_format": "audio.output.format",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "modalities": "output_modalities",
    "max_response_output_tokens": "max_output_tokens",
}


def _without(value: dict[str, Any], prefix: str, scope: Scope) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, member in value.items():
        path = prefix + name if prefix else _BETA.get(name, name)
        if scope.locks(path):
            continue
        inner = isinstance(member, dict) and path in {"audio", "audio.input", "audio.output"}
        kept[name] = _without(member, path + ".", scope) if inner else member
    return kept


def _least(one: int | None, other: int | None) -> int | None:
    given = [bound for bound in (one, other) if bound is not None]
    return min(given) if given else None


class _RawScope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lock: list[str] | str | None = None
    hide: list[str] | str | None = None
    client_events: list[str] | None = None
    origins: list[str] | None = None
    max_session_seconds: int | None = None
    max_tokens: int | None = None
    max_sessions: int | None = None


def read_scope(raw: Any, *, param: str) -> Scope | ClientFault:
    """Read a scope from JSON or TOML values. `param` is the path of `raw` in its document, for faults."""
    try:
        given = msgspec.convert(raw, _RawScope)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        field_path = f"{param}{at.rstrip('`')}"
        return ClientFault(
            code="invalid_value",
            message=f"Invalid value for '{field_path}': {reason}. "
            f"Known fields: {', '.join(_RawScope.__struct_fields__)}.",
            param=field_path,
        )
    for name in ("max_session_seconds", "max_tokens", "max_sessions"):
        bound = getattr(given, name)
        if bound is not None and bound < 1:
            return _fault(f"{param}.{name}", f"is a whole number from 1 on, not {bound}.")
    lock, hide = _names(given.lock), _names(given.hide)
    fault = (
        _unknown(lock, (*LOCKABLE, ALL), f"{param}.lock")
        or _unknown(hide, HIDEABLE, f"{param}.hide")
        or _unknown_events(given.client_events, f"{param}.client_events")
    )
    if fault is not None:
        return fault
    return Scope(
        lock=frozenset(lock),
        hide=frozenset(hide),
        client_events=None if given.client_events is None else frozenset(_expanded(given.client_events)),
        origins=tuple(origin.lower().rstrip("/") for origin in given.origins or ()),
        max_session_seconds=given.max_session_seconds,
        max_tokens=given.max_tokens,
        max_sessions=given.max_sessions,
    )


def _names(given: list[str] | str | None) -> list[str]:
    return [given] if isinstance(given, str) else given or []


def _expanded(patterns: Iterable[str]) -> list[str]:
    """Give the events that `patterns` mean; `input_audio_buffer.*` means all that begin so."""
    return [
        event
        for pattern in patterns
        for event in CLIENT_EVENTS
        if event == pattern or (pattern.endswith("*") and event.startswith(pattern[:-1]))
    ]


def _unknown_events(patterns: list[str] | None, param: str) -> ClientFault | None:
    for index, pattern in enumerate(patterns or ()):
        if not _expanded([pattern]):
            return _fault(
                f"{param}[{index}]", f"names no client event: {', '.join(CLIENT_EVENTS)}, or a prefix with *."
            )
    return None


def _unknown(names: Iterable[str], known: tuple[str, ...], param: str) -> ClientFault | None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}."
            return _fault(param, f"cannot hold '{name[:64]}': {hint}")
    return None


def _fault(param: str, words: str) -> ClientFault:
    return ClientFault(code="invalid_value", message=f"'{param}' {words}", param=param)
