"""Who speaks, in the loopback plane: whoever made a sound last. The native plane holds on to a speaker for longer.

Neighbours: `loopback` asks for each frame of sound.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from parley.media.events import ActiveSpeaker, Event, LevelsHeard
from parley.media.peer_spec import PeerId, PublicationId

__all__ = ["Watching"]

_SPEAKS_DBOV = -45
_SILENCE_DBOV = -127


class Watching:
    """The peers that want to know, and whom each heard last."""

    def __init__(self) -> None:
        self._active: dict[PeerId, PublicationId | None] = {}
        self._levels: dict[PublicationId, int] = {}

    def watch(self, peer: PeerId, on: bool) -> None:
        """Begin or end."""
        if on:
            self._active.setdefault(peer, None)
        else:
            self._active.pop(peer, None)

    def hear(
        self, publication: PublicationId, frame: bytes, subscriptions: Mapping[PeerId, AbstractSet[PublicationId]]
    ) -> list[Event]:
        """Take 20 ms of a publication; tell what that changes for whom."""
        watchers = [peer for peer in self._active if publication in subscriptions.get(peer, set())]
        if not watchers:
            return []
        level = _dbov(frame)
        events: list[Event] = []
        if self._levels.get(publication) != level:
            self._levels[publication] = level
            events.append(LevelsHeard(((publication, level),)))
        for peer in watchers:
            if level >= _SPEAKS_DBOV and self._active[peer] != publication:
                self._active[peer] = publication
                events.append(ActiveSpeaker(peer, publication))
        return events


def _dbov(frame: bytes) -> int:
    """Level of 16-bit PCM (RFC 6464)."""
    samples = struct.unpack(f"<{len(frame) // 2}h", frame)
    power = sum(sample * sample for sample in samples) / max(len(samples), 1)
    return max(_SILENCE_DBOV, round(10 * math.log10(power / 32_767**2))) if power else _SILENCE_DBOV
