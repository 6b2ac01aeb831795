"""The ordering rules of the Realtime API as a checker over one connection's log of server events, in GA or beta.

Source: Realtime API, "Ordering guarantees" and what clients read for. Each rule has a name under which the suite counts
it. Pure. Neighbours: `shapes` (each event by itself), `suite` (judges all logs of a run).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from parley.conformance.check import Event

__all__ = ["NOT_IN_BETA", "RULES", "Breach", "Rule", "breaches", "ga_name"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule claims, and the events of which one at least must be seen before it can be said to hold."""

    claim: str
    about: tuple[str, ...]


_CREATED, _DONE = ("response.created",), ("response.done",)
_OUTPUT, _PART, _PART_DONE = (
    ("response.output_item.added",),
    ("response.content_part.added",),
    ("response.content_part.done",),
)
_WORDS = (
    "response.output_text.delta",
    "response.output_audio_transcript.delta",
    "response.function_call_arguments.delta",
)
_CALL = ("response.function_call_arguments.done",)
_ADDED, _ITEM_DONE = ("conversation.item.added",), ("conversation.item.done",)
_COMMITTED = ("input_audio_buffer.committed",)
_GREETING = ("session.created",)

RULES: dict[str, Rule] = {
    "greeting-first": Rule("`session.created` is the first event of a connection", _GREETING),
    "fresh-event-ids": Rule("every event carries an `event_id` of its own", _GREETING),
    "created-first": Rule("`response.created` comes before everything else of its response", _CREATED),
    "nothing-after-done": Rule("nothing of a response comes after its `response.done`", _DONE),
    "done-once": Rule("every `response.created` gets exactly one `response.done`", _CREATED),
    "created-empty": Rule("`response.created` is in progress and has no output", _CREATED),
    "one-at-a-time": Rule("a response of the conversation begins when the one before is done", _CREATED),
    "done-is-final": Rule("`response.done` is not in progress, nor is any item in it", _DONE),
    "item-added-first": Rule("`response.output_item.added` comes before everything about the item", _OUTPUT),
    "items-done": Rule("every `response.output_item.added` gets one `response.output_item.done`", _OUTPUT),
    "parts-paired": Rule("every `response.content_part.added` gets one `response.content_part.done`", _PART),
    "part-added-first": Rule("deltas of a part come after its `response.content_part.added`", _PART),
    "stream-done": Rule(
        "every stream of deltas ends with its `done` before the part or the item does",
        (*_WORDS, "response.output_audio.delta"),
    ),
    "deltas-add-up": Rule("a `done` holds exactly what its deltas said", _WORDS),
    "part-agrees": Rule("`response.content_part.done` holds what the part's stream said", _PART_DONE),
    "call-named": Rule("`response.function_call_arguments.done` carries the function's name", _CALL),
    "call-registered": Rule(
        "`conversation.item.added` of a call comes before its `function_call_arguments.done`", _CALL
    ),
    "cancelled-call": Rule(
        "a call of a cancelled response is never `completed` unless it was complete before",
        ("response.function_call_arguments.delta", *_CALL),
    ),
    "output-listed": Rule("`response.done` lists the items that the response added, in order", _DONE),
    "added-before-done": Rule("`conversation.item.added` comes before `conversation.item.done`", _ITEM_DONE),
    "added-once": Rule("an item is added once", _ADDED),
    "items-finish": Rule("every added item gets `conversation.item.done`", _ADDED),
    "item-done-final": Rule("`conversation.item.done` is not in progress", _ITEM_DONE),
    "chain": Rule("`previous_item_id` names an item of the conversation, or null for the first", _ADDED),
    "spoken-last": Rule("a spoken item follows the newest item", _COMMITTED),
    "committed-then-added": Rule("`input_audio_buffer.committed` is followed by its item", _COMMITTED),
    "turn-before-answer": Rule("a response of the conversation begins when every committed item is done", _COMMITTED),
    "speech-paired": Rule(
        "`speech_stopped` follows a `speech_started` of the same item", ("input_audio_buffer.speech_stopped",)
    ),
    "buffer-ends-once": Rule(
        "`output_audio_buffer.started` comes once for a response, and gets exactly one `stopped` or `cleared`",
        ("output_audio_buffer.started",),
    ),
}
"""Every rule by its name."""

NOT_IN_BETA = frozenset({"added-before-done", "items-finish", "item-done-final", "turn-before-answer", "call-named"})
"""Rules about what the retired beta does not have: `conversation.item.done`, and a finished call's name."""

_GA_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
    **{
        f"response.{stream}.{step}": f"response.output_{stream}.{step}"
        for stream in ("text", "audio", "audio_transcript")
        for step in ("delta", "done")
    },
}
"""Beta's names, and what GA calls the same event. Those that are not listed have one name in both."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule broken, at the event of that number."""

    rule: str
    index: int
    text: str


def ga_name(kind: str) -> str:
    """Give GA's name for an event of the retired beta."""
    return _GA_NAMES.get(kind, kind)


def breaches(events: Iterable[Event], *, whole: bool = True, beta: bool = False) -> list[Breach]:
    """Name every breach of the rules in `events`, which came in this order over one connection.

    `whole`: the log ends with everything done; otherwise the client left, and what is still open is no breach. `beta`:
    the log is in the retired beta's names, and bound by those of the rules that can hold there.
    """
    log = _Log()
    for index, event in enumerate(events):
        log.index = index
        log.see({**event, "type": ga_name(event["type"])} if beta else event)
    if whole:
        log.finish()
    return [breach for breach in log.found if not (beta and breach.rule in NOT_IN_BETA)]


class _Log:
    """What has been seen so far. One method per event type that matters."""

    def __init__(self) -> None:
        self.found: list[Breach] = []
        self.index = 0
        self.event_ids: set[str] = set()
        self.open: dict[str, list[str]] = {}
        """The items that each running response has added, in order."""
        self.done: set[str] = set()
        self.owner: dict[str, str] = {}
        self.parts: set[tuple[str, int]] = set()
        self.streams: dict[tuple[str, str], list[str]] = {}
        self.output_open: set[str] = set()
        self.out_of_band: set[str] = set()
        self.said: dict[tuple[str, Any], str] = {}
        """What each part's `done` said."""
        self.calls: dict[str, bool] = {}
        """Items that are calls, and whether their arguments were complete."""
        self.items: list[str] = []
        self.added: set[str] = set()
        self.undone: set[str] = set()
        self.committed: set[str] = set()
        self.speaking: set[str] = set()
        self.playing: set[str] = set()
        self.played: set[str] = set()

    def broken(self, rule: str, text: str) -> None:
        self.found.append(Breach(rule, self.index, text))

    def see(self, event: Event) -> None:
        kind = event["type"]
        if self.index == 0 and kind != "session.created":
            self.broken("greeting-first", f"the first event is {kind}")
        event_id = event.get("event_id")
        if not isinstance(event_id, str) or not event_id or event_id in self.event_ids:
            self.broken("fresh-event-ids", f"{kind} has no fresh event_id")
        self.event_ids.add(str(event_id))
        if kind.startswith("response.") and kind != "response.created":
            self._inside_response(event)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, event)

    # --- responses -------------------------------------------------------------------------------------------------

    def _inside_response(self, event: Event) -> None:
        kind = event["type"]
        response_id = event.get("response_id") or (event.get("response") or {}).get("id")
        if response_id is None:
            return  # MCP progress names only its item
        if response_id in self.done:
            self.broken("nothing-after-done", f"{kind} after response.done of {response_id}")
        elif response_id not in self.open:
            self.broken("created-first", f"{kind} before response.created of {response_id}")
        item_id = event.get("item_id")
        if item_id is None:
            return
        if self.owner.get(item_id) != response_id:
            self.broken("item-added-first", f"{kind} before response.output_item.added of {item_id}")
        if kind.endswith(".delta"):
            self._delta(event, item_id)
        elif kind.endswith(".done"):
            self._stream_done(event, item_id)

    def _delta(self, event: Event, item_id: str) -> None:
        kind = event["type"]
        if "content_index" in event and (item_id, event["content_index"]) not in self.parts:
            self.broken("part-added-first", f"{kind} before response.content_part.added of {item_id}")
        said = event.get("delta")
        self.streams.setdefault((item_id, kind.removesuffix(".delta")), []).append(str(said))

    def _stream_done(self, event: Event, item_id: str) -> None:
        kind = event["type"]
        pieces = self.streams.pop((item_id, kind.removesuffix(".done")), [])
        for name in ("text", "transcript", "arguments"):
            if name in event and event[name] != "".join(pieces):
                self.broken("deltas-add-up", f"{kind} differs from its deltas")
            if name in event:
                self.said[item_id, event.get("content_index")] = event[name]

    def _close_streams(self, item_id: str, kind: str) -> None:
        for key in [key for key in self.streams if key[0] == item_id]:
            self.broken("stream-done", f"{kind} before {key[1]}.done of {item_id}")
            del self.streams[key]

    def response_created(self, event: Event) -> None:
        response = event["response"]
        if response.get("status") != "in_progress" or response.get("output"):
            self.broken("created-empty", "response.created is not in progress and empty")
        if response["id"] in self.open or response["id"] in self.done:
            self.broken("done-once", "response.created twice")
        if response.get("conversation_id") is None:
            self.out_of_band.add(response["id"])
        else:
            self._answer_begins(response["id"])
        self.open[response["id"]] = []

    def _answer_begins(self, response_id: str) -> None:
        for running in sorted(self.open.keys() - self.out_of_band - {response_id}):
            self.broken("one-at-a-time", f"response.created of {response_id} while {running} is not done")
        for item_id in sorted(self.committed & self.undone):
            self.broken(
                "turn-before-answer", f"response.created of {response_id} before conversation.item.done of {item_id}"
            )

    def response_done(self, event: Event) -> None:
        response = event["response"]
        items = self.open.pop(response["id"], [])
        self.done.add(response["id"])
        if "in_progress" in {response.get("status"), *(item.get("status") for item in response["output"])}:
            self.broken("done-is-final", "response.done is in progress, or an item in it")
        if [item["id"] for item in response["output"]] != items:
            self.broken("output-listed", f"response.done of {response['id']} does not list what it added")
        for item_id in items:
            if item_id in self.output_open:
                self.output_open.discard(item_id)
                self.broken("items-done", f"response.done before response.output_item.done of {item_id}")
        for item in response["output"]:
            unfinished = item["type"] == "function_call" and not self.calls.get(item["id"], True)
            if unfinished and item.get("status") == "completed":
                self.broken("cancelled-call", f"call {item['id']} is completed, its arguments are not")

    def output_item_added(self, event: Event) -> None:
        item = event["item"]
        self.owner[item["id"]] = event["response_id"]
        self.output_open.add(item["id"])
        self.open.get(event["response_id"], []).append(item["id"])
        if item["type"] == "function_call":
            self.calls[item["id"]] = False

    def output_item_done(self, event: Event) -> None:
        item_id = event["item"]["id"]
        if item_id not in self.output_open:
            self.broken("items-done", f"response.output_item.done of {item_id} without its added, or twice")
        self.output_open.discard(item_id)
        self._close_streams(item_id, event["type"])
        for key in [key for key in self.parts if key[0] == item_id]:
            self.broken("parts-paired", f"response.output_item.done before content_part.done of {item_id}")
            self.parts.discard(key)

    def part_added(self, event: Event) -> None:
        self.parts.add((event["item_id"], event["content_index"]))

    def part_done(self, event: Event) -> None:
        key = (event["item_id"], event["content_index"])
        if key not in self.parts:
            self.broken("parts-paired", f"response.content_part.done of {key[0]} without its added")
        self.parts.discard(key)
        self._close_streams(event["item_id"], event["type"])
        part = event["part"]
        if key in self.said and part.get("transcript", part.get("text")) != self.said[key]:
            self.broken("part-agrees", f"response.content_part.done of {key[0]} differs from what its stream said")

    def arguments_done(self, event: Event) -> None:
        if not event.get("name"):
            self.broken("call-named", "function_call_arguments.done has no name")
        item_id = event["item_id"]
        self.calls[item_id] = True
        if item_id not in self.added and event["response_id"] not in self.out_of_band:
            self.broken("call-registered", f"function_call_arguments.done before conversation.item.added of {item_id}")

    # --- the conversation ------------------------------------------------------------------------------------------

    def item_added(self, event: Event) -> None:
        item = event["item"]
        previous = event.get("previous_item_id")
        if previous is not None and previous not in self.items:
            self.broken("chain", f"previous_item_id {previous} is unknown")
        if item["id"] in self.items:
            self.broken("added-once", f"item {item['id']} added twice")
        if item["id"] in self.committed and previous != (self.items[-1] if self.items else None):
            self.broken("spoken-last", "a spoken item does not follow the newest item")
        place = self.items.index(previous) + 1 if previous in self.items else 0
        self.items.insert(place, item["id"])
        self.added.add(item["id"])
        self.undone.add(item["id"])

    def item_done(self, event: Event) -> None:
        item = event["item"]
        if item["id"] not in self.added:
            self.broken("added-before-done", f"item {item['id']} done before added")
        if item.get("status") == "in_progress":
            self.broken("item-done-final", f"item {item['id']} done in progress")
        self.undone.discard(item["id"])

    def item_deleted(self, event: Event) -> None:
        if event["item_id"] in self.items:
            self.items.remove(event["item_id"])
        self.undone.discard(event["item_id"])

    # --- buffers ---------------------------------------------------------------------------------------------------

    def speech_started(self, event: Event) -> None:
        self.speaking.add(event["item_id"])

    def speech_stopped(self, event: Event) -> None:
        if event["item_id"] not in self.speaking:
            self.broken("speech-paired", f"speech_stopped of {event['item_id']} without its speech_started")
        self.speaking.discard(event["item_id"])

    def buffer_committed(self, event: Event) -> None:
        self.committed.add(event["item_id"])

    def playback_started(self, event: Event) -> None:
        if event["response_id"] in self.played:
            self.broken("buffer-ends-once", f"{event['type']} of {event['response_id']} twice")
        self.played.add(event["response_id"])
        self.playing.add(event["response_id"])

    def playback_ended(self, event: Event) -> None:
        if event["response_id"] not in self.playing:
            self.broken("buffer-ends-once", f"{event['type']} of what never started")
        self.playing.discard(event["response_id"])

    def finish(self) -> None:
        """Judge what is still open at the end."""
        for response_id in sorted(self.open):
            self.broken("done-once", f"response {response_id} without response.done")
        for item_id in sorted(item_id for item_id in self.undone if self.owner.get(item_id) not in self.open):
            self.broken("items-finish", f"item {item_id} added and never done")
        for item_id in sorted(self.committed - self.added):
            self.broken("committed-then-added", f"committed item {item_id} was never added")
        for response_id in sorted(self.playing):
            self.broken("buffer-ends-once", f"output_audio_buffer.started of {response_id} without its end")


_HANDLERS: dict[str, Callable[[_Log, Any], None]] = {
    "response.created": _Log.response_created,
    "response.done": _Log.response_done,
    "response.output_item.added": _Log.output_item_added,
    "response.output_item.done": _Log.output_item_done,
    "response.content_part.added": _Log.part_added,
    "response.content_part.done": _Log.part_done,
    "response.function_call_arguments.done": _Log.arguments_done,
    "conversation.item.added": _Log.item_added,
    "conversation.item.done": _Log.item_done,
    "conversation.item.deleted": _Log.item_deleted,
    "input_audio_buffer.speech_started": _Log.speech_started,
    "input_audio_buffer.speech_stopped": _Log.speech_stopped,
    "input_audio_buffer.committed": _Log.buffer_committed,
    "output_audio_buffer.started": _Log.playback_started,
    "output_audio_buffer.stopped": _Log.playback_ended,
    "output_audio_buffer.cleared": _Log.playback_ended,
}
