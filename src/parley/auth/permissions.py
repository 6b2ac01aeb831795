"""Who a request comes from and what it may do: pure decisions over plain facts, the whole policy in one place.

With keys, `/v1` is open to any Origin by bearer alone and cookies mean nothing there; a client secret may start
sessions and nothing else. Without keys the server is for this machine: Host and Origin must be loopback or listed, and
any bearer will do except a client secret that is unknown or expired.
Neighbours: `keys`, `client_secrets`; `server.gate` asks.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from parley.auth.client_secrets import SECRET_PREFIX, ClientSecret, SecretStore
from parley.auth.keys import ApiKeys

__all__ = ["Permission", "Principal", "Refusal", "SitePolicy", "identify", "is_loopback"]


class Permission(Enum):
    """What a route needs."""

    START_SESSION = "start realtime sessions"
    USE_ENGINES = "use the models"
    MINT_SECRET = "create client secrets"  # noqa: S105 - prose
    OPERATE = "read the server's metrics"


_SECRET_MAY = frozenset({Permission.START_SESSION})


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever was recognised: the operator or a local user (all permissions), or the bearer of a client secret."""

    secret: ClientSecret | None = None
    restricted: bool = False
    account: str = ""
    """Opaque name of whom to count for: the key that was sent or that minted the secret; empty without keys."""

    def may(self, permission: Permission) -> bool:
        """Say whether this principal has `permission`."""
        return not self.restricted or permission in _SECRET_MAY


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away: HTTP status and the error's type, code and message, which names the fix."""

    status: int
    type: str
    code: str
    message: str


async def identify(bearer: str | None, keys: ApiKeys, secrets: SecretStore) -> Principal | Refusal:
    """Recognise the bearer of a credential, given without the word `Bearer`."""
    if bearer is not None and bearer.startswith(SECRET_PREFIX):
        secret = await secrets.find(bearer)
        if secret is None:
            return _unauthorized(
                "The client secret is unknown or expired. Mint a new one: POST /v1/realtime/client_secrets."
            )
        return Principal(secret=secret, restricted=bool(keys), account=secret.minted_by)
    if not keys:
        return Principal()
    if not bearer:
        return _unauthorized(
            "No API key was sent. Send `Authorization: Bearer KEY` with a key this server was started with."
        )
    account = keys.account(bearer)
    if account is None:
        return _unauthorized("Incorrect API key. Send a key this server was started with (--api-key).")
    return Principal(account=account)


def _unauthorized(message: str) -> Refusal:
    return Refusal(401, "authentication_error", "invalid_api_key", message)


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """Which Host and Origin a server without keys answers. With keys the bearer alone decides (`open_to_all`)."""

    cors_origins: tuple[str, ...] = ()
    open_to_all: bool = False

    def refuse(self, host: str | None, origin: str | None) -> Refusal | None:
        """Judge the `Host` and `Origin` headers as they came. None: welcome."""
        if self.open_to_all:
            return None
        if host is not None and not self._knows_host(host):
            return Refusal(
                403,
                "invalid_request_error",
                "host_not_allowed",
                "Without keys this server answers to loopback names only, and the Host header names another. Open "
                "it as http://127.0.0.1, start it with --api-key, or list your site with --cors-origin.",
            )
        if origin is None or self._knows_origin(origin):
            return None
        shown = "null" if origin == "null" else _origin_shown(origin)
        return Refusal(
            403,
            "invalid_request_error",
            "origin_not_allowed",
            f"Pages of the origin {shown} may not use this server. Start it with --cors-origin {shown} to allow them.",
        )

    def _knows_host(self, host: str) -> bool:
        name = _host_name(host)
        return is_loopback(name) or any(_host_name(urlsplit(known).netloc) == name for known in self.cors_origins)

    def _knows_origin(self, origin: str) -> bool:
        if "*" in self.cors_origins or origin.lower() in self.cors_origins:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and is_loopback(_host_name(parts.netloc))


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host_name(netloc: str) -> str:
    text = netloc.rpartition("@")[2].lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _origin_shown(origin: str) -> str:
    """Show the origin if it is one, else a word: the text goes into messages."""
    parts = urlsplit(origin)
    return origin if parts.scheme and parts.netloc and len(origin) <= 200 and origin.isprintable() else "ORIGIN"
