"""How HTTP requests fail: one envelope for everything, `{"error": {message, type, param, code}}`, as the SDKs expect,
but for the Calls API, which has an envelope of its own (`calls_paths`).

Routes raise `Problem`; engines raise `EngineError`; the framework raises its own; a bug raises anything. All end here
and nowhere else. Neighbours: `gate` (refuses before a route runs), `parley.auth.permissions` (words of refusals).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import ExceptionHandlersMap

from parley.audio import AudioError
from parley.auth.permissions import Refusal
from parley.calls.faults import CallsFault
from parley.engines.base import EngineError
from parley.server.calls_paths import calls_body, is_calls_path

__all__ = ["Problem", "engine_problem", "exception_handlers", "problem_body", "validation_problem"]

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - what it is to the client
    """A request that cannot be served. `message` names the fix; `param` is the field at fault."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.type = type
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, refusal: Refusal) -> Problem:
        """Make a problem of a refusal of the access policy."""
        return cls(refusal.status, refusal.message, code=refusal.code, type=refusal.type)


def problem_body(problem: Problem, path: str = "") -> bytes:
    """Spell the envelope of the API to which `path` belongs."""
    if is_calls_path(path):
        return calls_body(problem.status, problem.message, problem.code)
    error = {"message": problem.message, "type": problem.type, "param": problem.param, "code": problem.code}
    return msgspec.json.encode({"error": error})


def validation_problem(text: str, *, prefix: str = "") -> Problem:
    """Turn a msgspec complaint (`Expected `str`, got `int` - at `$.model``) into a problem with its `param`."""
    at = re.search(r" - at `(?:key in )?\$?\.?(.*)`$", text)
    param = ".".join(part for part in (prefix, at.group(1) if at else "") if part)
    reason = text[: at.start()] if at else text
    missing = re.search(r"missing required field `(.+?)`", reason)
    if missing:
        param = f"{param}.{missing.group(1)}" if param else missing.group(1)
        return Problem(400, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)
    code = "invalid_type" if ", got" in reason else "invalid_value"
    return Problem(400, f"Invalid value for '{param or 'body'}': {reason}.", code=code, param=param or None)


def engine_problem(error: EngineError) -> Problem:
    """Say that an engine failed; its message names the stage and the fix. 503 invites another try, 502 does not."""
    headers = {"retry-after": "1"} if error.retryable else {"x-should-retry": "false"}
    status = 503 if error.retryable else 502
    return Problem(status, error.message, code=error.code, type="server_error", headers=headers)


_STATUS_WORDS = {
    400: ("invalid_request", "The request is malformed."),
    404: ("unknown_url", "Unknown URL. GET /openapi.json lists what there is."),
    405: ("method_not_allowed", "This URL does not take that method. The `Allow` header lists those it takes."),
    413: ("request_too_large", "The body is too large for this URL."),
    415: ("unsupported_media_type", "This URL does not take that Content-Type."),
    422: ("unprocessable", "The body could not be understood."),
    429: ("rate_limit_exceeded", "Too many requests. Wait and try again."),
    503: ("unavailable", "The server cannot do this now. Try again in a moment."),
}


def _from_problem(request: Request[Any, Any, Any], error: Problem) -> Response[bytes]:
    return _response(request, error)


def _from_calls(request: Request[Any, Any, Any], error: CallsFault) -> Response[bytes]:
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    return _response(request, Problem(error.status, error.description, code=error.code, headers=headers))


def _from_engine(request: Request[Any, Any, Any], error: EngineError) -> Response[bytes]:
    log.warning("engine failed a request", extra={"code": error.code})
    return _response(request, engine_problem(error))


def _from_audio(request: Request[Any, Any, Any], error: AudioError) -> Response[bytes]:
    return _response(request, Problem(400, str(error), code="invalid_audio", param="file"))


def _from_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    cause = error.__cause__
    if isinstance(error, ValidationException) and isinstance(cause, msgspec.ValidationError):
        return _response(request, _from_validation(str(cause)))
    if isinstance(cause, SerializationException):
        return _response(
            request, Problem(400, "The body is not valid JSON. Send one JSON object.", code="invalid_json")
        )
    if error.detail.startswith("Invalid multipart"):
        words = "The body is not multipart/form-data with a part named `file`. Send the audio that way."
        return _response(request, Problem(400, words, code="invalid_multipart", param="file"))
    code, words = _STATUS_WORDS.get(error.status_code, (None, "The request failed."))
    kind = "server_error" if error.status_code >= 500 else "invalid_request_error"
    return _response(request, Problem(error.status_code, words, code=code, type=kind, headers=error.headers))


def _from_validation(text: str) -> Problem:
    """Name the field without the framework's word for the body."""
    if "missing required field `data`" in text:
        return Problem(400, "The body is empty. Send one JSON object.", code="invalid_json")
    return validation_problem(text.replace("$.data.", "$.").replace("$.data`", "$`"))


def _from_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer for a bug of ours, the one broad handler of HTTP: it is logged with its place, and the server lives on."""
    log.error("request crashed", exc_info=error, extra={"path": request.scope["path"], "method": request.method})
    words = "The server made a mistake. Its log has the details under this x-request-id."
    return _response(request, Problem(500, words, code="internal_error", type="server_error"))


def _response(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    body = problem_body(problem, request.url.path)
    return Response(body, status_code=problem.status, media_type="application/json", headers=problem.headers)


def exception_handlers() -> ExceptionHandlersMap:
    """Give the framework a handler for everything that can be raised."""
    return {
        Problem: _from_problem,
        CallsFault: _from_calls,
        EngineError: _from_engine,
        AudioError: _from_audio,
        HTTPException: _from_framework,
        Exception: _from_bug,
    }
