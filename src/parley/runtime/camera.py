"""The latest still of a call's camera, kept until a response wants it or it has grown old.

Neighbours: `performer` (takes it for the machine), `transports.webrtc` (brings new ones), `protocol.realtime.stills`
(what becomes of it).
"""

from __future__ import annotations

from base64 import b64encode

from parley.protocol.realtime.ids import Ms
from parley.runtime.clock import Clock

__all__ = ["MAX_AGE_MS", "Camera"]

MAX_AGE_MS = 3_000
"""A camera gives a still a second: where none came for so long, it is switched off."""


class Camera:
    """One session's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._webp = b""
        self._seen_at = Ms(0)

    def see(self, webp: bytes) -> None:
        """Keep a still, a WebP file, in place of the one before."""
        self._webp = webp
        self._seen_at = self._clock.now()

    def show(self) -> str | None:
        """Give what the camera shows now as a `data:` URI; None if it shows nothing."""
        if not self._webp or self._clock.now() - self._seen_at > MAX_AGE_MS:
            self._webp = b""
            return None
        return f"data:image/webp;base64,{b64encode(self._webp).decode()}"
