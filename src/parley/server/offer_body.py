"""The body of a request that places a call: an SDP offer as it is, or a form of `sdp` and `session`.

Both official SDKs send the form's parts with a content type and without a file name; hand-written clients without
either, or with both. All of that is read the same. Pure. Neighbour: `routes_realtime_calls`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from parley.server.problems import Problem

__all__ = ["MAX_OFFER_BODY_BYTES", "OfferBody", "read_offer_body"]

MAX_OFFER_BODY_BYTES = 1 << 20
"""A session object with many tools may be large; the offer itself is bounded by `parley.sdp`."""

_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'^content-disposition:[^\r\n]*[; ]name="?([^";\r\n]*)"?', re.IGNORECASE | re.MULTILINE)
_FORM = "multipart/form-data"
_WHAT_TO_SEND = (
    "Post the offer as `application/sdp`, or as `multipart/form-data` with a part `sdp` and, if you like, a part "
    "`session` (JSON)."
)


@dataclass(frozen=True, slots=True)
class OfferBody:
    """An offer, and the session object that came with it."""

    sdp: str
    session: dict[str, Any] | None = None


def read_offer_body(content_type: str, body: bytes) -> OfferBody:
    """Read a body of either kind. Raises `Problem` naming the part at fault."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        raise Problem(415, f"This URL takes no JSON. {_WHAT_TO_SEND}", code="unsupported_media_type")
    if kind != _FORM:
        return OfferBody(_sdp(body))
    parts = _parts(content_type, body)
    if "sdp" not in parts:
        raise Problem(
            400, f"The form has no part `sdp`. {_WHAT_TO_SEND}", code="missing_required_parameter", param="sdp"
        )
    session = parts.get("session")
    return OfferBody(_sdp(parts["sdp"]), _session(session) if session and session.strip() else None)


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """Give the form's parts by name, the first of each (RFC 2046 §5.1, RFC 7578)."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise Problem(400, "The Content-Type names no boundary. Let your HTTP client set it.", code="invalid_multipart")
    delimiter = b"\r\n--" + boundary.group(1).encode("latin-1")
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise Problem(400, f"The body is no complete form. {_WHAT_TO_SEND}", code="invalid_multipart")
    parts: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, blank, value = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None:
            raise Problem(400, f"A part of the form has no name. {_WHAT_TO_SEND}", code="invalid_multipart")
        parts.setdefault(name.group(1).decode("latin-1"), value)
    return parts


def _sdp(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Problem(400, "The offer is not UTF-8 text.", code="invalid_sdp", param="sdp") from None
    if not text.strip():
        raise Problem(400, f"There is no offer. {_WHAT_TO_SEND}", code="missing_required_parameter", param="sdp")
    return text


def _session(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        words = "The part `session` is not a JSON object. Send a session object, as in session.update."
        raise Problem(400, words, code="invalid_json", param="session") from None
