"""Events that must fit into one data-channel message: what is too long is cut, and the cut is named. Pure.

SCTP carries whole messages, and a browser's end takes 256 KiB, some devices' less. Splitting would break every client,
so the longest texts of an event are shortened until it fits: a tool's output, an image that comes back as an echo, long
instructions. `parley_cut` lists the fields that were shortened. Names, ids and numbers are never touched; an event made
of nothing but those is replaced by an `error`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

__all__ = ["fit_event"]

_KEPT_CHARS = 64
"""Texts up to this length are left alone."""
_CUT = "parley_cut"
_ROUNDS = 32


@dataclass(slots=True)
class _Text:
    """A text inside the event, and where it is."""

    holder: Any
    key: Any
    path: str

    @property
    def value(self) -> str:
        text: str = self.holder[self.key]
        return text


def fit_event(frame: str, max_bytes: int) -> str:
    """Give `frame`, one JSON event, in at most `max_bytes` of UTF-8."""
    if len(frame) * 4 <= max_bytes or len(frame.encode()) <= max_bytes:
        return frame
    event: dict[str, Any] = msgspec.json.decode(frame)
    texts = [text for text in _texts(event, "") if len(text.value) > _KEPT_CHARS]
    for _ in range(_ROUNDS):
        spelled = msgspec.json.encode(event)
        if len(spelled) <= max_bytes:
            return spelled.decode()
        longest = max(texts, key=lambda text: len(text.value), default=None)
        if longest is None or len(longest.value) <= _KEPT_CHARS:
            break
        _shorten(event, longest, len(spelled) - max_bytes)
    return _refusal(event, max_bytes)


def _shorten(event: dict[str, Any], text: _Text, excess_bytes: int) -> None:
    """Cut one text by what is too much, or as far as it may be cut."""
    encoded = len(msgspec.json.encode(text.value))
    share = max(0.0, 1 - (excess_bytes + 256) / encoded)
    text.holder[text.key] = text.value[: max(_KEPT_CHARS, int(len(text.value) * share))]
    cut: list[str] = event.setdefault(_CUT, [])
    if text.path not in cut:
        cut.append(text.path)


def _texts(value: Any, path: str) -> Iterator[_Text]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        where = f"{path}.{key}" if path else str(key)
        if isinstance(inner, str):
            yield _Text(value, key, where)
        elif isinstance(inner, dict | list):
            yield from _texts(inner, where)


def _refusal(event: dict[str, Any], max_bytes: int) -> str:
    kind = event.get("type")
    error = {
        "type": "server_error",
        "code": "event_too_large",
        "message": (
            f"An event of type {kind} is larger than the {max_bytes} bytes that this data channel takes, and was left "
            "out. Announce a larger a=max-message-size, or read it by a WebSocket with ?call_id=."
        ),
        "param": None,
        "event_id": None,
    }
    return msgspec.json.encode({"type": "error", "event_id": event.get("event_id", ""), "error": error}).decode()
