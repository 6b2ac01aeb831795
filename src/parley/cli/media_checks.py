"""The checks of `parley doctor` that concern WebRTC: the media port, and a real call to each announced address."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Literal

from parley.cli.finding import Finding
from parley.media.errors import MediaError
from parley.media.self_call import self_call
from parley.server.media_port import announced_addresses, media_port_of
from parley.server.settings import Settings

__all__ = ["media_checks"]

_PROTOCOLS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


async def media_checks(settings: Settings) -> list[Finding]:
    """Open the media port and call it at every address that peers are told, by UDP and by TCP."""
    addresses = announced_addresses(settings)
    port = media_port_of(settings, settings.port)
    findings = []
    try:
        await self_call("127.0.0.1", port, "udp", token=_token)
    except MediaError as error:
        words, _, fix = str(error).partition(". ")
        findings.append(
            Finding(
                "media port",
                "note",
                f"{words}.",
                f"If it is Parley itself, all is well. The calls below use another port. {fix}".strip(),
            )
        )
        port = 0
    else:
        findings.append(Finding("media port", "ok", f"UDP and TCP {port} are free."))
    for address in addresses:
        findings += [await _called(settings, address, port, protocol) for protocol in _PROTOCOLS]
    return findings


async def _called(settings: Settings, address: str, port: int, protocol: Literal["udp", "tcp"]) -> Finding:
    subject = f"{protocol} {address}"
    shown = f"port {port}" if port else "a free port"
    try:
        seconds = await self_call(address, port, protocol, token=_token)
    except MediaError as error:
        return Finding(subject, "bad", f"No call was possible: {error}")
    if seconds is not None:
        reach = "" if not _private(address) else " Peers outside this network need --announce and a forwarded port."
        return Finding(subject, "ok", f"ICE and DTLS to {shown} took {seconds * 1000:.0f} ms.{reach}")
    number = port or "the media port"
    if settings.announce:
        fix = (
            f"Forward {protocol.upper()} {number} of {address} to this machine, and let the firewall pass it. Some "
            "routers do not let a machine call its own public address: then try from outside."
        )
        return Finding(subject, "note", f"This machine does not reach itself at {address}.", fix)
    fix = f"Let the firewall pass {protocol.upper()} {number} in and out, or announce another address: --announce ADDR."
    return Finding(subject, "bad", f"No call to {address} gets through.", fix)


def _private(address: str) -> bool:
    return ipaddress.ip_address(address).is_private


def _token() -> str:
    return secrets.token_hex(16)
