"""How the Calls API differs from the rest of the server over HTTP: its paths, its bodies, its envelope of errors.

Neighbours: `gate` and `problems` (ask whether a path is one of these), `routes_calls`, `routes_turn`.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import UNSET, UnsetType

from parley.calls.faults import CallsFault, bad_request
from parley.protocol.calls import ErrorCode, Failure

__all__ = ["calls_body", "is_calls_path", "read_body"]

T = TypeVar("T")

_PATH = re.compile(r"^(/v1)?/(apps|turn/keys)(/|$)")
_CODES: dict[int, ErrorCode] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    413: "payload_too_large",
    429: "rate_limited",
    500: "internal_error",
    501: "not_implemented",
    503: "temporarily_unavailable_error",
}


def is_calls_path(path: str) -> bool:
    """Say whether a path belongs to the Calls API, which knows its own credentials and its own errors."""
    return _PATH.match(path) is not None


def calls_body(status: int, description: str, code: str | None = None) -> bytes:
    """Spell an error as the Calls API does. `code` counts where it is one of that API's."""
    known = code if code is not None and code in _KNOWN else _CODES.get(status, "decoding_error")
    return msgspec.json.encode(Failure(known, description))


_KNOWN = frozenset(ErrorCode.__args__)  # type: ignore[attr-defined]


async def read_body(
    request: Request[Any, Any, Any], kind: type[T], limit_bytes: int, *, empty: T | UnsetType = UNSET
) -> T:
    """Decode the body as JSON, whatever its content type. Raises `CallsFault` that points to the fault."""
    if int(request.headers.get("content-length", 0)) > limit_bytes:
        raise _too_large(limit_bytes)
    body = await request.body()
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    if not body.strip():
        if empty is UNSET:
            raise bad_request("The body is empty. Send one JSON object.")
        return empty
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise bad_request(_pointed(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad_request("The body is not valid JSON. Send one JSON object.") from None


def _too_large(limit_bytes: int) -> CallsFault:
    words = f"The body is too large: at most {limit_bytes >> 10} KiB. Name fewer tracks in one request."
    return CallsFault(413, "payload_too_large", words)


def _pointed(complaint: str) -> str:
    """Say where by JSON pointer (RFC 6901): `/tracks/0/mid`."""
    reason, _, place = complaint.partition(" - at `")
    steps = re.findall(r"[^.\[\]`$]+", place)
    return f"{'/' + '/'.join(steps) if steps else 'The body'}: {reason}"
