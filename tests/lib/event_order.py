"""The ordering rules of the Realtime API (GA) as a checker over one connection's log of server events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]

AFTER_CREATED = "response."
TERMINAL_OUTPUT = {"output_audio_buffer.stopped", "output_audio_buffer.cleared"}


def order_faults(events: Iterable[Event]) -> list[str]:
    """Name every breach of the ordering rules in `events`, which came in this order over one connection."""
    checker = _Checker()
    for index, event in enumerate(events):
        checker.index = index
        checker.see(event)
    checker.finish()
    return checker.faults


class _Checker:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.index = 0
        self.event_ids: set[str] = set()
        self.open_responses: set[str] = set()
        self.done_responses: set[str] = set()
        self.items: list[str] = []
        self.added: dict[str, str] = {}
        self.done_items: set[str] = set()
        self.committed: set[str] = set()
        self.response_items: dict[str, str] = {}
        self.text: dict[tuple[str, str], str] = {}
        self.playing: set[str] = set()

    def fault(self, text: str) -> None:
        self.faults.append(f"event {self.index}: {text}")

    def see(self, event: Event) -> None:
        kind = event["type"]
        if self.index == 0 and kind != "session.created":
            self.fault(f"the first event is {kind}")
        event_id = event.get("event_id")
        if not event_id or event_id in self.event_ids:
            self.fault(f"{kind} has no fresh event_id")
        self.event_ids.add(str(event_id))
        handler = getattr(self, "on_" + kind.replace(".", "_"), None)
        if kind.startswith(AFTER_CREATED) and kind != "response.created":
            self._inside_response(event)
        if handler is not None:
            handler(event)

    def _inside_response(self, event: Event) -> None:
        kind = event["type"]
        response_id = event.get("response_id") or event.get("response", {}).get("id")
        if response_id in self.done_responses:
            self.fault(f"{kind} after response.done of {response_id}")
        elif response_id not in self.open_responses:
            self.fault(f"{kind} before response.created of {response_id}")
        item_id = event.get("item_id")
        if item_id is not None and self.response_items.get(item_id) != response_id:
            self.fault(f"{kind} before response.output_item.added of {item_id}")
        if kind.endswith(".delta") and "audio.delta" not in kind and item_id is not None:
            stream = (item_id, kind.removesuffix(".delta"))
            self.text[stream] = self.text.get(stream, "") + event["delta"]
        for name in ("text", "transcript", "arguments"):
            if kind.endswith(".done") and item_id is not None and name in event:
                said = self.text.get((item_id, kind.removesuffix(".done")), "")
                if said != event[name]:
                    self.fault(f"{kind} differs from its deltas")

    def on_response_created(self, event: Event) -> None:
        response = event["response"]
        if response["status"] != "in_progress" or response["output"]:
            self.fault("response.created is not in progress and empty")
        if response["id"] in self.open_responses | self.done_responses:
            self.fault("response.created twice")
        self.open_responses.add(response["id"])

    def on_response_done(self, event: Event) -> None:
        response = event["response"]
        self.open_responses.discard(response["id"])
        self.done_responses.add(response["id"])
        if response["status"] == "in_progress":
            self.fault("response.done is in progress")
        for item in response["output"]:
            if item["id"] not in self.response_items:
                self.fault(f"response.done holds an unknown item {item['id']}")
            if (
                response["status"] == "cancelled"
                and item["type"] == "function_call"
                and item["id"] not in self.done_items
            ):
                self.fault("a cancelled call was never done")

    def on_response_output_item_added(self, event: Event) -> None:
        self.response_items[event["item"]["id"]] = event["response_id"]

    def on_response_output_item_done(self, event: Event) -> None:
        self.done_items.add(event["item"]["id"])

    def on_response_function_call_arguments_done(self, event: Event) -> None:
        if not event.get("name"):
            self.fault("function_call_arguments.done has no name")

    def on_conversation_item_added(self, event: Event) -> None:
        item = event["item"]
        expected = self.items[-1] if self.items else None
        previous = event["previous_item_id"]
        if previous is not None and previous not in self.items:
            self.fault(f"previous_item_id {previous} is unknown")
        if item["id"] in self.items:
            self.fault(f"item {item['id']} added twice")
        self.added[item["id"]] = item.get("role", item["type"])
        if previous is None:
            self.items.insert(0, item["id"])
        elif previous in self.items:
            self.items.insert(self.items.index(previous) + 1, item["id"])
        if item.get("role") == "user" and item["id"] in self.committed and previous != expected:
            self.fault("a spoken item does not follow the newest item")

    def on_conversation_item_done(self, event: Event) -> None:
        item_id = event["item"]["id"]
        if item_id not in self.added:
            self.fault(f"item {item_id} done before added")
        if event["item"]["status"] == "in_progress":
            self.fault(f"item {item_id} done in progress")
        self.done_items.add(item_id)

    def on_conversation_item_deleted(self, event: Event) -> None:
        if event["item_id"] in self.items:
            self.items.remove(event["item_id"])

    def on_input_audio_buffer_committed(self, event: Event) -> None:
        self.committed.add(event["item_id"])

    def on_output_audio_buffer_started(self, event: Event) -> None:
        self.playing.add(event["response_id"])

    def on_output_audio_buffer_stopped(self, event: Event) -> None:
        self._ended(event)

    def on_output_audio_buffer_cleared(self, event: Event) -> None:
        self._ended(event)

    def _ended(self, event: Event) -> None:
        if event["response_id"] not in self.playing:
            self.fault(f"{event['type']} of what never started")
        self.playing.discard(event["response_id"])

    def finish(self) -> None:
        if self.open_responses:
            self.fault(f"responses without response.done: {sorted(self.open_responses)}")
        for item_id in self.committed - set(self.added):
            self.fault(f"committed item {item_id} was never added")
