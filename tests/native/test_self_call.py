"""A call of this machine to itself, and what `parley doctor` makes of it."""

from __future__ import annotations

import secrets
import socket

import pytest

from parley.cli.media_checks import media_checks
from parley.media.errors import MediaError
from parley.media.self_call import self_call
from parley.server.own_addresses import own_addresses
from parley.server.settings import Settings


def token() -> str:
    return secrets.token_hex(16)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_a_call_over_each_own_address_gets_through(protocol: str) -> None:
    for address in own_addresses():
        seconds = await self_call(address, 0, "udp" if protocol == "udp" else "tcp", token=token)
        assert seconds is not None


async def test_an_address_that_leads_nowhere_gives_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.media.self_call.TIMEOUT_S", 0.5)
    assert await self_call("203.0.113.9", 0, "udp", token=token) is None


async def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        with pytest.raises(MediaError, match="in use"):
            await self_call("127.0.0.1", taken.getsockname()[1], "udp", token=token)


async def test_the_doctor_calls_every_address_and_says_what_must_be_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parley.media.self_call.TIMEOUT_S", 0.5)
    found = {finding.subject: finding for finding in await media_checks(Settings(media_port=0))}
    assert {f"{protocol} {address}" for protocol in ("udp", "tcp") for address in own_addresses()} <= set(found)
    assert all(finding.verdict == "ok" for finding in found.values())
    lost = [f for f in await media_checks(Settings(media_port=0, announce=("203.0.113.9",))) if "203" in f.subject]
    assert [finding.verdict for finding in lost] == ["note", "note"]
    assert "Forward UDP" in lost[0].fix


async def test_the_doctor_calls_over_another_port_when_the_server_has_its_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        findings = await media_checks(Settings(media_port=taken.getsockname()[1]))
    assert findings[0].verdict == "note"
    assert all(finding.verdict == "ok" for finding in findings[1:])
