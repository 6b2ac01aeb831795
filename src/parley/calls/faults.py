"""How a request to the Calls API fails as a whole: status, code, and words that name the fix.

Items fail inside a reply (`parley.protocol.calls.TrackReply`). Source: Calls API, "Errors".
"""

from __future__ import annotations

from parley.protocol.calls import ErrorCode
from parley.sdp import SdpError

__all__ = ["CallsFault", "bad_description", "bad_request", "invalid"]


class CallsFault(Exception):  # noqa: N818 - what it is to the client
    """A request that is refused. Nothing was changed."""

    def __init__(self, status: int, code: ErrorCode, description: str, retry_after_s: int | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.code: ErrorCode = code
        self.description = description
        self.retry_after_s = retry_after_s


def bad_request(description: str) -> CallsFault:
    """Refuse what cannot be read as a request."""
    return CallsFault(400, "decoding_error", description)


def invalid(description: str) -> CallsFault:
    """Refuse a combination that makes no sense."""
    return CallsFault(406, "invalid_params", description)


def bad_description(reason: str | SdpError) -> CallsFault:
    """Refuse a session description, or the moment at which it comes."""
    return CallsFault(406, "invalid_session_description", str(reason))
