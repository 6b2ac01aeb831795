"""Client secrets: short-lived, opaque `ek_…` values that let a browser start sessions. Stored as digests only.

A secret carries the session configuration it was minted with, as the JSON the minting server sent, and a scope that
bounds what its bearer may do; it may be used any number of times until it expires, and a running session outlives it.
Source: Realtime API, "Create client secret". Neighbours: `keys`, `scope`, `permissions`; the server mints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from parley.auth.scope import UNBOUNDED, Scope
from parley.protocol.realtime.dialects import Dialect

__all__ = [
    "DEFAULT_LIFETIME_S",
    "MAX_LIFETIME_S",
    "MIN_LIFETIME_S",
    "SECRET_PREFIX",
    "ClientSecret",
    "MemorySecretStore",
    "SecretStore",
    "TooManySecrets",
]

SECRET_PREFIX = "ek_"  # noqa: S105 - the public marker of minted secrets, browsers' SDKs look for it
DEFAULT_LIFETIME_S = 600
MIN_LIFETIME_S = 10
MAX_LIFETIME_S = 7_200


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a valid secret stands for. `session` is the raw JSON object given at minting, or None."""

    expires_at: int
    """Unix seconds."""
    session: bytes | None = None
    scope: Scope = UNBOUNDED
    account: str = ""
    """Opaque name of what is counted for this secret."""
    minted_by: str = ""
    """Account of the key that minted it."""
    dialect: Dialect = Dialect.GA
    """How its sessions are spelled: a secret of a beta end point belongs to a beta client."""


class TooManySecrets(Exception):  # noqa: N818 - a refusal, phrased as one
    """The store is full of secrets that have not expired yet."""


class SecretStore(Protocol):
    """Where secrets live. Asynchronous, so that several nodes may share one."""

    async def mint(
        self,
        *,
        lifetime_s: int,
        session: bytes | None,
        scope: Scope = UNBOUNDED,
        minted_by: str = "",
        dialect: Dialect = Dialect.GA,
    ) -> tuple[str, ClientSecret]:
        """Make a secret; give its value, which is never seen again, and its record. Raises `TooManySecrets`."""

    async def find(self, value: str) -> ClientSecret | None:
        """Give the record of `value`, or None if it is unknown or expired."""


class MemorySecretStore:
    """Secrets of one process. Expired ones are dropped as new ones are minted."""

    def __init__(self, *, unix_seconds: Callable[[], float], token: Callable[[], str], capacity: int = 100_000) -> None:
        """`token` gives 32 or more unguessable URL-safe characters."""
        self._unix_seconds = unix_seconds
        self._token = token
        self._capacity = capacity
        self._secrets: dict[bytes, ClientSecret] = {}

    async def mint(
        self,
        *,
        lifetime_s: int,
        session: bytes | None,
        scope: Scope = UNBOUNDED,
        minted_by: str = "",
        dialect: Dialect = Dialect.GA,
    ) -> tuple[str, ClientSecret]:
        """See `SecretStore.mint`."""
        now = self._unix_seconds()
        if len(self._secrets) >= self._capacity:
            self._secrets = {key: secret for key, secret in self._secrets.items() if secret.expires_at > now}
            if len(self._secrets) >= self._capacity:
                raise TooManySecrets
        value = SECRET_PREFIX + self._token()
        key = _digest(value)
        secret = ClientSecret(int(now) + lifetime_s, session, scope, f"secret:{key.hex()}", minted_by, dialect)
        self._secrets[key] = secret
        return value, secret

    async def find(self, value: str) -> ClientSecret | None:
        """See `SecretStore.find`."""
        key = _digest(value)
        secret = self._secrets.get(key)
        if secret is None:
            return None
        if secret.expires_at <= self._unix_seconds():
            del self._secrets[key]
            return None
        return secret


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
