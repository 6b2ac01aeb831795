"""Ways in from the network: https and wss with given and with made certificates, the one-time link, own addresses."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from running_server import KEY, running_server
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parley.auth.invitations import INVITATION_LIFETIME_S, Invitations
from parley.auth.pages import COOKIE_NAME
from parley.server.certificate import self_signed
from parley.server.own_addresses import own_addresses
from parley.server.serving import check_tls
from parley.server.settings import ConfigError, Settings, load_settings

NOW = datetime.datetime.now(datetime.UTC)


def test_a_made_certificate_is_kept_until_it_no_longer_fits(tmp_path: Path) -> None:
    certificate, key = self_signed(("localhost", "192.168.1.20"), tmp_path, NOW)
    made = certificate.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    names = x509.load_pem_x509_certificate(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.20"]
    self_signed(("192.168.1.20",), tmp_path, NOW)
    assert certificate.read_bytes() == made
    self_signed(("192.168.1.21",), tmp_path, NOW)
    assert certificate.read_bytes() != made
    moved = certificate.read_bytes()
    self_signed(("192.168.1.21",), tmp_path, NOW + datetime.timedelta(days=340))
    assert certificate.read_bytes() != moved
    certificate.write_text("garbage")
    self_signed(("192.168.1.21",), tmp_path, NOW)
    check_tls((certificate, key))


@pytest.mark.parametrize("contents", ["", "-----BEGIN CERTIFICATE-----\n", "\0"])
def test_files_that_are_no_certificate_are_refused_with_the_fix(tmp_path: Path, contents: str) -> None:
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_text(contents)
    with pytest.raises(ConfigError, match=r"not a certificate and its key .*PEM"):
        check_tls((tmp_path / "a.pem", tmp_path / "b.pem"))


async def test_https_and_wss_carry_a_session(tmp_path: Path) -> None:
    tls = self_signed(("127.0.0.1",), tmp_path, NOW)
    trusting = ssl.create_default_context(cafile=str(tls[0]))
    async with running_server(tls=tls) as server:
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
            answer = await client.get(f"https://127.0.0.1:{server.port}/healthz")
        assert answer.json() == {"status": "ok"}
        address = f"wss://127.0.0.1:{server.port}/v1/realtime?model=m"
        async with connect(address, ssl=trusting, proxy=None) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"
            with suppress(ConnectionClosed):
                await socket.send("x" * (33 << 20))
                await asyncio.wait_for(socket.wait_closed(), 15)
            assert socket.close_code == 1009


def test_a_link_lets_in_once_and_not_for_long() -> None:
    now, taken = [0.0], []
    invitations = Invitations(monotonic_seconds=lambda: now[0], token=iter(["one", "two", "three"]).__next__)
    invitations.on_taken = lambda: taken.append(True)
    assert not invitations.take("one")
    assert invitations.open() == "one"
    assert not invitations.take("oné")
    assert invitations.take("one")
    assert not invitations.take("one")
    assert taken == [True]
    invitations.open()
    now[0] = INVITATION_LIFETIME_S + 1
    assert not invitations.take("two")


async def test_the_link_signs_a_browser_in_and_a_used_one_says_so(caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "parley"):
        caplog.set_level("DEBUG", name)
    async with running_server(Settings(api_keys=(KEY,))) as server, server.http() as client:
        token = server.app.parts.invitations.open()
        answer = await client.get(f"/join/{token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(COOKIE_NAME)
        assert "HttpOnly; SameSite=Strict" in cookie
        config = await client.get("/ui/config", headers={"cookie": cookie.partition(";")[0]})
        assert config.json()["signed_in"]
        again = await client.get(f"/join/{token}")
        assert again.status_code == 410
        assert "the next one" in again.text.lower()
    ours = [str(vars(record)) for record in caplog.records if record.name.startswith(("parley", "uvicorn"))]
    assert any("/join/…" in text for text in ours)
    assert not any(token in text for text in ours)


def test_lan_binds_every_interface_and_needs_no_key(tmp_path: Path) -> None:
    settings = load_settings(flags={"lan": True}, environ={}, directory=tmp_path)
    assert (settings.host, settings.lan) == ("0.0.0.0", True)
    named = load_settings(flags={}, environ={"PARLEY_LAN": "yes", "PARLEY_HOST": "192.168.1.20"}, directory=tmp_path)
    assert named.host == "192.168.1.20"
    with pytest.raises(ConfigError, match="neither yes nor no"):
        load_settings(flags={}, environ={"PARLEY_LAN": "perhaps"}, directory=tmp_path)


def test_tls_takes_two_files_from_every_source(tmp_path: Path) -> None:
    certificate, key = self_signed(("localhost",), tmp_path, NOW)
    (tmp_path / "parley.toml").write_text(f'tls = ["{certificate}", "{key}"]\ntls_self_signed = true\n')
    assert load_settings(flags={}, environ={}, directory=tmp_path).tls == (certificate, key)
    assert load_settings(flags={}, environ={}, directory=tmp_path).tls_self_signed
    given = load_settings(flags={"tls": (str(certificate), str(key))}, environ={}, directory=tmp_path / "none")
    assert given.tls == (certificate, key)
    named = load_settings(flags={}, environ={"PARLEY_TLS": f"{certificate} {key}"}, directory=tmp_path / "none")
    assert named.tls == (certificate, key)
    with pytest.raises(ConfigError, match="CERT KEY are expected, 1 were given"):
        load_settings(flags={}, environ={"PARLEY_TLS": str(certificate)}, directory=tmp_path / "none")
    with pytest.raises(ConfigError, match="there is no file"):
        load_settings(flags={"tls": ("absent.pem", str(key))}, environ={}, directory=tmp_path / "none")


async def test_own_addresses_are_few_and_reachable() -> None:
    addresses = own_addresses()
    assert 1 <= len(addresses) <= 3
    for address in addresses:
        host = await asyncio.start_server(lambda *_: None, address, 0)
        host.close()
        await host.wait_closed()
