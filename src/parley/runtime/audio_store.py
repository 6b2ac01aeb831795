"""One session's sound: what its lanes heard lately and what its items sound like. PCM16 mono 24 kHz throughout.

The state machine holds ranges, never PCM; this is where the ranges lead. A lane keeps a time line of blocks until the
machine says that nobody will ask for them; an item keeps its own copy from the moment it is committed or spoken.
Budget: above `max_bytes` the oldest item's audio is forgotten first, then the oldest of the lanes. Only sound is lost:
transcripts live in the machine. Neighbours: `runner` (fills), `recognitions` (read lanes), `projection` (reads items).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from parley.protocol.realtime.ids import ItemId, LaneId

__all__ = ["AudioStore"]

_BYTES_PER_SAMPLE = 2
_BYTES_PER_MS = 48


@dataclass(slots=True)
class _Lane:
    """Blocks in order, perhaps with holes; `end` is the sample after the last one."""

    blocks: deque[tuple[int, bytes]] = field(default_factory=deque)
    end: int = 0


class AudioStore:
    """See the module. Positions are samples of a lane since the session began."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lanes: dict[LaneId, _Lane] = {}
        self._items: dict[ItemId, bytearray] = {}
        self._forgotten: set[ItemId] = set()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """PCM held now, at most the budget."""
        return self._bytes

    def lane_end(self, lane: LaneId) -> int:
        """Give the sample after the newest of `lane`."""
        held = self._lanes.get(lane)
        return held.end if held else 0

    def append(self, lane: LaneId, pcm: bytes) -> None:
        """Add a block at the end of `lane`."""
        held = self._lanes.setdefault(lane, _Lane())
        held.blocks.append((held.end, pcm))
        held.end += len(pcm) // _BYTES_PER_SAMPLE
        self._bytes += len(pcm)
        self._shrink()

    def skip(self, lane: LaneId, to_sample: int) -> None:
        """Let the next block of `lane` begin at `to_sample`; what lies before it was never received."""
        held = self._lanes.setdefault(lane, _Lane())
        held.end = max(held.end, to_sample)

    def read(self, lane: LaneId, start: int, end: int) -> bytes:
        """Give what is held of `[start, end)`, in one piece. Empty if nothing is."""
        held = self._lanes.get(lane)
        if held is None:
            return b""
        pieces: list[bytes] = []
        for first, block in reversed(held.blocks):
            last = first + len(block) // _BYTES_PER_SAMPLE
            if last <= start:
                break
            if first < end:
                pieces.append(block[_offset(start - first) : _offset(end - first)])
        return b"".join(reversed(pieces))

    def forget(self, lane: LaneId, before: int) -> None:
        """Let go of `lane`'s blocks that end at or before sample `before`."""
        held = self._lanes.get(lane)
        while held and held.blocks and held.blocks[0][0] + len(held.blocks[0][1]) // _BYTES_PER_SAMPLE <= before:
            self._bytes -= len(held.blocks.popleft()[1])

    def keep(self, item_id: ItemId, lane: LaneId, start: int, end: int) -> None:
        """Make `[start, end)` of `lane` the audio of `item_id`."""
        self.put(item_id, self.read(lane, start, end))

    def put(self, item_id: ItemId, pcm: bytes) -> None:
        """Make `pcm` the audio of `item_id`."""
        self.drop(item_id)
        self.extend(item_id, pcm)

    def extend(self, item_id: ItemId, pcm: bytes) -> None:
        """Add to the audio of `item_id`. Ignored once its beginning was forgotten."""
        if item_id in self._forgotten:
            return
        self._items.setdefault(item_id, bytearray()).extend(pcm)
        self._bytes += len(pcm)
        self._shrink()

    def truncate(self, item_id: ItemId, end_ms: int) -> None:
        """Keep the first `end_ms` of the audio of `item_id`."""
        audio = self._items.get(item_id)
        if audio is not None:
            before = len(audio)
            del audio[max(0, end_ms) * _BYTES_PER_MS :]
            self._bytes -= before - len(audio)

    def drop(self, item_id: ItemId) -> None:
        """Forget `item_id` altogether."""
        self._bytes -= len(self._items.pop(item_id, b""))
        self._forgotten.discard(item_id)

    def item_audio(self, item_id: ItemId) -> bytes | None:
        """Give the audio of `item_id`, or None if it has none or it was forgotten."""
        audio = self._items.get(item_id)
        return bytes(audio) if audio else None

    def item_bytes(self, item_id: ItemId) -> int:
        """How long the audio of `item_id` is; 0 if it has none."""
        return len(self._items.get(item_id, b""))

    def clear(self) -> None:
        """Free everything."""
        self._lanes.clear()
        self._items.clear()
        self._forgotten.clear()
        self._bytes = 0

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes and self._items:
            oldest = next(iter(self._items))
            self._bytes -= len(self._items.pop(oldest))
            self._forgotten.add(oldest)
        while self._bytes > self._max_bytes:
            held = max(self._lanes.values(), key=lambda lane: len(lane.blocks))
            self._bytes -= len(held.blocks.popleft()[1])


def _offset(samples: int) -> int:
    return max(0, samples) * _BYTES_PER_SAMPLE
