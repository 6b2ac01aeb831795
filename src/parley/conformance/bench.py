"""What a check works with: connections to the server under test, its HTTP API, speech. Keeps every connection's log.

A server that says that it is busy (1013 after `rate_limit_exceeded`) is asked again, as it wishes: a full machine is
not a wrong one. Neighbours: `peer` (one connection), `speech` (the user's voice), `suite` (makes one bench per run).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from parley.conformance.check import CheckFailed, Event
from parley.conformance.peer import Peer

__all__ = ["BETA", "Bench", "Log", "Target", "silence"]

BETA = {"OpenAI-Beta": "realtime=v1"}
"""The header by which clients of the retired beta say what they speak."""

_BUSY_TRIES = 30
_BUSY_PAUSE_S = 0.5
_LARGEST_FRAME_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """The server under test: its base URL (`http…`, with or without `/v1`), the key to send, the model to ask for."""

    url: str
    key: str | None = None
    model: str = "gpt-realtime"

    @property
    def http_base(self) -> str:
        """`http://host:port/v1`, whatever form the URL was given in."""
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        path = parts.path.rstrip("/").removesuffix("/realtime")
        return urlunsplit((scheme, parts.netloc, path if path.endswith("/v1") else path + "/v1", "", ""))

    @property
    def websocket_base(self) -> str:
        """`ws://host:port/v1/realtime`."""
        return "ws" + self.http_base.removeprefix("http") + "/realtime"


@dataclass(slots=True)
class Log:
    """What one connection received. `whole`: the conversation was brought to its end, so nothing may be open."""

    events: list[Event]
    beta: bool
    whole: bool = False


@dataclass(slots=True)
class Bench:
    """One run's access to the server. `say` gives PCM16 mono 24 kHz speech, or is None where there is no voice."""

    target: Target
    wait_s: float
    say: Callable[[str], bytes] | None = None
    logs: list[Log] = field(default_factory=list)

    # --- connections -----------------------------------------------------------------------------------------------

    def url(self, *, path: str | None = None, **query: str) -> str:
        """Give the WebSocket address with `query`; without one, with the target's model."""
        base = self.target.websocket_base
        if path is not None:
            parts = urlsplit(base)
            base = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        asked = query or {"model": self.target.model}
        return base + "?" + urlencode(asked, quote_via=quote)

    @asynccontextmanager
    async def raw(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[Peer]:
        """Connect and read nothing. `key` replaces the target's; an empty one sends none."""
        given = dict(headers or {})
        bearer = self.target.key if key is None else key
        if bearer:
            given["Authorization"] = f"Bearer {bearer}"
        options.setdefault("compression", None)
        try:
            opening = connect(
                url or self.url(),
                additional_headers=given,
                proxy=None,
                max_size=_LARGEST_FRAME_BYTES,
                open_timeout=self.wait_s,
                **options,
            )
            socket: ClientConnection = await opening
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise CheckFailed(f"cannot connect: {type(error).__name__}: {error}") from None
        async with socket:
            yield Peer(socket, self.wait_s)

    @asynccontextmanager
    async def open(self, url: str | None = None, *, beta: bool = False, **options: Any) -> AsyncIterator[Peer]:
        """Connect and take the greeting. Leaving waits for every response that was begun, and keeps the log."""
        if beta and "subprotocols" not in options:
            options["headers"] = {**BETA, **options.get("headers", {})}
        for _ in range(_BUSY_TRIES):
            async with self.raw(url, **options) as peer:
                first = await peer.next()
                if (first.get("error") or {}).get("code") != "rate_limit_exceeded":
                    log = Log(peer.log, beta)
                    self.logs.append(log)
                    if first["type"] not in {"session.created", "transcription_session.created"}:
                        raise CheckFailed(f"the first event is {first['type']}: {first.get('error')}")
                    yield peer
                    if peer.socket.close_code is None:
                        await peer.settle()
                        log.whole = True
                    return
            await asyncio.sleep(_BUSY_PAUSE_S)
        raise CheckFailed(f"the server was busy {_BUSY_TRIES} times")

    @asynccontextmanager
    async def writing(self, **session: Any) -> AsyncIterator[Peer]:
        """Hold a conversation in writing: text answers, no turn detection, changed by `session`."""
        async with self.open() as peer:
            await peer.update(output_modalities=["text"], audio={"input": {"turn_detection": None}}, **session)
            yield peer

    @asynccontextmanager
    async def by_hand(self, output_format: str | None = None, **inputs: Any) -> AsyncIterator[Peer]:
        """Hold a conversation aloud without turn detection; `inputs` are of `audio.input`."""
        audio: dict[str, Any] = {"input": {"turn_detection": None, **inputs}}
        if output_format:
            audio["output"] = {"format": {"type": output_format}}
        async with self.open() as peer:
            await peer.update(audio=audio)
            yield peer

    # --- HTTP ------------------------------------------------------------------------------------------------------

    async def http(
        self, method: str, path: str, *, key: str | None = None, beta: bool = False, **options: Any
    ) -> httpx2.Response:
        """Make one request to a path below `/v1`."""
        headers = dict(options.pop("headers", {}))
        bearer = self.target.key if key is None else key
        if bearer:
            headers.setdefault("authorization", f"Bearer {bearer}")
        if beta:
            headers.update(BETA)
        async with httpx2.AsyncClient(trust_env=False, timeout=self.wait_s) as client:
            try:
                return await client.request(method, self.target.http_base + path, headers=headers, **options)
            except httpx2.HTTPError as error:
                raise CheckFailed(f"{method} {path}: {type(error).__name__}: {error}") from None

    async def secret(self, **body: Any) -> Event:
        """Mint a client secret and give the whole answer."""
        answer = await self.http("POST", "/realtime/client_secrets", json=body)
        if answer.status_code != 200:
            raise CheckFailed(f"POST /realtime/client_secrets answers {answer.status_code}: {answer.text[:200]}")
        minted: Event = answer.json()
        return minted

    # --- sound -----------------------------------------------------------------------------------------------------

    def speech(self, text: str, *, before_ms: int = 300, after_ms: int = 1_200) -> bytes:
        """Speak `text` with silence around it."""
        if self.say is None:
            raise CheckFailed("there is no voice to speak with")
        return silence(before_ms) + self.say(text) + silence(after_ms)


def silence(duration_ms: int) -> bytes:
    """Make silence, PCM16 mono 24 kHz."""
    return bytes(48 * duration_ms)
