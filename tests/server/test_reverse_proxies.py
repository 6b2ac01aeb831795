"""The examples for reverse proxies, run as they are but for names and ports: pages, API, cookies and WebSockets."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_server import KEY, running_server
from sdp_kit import offer_text
from websockets.asyncio.client import connect

from parley.media.loopback import LoopbackPlane
from parley.server.certificate import self_signed
from parley.server.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "reverse-proxy"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(upstream: int, port: int, tls: tuple[Path, Path], place: Path) -> list[str]:
    server = (EXAMPLES / "nginx.conf").read_text()
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/letsencrypt/live/www.example.com/fullchain.pem", str(tls[0])),
        ("/etc/letsencrypt/live/www.example.com/privkey.pem", str(tls[1])),
        ("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
    ):
        assert old in server
        server = server.replace(old, new)
    temporary = "".join(
        f"{name}_temp_path {place}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{server}\n}}\n"
    )
    return ["nginx", "-e", f"{place}/error.log", "-c", f"{place}/nginx.conf"]


def caddy(upstream: int, port: int, tls: tuple[Path, Path], place: Path) -> list[str]:
    site = (EXAMPLES / "Caddyfile").read_text()
    for old, new in (
        ("voice.example.com {", f"https://127.0.0.1:{port} {{\n\ttls {tls[0]} {tls[1]}"),
        ("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
    ):
        assert old in site
        site = site.replace(old, new)
    (place / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{place}/Caddyfile"]


@asynccontextmanager
async def proxied(name: str, root_path: str, place: Path, **options: Any) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """Give the base URL below which the proxy shows a server with keys, and whom to trust."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (apt install {'nginx-light' if name == 'nginx' else name})")
    tls = self_signed(("127.0.0.1",), place, datetime.datetime.now(datetime.UTC))
    port = free_port()
    async with running_server(Settings(api_keys=(KEY,), root_path=root_path), **options) as server:
        command = {"nginx": nginx, "caddy": caddy}[name](server.port, port, tls, place)
        quiet = asyncio.subprocess.DEVNULL
        home = {"HOME": str(place), "PATH": "/usr/sbin:/usr/bin:/bin"}
        process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet, env=home)
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                await asyncio.sleep(0.05)
            yield f"https://127.0.0.1:{port}{root_path}", ssl.create_default_context(cafile=str(tls[0]))
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize(("name", "root_path"), [("nginx", "/voice"), ("caddy", "")])
async def test_everything_works_behind_the_example(name: str, root_path: str, tmp_path: Path) -> None:
    async with (
        proxied(name, root_path, tmp_path) as (url, trusting),
        httpx.AsyncClient(verify=trusting, trust_env=False, timeout=15) as client,
    ):
        page = (await client.get(url + "/")).text
        script = re.search(r'src="([^"]+)"', page)
        assert script
        assert script[1].startswith(f"{root_path}/assets/")
        loaded = await client.get(httpx.URL(url).join(script[1]))
        assert loaded.headers["content-type"].startswith("text/javascript")

        signed_in = await client.post(url + "/ui/login", json={"key": KEY})
        assert f"Path={root_path}/ui; " in signed_in.headers["set-cookie"]
        assert "; Secure" in signed_in.headers["set-cookie"]
        secret = (await client.post(url + "/ui/secret", json={})).json()["value"]

        headers = {"Authorization": f"Bearer {secret}", "Origin": "https://elsewhere.example"}
        address = "wss" + url.removeprefix("https") + "/v1/realtime?model=m"
        async with connect(address, ssl=trusting, additional_headers=headers, proxy=None) as session:
            assert json.loads(await session.recv())["type"] == "session.created"
            await session.send(json.dumps({"type": "response.create"}))
            kinds = [json.loads(await session.recv())["type"]]
            while kinds[-1] != "response.done":
                kinds.append(json.loads(await session.recv())["type"])
        assert "response.output_audio.delta" in kinds
        refused = await client.get(url + "/v1/models")
        assert refused.status_code == 401


@pytest.mark.parametrize(("name", "root_path"), [("nginx", "/voice"), ("caddy", ""), ("caddy", "/voice")])
async def test_a_call_is_placed_and_hung_up_through_the_proxy(name: str, root_path: str, tmp_path: Path) -> None:
    offer = offer_text("chromium_audio_and_data")
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/sdp"}
    async with (
        proxied(name, root_path, tmp_path, plane=LoopbackPlane()) as (url, trusting),
        httpx.AsyncClient(verify=trusting, trust_env=False, timeout=15, headers=headers) as client,
    ):
        placed = await client.post(f"{url}/v1/realtime/calls?model=m", content=offer)
        assert placed.status_code == 201, placed.text
        assert placed.text.startswith("v=0")
        location = placed.headers["location"]
        assert re.fullmatch(rf"{root_path}/v1/realtime/calls/rtc_\w+", location)
        address = httpx.URL(url).join(location)
        assert (await client.post(f"{address}/hangup")).status_code == 200
        assert (await client.post(f"{address}/hangup")).status_code == 404
