"""Parley's own pages: files and their headers, signing in, and secrets that only a signed-in page can mint."""

from __future__ import annotations

from pathlib import Path

import pytest
from running_server import KEY, receive, running_server

from parley.server.settings import Settings

KEYED = Settings(api_keys=(KEY,))


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    for name, text in (
        ("console/index.html", "<!doctype html><title>Parley</title>"),
        ("page-control/index.html", "<!doctype html><title>Page control</title>"),
        ("stage/index.html", "<!doctype html><title>Stage</title>"),
        ("assets/console-ABCD1234.js", "export {}"),
        ("assets/icon.svg", "<svg/>"),
        ("secret.txt", "not served"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_the_page_loads_only_from_here_and_caches_rightly(assets: Path) -> None:
    async with running_server(assets=assets) as server, server.http() as http:
        page = await http.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe-inline" not in policy.split("style-src")[0]
        assert "unsafe-eval" not in policy
        assert "http" not in policy
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["x-content-type-options"] == "nosniff"
        again = await http.get("/", headers={"if-none-match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        script = await http.get("/assets/console-ABCD1234.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        assert (await http.get("/assets/icon.svg")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/", "Parley"),
        ("/console", "Parley"),
        ("/page-control", "Page control"),
        ("/page-control/", "Page control"),
        ("/stage", "Stage"),
    ],
)
async def test_each_page_has_its_address(assets: Path, path: str, title: str) -> None:
    async with running_server(assets=assets) as server, server.http() as http:
        page = await http.get(path)
        assert page.status_code == 200
        assert f"<title>{title}</title>" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets//etc/passwd",
        "/secret.txt",
        "/assets/",
    ],
)
async def test_nothing_else_is_served(assets: Path, path: str) -> None:
    async with running_server(assets=assets) as server, server.http() as http:
        answer = await http.get(path)
        assert answer.status_code == 404
        assert "not served" not in answer.text


async def test_a_server_without_built_pages_says_how_to_build_them(tmp_path: Path) -> None:
    async with running_server(assets=tmp_path) as server, server.http() as http:
        answer = await http.get("/")
        assert answer.status_code == 503
        assert "make build" in answer.text


async def test_without_keys_the_page_gets_a_secret_at_once() -> None:
    async with running_server(unix_seconds=lambda: 1_000.0) as server, server.http() as http:
        config = (await http.get("/ui/config")).json()
        assert (config["auth_required"], config["signed_in"], config["demo"]) == (False, True, False)
        assert {row["stage"] for row in config["engines"]} == {"stt", "turn", "llm", "tts"}
        secret = (await http.post("/ui/secret", json={})).json()
        assert secret["value"].startswith("ek_")
        assert secret["expires_at"] == 1_060


async def test_with_keys_the_page_signs_in_first() -> None:
    async with running_server(KEYED) as server, server.http() as http:
        config = (await http.get("/ui/config")).json()
        assert (config["auth_required"], config["signed_in"], config["engines"]) == (True, False, [])
        assert (await http.post("/ui/secret")).status_code == 401
        wrong = await http.post("/ui/login", json={"key": "wrong"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        answer = await http.post("/ui/login", json={"key": KEY})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert KEY not in cookie
        assert (await http.get("/ui/config")).json()["signed_in"] is True
        secret = (await http.post("/ui/secret", json={"session": {"instructions": "Hi."}})).json()
        async with server.websocket("/v1/realtime", key=secret["value"]) as socket:
            assert (await receive(socket))["session"]["instructions"] == "Hi."
        assert (await http.get("/v1/models")).status_code == 401, "the cookie means nothing below /v1"
        assert (await http.post("/v1/realtime/client_secrets")).status_code == 401
        await http.post("/ui/logout")
        assert (await http.post("/ui/secret")).status_code == 401


async def test_another_site_cannot_use_the_page_s_session() -> None:
    async with running_server(KEYED) as server, server.http() as http:
        await http.post("/ui/login", json={"key": KEY})
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": f"http://127.0.0.1:{server.port + 1}"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            answer = await http.post("/ui/secret", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed"), headers
        own = {"origin": server.url, "sec-fetch-site": "same-origin"}
        assert (await http.post("/ui/secret", headers=own)).status_code == 200


async def test_guessing_keys_is_slowed() -> None:
    async with running_server(KEYED) as server, server.http() as http:
        answers = [(await http.post("/ui/login", json={"key": f"guess{n}"})).status_code for n in range(12)]
        assert answers == [401] * 10 + [429] * 2
        last = await http.post("/ui/login", json={"key": KEY})
        assert last.status_code == 429
        assert 0 < int(last.headers["retry-after"]) <= 60


async def test_bad_bodies_of_the_page_s_own_endpoints() -> None:
    async with running_server(KEYED) as server, server.http() as http:
        assert (await http.post("/ui/login", json={})).json()["error"]["param"] == "key"
        await http.post("/ui/login", json={"key": KEY})
        assert (await http.post("/ui/secret", content=b"[")).json()["error"]["code"] == "invalid_json"
        wrong = await http.post("/ui/secret", json={"session": {"type": "other"}})
        assert wrong.json()["error"]["param"] == "session.type"


async def test_the_documents_load_nothing_from_elsewhere() -> None:
    async with running_server() as server, server.http() as http:
        schema = (await http.get("/openapi.json")).json()
        for path in (
            "/v1/realtime/client_secrets",
            "/v1/audio/transcriptions",
            "/v1/audio/speech",
            "/v1/chat/completions",
            "/v1/models",
        ):
            assert path in schema["paths"]
        page = await http.get("/docs")
        assert "/v1/audio/speech" in page.text
        assert "src=" not in page.text
        assert "//" not in page.text.replace("</", "").replace("http://127.0.0.1", "")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
