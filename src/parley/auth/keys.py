"""Long-lived API keys: the operator's own, compared in constant time and kept only as digests.

Neighbours: `client_secrets` (short-lived), `pages` (the browser session of Parley's own pages), `permissions`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

__all__ = ["ApiKeys"]


class ApiKeys:
    """The set of accepted keys. Empty: the server runs without keys."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, key: str) -> bool:
        """Say whether `key` is one of them, in time that depends on neither the key nor the answer."""
        given = _digest(key)
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, given)
        return found

    def account(self, key: str) -> str | None:
        """Give the name under which uses of `key` are counted, None if it is not one of them."""
        return f"key:{_digest(key).hex()}" if self.accept(key) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
