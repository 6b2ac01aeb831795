"""What passes over all sessions: the media plane's statistics, asked for when somebody needs them, and kept by peer.

Whoever asks while an answer is on its way gets that answer. What lives here: asking, and putting the shards' answers
together. What does not: what follows from them (`roster` ends silent tracks, `traffic` counts, `session_statistics`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from parley.media.commands import AskStatistics
from parley.media.events import StatisticsTold
from parley.media.peer_spec import PeerId
from parley.media.statistics import PeerStatistics
from parley.media.switchboard import Switchboard

__all__ = ["Survey", "Surveyed"]

_PATIENCE_S = 2.0

Surveyed = Mapping[PeerId, Sequence[PeerStatistics]]
"""What each shard told of a peer."""


class Survey:
    """See the module."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._queries = 0
        self._coming: asyncio.Future[Surveyed] | None = None
        self._newest: Surveyed = {}

    @property
    def newest(self) -> Surveyed:
        """Give the last answer, however old it is: nothing before the first."""
        return self._newest

    async def ask(self) -> Surveyed:
        """Give what passed so far. Raises `TimeoutError` where the plane does not answer in time, and `Busy`."""
        if self._coming is None or self._coming.done():
            self._coming = self._asked()
        coming = self._coming
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.shield(coming)
        except TimeoutError:
            if self._coming is coming:
                self._coming = None  # this question may never be answered; the next one asks anew
            raise

    def _asked(self) -> asyncio.Future[Surveyed]:
        self._queries += 1
        coming: asyncio.Future[Surveyed] = asyncio.get_running_loop().create_future()
        told: dict[PeerId, list[PeerStatistics]] = {}
        missing = self._switchboard.identity.shards

        def take(answer: StatisticsTold) -> None:
            nonlocal missing
            for each in answer.peers:
                told.setdefault(each.peer, []).append(each)
            missing -= 1
            if missing == 0 and not coming.done():
                self._newest = told
                coming.set_result(told)

        self._switchboard.on_statistics(self._queries, take)
        self._switchboard.submit(AskStatistics(self._queries))
        return coming
