"""A peer without a connection in the loopback plane: what its slots are fed with is heard as publications of its own.

Neighbours: `loopback` ticks these publications, `loopback_listening` hears them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from parley.media.events import Event
from parley.media.peer_spec import InternalSlot, PublicationId

__all__ = ["LoopbackInternal"]


class LoopbackInternal:
    """Slots by mid. Frames that came wait for their publication's next tick."""

    def __init__(self) -> None:
        self._heard_as: dict[str, PublicationId] = {}
        self._fed_by: dict[str, PublicationId] = {}
        self._frames: dict[PublicationId, deque[bytes]] = {}

    @property
    def publications(self) -> set[PublicationId]:
        """What its slots are heard as."""
        return set(self._heard_as.values())

    @property
    def subscriptions(self) -> set[PublicationId]:
        """What its slots are fed with."""
        return set(self._fed_by.values())

    def change(self, slots: tuple[InternalSlot, ...]) -> tuple[set[PublicationId], set[PublicationId]]:
        """Have these slots from now on; give the publications that end and those that begin."""
        before = self.publications
        self._heard_as = {slot.mid: slot.heard_as for slot in slots}
        self._fed_by = {mid: publication for mid, publication in self._fed_by.items() if mid in self._heard_as}
        after = self.publications
        self._frames = {publication: self._frames.get(publication, deque()) for publication in after}
        return before - after, after - before

    def subscribe(self, mid: str, publication: PublicationId | None) -> bool:
        """Feed a slot; with nothing if None. False if there is no such slot."""
        if mid not in self._heard_as:
            return False
        self._fed_by.pop(mid, None)
        if publication is not None:
            self._fed_by[mid] = publication
        return True

    def hear(self, publication: PublicationId, frame: bytes) -> None:
        """Take 20 ms of a publication."""
        for mid, fed_by in self._fed_by.items():
            if fed_by == publication:
                self._frames[self._heard_as[mid]].append(frame)

    def source(self, publication: PublicationId) -> Callable[[], tuple[bytes | None, list[Event]]]:
        """Give what ticks every 20 ms: the next frame, or None."""

        def tick() -> tuple[bytes | None, list[Event]]:
            frames = self._frames.get(publication)
            return (frames.popleft() if frames else None), []

        return tick
