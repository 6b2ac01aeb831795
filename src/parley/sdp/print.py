"""From a session description to its text. Neighbours: `parse` reads it back, and gets the same description."""

from __future__ import annotations

from parley.sdp.description import SessionDescription

__all__ = ["print_sdp"]


def print_sdp(description: SessionDescription) -> str:
    """Write a description, every line ended by CR LF. Source: RFC 8866 §5."""
    return "".join(f"{line.kind}={line.value}\r\n" for line in description)
