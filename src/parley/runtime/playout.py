"""Server-paced playback as the runner sees it: a role, filled by a media transport. A WebSocket session has none.

The far side answers through `SessionHandle.report_playout`: started, drained, and after a flush exactly how many
samples went out. Neighbours: `media.plane` (speakers), `runner` (routes to it).
"""

from __future__ import annotations

from typing import Protocol

from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.outputs import AudioOut

__all__ = ["Playout"]


class Playout(Protocol):
    """Plays one session's assistant in real time. No method waits."""

    @property
    def full(self) -> bool:
        """Whether so much is queued that generations should wait (120 s)."""

    def play(self, out: AudioOut) -> None:
        """Queue speech behind what is queued."""

    def end(self, item_id: ItemId) -> None:
        """Take note that all speech of `item_id` is queued: its last part of a frame may go out, then it is drained."""

    def flush(self, item_id: ItemId) -> None:
        """Fall silent within one tick, drop what is queued for `item_id`, and report how much of it went out."""
