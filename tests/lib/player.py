"""A client's speaker for tests: it makes no sound but takes the time of it, the running loop's, virtual or real."""

from __future__ import annotations

import asyncio

from spoken import BYTES_PER_MS, duration_ms

__all__ = ["Player"]

WAIT_S = 60


class Player:
    """A client's speaker: plays what comes, one piece after another, in real time."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, float, bytes]] = []
        """Item, when it begins to sound, and the sound."""
        self._free_at = 0.0

    def take(self, item_id: str, pcm: bytes) -> None:
        """Play `pcm` after what plays already."""
        begins = max(asyncio.get_running_loop().time(), self._free_at)
        self._pieces.append((item_id, begins, pcm))
        self._free_at = begins + len(pcm) / BYTES_PER_MS / 1000

    def played(self, item_id: str) -> bytes:
        """The sound of `item_id` that has left the speaker."""
        now = asyncio.get_running_loop().time()
        return b"".join(
            pcm[: max(0, int((now - begins) * 1000)) * BYTES_PER_MS]
            for item, begins, pcm in self._pieces
            if item == item_id
        )

    async def until(self, item_id: str, ms: int) -> None:
        """Wait until `ms` of `item_id` have been played."""
        async with asyncio.timeout(WAIT_S):
            while duration_ms(self.played(item_id)) < ms:
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        """Fall silent and forget what waits; what was played stays known."""
        self._pieces = [(item, 0.0, self.played(item)) for item in dict.fromkeys(item for item, _, _ in self._pieces)]
        self._free_at = 0.0
