"""The gate every request passes before a route runs: Host and Origin, CORS, who it is, request ids, counting.

An ASGI application around the framework. Everything below `/v1` (and `/metrics`) needs a recognised principal here, so
that a route forgotten or not yet written is shut, not open; only the Calls API asks for credentials of its own.
Realtime WebSockets go to their own endpoint and never enter the framework.
Neighbours: `parley.auth.permissions` (the policy), `problems` (the words), `app` (puts it together).
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from parley.auth.client_secrets import SecretStore
from parley.auth.keys import ApiKeys
from parley.auth.permissions import Refusal, SitePolicy, identify
from parley.auth.rates import Rate, RequestRates
from parley.observe.metrics import ServerMetrics
from parley.server.calls_paths import is_calls_path
from parley.server.problems import Problem, problem_body
from parley.server.unserved import unserved
from parley.transports.handshake import REALTIME_PATHS, bearer_of, header_map

__all__ = ["Gate"]

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_AZURE = re.compile(r"^/openai(?=/v1(/|$))")
_PREFLIGHT_SECONDS = "600"
_EXPOSED = "location, etag, link, x-request-id, retry-after"
_USUAL_HEADERS = (
    "authorization, content-type, api-key, openai-beta, openai-organization, openai-project, openai-safety-identifier, "
    "x-openai-agents-sdk, x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version, "
    "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout"
)
"""What clients of the vendor's API send; named to those that ask without naming any."""
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Gate:
    """See the module. `request_id` gives a fresh `req_…`. `root_path` is where a reverse proxy shows the server: it may
    strip that prefix or not.
    """

    http: App
    realtime: App
    policy: SitePolicy
    keys: ApiKeys
    secrets: SecretStore
    metrics: ServerMetrics
    request_id: Callable[[], str]
    root_path: str = ""
    rates: RequestRates | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if self.root_path and scope.get("path", "").startswith(self.root_path + "/"):
            scope["path"] = scope["path"].removeprefix(self.root_path)
            scope["raw_path"] = scope["path"].encode()
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self.http(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (scope["path"].rstrip("/") or "/") in REALTIME_PATHS:
            await self.realtime(scope, receive, send)
            return
        await receive()
        words = "No WebSocket is served here. Realtime sessions connect to /v1/realtime."
        problem = unserved(scope["path"]) or Problem(404, words, code="unknown_url")
        headers = [(b"content-type", b"application/json"), (b"x-request-id", self.request_id().encode())]
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": problem_body(problem)})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_map(scope["headers"])
        scope["path"] = _AZURE.sub("", scope["path"])
        scope["raw_path"] = scope["path"].encode()
        answer = _Answer(self, scope, send, self.request_id(), self._cors(scope["path"], headers))
        refusal = self.policy.refuse(headers.get("host"), headers.get("origin"))
        if refusal is not None:
            answer.cors = ()
            await answer.refuse(Problem.of(refusal))
        elif scope["method"] == "OPTIONS" and _asks_first(scope["path"], headers):
            await answer.preflight(headers)
        else:
            problem = await self._stop(scope, headers)
            if problem is not None:
                await answer.refuse(problem)
            else:
                scope.setdefault("state", {})["request_id"] = answer.request_id
                await self.http(scope, receive, answer.send)

    async def _stop(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        """Recognise who asks, where that matters, and say why the request stops here."""
        path = scope["path"]
        if is_calls_path(path):
            return None  # its apps have secrets and tokens of their own, which its routes ask for
        if path.startswith("/v1/") or path in {"/v1", "/metrics"}:
            who = await identify(bearer_of(headers), self.keys, self.secrets)
            if isinstance(who, Refusal):
                return Problem.of(who)
            refused = self.rates.refuse(who.account) if self.rates is not None else None
            if refused is not None:
                return _too_many(*refused)
            scope.setdefault("state", {})["principal"] = who
        elif path.startswith("/ui/") and not _same_site(headers):
            words = "Only pages that this server itself serves may use /ui. Use the API below /v1 with a bearer key."
            return Problem(403, words, code="origin_not_allowed")
        return None

    def _cors(self, path: str, headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that let a page of another origin read the answer: the API only, never the pages' own endpoints."""
        origin = headers.get("origin")
        if origin is None or path.startswith("/ui/"):
            return ()
        allowed = b"*" if self.policy.open_to_all else origin.encode("latin-1")
        return (
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSED.encode()),
            (b"vary", b"origin"),
        )


def _too_many(refusal: Refusal, rate: Rate) -> Problem:
    problem = Problem.of(refusal)
    problem.headers = {
        "retry-after": str(math.ceil(rate.wait_s)),
        "x-ratelimit-limit-requests": str(rate.limit),
        "x-ratelimit-remaining-requests": str(rate.remaining),
        "x-ratelimit-reset-requests": f"{rate.reset_s:.3f}s",
    }
    return problem


def _same_site(headers: dict[str, str]) -> bool:
    """Whether a request to `/ui` comes from a page of this very server, or from no page at all."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _asks_first(path: str, headers: dict[str, str]) -> bool:
    """Whether an OPTIONS asks what a page may send: a browser's preflight, or a client's own to the API."""
    return "access-control-request-method" in headers or (path.startswith("/v1/") and not is_calls_path(path))


def _loggable(path: str) -> str:
    """Give the path without the secret that a link carries."""
    return "/join/…" if path.startswith("/join/") else path


class _Answer:
    """The sending half of one exchange: adds ids and headers, counts once."""

    def __init__(
        self, gate: Gate, scope: Scope, send: Send, request_id: str, cors: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self.request_id = request_id
        self.cors = cors
        self._gate = gate
        self._scope = scope
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass on what the framework sends."""
        if message["type"] == "http.response.start":
            added = [(b"x-request-id", self.request_id.encode()), *self.cors, *_SECURITY_HEADERS]
            message["headers"] = [*map(self._placed, message.get("headers", ())), *added]
            self._gate.metrics.request(self._scope["method"], message["status"])
            values = {
                "method": self._scope["method"],
                "path": _loggable(self._scope["path"]),
                "status": message["status"],
            }
            log.debug("request answered", extra={**values, "request_id": self.request_id})
        await self._send(message)

    def _placed(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Show a location of ours below the proxy's prefix."""
        name, value = header
        if name.lower() == b"location" and value.startswith(b"/"):
            return name, self._gate.root_path.encode() + value
        return header

    async def refuse(self, problem: Problem) -> None:
        """Send a problem."""
        body = problem_body(problem, self._scope["path"])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if problem.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def preflight(self, headers: dict[str, str]) -> None:
        """Answer a browser that asks before it sends: any header it names will do, the bearer decides."""
        asked = headers.get("access-control-request-headers", _USUAL_HEADERS)
        allow = [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (b"access-control-allow-headers", asked.encode("latin-1")),
            (b"access-control-max-age", _PREFLIGHT_SECONDS.encode()),
        ]
        if headers.get("access-control-request-private-network") == "true":
            allow.append((b"access-control-allow-private-network", b"true"))
        await self.send({"type": "http.response.start", "status": 204, "headers": allow if self.cors else []})
        await self.send({"type": "http.response.body", "body": b""})
