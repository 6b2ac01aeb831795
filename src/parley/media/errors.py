"""What the media plane raises.

`MediaError` ► `Busy` (wait, then try again) · `BadPeerSpec` (a caller's mistake, named) · `PlaneClosed`.
"""

from __future__ import annotations

__all__ = ["BadPeerSpec", "Busy", "MediaError", "PlaneClosed"]


class MediaError(Exception):
    """Something the media plane cannot do; the text names the cause and the fix."""


class Busy(MediaError):  # noqa: N818
    """A bound is reached: wait for the event that gives credit back, then try again. Nothing was done."""


class BadPeerSpec(MediaError):  # noqa: N818
    """A `PeerSpec` that contradicts itself or an RFC."""


class PlaneClosed(MediaError):  # noqa: N818
    """The plane is closed; it takes no more commands."""
