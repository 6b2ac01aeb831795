"""Native planes in virtual time, for tests: the whole Rust core, codecs and encryption included, on a pretend network.

Nothing waits: time moves in `advance`. Planes of one network reach each other by UDP, each at an address of its own; a
far end is another plane whose peers have `ice_lite=False`. The wire is perfect until `set_conditions`.
Neighbours: `native` (the adapter and the real thing), `loopback` (faster, without codecs or a wire).
"""

from __future__ import annotations

from parley._media import MediaCoreError, VirtualNetwork
from parley.media.errors import MediaError
from parley.media.native import NativePlane

__all__ = ["VirtualNet"]


class VirtualNet:
    """A network and its clock. Equal seeds give equal losses and delays."""

    def __init__(self, seed: int = 1) -> None:
        self._network = VirtualNetwork(seed)
        self._planes: list[NativePlane] = []

    def plane(self, host: str, *, port: int = 3_478, shards: int = 1) -> NativePlane:
        """Open a plane at `host`, an IP address that no other plane of this network has. Raises `MediaError`."""
        try:
            core = self._network.open(host, port, shards=shards)
        except MediaCoreError as error:
            raise MediaError(str(error)) from error
        plane = NativePlane(core)
        self._planes.append(plane)
        return plane

    @property
    def now_ms(self) -> int:
        """Time since the network was made; `at_ms` counts from there too."""
        return self._network.now_ms

    def set_conditions(
        self, *, latency_ms: int = 0, jitter_ms: int = 0, loss: float = 0.0, duplication: float = 0.0
    ) -> None:
        """From now on each datagram is `latency_ms` under way and up to `jitter_ms` more, lost or doubled by chance."""
        self._network.set_conditions(latency_ms=latency_ms, jitter_ms=jitter_ms, loss=loss, duplication=duplication)

    def set_reachable(self, host: str, reachable: bool) -> None:
        """Cut a host off, or join it again: nothing comes from or to it meanwhile."""
        self._network.set_reachable(host, reachable)

    def advance(self, ms: int) -> None:
        """Let `ms` pass, in steps of 10; watchers are called in between, where events wait."""
        for step in range(0, max(ms, 1), 10):
            self._network.advance(min(10, ms - step))
            for plane in self._planes:
                plane.poll()
