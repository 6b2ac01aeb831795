"""One WebSocket conversation as a check sees it: events are read when they are waited for, and all are kept.

A peer never swallows: an `error` that nobody waits for fails the check. `fence` tells that everything sent before it
has been answered, without sleeping: events of one connection are processed in order. Neighbour: `bench` opens peers.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parley.conformance.check import CheckFailed, Event, at, expect

__all__ = ["MAX_SERVER_FRAME_BYTES", "Peer", "of"]

MAX_SERVER_FRAME_BYTES = 4 << 20
"""Clients built on aiohttp take no more than 4 MiB."""


class Peer:
    """A connection to the server under test. `wait_s` bounds every wait for an event."""

    def __init__(self, socket: ClientConnection, wait_s: float) -> None:
        self.socket = socket
        self.wait_s = wait_s
        self.log: list[Event] = []
        self._numbers = count(1)

    # --- sending ---------------------------------------------------------------------------------------------------

    async def send(self, kind: str, **fields: Any) -> str:
        """Send an event with an id of its own; give that id."""
        event_id = f"check_{next(self._numbers)}"
        await self.send_event({"type": kind, "event_id": event_id, **fields})
        return event_id

    async def send_event(self, event: Any) -> None:
        """Send any JSON value."""
        await self.send_text(json.dumps(event))

    async def send_text(self, text: str) -> None:
        """Send a text frame as it is."""
        await self.socket.send(text)

    async def append(self, sound: bytes, *, step: int = 48_000) -> None:
        """Append audio in pieces of `step` bytes, as fast as the server takes them."""
        for start in range(0, len(sound), step):
            piece = base64.b64encode(sound[start : start + step]).decode()
            await self.send_event({"type": "input_audio_buffer.append", "audio": piece})

    # --- receiving -------------------------------------------------------------------------------------------------

    async def next(self) -> Event:
        """Give the next event."""
        try:
            async with asyncio.timeout(self.wait_s):
                frame = await self.socket.recv()
        except TimeoutError:
            last = self.log[-1]["type"] if self.log else "nothing"
            raise CheckFailed(f"nothing came for {self.wait_s:g} s (the last event was {last})") from None
        except ConnectionClosed as closed:
            raise CheckFailed(f"the server closed the connection: {_closing(closed)}") from None
        event = _decoded(frame)
        self.log.append(event)
        return event

    async def until(
        self, *kinds: str, matches: Callable[[Event], object] = lambda _: True, errors: bool = False
    ) -> Event:
        """Give the next event of one of `kinds` that matches. `errors`: an `error` on the way is no failure."""
        while True:
            event = await self._awaited(" or ".join(kinds))
            if event["type"] in kinds and matches(event):
                return event
            if event["type"] == "error" and not errors:
                raise CheckFailed(f"an error came instead of {' or '.join(kinds)}: {_error_words(event)}")

    async def _awaited(self, what: str) -> Event:
        try:
            return await self.next()
        except CheckFailed as failure:
            raise CheckFailed(f"waiting for {what}: {failure}") from None

    async def fault(self, event_id: str | None) -> Event:
        """Give the error that answers the event of that id, which was the last one sent."""
        came = await self.fence()
        errors = [event.get("error") or {} for event in came if event["type"] == "error"]
        if not errors:
            seen = ", ".join(event["type"] for event in came) or "nothing"
            raise CheckFailed(f"no error came, but {seen}")
        mine: list[Event] = [error for error in errors if error.get("event_id", "absent") == event_id]
        if not mine:
            got = errors[0].get("event_id", "absent")
            raise CheckFailed(f"error.event_id is {got!r}, not {event_id!r}: {errors[0].get('message')}")
        return mine[0]

    async def fence(self) -> list[Event]:
        """Wait until everything sent so far is processed; give the events that came meanwhile.

        A look for an item that does not exist is answered at once and changes nothing.
        """
        probe = f"fence_{next(self._numbers)}"
        event_id = await self.send("conversation.item.retrieve", item_id=probe)
        came: list[Event] = []
        while True:
            event = await self._awaited("the answer to a look for an unknown item")
            error = event.get("error") or {}
            if event["type"] == "error" and (error.get("event_id") == event_id or probe in str(error.get("message"))):
                return came
            came.append(event)

    async def quiet(self) -> None:
        """Fail if anything but the answer to a fence comes."""
        came = [event["type"] for event in await self.fence()]
        expect(not came, f"unexpected: {', '.join(came)}")

    async def quiet_about(self, kind: str) -> None:
        """Fail if an event of `kind` comes before the answer to a fence."""
        came = await self.fence()
        expect(kind not in {event["type"] for event in came}, f"{kind} came")

    async def closed(self) -> tuple[int, str]:
        """Read on until the server closes; give its code and reason."""
        try:
            async with asyncio.timeout(self.wait_s):
                while True:
                    self.log.append(_decoded(await self.socket.recv()))
        except TimeoutError:
            raise CheckFailed(f"the server did not close the connection in {self.wait_s:g} s") from None
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise CheckFailed("the connection broke without a close frame") from None
            return closed.rcvd.code, closed.rcvd.reason

    async def settle(self) -> None:
        """Read until everything sent is answered and every response that was created is done."""
        await self.fence()
        while self._running():
            await self.until("response.done", errors=True)

    def _running(self) -> set[Any]:
        created = {_response_id(event) for event in self.of("response.created")}
        return created - {_response_id(event) for event in self.of("response.done")}

    def of(self, kind: str) -> list[Event]:
        """Every event of `kind` so far."""
        return [event for event in self.log if event["type"] == kind]

    # --- what most checks do ---------------------------------------------------------------------------------------

    async def update(self, **session: Any) -> Event:
        """Change the session and give what the server says it is now."""
        await self.send("session.update", session={"type": "realtime", **session})
        updated: Event = at(await self.until("session.updated"), "session")
        return updated

    async def add(self, item: Event, **fields: Any) -> Event:
        """Create an item and give it as the server shows it."""
        await self.send("conversation.item.create", item=item, **fields)
        named = item.get("id")
        added = await self.until("conversation.item.added", matches=lambda event: named in {None, at(event, "item.id")})
        done = await self.until(
            "conversation.item.done", matches=lambda event: at(event, "item.id") == at(added, "item.id")
        )
        shown: Event = at(done, "item")
        return shown

    async def write(self, text: str, **fields: Any) -> Event:
        """Create a user's written message."""
        part = {"type": "input_text", "text": text}
        return await self.add({"type": "message", "role": "user", "content": [part], **fields})

    async def respond(self, **response: Any) -> list[Event]:
        """Ask for a response and give all of its events, from `response.created` to `response.done`."""
        start = len(self.log)
        await self.send("response.create", **({"response": response} if response else {}))
        created = await self.until("response.created")
        response_id = at(created, "response.id")
        await self.until("response.done", matches=lambda event: _response_id(event) == response_id)
        return list(self._belonging(self.log[start:], response_id))

    def _belonging(self, events: list[Event], response_id: str) -> Iterator[Event]:
        for event in events:
            if event.get("response_id") == response_id or _response_id(event) == response_id:
                yield event


def of(events: list[Event], kind: str) -> list[Event]:
    """Pick the events of one type."""
    return [event for event in events if event["type"] == kind]


def _decoded(frame: str | bytes) -> Event:
    expect(isinstance(frame, str), "the server sent a binary frame")
    expect(len(frame) <= MAX_SERVER_FRAME_BYTES, f"the server sent a frame of {len(frame)} bytes, above 4 MiB")
    try:
        event = json.loads(frame)
    except ValueError:
        raise CheckFailed("the server sent a frame that is not JSON") from None
    expect(isinstance(event, dict) and isinstance(event.get("type"), str), "the server sent an event without a type")
    decoded: Event = event
    return decoded


def _response_id(event: Event) -> Any:
    response = event.get("response")
    return response.get("id") if isinstance(response, dict) else None


def _closing(closed: ConnectionClosed) -> str:
    return f"{closed.rcvd.code} {closed.rcvd.reason}" if closed.rcvd is not None else "without a close frame"


def _error_words(event: Event) -> str:
    error = event.get("error") or {}
    return f"{error.get('code')}: {error.get('message')}"
