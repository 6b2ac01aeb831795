"""Dialects: how the one neutral stream of server events is spelled for a connection.

The machine speaks GA. A connection's dialect projects each event into the bytes of a text frame; nothing else in the
server knows that there is more than one spelling.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from parley.protocol.realtime.server_events import ServerEvent

__all__ = ["Dialect", "encode"]


class Dialect(Enum):
    """A spelling of the Realtime protocol."""

    GA = "ga"


_encoder = msgspec.json.Encoder()


def encode(event: ServerEvent, dialect: Dialect) -> bytes:
    """Spell `event` as one UTF-8 JSON text frame."""
    match dialect:
        case Dialect.GA:
            return _encoder.encode(event)
