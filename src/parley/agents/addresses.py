"""Which hosts the server may be sent to: public ones, and private ones that the operator allowed.

A client names the MCP servers that this server talks to, so a name must not lead into the private network: it is
resolved here, every address is judged, and the connection goes to the very address that was judged (`guarded_client`),
whatever the name says a moment later. Redirects to other origins are not followed. Neighbour: `remote_tools`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from parley.agents.errors import AgentError

__all__ = ["AddressGuard", "AddressRefused", "Resolve", "guarded_client", "read_allowed", "system_resolve"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Give the addresses of a host. Raises `OSError` when there are none."""

Report = Callable[[str, "int | Exception"], None]
"""Told of each request: its method, and the status of the answer or why there was none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


class AddressRefused(Exception):  # noqa: N818 - an answer, phrased as one
    """The server does not connect there. The text says why, and never more than the client said itself."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """The operator's exceptions: host names (with a port or without) and networks that may be private."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    resolve: Resolve = system_resolve

    def allowing(self, hosts: Iterable[str]) -> AddressGuard:
        """Give a guard that allows `host:port`s as well."""
        return AddressGuard(self.hosts | frozenset(hosts), self.networks, self.resolve)

    async def address(self, host: str, port: int) -> str:
        """Give an address of `host` that may be connected to. Raises `AddressRefused`."""
        name = host.strip("[]").rstrip(".").lower()
        try:
            found = await self.resolve(name, port)
        except (OSError, UnicodeError):
            raise AddressRefused(f"The host '{host}' has no address. Check the server_url.") from None
        if not found:
            raise AddressRefused(f"The host '{host}' has no address. Check the server_url.")
        trusted = name in self.hosts or f"{name}:{port}" in self.hosts
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not trusted and not is_public(address) and not self._listed(address):
                raise AddressRefused(
                    f"The host '{host}' is in a private network, where this server does not connect for its clients. "
                    f'Its operator can allow it: mcp_allow = ["{name}:{port}"] in parley.toml.'
                )
        return found[0]

    def _listed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Say whether everybody may be there: no private, local, reserved or multicast address, also not in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address in _NAT64_LOCAL:
            return False
    return address.is_global and not address.is_multicast


def read_allowed(entries: Iterable[str], where: str) -> AddressGuard:
    """Read the operator's list: `host`, `host:port`, an address, or a network such as 10.0.0.0/8."""
    hosts: set[str] = set()
    networks = []
    for entry in entries:
        text = entry.strip().lower()
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            if not text or "/" in text or text.startswith("http"):
                raise AgentError(
                    f"{where}: `{entry}` is no host. Write a name or address, with :PORT or without, or a network such "
                    "as 10.0.0.0/8."
                ) from None
            hosts.add(text)
    return AddressGuard(frozenset(hosts), tuple(networks))


class _Pinned(httpx2.AsyncBaseTransport):
    """Send each request to the address that the guard gave, under the host's own name; report how it went."""

    def __init__(self, guard: AddressGuard, report: Report) -> None:
        self._guard = guard
        self._report = report
        self._inner = httpx2.AsyncHTTPTransport(retries=0, trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Resolve, judge, pin, send."""
        try:
            response = await self._inner.handle_async_request(await self._pinned(request))
        except (AddressRefused, httpx2.HTTPError) as error:
            self._report(request.method, error)
            raise
        self._report(request.method, response.status_code)
        return response

    async def _pinned(self, request: httpx2.Request) -> httpx2.Request:
        url = request.url
        if url.scheme not in {"http", "https"} or url.userinfo:
            raise AddressRefused("A server_url is http:// or https:// without a user name in it.")
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._guard.address(url.host, port)
        return httpx2.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def guarded_client(
    guard: AddressGuard, *, headers: dict[str, str], timeout: httpx2.Timeout, report: Report
) -> httpx2.AsyncClient:
    """Make an HTTP client that goes only where `guard` lets it; no proxy, no redirects of its own."""
    options: dict[str, Any] = {"transport": _Pinned(guard, report), "trust_env": False, "follow_redirects": False}
    return httpx2.AsyncClient(headers=headers, timeout=timeout, **options)
