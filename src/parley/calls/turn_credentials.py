"""TURN credentials as any TURN server of the REST scheme takes them, coturn above all: an HMAC over an expiry.

The user name is `expiry:user`, the credential the base64 of HMAC-SHA1 under a secret that both servers know, so nothing
is stored anywhere. Source: Calls API, "TURN credentials"; draft-uberti-behave-turn-rest-00 §2.2.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from parley.calls.faults import CallsFault, invalid
from parley.protocol.calls import IceServer

__all__ = ["MAX_TTL_S", "TurnCredentials"]

MAX_TTL_S = 48 * 3_600


@dataclass(frozen=True, slots=True, repr=False)
class TurnCredentials:
    """What is known of a TURN server. `keys` are pairs of a key's id and its token. No `repr`: it holds secrets."""

    urls: tuple[str, ...]
    secret: str
    keys: tuple[tuple[str, str], ...]
    unix_seconds: Callable[[], float]
    user: Callable[[], str]
    """Gives a fresh name for each credential."""

    def check_key(self, key_id: str, bearer: str | None) -> None:
        """Refuse who may not ask by this key. Raises `CallsFault`."""
        tokens = [token for name, token in self.keys if name == key_id]
        if bearer and not tokens:
            words = "No such TURN key. Start the server with --turn-key ID:TOKEN and use that ID in the URL."
            raise CallsFault(404, "not_found", words)
        if not any(hmac.compare_digest(token.encode(), (bearer or "").encode()) for token in tokens):
            raise CallsFault(401, "unauthorized", "Send `Authorization: Bearer TOKEN` with the token of this TURN key.")

    def relays(self, ttl_s: int) -> list[IceServer]:
        """Make a credential: the servers that need none, then those that it opens. Empty where none is configured."""
        if not 1 <= ttl_s <= MAX_TTL_S:
            raise invalid(f"ttl is 1 to {MAX_TTL_S} seconds, not {ttl_s}")
        servers = self.open_servers()
        relays = [url for url in self.urls if url.startswith(("turn:", "turns:"))]
        if relays and self.secret:
            username = f"{int(self.unix_seconds()) + ttl_s}:{self.user()}"
            digest = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
            servers.append(IceServer(relays, username, b64encode(digest).decode()))
        return servers

    def open_servers(self) -> list[IceServer]:
        """Give the servers that need no credential."""
        stun = [url for url in self.urls if url.startswith(("stun:", "stuns:"))]
        return [IceServer(stun)] if stun else []
