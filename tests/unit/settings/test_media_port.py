"""The media port: which addresses and threads, and what is said when the port is taken."""

from __future__ import annotations

import socket

import pytest

from parley.server.media_port import announced_addresses, media_port_of, media_threads, open_media
from parley.server.own_addresses import own_addresses
from parley.server.settings import ConfigError, Settings


def test_configured_addresses_are_announced_and_no_others() -> None:
    announced = ("203.0.113.7", "2001:db8::7")
    assert announced_addresses(Settings(announce=announced)) == announced


def test_a_server_for_this_machine_alone_can_always_be_reached_from_it() -> None:
    addresses = announced_addresses(Settings(host="127.0.0.1"))
    assert "127.0.0.1" in addresses
    assert 1 <= len(addresses) <= 3
    assert addresses[0] == own_addresses()[0]
    public = Settings(host="0.0.0.0", api_keys=("x" * 20,))
    assert announced_addresses(public) == own_addresses()


@pytest.mark.parametrize(
    ("settings", "http_port", "port"),
    [
        (Settings(), 8080, 8081),
        (Settings(port=0), 40_000, 0),
        (Settings(port=65_535), 65_535, 0),
        (Settings(media_port=0), 8080, 0),
        (Settings(media_port=3478), 8080, 3478),
    ],
)
def test_the_port_stands_beside_https(settings: Settings, http_port: int, port: int) -> None:
    assert media_port_of(settings, http_port) == port


def test_there_is_at_least_one_thread() -> None:
    assert media_threads(Settings(media_threads=3)) == 3
    assert media_threads(Settings()) >= 1


def test_a_port_in_use_is_refused_with_the_fix() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--media-port {port}: .* 0 takes a free one"):
            open_media(Settings(media_port=port), 8080)


def test_an_open_port_names_itself() -> None:
    plane = open_media(Settings(media_port=0, media_threads=2, announce=("127.0.0.1",)), 8080)
    try:
        (udp, tcp) = plane.identity.candidates
        assert (udp.host, udp.protocol, tcp.protocol) == ("127.0.0.1", "udp", "tcp")
        assert udp.port == tcp.port > 0
        assert plane.identity.shards == 2
    finally:
        plane.close()
