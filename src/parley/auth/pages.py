"""The browser session of Parley's own pages: signed in once with a key, kept as an HttpOnly SameSite=Strict cookie.

The page never holds the key. The cookie opens `/ui/…` only; `/v1` ignores it. Sign-in attempts are rate-limited over
the whole server, which one person typing never notices. Neighbours: `keys`, `server.routes_pages`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

__all__ = ["COOKIE_NAME", "LIFETIME_S", "PageSessions", "SignInLimit", "cookie_header", "read_cookie"]

COOKIE_NAME = "parley_page"
LIFETIME_S = 12 * 3_600


class PageSessions:
    """Signed-in browsers, by digest of their token. The oldest is signed out when there are too many."""

    def __init__(self, *, unix_seconds: Callable[[], float], token: Callable[[], str], capacity: int = 1_000) -> None:
        self._unix_seconds = unix_seconds
        self._token = token
        self._capacity = capacity
        self._expiry: dict[bytes, float] = {}

    def start(self) -> str:
        """Sign a browser in; give the cookie's value."""
        while len(self._expiry) >= self._capacity:
            del self._expiry[next(iter(self._expiry))]
        token = self._token()
        self._expiry[_digest(token)] = self._unix_seconds() + LIFETIME_S
        return token

    def valid(self, token: str | None) -> bool:
        """Say whether `token` belongs to a browser that is still signed in."""
        if not token:
            return False
        expiry = self._expiry.get(_digest(token))
        if expiry is None:
            return False
        if expiry <= self._unix_seconds():
            del self._expiry[_digest(token)]
            return False
        return True

    def end(self, token: str | None) -> None:
        """Sign the browser out."""
        if token:
            self._expiry.pop(_digest(token), None)


class SignInLimit:
    """At most `attempts` failed sign-ins in `window_s` seconds."""

    def __init__(self, *, monotonic_seconds: Callable[[], float], attempts: int = 10, window_s: float = 60.0) -> None:
        self._now = monotonic_seconds
        self._window_s = window_s
        self._failures: deque[float] = deque(maxlen=attempts)

    def wait_s(self) -> float:
        """Seconds until a further attempt is heard; 0 when one is."""
        if len(self._failures) < (self._failures.maxlen or 0):
            return 0.0
        return max(0.0, self._failures[0] + self._window_s - self._now())

    def failed(self) -> None:
        """Count a failed attempt."""
        self._failures.append(self._now())


def cookie_header(token: str, *, secure: bool, root_path: str = "") -> str:
    """Make the `Set-Cookie` value that keeps `token`, or ends the session when it is empty. `root_path` is where a
    proxy shows the server.
    """
    age = LIFETIME_S if token else 0
    path = f"{root_path}/ui"
    kept = f"{COOKIE_NAME}={token}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict"
    return kept + ("; Secure" if secure else "")


def read_cookie(header: str) -> str | None:
    """Find the session token in a `Cookie` header, if there is one."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return None
    return jar[COOKIE_NAME].value if COOKIE_NAME in jar else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
