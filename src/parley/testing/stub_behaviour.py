"""The ways in which a stub server can be a bad one. Data; `stub_openai` and `stub_chat` act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Behaviour"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one request is treated. The default is impeccable."""

    status: int = 200
    """Anything but 200 is answered with an error body and `headers`."""
    headers: tuple[tuple[str, str], ...] = ()
    error_code: str | None = None
    error_param: str | None = None
    first_delay_ms: int = 0
    stall_after: int | None = None
    """Fall silent for ever after so many pieces."""
    close_after: int | None = None
    """Cut the connection after so many pieces."""
    end_after: int | None = None
    """End the body properly, but early, after so many pieces."""
    garble_after: int | None = None
    """Send what is no JSON after so many pieces."""
    split_bytes: int | None = None
    """Send the body in pieces of so many bytes, which splits characters, lines and samples."""
    tool_ids: Literal["first", "every", "never"] = "first"
    tool_index: bool = True
    tool_arguments: Literal["pieces", "blob", "object"] = "pieces"
    finish_reason: str | None = None
    """Instead of the right one; the empty string leaves it out."""
    usage: bool = True
    reasoning: str = ""
    """Thinking aloud, sent as `<think>…</think>` inside the text before the answer."""
    wav: Literal["none", "exact", "unknown", "zero"] = "none"
    """Speech as WAV: with its size right, 0xFFFFFFFF, or 0."""
    rate_hz: int = 24_000
    channels: int = 1
    content_type: str | None = None
    body: bytes | None = None
    """Send this instead."""
