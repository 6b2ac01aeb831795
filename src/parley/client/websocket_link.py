"""The conversation over a WebSocket: events as text frames, sound as base64 inside them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from parley.client.errors import CannotConnect
from parley.client.link import Event

__all__ = ["WebSocketLink"]


class WebSocketLink:
    """A `Link` over one WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.closed_because: str | None = None

    @classmethod
    async def open(cls, base_url: str, api_key: str | None, model: str | None) -> WebSocketLink:
        """Connect to `base_url` (http or https, without `/v1`). Raises `CannotConnect`."""
        address = "ws" + base_url.removeprefix("http") + "/v1/realtime" + (f"?model={quote(model)}" if model else "")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            return cls(await open_websocket(address, additional_headers=headers, max_size=None, compression=None))
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
            raise CannotConnect(
                f"Cannot connect to {address} ({type(error).__name__}). Is `parley serve` running there?"
            ) from error

    async def send(self, event: Event) -> None:
        """Send one event."""
        with suppress(ConnectionClosed):  # `events` notices, and says why
            await self._socket.send(json.dumps(event))

    async def say(self, pcm: bytes) -> None:
        """Append speech to the input buffer."""
        await self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    async def events(self) -> AsyncIterator[Event]:
        """Receive until the server closes."""
        try:
            async for frame in self._socket:
                yield json.loads(frame)
        except ConnectionClosed as closed:
            self.closed_because = closed.rcvd.reason if closed.rcvd is not None else "the connection broke"

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()
