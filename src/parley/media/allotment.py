"""What Python chooses for a new peer: shard, ICE credentials, SSRCs, the number of its session description.

The plane makes up nothing, so that adding a peer is one command without an answer. Randomness is an argument.
Neighbours: `peer_spec` and `parley.sdp` (take what is chosen here), `switchboard`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from parley.sdp import IceCredentials

__all__ = ["Allotment"]

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Allotment:
    """See the module. `random_bytes(n)` gives `n` unguessable bytes; `node` is one letter or digit."""

    def __init__(self, *, shards: int, random_bytes: Callable[[int], bytes], node: str = "0") -> None:
        self._shards = shards
        self._random_bytes = random_bytes
        self._node = node
        self._next_shard = 0

    def shard(self) -> int:
        """Choose a shard: each in turn."""
        shard = self._next_shard
        self._next_shard = (shard + 1) % self._shards
        return shard

    def ice(self, shard: int) -> IceCredentials:
        """Make credentials (RFC 8839 §5.4); the ufrag begins with the node's and the shard's character."""
        ufrag = self._node + _DIGITS[shard % len(_DIGITS)] + b64encode(self._random_bytes(6)).decode()
        return IceCredentials(ufrag, b64encode(self._random_bytes(18)).decode())

    def ssrc(self) -> int:
        """Choose an SSRC, never 0."""
        return int.from_bytes(self._random_bytes(4), "big") or 1

    def session_number(self) -> int:
        """Choose the number in `o=`: 62 bits, as RFC 9429 §5.2.1 wants it."""
        return int.from_bytes(self._random_bytes(8), "big") >> 2
