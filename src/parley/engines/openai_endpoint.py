"""One OpenAI-compatible server as one stage sees it: its client, its time-outs, and its failures put into words.

Here: what the three HTTP engines (`stt`, `llm`, `tts`) share. Not here: requests and answers.
Speech goes to the address that was configured and nowhere else: the environment is not read, redirects are not
followed, and every error names the server and the flag that sets it, never what was said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import openai

from parley.engines.base import EngineError
from parley.engines.catalog import EngineConfigError, StageSettings

__all__ = ["Endpoint", "Timeouts"]

_NAMES = {"stt": "speech recognition", "llm": "LLM", "tts": "speech synthesis"}
_TAILS = ("/chat/completions", "/audio/transcriptions", "/audio/speech", "/models")
_OPENAI_URL = "https://api.openai.com/v1"
_RETRY_AFTER_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to the first result, and between results."""

    connect_s: float = 5.0
    first_s: float = 30.0
    stall_s: float = 30.0


class _QuietClient(openai.AsyncOpenAI):
    """The official client without what it takes from the environment by itself."""

    def __init__(self, *, base_url: str, api_key: str, http_client: httpx2.AsyncClient) -> None:
        super().__init__(
            base_url=base_url,
            api_key=api_key,
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            max_retries=0,
            http_client=http_client,
        )
        self.organization = None
        self.project = None
        self._custom_headers: Mapping[str, str] = {}


class Endpoint:
    """A server, the model asked of it, and its client."""

    def __init__(self, stage: str, settings: StageSettings, *, timeouts: Timeouts | None = None) -> None:
        """`settings.target` is a URL, or `openai` for that company's own API. Raises `EngineConfigError`."""
        self.stage = stage
        self.timeouts = timeouts or Timeouts()
        target = settings.target or "openai"
        if target == "openai":
            target = _OPENAI_URL
            if not settings.key:
                raise EngineConfigError(f"--{stage} openai needs a key: add --{stage}-key KEY or --{stage}-key-file.")
        self.url = _api_root(target)
        self.model = settings.model
        self.is_openai = urlsplit(self.url).hostname == "api.openai.com"
        self.client = _QuietClient(
            base_url=self.url, api_key=settings.key or "none", http_client=_http_client(self.url, self.timeouts)
        )
        self._settled_model: str | None = settings.model
        self._is_closed = False

    @property
    def host(self) -> str:
        """`host:port`, for people."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def name(self) -> str:
        """`the LLM at http://host:port`"""
        return f"the {_NAMES[self.stage]} at {urlsplit(self.url).scheme}://{self.host}"

    async def model_name(self) -> str:
        """Give the model to ask for: the configured one, else the server's only or first one. Raises `EngineError`."""
        if self._is_closed:
            raise self.error("closed", "is no longer used: this engine was closed.")
        if self._settled_model is None:
            self._settled_model = await self._first_model()
        return self._settled_model

    async def check(self) -> None:
        """Ask the server whether it is there and knows the model. Raises `EngineError`.

        A server without `/v1/models` (some speech servers have none) is taken at its word.
        """
        try:
            async with asyncio.timeout(self.timeouts.connect_s + 5):
                await self.client.models.list()
        except (openai.NotFoundError, openai.APIResponseValidationError):
            return
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, TimeoutError) as error:
            explained = self.explain(error)
            if explained.code == f"{self.stage}_failed":
                return
            raise explained from error

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        self._is_closed = True
        await self.client.close()

    async def _first_model(self) -> str:
        fallback = {"stt": "whisper-1", "tts": "tts-1"}.get(self.stage)
        try:
            page = await self.client.models.list()
            names = [str(model.id) for model in page.data or []]
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            if fallback:
                return fallback
            raise self.explain(error) from error
        if fallback in names or (fallback and len(names) != 1):
            return fallback or ""
        if not names:
            raise self.error("not_found", f"lists no model: name one with --{self.stage}-model.")
        return names[0]

    def retry_delay_s(self, error: Exception) -> float | None:
        """How long to wait before the one retry that is worth it, before anything was received; None for no retry."""
        if isinstance(error, openai.RateLimitError | openai.InternalServerError):
            after = error.response.headers.get("retry-after", "")
            delay_s = float(after) if re.fullmatch(r"\d+(\.\d+)?", after) else 0.25
            return delay_s if delay_s <= _RETRY_AFTER_LIMIT_S else None
        if isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError):
            return 0.25
        return None

    def error(self, kind: str, what: str, *, retryable: bool = False) -> EngineError:
        """Make an error of this server: `kind` completes its code, `what` the sentence about it."""
        text = f"{self.name} {what}"
        return EngineError(text[0].upper() + text[1:], code=f"{self.stage}_{kind}", retryable=retryable)

    def explain(self, error: BaseException) -> EngineError:
        """Put a failure of the client library into words that name the fix."""
        flag = f"--{self.stage}"
        if isinstance(error, EngineError):
            return error
        if isinstance(error, TimeoutError):
            return self.error("timeout", "did not answer in time: is it overloaded?", retryable=True)
        if isinstance(error, openai.APIStatusError):
            return self._explain_status(error, flag)
        if isinstance(error, openai.APIResponseValidationError | ValueError):
            return self.error(
                "garbled", f"sent something that is no OpenAI-compatible answer: does {flag} point at one?"
            )
        if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
            return self._explain_connection(error, flag)
        return self.error("failed", "reported an error in mid-answer: its own log says why.", retryable=True)

    def _explain_connection(self, error: Exception, flag: str) -> EngineError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, httpx2.ConnectTimeout):
                what = f"could not be reached in {self.timeouts.connect_s:g} s: is the address right? {flag} sets it."
                return self.error("unreachable", what, retryable=True)
            if isinstance(cause, httpx2.ConnectError):
                text = str(cause).lower()
                if any(sign in text for sign in ("name or service", "name resolution", "nodename", "getaddrinfo")):
                    return self.error("unreachable", f"has an unknown host name: {flag} sets it.")
                if "certificate" in text or "ssl" in text:
                    return self.error("unreachable", f"has no valid certificate: use http:// in {flag}, or mend it.")
                what = f"refused the connection: is it running? {flag} sets its address."
                return self.error("unreachable", what, retryable=True)
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return self.error("timeout", "did not answer in time: is it overloaded?", retryable=True)
        return self.error("broken", "broke off in mid-answer: its own log says why.", retryable=True)

    def _explain_status(self, error: openai.APIStatusError, flag: str) -> EngineError:
        status = error.status_code
        if 300 <= status < 400:
            return self.error("moved", f"redirects elsewhere (HTTP {status}): give the final address to {flag}.")
        if status in {401, 403}:
            return self.error("unauthorized", f"rejected the key (HTTP {status}): {flag}-key sets it.")
        if status == 404:
            model = f" or no model {self._settled_model!r}" if self._settled_model else ""
            what = f"knows no such path{model} (HTTP 404): {flag} should end in /v1, {flag}-model names the model."
            return self.error("not_found", what)
        if status == 413:
            return self.error("rejected", "finds the request too large (HTTP 413): raise its limit.")
        if status == 429:
            return self.error("rate_limited", "is out of quota or asked too often (HTTP 429).", retryable=True)
        if status >= 500:
            return self.error("failed", f"failed (HTTP {status}): its own log says why.", retryable=True)
        about = ", ".join(part for part in (_token(error.code), _token(error.param)) if part)
        hint = f" about {about}" if about else ""
        return self.error("rejected", f"rejected the request (HTTP {status}){hint}: does {flag}-model fit the server?")


def _token(value: Any) -> str:
    """Pass a word of a protocol, such as a field name; anything longer might quote what was said."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.\[\]]{1,48}", value) else ""


def _api_root(target: str) -> str:
    """`http://host:11434` and `…/v1/chat/completions` both mean `…/v1`."""
    parts = urlsplit(target)
    path = parts.path.rstrip("/")
    for tail in _TAILS:
        path = path.removesuffix(tail)
    return urlunsplit((parts.scheme, parts.netloc, path or "/v1", parts.query, ""))


def _http_client(url: str, timeouts: Timeouts) -> httpx2.AsyncClient:
    """Make the connection pool. A proxy from the environment is used for other machines only."""
    host = urlsplit(url).hostname or ""
    local = host in {"localhost", "::1"} or host.startswith("127.")
    wait_s = max(timeouts.first_s, timeouts.stall_s) + 5
    return openai.DefaultAsyncHttpxClient(
        timeout=httpx2.Timeout(wait_s, connect=timeouts.connect_s),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60),
        follow_redirects=False,
        trust_env=not local,
    )
