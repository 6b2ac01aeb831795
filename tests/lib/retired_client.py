"""A client of the retired beta, written from what its library is known to do and to depend on.

It speaks only the beta: sub-protocols, flat session, old event names. It keeps the whole conversation itself and is as
unforgiving as the library was: an event without an id, or about an item or a response that it was not told of, is an
error. Spoken items are cut out of its own copy of the sound by the server's times.
Source: Realtime API, "Legacy RealtimeClient library specifics".
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from event_order import order_faults
from spoken import BYTES_PER_MS
from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Formatted", "RetiredClient", "retired_client"]

Event = dict[str, Any]
Tool = Callable[[Event], Awaitable[Any]]
WAIT_S = 60


@dataclass
class Formatted:
    """An item as the library shows it to an application."""

    item: Event
    text: str = ""
    transcript: str = ""
    arguments: str = ""
    sound: bytearray = field(default_factory=bytearray)


class RetiredClient:
    """One connection and the conversation that came of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.items: dict[str, Formatted] = {}
        self.order: list[str] = []
        self.responses: dict[str, Event] = {}
        self.interrupted = 0
        self.log: list[Event] = []
        self._socket = socket
        self._heard = bytearray()
        self._speech: dict[str, tuple[int, int | None]] = {}
        self._tools: dict[str, tuple[Event, Tool]] = {}
        self._numbers = count(1)
        self._news = asyncio.Condition()
        self._session: Event = {
            "modalities": ["text", "audio"], "instructions": "", "voice": "verse",
            "input_audio_format": "pcm16", "output_audio_format": "pcm16", "input_audio_transcription": None,
            "turn_detection": None, "tools": [], "tool_choice": "auto", "temperature": 0.8,
            "max_response_output_tokens": 4096,
        }  # fmt: skip

    # --- what an application calls ---------------------------------------------------------------------------------

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"event_id": f"evt_{next(self._numbers)}", "type": kind, **fields}))

    async def update_session(self, **session: Any) -> None:
        """Send the whole flat session, changed."""
        self._session.update(session)
        tools = [{"type": "function", **definition} for definition, _ in self._tools.values()]
        await self.send("session.update", session={**self._session, "tools": tools})

    async def add_tool(self, definition: Event, run: Tool) -> None:
        self._tools[definition["name"]] = (definition, run)
        await self.update_session()

    async def append(self, sound: bytes) -> None:
        for start in range(0, len(sound), 4_800):
            piece = sound[start : start + 4_800]
            self._heard += piece
            await self.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())

    async def say(self, text: str) -> None:
        part = {"type": "input_text", "text": text}
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await self.create_response()

    async def create_response(self) -> None:
        """Commit what was heard, if nobody else does, and ask for a response."""
        if self._session["turn_detection"] is None and self._heard:
            await self.send("input_audio_buffer.commit")
            self._heard.clear()
        await self.send("response.create")

    async def cancel_response(self, item_id: str, samples: int) -> None:
        await self.send("response.cancel")
        cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": int(samples / 24_000 * 1000)}
        await self.send("conversation.item.truncate", **cut)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(holds)

    # --- what the server says --------------------------------------------------------------------------------------

    async def listen(self) -> None:
        async for frame in self._socket:
            event = json.loads(frame)
            assert event.get("event_id"), f"{event['type']} has no event_id"
            assert event["type"] != "error", event
            self.log.append(event)
            handler = getattr(self, "_on_" + event["type"].replace(".", "_"), None)
            if handler is not None:
                handler(event)
            if event["type"] == "response.output_item.done":
                await self._call(event["item"])
            async with self._news:
                self._news.notify_all()

    def _item(self, event: Event) -> Formatted:
        assert event["item_id"] in self.items, f"{event['type']}: item {event['item_id']} not found"
        return self.items[event["item_id"]]

    def _on_conversation_item_created(self, event: Event) -> None:
        item = event["item"]
        if item["id"] not in self.items:
            self.order.append(item["id"])
            self.items[item["id"]] = Formatted(item)
        made = self.items[item["id"]]
        made.text = "".join(part.get("text") or "" for part in item.get("content", ()))
        start, end = self._speech.get(item["id"], (0, 0))
        if item.get("role") == "user" and end:
            made.sound += self._heard[start * BYTES_PER_MS : end * BYTES_PER_MS]

    def _on_conversation_item_deleted(self, event: Event) -> None:
        self._item(event)
        del self.items[event["item_id"]]
        self.order.remove(event["item_id"])

    def _on_conversation_item_truncated(self, event: Event) -> None:
        made = self._item(event)
        made.transcript = ""
        del made.sound[event["audio_end_ms"] * BYTES_PER_MS :]

    def _on_conversation_item_input_audio_transcription_completed(self, event: Event) -> None:
        self._item(event).transcript = event["transcript"] or " "

    def _on_input_audio_buffer_speech_started(self, event: Event) -> None:
        self._speech[event["item_id"]] = (event["audio_start_ms"], None)
        self.interrupted += 1

    def _on_input_audio_buffer_speech_stopped(self, event: Event) -> None:
        start, _ = self._speech[event["item_id"]]
        self._speech[event["item_id"]] = (start, event["audio_end_ms"])

    def _on_response_created(self, event: Event) -> None:
        self.responses.setdefault(event["response"]["id"], event["response"])

    def _on_response_output_item_added(self, event: Event) -> None:
        assert event["response_id"] in self.responses, "response not found"
        self.responses[event["response_id"]].setdefault("items", []).append(event["item"]["id"])

    def _on_response_output_item_done(self, event: Event) -> None:
        item = event["item"]
        assert item["id"] in self.items, f"item {item['id']} not found"
        self.items[item["id"]].item = item

    def _on_response_content_part_added(self, event: Event) -> None:
        self._item(event).item.setdefault("content", []).append(event["part"])

    def _on_response_audio_transcript_delta(self, event: Event) -> None:
        self._item(event).transcript += event["delta"]

    def _on_response_audio_delta(self, event: Event) -> None:
        self._item(event).sound += base64.b64decode(event["delta"])

    def _on_response_text_delta(self, event: Event) -> None:
        self._item(event).text += event["delta"]

    def _on_response_function_call_arguments_delta(self, event: Event) -> None:
        self._item(event).arguments += event["delta"]

    def _on_response_done(self, event: Event) -> None:
        assert event["response"]["id"] in self.responses, "response not found"
        self.responses[event["response"]["id"]] = event["response"]

    async def _call(self, item: Event) -> None:
        if item["type"] != "function_call" or item["status"] != "completed":
            return
        _, run = self._tools[item["name"]]
        result = await run(json.loads(self.items[item["id"]].arguments))
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": json.dumps(result)}
        await self.send("conversation.item.create", item=output)
        await self.create_response()


@asynccontextmanager
async def retired_client(url: str, key: str = "none") -> AsyncIterator[RetiredClient]:
    """Connect as the library's browser build does: everything stands in the sub-protocols."""
    offered = ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]
    async with connect(url, subprotocols=offered, max_size=None, proxy=None) as socket:  # type: ignore[arg-type]
        client = RetiredClient(socket)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(client.listen())
            await client.until(lambda: any(event["type"] == "session.created" for event in client.log))
            yield client
            listening.cancel()
    assert order_faults(client.log, whole=False, beta=True) == []
