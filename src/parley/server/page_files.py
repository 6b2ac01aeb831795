"""The built pages, read once at start: nothing a request says ever becomes a path on disk.

A file whose name carries a content hash may be kept by browsers for good; everything else is asked for again.
Neighbour: `routes_pages` serves them.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONTENT_SECURITY_POLICY", "LINK_USED", "NOT_BUILT", "PageFile", "PageFiles"]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; connect-src 'self' ws: wss:; "
    "media-src 'self' blob:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""For every page: only what this server serves; sockets as well to the address typed into the page."""

NOT_BUILT = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Parley</title>"
    b"<h1>The pages are not built</h1>"
    b"<p>The server runs; its API is at <a href=/docs>/docs</a>. To build the pages, run <code>make build</code> in "
    b"Parley's folder (it needs Node 20 or newer) and start the server again.</p>"
)

LINK_USED = (
    b"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    b"<title>Parley</title><h1>This link lets in once</h1>"
    b"<p>It was used already, or is older than ten minutes. The terminal in which Parley runs shows the next one.</p>"
)

_HASHED = re.compile(r"-[0-9A-Za-z_]{8,}\.\w+(\.map)?$")
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2", ".map": "application/json"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, ready to be sent."""

    content: bytes
    media_type: str
    etag: str
    cache_control: str


class PageFiles:
    """All files below one folder. An absent folder gives no files. `root_path` is where a proxy shows the server."""

    def __init__(self, root: Path, root_path: str = "") -> None:
        self._files = {
            path.relative_to(root).as_posix(): _read(path, root_path)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def find(self, name: str) -> PageFile | None:
        """Find the file of that name, `/`-separated below the root."""
        return self._files.get(name)


def _read(path: Path, root_path: str) -> PageFile:
    content = path.read_bytes()
    if path.suffix == ".html":
        content = content.replace(b'"/assets/', f'"{root_path}/assets/'.encode())
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return PageFile(
        content=content,
        media_type=media_type,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        cache_control=_FOR_GOOD if _HASHED.search(path.name) else _ASK_AGAIN,
    )
