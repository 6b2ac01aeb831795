"""The media port: which addresses peers are told, which port and how many threads carry their packets.

Neighbours: `own_addresses` (finds them), `parley.media.native` (opens the port), `app` (gets the plane).
"""

from __future__ import annotations

import os
from pathlib import Path

from parley.auth.permissions import is_loopback
from parley.media.errors import MediaError
from parley.media.native import NativePlane
from parley.media.plane import MediaPlane
from parley.server.own_addresses import MAX_ADDRESSES, own_addresses
from parley.server.settings import ConfigError, Settings

__all__ = ["announced_addresses", "media_port_of", "media_threads", "open_media"]

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def open_media(settings: Settings, http_port: int) -> MediaPlane:
    """Open the media port beside `http_port`, on all interfaces. Raises `ConfigError` that names the setting."""
    announced = announced_addresses(settings)
    port = media_port_of(settings, http_port)
    bind = "::" if any(":" in address for address in announced) else "0.0.0.0"  # noqa: S104 - peers come from anywhere
    try:
        return NativePlane.open(announced=announced, bind=bind, port=port, shards=media_threads(settings))
    except MediaError as error:
        raise ConfigError(
            f"--media-port {port}: {error}. Free it, or choose another UDP and TCP port; 0 takes a free one."
        ) from error


def announced_addresses(settings: Settings) -> tuple[str, ...]:
    """Give what peers are told: what was configured, else this machine's addresses.

    A server for this machine alone adds the loopback address, since a notebook's others change with its network.
    """
    if settings.announce:
        return settings.announce
    own = own_addresses()
    if is_loopback(settings.host) and "127.0.0.1" not in own:
        own = (*own[: MAX_ADDRESSES - 1], "127.0.0.1")
    return own


def media_port_of(settings: Settings, http_port: int) -> int:
    """Give the configured port, else the one above HTTP's; 0 where HTTP's was free to choose."""
    if settings.media_port is not None:
        return settings.media_port
    return http_port + 1 if settings.port and http_port < 65_535 else 0


def media_threads(settings: Settings) -> int:
    """Give the configured number, else one less than the processors that this process may use."""
    return settings.media_threads or max(1, _processors() - 1)


def _processors() -> int:
    """Count the processors of this process: its affinity, and a container's quota if it is tighter."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, _, period = _CGROUP_QUOTA.read_text(encoding="ascii").strip().partition(" ")
        return min(usable, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup, or no quota: the word is then "max"
        return usable
