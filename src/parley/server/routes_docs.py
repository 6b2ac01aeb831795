"""`/openapi.json` and `/docs`: what this server serves, as a schema and as one plain page that loads nothing else."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get

__all__ = ["ROUTES"]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{font-family:ui-monospace,monospace}dt{margin-top:1rem}dd{margin:0 0 0 2rem}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_WEBSOCKET = (
    "<dt><code>WebSocket /v1/realtime?model=…</code></dt><dd>A realtime session: the Realtime API's events, as JSON "
    "text frames. Key as <code>Authorization: Bearer</code>, or in the sub-protocol "
    "<code>openai-insecure-api-key.…</code> beside <code>realtime</code>.</dd>"
)


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give the OpenAPI schema."""
    return Response(msgspec.json.encode(_schema(request.app)), media_type="application/json")


@get("/docs", include_in_schema=False)
async def docs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give the schema as a page to read."""
    schema = _schema(request.app)
    rows = [_WEBSOCKET]
    for path, methods in sorted(schema.get("paths", {}).items()):
        for method, operation in methods.items():
            if not isinstance(operation, dict):
                continue
            words = operation.get("description") or operation.get("summary") or ""
            rows.append(f"<dt><code>{escape(method.upper())} {escape(path)}</code></dt><dd>{escape(words)}</dd>")
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Parley API</title><style>{_STYLE}</style><h1>Parley API</h1>"
        f"<p>The whole schema: <a href=/openapi.json>/openapi.json</a>.</p><dl>{''.join(rows)}</dl>"
    )
    headers = {"content-security-policy": _POLICY}
    return Response(page.encode(), media_type="text/html", headers=headers)


def _schema(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


ROUTES: tuple[Any, ...] = (openapi, docs)
