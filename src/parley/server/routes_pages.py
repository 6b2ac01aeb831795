"""Parley's own pages and what they need: the files, `/ui/config`, signing in, and 60-second secrets.

With keys set, a page asks for one once; the server keeps an HttpOnly same-site session and only then mints secrets for
the page, which never holds the key. Neighbours: `parley.auth.pages` (the session), `page_files` (the files), `gate`
(shuts `/ui` to other sites).
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from parley.auth.pages import cookie_header, read_cookie
from parley.server.engine_room import stages_of
from parley.server.page_files import CONTENT_SECURITY_POLICY, LINK_USED, NOT_BUILT, PageFile, PageFiles
from parley.server.parts import Parts
from parley.server.problems import Problem
from parley.server.routes_models import demo_note
from parley.server.routes_realtime import SecretValue, mint

__all__ = ["ROUTES"]

_PAGE_SECRET_S = 60
_PAGES = {"/": "console", "/console": "console", "/page-control": "page-control", "/stage": "stage"}


class EngineRow(msgspec.Struct, frozen=True):
    """One engine as the page shows it."""

    stage: str
    name: str
    model: str
    licence: str
    source: str
    note: str


class PageConfig(msgspec.Struct, frozen=True):
    """What a page needs to know before it connects. Engines are listed once it may know them."""

    version: str
    auth_required: bool
    signed_in: bool
    state: str
    engines: list[EngineRow]
    demo: bool
    note: str
    model: str
    voice: str


class SignIn(msgspec.Struct, frozen=True):
    """The key, typed by a person."""

    key: str


class PageSecretRequest(msgspec.Struct, frozen=True):
    """`session` is what sessions of the secret start with."""

    session: dict[str, Any] | None = None


@get("/ui/config", tags=["pages"], include_in_schema=False)
async def ui_config(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> Response[PageConfig]:
    """Describe the server to its own page."""
    signed_in = _signed_in(request, parts)
    engines = parts.room.built if signed_in else None
    rows = [EngineRow(**_row(engine)) for engine in stages_of(engines)] if engines else []
    config = parts.defaults.config
    body = PageConfig(
        version=parts.version,
        auth_required=bool(parts.keys),
        signed_in=signed_in,
        state=parts.room.state,
        engines=rows,
        demo=engines is not None and engines.chat.capabilities.demo,
        note=demo_note(engines.chat) if engines else "",
        model=engines.chat.info.model if engines else config.model,
        voice=config.audio.output.voice,
    )
    return Response(body, headers={"cache-control": "no-store"})


def _row(engine: Any) -> dict[str, str]:
    info = engine.info
    return {name: getattr(info, name) for name in ("stage", "name", "model", "licence", "source", "note")}


@post("/ui/login", status_code=204, include_in_schema=False, request_max_body_size=1 << 14)
async def ui_login(
    data: JSONBody[SignIn], request: Request[Any, Any, Any], parts: NamedDependency[Parts]
) -> Response[None]:
    """Trade a key for the page's session cookie."""
    wait_s = parts.sign_in.wait_s()
    if wait_s > 0:
        words = f"Too many failed sign-ins. Try again in {wait_s:.0f} seconds."
        headers = {"retry-after": f"{wait_s:.0f}"}
        raise Problem(429, words, code="rate_limit_exceeded", type="rate_limit_error", headers=headers)
    if parts.keys and not parts.keys.accept(data.key.strip()):
        parts.sign_in.failed()
        words = "That is not a key of this server. Its operator set it with --api-key or PARLEY_API_KEY."
        raise Problem(401, words, code="invalid_api_key", type="authentication_error")
    return _cookie_answer(request, parts, parts.pages.start())


@get("/join/{token:str}", include_in_schema=False)
async def join(request: Request[Any, Any, Any], parts: NamedDependency[Parts], token: FromPath[str]) -> Response[bytes]:
    """Let a browser in that was given the one-time link."""
    if not parts.invitations.take(token):
        return Response(LINK_USED, media_type="text/html", status_code=410, headers=_page_headers())
    headers = {
        "set-cookie": _cookie(request, parts, parts.pages.start()),
        "location": "/",
        "cache-control": "no-store",
    }
    return Response(b"", status_code=303, headers=headers)


@post("/ui/logout", status_code=204, include_in_schema=False)
async def ui_logout(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> Response[None]:
    """End the page's session."""
    parts.pages.end(read_cookie(request.headers.get("cookie", "")))
    return _cookie_answer(request, parts, "")


@post("/ui/secret", status_code=200, include_in_schema=False, request_max_body_size=1 << 20)
async def ui_secret(request: Request[Any, Any, Any], parts: NamedDependency[Parts]) -> SecretValue:
    """Mint a secret for the page that asks: 60 seconds, enough to connect."""
    if not _signed_in(request, parts):
        words = "Sign in first: the page asks for a key of this server."
        raise Problem(401, words, code="invalid_api_key", type="authentication_error")
    session = _page_session(await request.body())
    parts.door.checked(session)
    return await mint(parts, session, _PAGE_SECRET_S)


def _page_session(body: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(body or b"{}", type=PageSecretRequest).session
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, 'The body is `{"session": {…}}` or empty.', code="invalid_json") from None


def _signed_in(request: Request[Any, Any, Any], parts: Parts) -> bool:
    return not parts.keys or parts.pages.valid(read_cookie(request.headers.get("cookie", "")))


def _cookie_answer(request: Request[Any, Any, Any], parts: Parts, token: str) -> Response[None]:
    headers = {"set-cookie": _cookie(request, parts, token), "cache-control": "no-store"}
    return Response(None, status_code=204, headers=headers)


def _cookie(request: Request[Any, Any, Any], parts: Parts, token: str) -> str:
    return cookie_header(token, secure=request.scope["scheme"] == "https", root_path=parts.root_path)


@get(list(_PAGES), include_in_schema=False)
async def index(request: Request[Any, Any, Any], page_files: NamedDependency[PageFiles]) -> Response[bytes]:
    """Serve a page."""
    name = _PAGES[request.scope["path"].rstrip("/") or "/"]
    page = page_files.find(f"{name}/index.html")
    if page is None:
        return Response(NOT_BUILT, media_type="text/html", status_code=503, headers=_page_headers())
    return _file_answer(request, page)


@get("/assets/{path:path}", include_in_schema=False)
async def asset(
    request: Request[Any, Any, Any], page_files: NamedDependency[PageFiles], path: FromPath[str]
) -> Response[bytes]:
    """Serve what a page loads."""
    file = page_files.find("assets" + path)
    if file is None:
        raise Problem(404, "There is no such file.", code="unknown_url")
    return _file_answer(request, file)


def _file_answer(request: Request[Any, Any, Any], file: PageFile) -> Response[bytes]:
    headers = {"etag": file.etag, "cache-control": file.cache_control}
    if file.media_type.startswith("text/html"):
        headers |= _page_headers()
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _page_headers() -> dict[str, str]:
    return {
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "permissions-policy": "microphone=(self), camera=(self), display-capture=(self), autoplay=(self)",
    }


ROUTES: tuple[Any, ...] = (ui_config, ui_login, join, ui_logout, ui_secret, index, asset)
