"""Which addresses count as public, and how the operator's exceptions are read."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest

from parley.agents.addresses import AddressGuard, AddressRefused, is_public, read_allowed
from parley.agents.errors import AgentError

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::",
    "2001:db8::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_in_every_disguise(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def guard(allowed: Sequence[str], *answers: str) -> AddressGuard:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers

    read = read_allowed(allowed, "mcp_allow")
    return AddressGuard(read.hosts, read.networks, resolve)


JUDGED = [
    ([], ["8.8.8.8"], "8.8.8.8"),
    ([], ["8.8.8.8", "10.0.0.1"], None),
    ([], ["10.0.0.1"], None),
    ([], [], None),
    (["10.0.0.0/8"], ["10.0.0.1"], "10.0.0.1"),
    (["10.0.0.0/8"], ["10.0.0.1", "192.168.0.1"], None),
    (["10.0.0.1"], ["10.0.0.1"], "10.0.0.1"),
    (["tools.internal"], ["192.168.0.1"], "192.168.0.1"),
    (["tools.internal:80"], ["192.168.0.1"], "192.168.0.1"),
    (["TOOLS.internal"], ["192.168.0.1"], "192.168.0.1"),
    (["tools.internal:81"], ["192.168.0.1"], None),
    (["other.internal"], ["192.168.0.1"], None),
    (["fd00::/8"], ["fd12::1"], "fd12::1"),
]


@pytest.mark.parametrize(("allowed", "answers", "address"), JUDGED)
async def test_every_address_of_a_name_is_judged(allowed: list[str], answers: list[str], address: str | None) -> None:
    judge = guard(allowed, *answers)
    if address is not None:
        assert await judge.address("Tools.Internal.", 80) == address
        return
    with pytest.raises(AddressRefused):
        await judge.address("tools.internal", 80)


@pytest.mark.parametrize("entry", ["http://x", "10.0.0.0/99", "a/b", " "])
def test_an_exception_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(AgentError, match="mcp_allow"):
        read_allowed([entry], "mcp_allow")
