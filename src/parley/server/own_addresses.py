"""The addresses at which others reach this machine, best first: for SDP, certificates and what is shown to people."""

from __future__ import annotations

import ipaddress
import re
import socket

import ifaddr

__all__ = ["MAX_ADDRESSES", "own_addresses", "route_address"]

MAX_ADDRESSES = 3
_INTERNAL = re.compile(r"^(lo|docker|br-|veth|virbr|vnet|cni|flannel|cali|podman|lxc|lxd|vmnet|vboxnet)", re.IGNORECASE)


def own_addresses() -> tuple[str, ...]:
    """Give at most three: the default route's first, then other interfaces', IPv4 before IPv6, bridges of containers
    and virtual machines never; `127.0.0.1` alone where there is no network.
    """
    found = [
        address
        for adapter in ifaddr.get_adapters()
        if not _INTERNAL.match(adapter.nice_name)
        for address in adapter.ips
    ]
    texts = [address.ip if isinstance(address.ip, str) else address.ip[0] for address in found]
    usable = [text for text in texts if _reachable(text)]
    usable.sort(key=lambda text: (text != route_address(), ":" in text))
    return tuple(dict.fromkeys(usable))[:MAX_ADDRESSES] or ("127.0.0.1",)


def route_address() -> str | None:
    """Find the address that outgoing packets would bear; nothing is sent. None without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _reachable(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)
