"""A realtime session driven by hand: short verbs for its inputs, questions about its outputs, a clock of its own."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import AudioDelta, Chunk, Done, GenerationContext, TextDelta, TextSpan
from parley.protocol.realtime.ids import ConnectionId, ItemId, LaneId, Ms, ResponseId, SessionId, counting_ids
from parley.protocol.realtime.inputs import (
    ClientEventReceived,
    ClientFaultReceived,
    Connected,
    EngineChunk,
    Input,
    LaneAdvanced,
    Tick,
    TranscriptFailed,
    TranscriptFinal,
    TranscriptPartial,
)
from parley.protocol.realtime.items import Item, MessageItem
from parley.protocol.realtime.outputs import AudioOut, FinishTranscription, Output, Send, StartGeneration
from parley.protocol.realtime.requests import decode_client_event
from parley.protocol.realtime.session import RealtimeSession
from parley.protocol.realtime.session_config import SessionConfig, merged

Event = dict[str, Any]
_Kind = TypeVar("_Kind")

WINDOW_MS = 16
SAMPLES_PER_MS = 24
MINUTE_MS = 60_000
CLIENT = ConnectionId("client")


def wire(event: msgspec.Struct) -> Event:
    """Give an event as a client reads it."""
    decoded: Event = msgspec.json.decode(msgspec.json.encode(event))
    return decoded


def client_event(**fields: Any) -> ClientEvent:
    """Decode a client event as the server does; it must be well formed."""
    event = decode_client_event(msgspec.json.encode(fields))
    assert not isinstance(event, ClientFault), event
    return event


def clause(text: str, ms: int, *, char_start: int, start_ms: int, exact: bool = False) -> list[Chunk]:
    """Give the chunks of a clause: its text, then its audio with one span for all of it."""
    span = TextSpan(char_start, char_start + len(text), start_ms, start_ms + ms, exact)
    return [TextDelta(text), AudioDelta(bytes(2 * SAMPLES_PER_MS * ms), (span,))]


class DrivenSession:
    """A session, its clock, and everything it ever said."""

    def __init__(self, *, connect: bool = True, config: SessionConfig | None = None, **options: Any) -> None:
        self.now = 1000
        self.position = 0
        self.outputs: list[Output] = []
        self.events: list[Event] = []
        self.log: list[tuple[int, Input, list[Output]]] = []
        self.config = config or SessionConfig()
        self.options: dict[str, Any] = {"max_session_ms": 60 * MINUTE_MS, **options}
        self.machine = RealtimeSession(
            session_id=SessionId("sess_test"),
            config=self.config,
            ids=counting_ids(),
            now=Ms(self.now),
            created_unix=1_700_000_000,
            **self.options,
        )
        if connect:
            self.feed(Connected(CLIENT))

    # --- inputs

    def feed(self, item: Input) -> list[Output]:
        outputs = self.machine.handle(item, Ms(self.now))
        self.outputs += outputs
        self.events += events(outputs)
        self.log.append((self.now, item, outputs))
        deadline = self.machine.deadline
        assert deadline is None or deadline > self.now, "a deadline that has passed was not acted upon"
        return outputs

    def client(self, _connection: str = CLIENT, **fields: Any) -> list[Event]:
        """Send a client event; give the events it led to."""
        return events(self.feed(ClientEventReceived(ConnectionId(_connection), client_event(**fields))))

    def fault(self, fault: ClientFault) -> list[Event]:
        return events(self.feed(ClientFaultReceived(CLIENT, fault)))

    def update(self, **session: Any) -> list[Event]:
        return self.client(type="session.update", session={"type": "realtime", **session})

    def wait(self, ms: int) -> list[Event]:
        """Let time pass, waking the machine whenever it wants."""
        until = self.now + ms
        outputs: list[Output] = []
        while (deadline := self.machine.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            outputs += self.feed(Tick())
        self.now = until
        return events(outputs)

    def hear(self, ms: int, probability: float, *, lane: str = "0", live: bool = True) -> list[Event]:
        """Append `ms` (a multiple of 16) of voice or silence, in blocks of at most 96 ms; live audio takes its time."""
        outputs: list[Output] = []
        assert ms % WINDOW_MS == 0
        left = ms
        while left:
            block = min(left, 96)
            left -= block
            if live:
                self.now += block
            samples = block * SAMPLES_PER_MS
            windows = (probability,) * (block // WINDOW_MS)
            outputs += self.feed(LaneAdvanced(LaneId(lane), self.position, samples, windows, self.position))
            self.position += samples
        return events(outputs)

    def say(self, words: str, *, voice_ms: int = 960, pause_ms: int = 512) -> str:
        """Speak a turn to its end and have it recognised. Gives the item's id."""
        self.hear(voice_ms, 0.9)
        self.hear(pause_ms, 0.0)
        item_id = self.last(FinishTranscription).item_id
        self.recognise(item_id, words)
        return item_id

    def recognise(self, item_id: str, words: str, seconds: float = 1.0) -> list[Event]:
        return events(self.feed(TranscriptFinal(ItemId(item_id), words, seconds)))

    def partial(self, item_id: str, words: str, stable_chars: int) -> list[Event]:
        return events(self.feed(TranscriptPartial(ItemId(item_id), words, stable_chars)))

    def misrecognise(
        self, item_id: str, code: str = "stt_down", message: str = "The recogniser is down."
    ) -> list[Event]:
        return events(self.feed(TranscriptFailed(ItemId(item_id), code, message)))

    def engine(self, *chunks: Chunk, response_id: str | None = None) -> list[Event]:
        """Have the engine answer the newest generation (or `response_id`)."""
        target = ResponseId(response_id or self.contexts[-1].response_id)
        outputs: list[Output] = []
        for chunk in chunks:
            outputs += self.feed(EngineChunk(target, chunk))
        return events(outputs)

    def answer(self, *clauses: str, ms: int = 1000) -> list[Event]:
        """Have the engine speak `clauses`, each `ms` long, and finish."""
        said = self.speak(*clauses, ms=ms)
        return said + self.engine(Done())

    def speak(self, *clauses: str, ms: int = 1000) -> list[Event]:
        """Have the engine speak `clauses`, each `ms` long, and go on generating."""
        chars, at, said = 0, 0, []
        for text in clauses:
            said += self.engine(*clause(text, ms, char_start=chars, start_ms=at))
            chars, at = chars + len(text), at + ms
        return said

    # --- outputs

    @property
    def contexts(self) -> list[GenerationContext]:
        return [output.context for output in self.all(StartGeneration)]

    def all(self, kind: type[_Kind]) -> list[_Kind]:
        return [output for output in self.outputs if isinstance(output, kind)]

    def last(self, kind: type[_Kind]) -> _Kind:
        return self.all(kind)[-1]

    def of_type(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def items(self) -> list[Event]:
        """The items as `conversation.item.*` events leave them, in order."""
        order: list[str] = []
        known: dict[str, Event] = {}
        for event in self.events:
            if event["type"] == "conversation.item.added":
                previous = event["previous_item_id"]
                order.insert(order.index(previous) + 1 if previous else 0, event["item"]["id"])
            if event["type"] == "conversation.item.deleted":
                order.remove(event["item_id"])
            if event["type"].startswith("conversation.item.") and "item" in event:
                known[event["item"]["id"]] = event["item"]
        return [known[item_id] for item_id in order]


def events(outputs: list[Output]) -> list[Event]:
    """Give the events a client-paced GA connection reads, audio as the empty `response.output_audio.delta`."""
    read: list[Event] = []
    for output in outputs:
        match output:
            case Send():
                read.append(wire(output.event))
            case AudioOut():
                read.append(
                    {
                        "type": "response.output_audio.delta",
                        "event_id": output.event_id,
                        "response_id": output.response_id,
                        "item_id": output.item_id,
                        "output_index": output.output_index,
                        "content_index": output.content_index,
                        "samples": len(output.pcm) // 2,
                    }
                )
    return read


def types(read: list[Event]) -> list[str]:
    return [event["type"] for event in read]


def said(items: tuple[Item, ...]) -> list[tuple[str, str]]:
    """Give the role and the words of a context's messages, and the calls."""
    lines: list[tuple[str, str]] = []
    for item in items:
        if isinstance(item, MessageItem):
            words = (str(getattr(part, "transcript", None) or getattr(part, "text", "")) for part in item.content)
            lines.append((item.role, " ".join(words)))
        else:
            lines.append((wire(item)["type"], str(getattr(item, "arguments", None) or getattr(item, "output", ""))))
    return lines


def configured(patch: dict[str, Any]) -> SessionConfig:
    """Give a default configuration changed by a `session.update`'s session."""
    event: Any = client_event(type="session.update", session={"type": "realtime", **patch})
    return merged(SessionConfig(), event.session)
