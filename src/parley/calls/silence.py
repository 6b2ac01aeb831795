"""Which published tracks send nothing any more. Pure: counts of packets in, m-lines out. Neighbour: `roster` (when)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parley.calls.transceiver import Transceiver

__all__ = ["Silence"]


class Silence:
    """What is known of one session's tracks. Times are milliseconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[int, int]] = {}
        """Packets, and since when there were no more of them, by mid and name."""

    def review(
        self, now: int, transceivers: Iterable[Transceiver], packets: Mapping[str, int], limit_ms: int
    ) -> list[str]:
        """Give the m-lines whose track is silent for so long. `packets` that came so far, by mid."""
        before, self._known = self._known, {}
        silent = []
        for each in transceivers:
            if each.publishes is None:
                continue
            key, count = (each.mid, each.publishes), packets.get(each.mid, 0)
            known, since = before.get(key, (count, now))
            self._known[key] = (count, since if count == known else now)
            if count == known and now - since >= limit_ms:
                silent.append(each.mid)
        return silent
