"""How large what a client sets may be, since it is echoed: clients close on frames above 4 MiB. Pure.

Not here: audio and pictures, of which less is echoed than came (`pictures`, the runner's projection), and what data
channels take (`transports.event_size`).
"""

from __future__ import annotations

import msgspec

from parley.protocol.realtime.errors import ClientFault

__all__ = ["MOST_ECHO_BYTES", "size_fault"]

MOST_ECHO_BYTES = 1_000_000
"""JSON of an item or a session, as it is echoed. With a retrieved item's pictures, still less than 4 MiB."""


def size_fault(echo: msgspec.Struct, param: str) -> ClientFault | None:
    """Refuse an item or a session whose echo is too large."""
    size = len(msgspec.json.encode(echo))
    if size <= MOST_ECHO_BYTES:
        return None
    words = f"'{param}' may take {MOST_ECHO_BYTES} bytes of JSON beside audio and pictures, this is {size}: shorten it."
    return ClientFault(code="invalid_value", message=words, param=param)
