"""Who gets where: every credential against every kind of route, with and without keys; sites; CORS."""

from __future__ import annotations

import httpx
import pytest
from running_server import KEY, running_server

from parley.server.settings import Settings

KEYED = Settings(api_keys=(KEY, "another-key"), host="0.0.0.0")
OPEN = Settings()

# Every route that mints, computes, or tells about the inside. A stranger must get 401 from all of them.
GUARDED = [
    ("POST", "/v1/realtime/client_secrets"),
    ("POST", "/openai/v1/realtime/client_secrets"),
    ("POST", "/v1/realtime/sessions"),
    ("POST", "/v1/realtime/transcription_sessions"),
    ("POST", "/v1/realtime/calls"),
    ("POST", "/v1/realtime/calls/rtc_1/hangup"),
    ("POST", "/v1/realtime/translations/client_secrets"),
    ("POST", "/v1/realtime"),
    ("GET", "/v1/realtime"),
    ("POST", "/v1/live/sessions"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/agents"),
    ("POST", "/v1/not-written-yet"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/parley-demo"),
    ("GET", "/metrics"),
    ("POST", "/ui/secret"),
]
STRANGERS = [
    {},
    {"authorization": "Bearer wrong"},
    {"authorization": "Bearer"},
    {"authorization": f"Basic {KEY}"},
    {"authorization": KEY},
    {"authorization": "Bearer ek_unknown"},
    {"api-key": "wrong"},
    {"cookie": "parley_page=forged"},
    {"cookie": f"parley_page={KEY}"},
]


async def test_a_stranger_gets_401_from_every_mint_and_agent_route() -> None:
    async with running_server(KEYED) as server, server.http() as http:
        for method, path in GUARDED:
            for headers in STRANGERS:
                answer = await http.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path, headers)
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert answer.headers["x-request-id"].startswith("req_")


async def test_every_route_of_the_framework_is_guarded_or_known_to_be_open() -> None:
    """A new route is shut until somebody adds it here or gives it a permission."""
    public = {
        "/healthz",
        "/readyz",
        "/",
        "/console",
        "/page-control",
        "/stage",
        "/assets/{path:path}",
        "/openapi.json",
        "/docs",
    }
    public.add("/v1/apps/{app_id}/generate-ice-servers")  # STUN only, without a secret
    signed_in_pages = {"/ui/config", "/ui/login", "/ui/logout", "/ui/secret"}
    async with running_server(KEYED) as server, server.http() as http:
        schema = (await http.get("/openapi.json")).json()
        for path in schema["paths"]:
            if path in public | signed_in_pages:
                continue
            for method in schema["paths"][path]:
                answer = await http.request(method.upper(), path.replace("{model_id}", "x"))
                assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize(
    "headers", [{"authorization": f"Bearer {KEY}"}, {"authorization": "bearer another-key"}, {"api-key": KEY}]
)
async def test_a_key_opens_every_route(headers: dict[str, str]) -> None:
    async with running_server(KEYED) as server, server.http() as http:
        assert (await http.get("/v1/models", headers=headers)).status_code == 200
        assert (await http.get("/metrics", headers=headers)).status_code == 200
        minted = await http.post("/v1/realtime/client_secrets", headers=headers)
        assert minted.status_code == 200


async def test_a_client_secret_starts_sessions_and_nothing_else() -> None:
    async with running_server(KEYED) as server, server.http(KEY) as http:
        secret = (await http.post("/v1/realtime/client_secrets", json={})).json()["value"]
        bearer = {"authorization": f"Bearer {secret}"}
        for method, path in (
            ("POST", "/v1/realtime/client_secrets"),
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/audio/speech"),
            ("GET", "/metrics"),
        ):
            answer = await http.request(method, path, headers=bearer, json={"messages": [], "input": "x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied"), path
        assert (await http.get("/v1/models", headers=bearer)).status_code == 200


async def test_without_keys_any_bearer_will_do_but_a_dead_secret() -> None:
    now = [1_000.0]
    async with running_server(OPEN, unix_seconds=lambda: now[0]) as server, server.http() as http:
        minted = await http.post("/v1/realtime/client_secrets", json={"expires_after": {"seconds": 10}})
        secret = minted.json()["value"]
        for bearer, status in ((None, 200), ("sk-whatever", 200), (secret, 200), ("ek_unknown", 401)):
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            assert (await http.get("/v1/models", headers=headers)).status_code == status, bearer
        now[0] += 10
        expired = await http.get("/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert expired.status_code == 401
        assert "Mint a new one" in expired.json()["error"]["message"]


SITES = [
    # settings, path, Host, Origin, status
    (OPEN, "/v1/models", None, None, 200),
    (OPEN, "/v1/models", None, "http://localhost:5173", 200),
    (OPEN, "/v1/models", None, "https://evil.example", 403),
    (OPEN, "/v1/models", "evil.example", None, 403),
    (OPEN, "/", "evil.example", None, 403),
    (OPEN, "/ui/config", "rebound.example:8080", None, 403),
    (OPEN, "/v1/models", None, "null", 403),
    (Settings(cors_origins=("null",)), "/v1/models", None, "null", 200),
    (Settings(cors_origins=("https://app.example",)), "/v1/models", None, "https://app.example", 200),
    (Settings(cors_origins=("https://app.example",)), "/v1/models", "app.example", None, 200),
    (KEYED, "/v1/models", "anything.example", "https://evil.example", 200),
    (KEYED, "/v1/models", None, "null", 200),
    (KEYED, "/ui/config", None, "https://evil.example", 403),
    (Settings(cors_origins=("https://app.example",)), "/ui/config", None, "https://app.example", 403),
]


@pytest.mark.parametrize(("settings", "path", "host", "origin", "status"), SITES)
async def test_sites(settings: Settings, path: str, host: str | None, origin: str | None, status: int) -> None:
    headers = {name: value for name, value in (("host", host), ("origin", origin)) if value}
    async with running_server(settings) as server, server.http(KEY) as http:
        answer = await http.get(path, headers=headers)
        assert answer.status_code == status
        if origin and status == 200:
            assert answer.headers["access-control-allow-origin"] in {"*", origin}
            assert "location" in answer.headers["access-control-expose-headers"]
        elif status == 403:
            assert "access-control-allow-origin" not in answer.headers
            assert answer.json()["error"]["code"] in {"host_not_allowed", "origin_not_allowed"}


async def test_the_refusal_of_a_file_page_names_the_flag() -> None:
    async with running_server(OPEN) as server, server.http(origin="null") as http:
        assert "--cors-origin null" in (await http.get("/v1/models")).json()["error"]["message"]


async def preflight(http: httpx.AsyncClient, path: str, origin: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-openai-agents-sdk, x-stainless-lang",
        "access-control-request-private-network": "true",
    }
    return await http.options(path, headers=asked)


@pytest.mark.parametrize(
    "path", ["/v1/realtime/calls", "/v1/realtime", "/v1/realtime/client_secrets", "/v1/realtime/sessions"]
)
async def test_browsers_may_ask_first(path: str) -> None:
    async with running_server(KEYED) as server, server.http() as http:
        answer = await preflight(http, path, "https://app.example")
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        for name in ("authorization", "x-openai-agents-sdk", "x-stainless-lang"):
            assert name in answer.headers["access-control-allow-headers"]
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("asked", [{}, {"access-control-request-method": "POST"}], ids=["of itself", "of a method"])
async def test_who_asks_first_without_naming_headers_is_told_all_that_clients_send(asked: dict[str, str]) -> None:
    async with running_server(KEYED) as server, server.http() as http:
        answer = await http.options("/v1/realtime/calls", headers={"origin": "https://app.example", **asked})
        assert answer.status_code == 204
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert {"authorization", "openai-beta", "openai-safety-identifier", "x-stainless-runtime"} <= set(allowed)
        assert (await http.options("/v1/realtime/calls")).status_code == 204


async def test_a_foreign_page_is_turned_away_when_it_asks_first() -> None:
    async with running_server(OPEN) as server, server.http() as http:
        assert (await preflight(http, "/v1/chat/completions", "https://evil.example")).status_code == 403
        own = await preflight(http, "/v1/chat/completions", "http://localhost:3000")
        assert own.headers["access-control-allow-origin"] == "http://localhost:3000"
