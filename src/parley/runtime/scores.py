"""Asking the turn detector whether a speaker has finished: at most one question per item, answered or let go.

A detector that fails or takes too long is not heard; the machine's own timer then ends the turn. Neighbours:
`audio_store`, `mailbox`, `containment`, `runner`.
"""

from __future__ import annotations

import asyncio

from parley.engines.base import TurnDetector
from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.inputs import TurnScored
from parley.protocol.realtime.outputs import ScoreTurn
from parley.runtime.audio_store import AudioStore
from parley.runtime.containment import Containment
from parley.runtime.generations import Spawn
from parley.runtime.mailbox import Mailbox

__all__ = ["Scores"]

_HEARD_SAMPLES = 8 * 24_000
"""A detector looks at the last 8 s."""


class Scores:
    """Every open question of one session, by item."""

    def __init__(
        self, detector: TurnDetector, store: AudioStore, mailbox: Mailbox, spawn: Spawn, *, limit_ms: int
    ) -> None:
        self._detector = detector
        self._store = store
        self._mailbox = mailbox
        self._spawn = spawn
        self._limit_ms = limit_ms
        self._open: dict[ItemId, asyncio.Task[None]] = {}

    def ask(self, order: ScoreTurn) -> None:
        """Ask anew; an unanswered question about the same item is dropped."""
        self.drop(order.item_id)
        first = max(order.start_sample, order.end_sample - _HEARD_SAMPLES)
        pcm = self._store.read(order.lane, first, order.end_sample)
        self._open[order.item_id] = self._spawn(self._score(order.item_id, pcm, order.text))

    def drop(self, item_id: ItemId) -> None:
        """Let go of the question about `item_id`."""
        task = self._open.pop(item_id, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Let go of everything."""
        for item_id in list(self._open):
            self.drop(item_id)

    async def _score(self, item_id: ItemId, pcm: bytes, text: str) -> None:
        probability: float | None = None
        try:
            async with asyncio.timeout(self._limit_ms / 1000):
                with Containment("turn"):
                    probability = await self._detector.score(pcm, text)
        except TimeoutError:
            probability = None
        if self._open.get(item_id) is asyncio.current_task():
            del self._open[item_id]
        if probability is not None:
            self._mailbox.post(TurnScored(item_id, min(1.0, max(0.0, probability))))
