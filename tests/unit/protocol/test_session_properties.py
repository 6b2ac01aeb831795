"""Whatever a client, a speaker and the engines do, in whatever order and at whatever time, the rules hold.

The machine under test is driven by random rules: client events (wrong ones too), speech, recognisers and engines that
answer late, early, twice or never, playouts that flush or do not. At the end everything outstanding is left to the
clock, the session expires, and the whole log must be in order.
"""

from __future__ import annotations

import os
from typing import Any

from driven_session import DrivenSession, configured
from event_order import order_faults
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from msgspec.structs import replace

from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    EngineUsage,
    Failed,
    TextDelta,
    TextSpan,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import CallId, ConnectionId, ItemId, LaneId, ResponseId
from parley.protocol.realtime.inputs import (
    Connected,
    Disconnected,
    EngineChunk,
    LaneAdvanced,
    McpListingFailed,
    McpToolsListed,
    PlayoutDrained,
    PlayoutFlushed,
    PlayoutStarted,
    StillTaken,
    TokensGranted,
    ToolFailed,
    ToolReturned,
    TranscriptFailed,
    TranscriptFinal,
    TurnScored,
)
from parley.protocol.realtime.items import InputImagePart, McpError, McpToolInfo, MessageItem, OutputAudioPart
from parley.protocol.realtime.outputs import (
    AbandonTool,
    AbandonTranscription,
    AudioOut,
    CallTool,
    CancelGeneration,
    FinishTranscription,
    FlushPlayout,
    ListMcpTools,
    StartGeneration,
    StartTranscription,
    TakeStill,
)
from parley.protocol.realtime.stills import MOST_SHOWN
from parley.protocol.realtime.tools import FunctionTool

ROUNDS = int(os.environ.get("PARLEY_SOAK_ROUNDS", "0"))
MS = 24
BROKEN = McpError(type="tool_execution_error", message="It broke.")
DETECTIONS: list[Any] = [
    None,
    {"type": "server_vad"},
    {"type": "server_vad", "interrupt_response": False, "silence_duration_ms": 200},
    {"type": "server_vad", "create_response": False},
    {"type": "server_vad", "idle_timeout_ms": 5000},
    {"type": "semantic_vad", "eagerness": "high"},
]
KNOWN_IDS = st.integers(0, 12).map(lambda number: f"item_{number:06d}")
TOOLS = {"c1": "f", "c2": "f", "c3": "hosted", "c4": "remote", "c5": "asked"}
"""Calls that a model may make, and of what: the client's function, the server's, and two of an MCP server's."""
MCP = {
    "type": "mcp",
    "server_label": "s",
    "server_url": "https://s.example",
    "require_approval": {"never": {"tool_names": ["remote"]}},
}
LISTED = (McpToolInfo(name="remote", input_schema={}), McpToolInfo(name="asked", input_schema={}))
CHUNKS: st.SearchStrategy[Chunk] = st.one_of(
    st.builds(TextDelta, st.text("ab .", max_size=10)),
    st.builds(
        AudioDelta,
        st.integers(0, 500).map(lambda ms: bytes(2 * MS * ms)),
        st.lists(
            st.builds(TextSpan, st.integers(0, 9), st.integers(0, 30), st.integers(0, 900), st.integers(0, 900)),
            max_size=2,
        ).map(tuple),
    ),
    st.builds(
        lambda call, arguments: ToolCallDelta(CallId(call), TOOLS[call], arguments),
        st.sampled_from(sorted(TOOLS)),
        st.sampled_from(["", "{", "}"]),
    ),
    st.builds(
        lambda call, arguments: ToolCallDone(CallId(call), TOOLS[call], arguments),
        st.sampled_from(sorted(TOOLS)),
        st.sampled_from(["{}", "{"]),
    ),
    st.builds(EngineUsage, st.integers(0, 50), st.integers(0, 99), st.integers(0, 50)),
    st.builds(Done, st.sampled_from(["stop", "stop", "max_output_tokens", "content_filter"])),
    st.just(Failed("broken", "The engine broke.")),
)


class AnySession(RuleBasedStateMachine):
    """A session in the hands of chance."""

    turns = Bundle("turns")

    @initialize(
        pacing=st.sampled_from(["client", "server"]),
        detection=st.sampled_from(DETECTIONS),
        needs=st.booleans(),
        camera=st.booleans(),
    )
    def begin(self, pacing: str, detection: Any, needs: bool, camera: bool) -> None:
        config = configured({"audio": {"input": {"turn_detection": detection, "transcription": {"model": "x"}}}})
        self.session = DrivenSession(
            config=replace(config, hosted_tools=(FunctionTool(name="hosted"),)),
            pacing=pacing,
            needs_transcript=needs,
            camera=camera,
            max_session_ms=600_000,
            lanes=("0", "1"),
        )
        self.position = {"0": 0, "1": 0}
        self.arguments: dict[tuple[ResponseId, CallId], str] = {}

    # --- the client

    @rule(detection=st.sampled_from(DETECTIONS), text_only=st.booleans(), transcription=st.sampled_from([None, {}]))
    def update(self, detection: Any, text_only: bool, transcription: Any) -> None:
        self.session.update(
            audio={"input": {"turn_detection": detection, "transcription": transcription}},
            output_modalities=["text" if text_only else "audio"],
        )

    @rule(kind=st.sampled_from(["input_audio_buffer.commit", "input_audio_buffer.clear", "output_audio_buffer.clear"]))
    def buffer(self, kind: str) -> None:
        self.session.client(type=kind)

    @rule(
        item_id=st.one_of(st.none(), KNOWN_IDS),
        after=st.one_of(st.none(), st.just("root"), KNOWN_IDS),
        role=st.sampled_from(["user", "assistant", "system"]),
    )
    def create_item(self, item_id: str | None, after: str | None, role: str) -> None:
        kind = "output_text" if role == "assistant" else "input_text"
        item = {"type": "message", "role": role, "content": [{"type": kind, "text": "hi"}]}
        if item_id is not None:
            item["id"] = item_id
        self.session.client(type="conversation.item.create", item=item, previous_item_id=after)

    @rule()
    def create_spoken_item(self) -> None:
        part = {"type": "input_audio", "audio": "AAAA" * 100}
        self.session.client(type="conversation.item.create",
                            item={"type": "message", "role": "user", "content": [part]})  # fmt: skip

    @rule(item_id=KNOWN_IDS, kind=st.sampled_from(["delete", "retrieve", "truncate"]), ms=st.integers(0, 3000))
    def item(self, item_id: str, kind: str, ms: int) -> None:
        more: dict[str, Any] = {"content_index": ms % 2, "audio_end_ms": ms} if kind == "truncate" else {}
        self.session.client(type=f"conversation.item.{kind}", item_id=item_id, **more)

    @rule(ms=st.integers(0, 3000))
    def truncate_latest(self, ms: int) -> None:
        spoken = self.session.all(AudioOut)
        if spoken:
            self.session.client(
                type="conversation.item.truncate", item_id=spoken[-1].item_id, content_index=0, audio_end_ms=ms
            )

    @rule(out_of_band=st.booleans(), reference=st.one_of(st.none(), KNOWN_IDS))
    def respond(self, out_of_band: bool, reference: str | None) -> None:
        response: dict[str, Any] = {"conversation": "none" if out_of_band else "auto"}
        if reference is not None:
            response["input"] = [{"type": "item_reference", "id": reference}]
        self.session.client(type="response.create", response=response)

    @rule(response=st.one_of(st.none(), st.integers(0, 8)))
    def cancel(self, response: int | None) -> None:
        named = {} if response is None else {"response_id": f"resp_{response:06d}"}
        self.session.client(type="response.cancel", **named)

    # --- tools that the server runs

    @rule(address=st.sampled_from(["https://s.example", "https://t.example"]), goes_on=st.booleans())
    def name_a_server(self, address: str, goes_on: bool) -> None:
        self.session.update(tools=[{**MCP, "server_url": address, "parley_continue": goes_on}])

    @rule(listed=st.booleans(), back=st.integers(0, 1))
    def server_answers(self, listed: bool, back: int) -> None:
        asked = self.session.all(ListMcpTools)
        if len(asked) > back:
            item_id = asked[-1 - back].item_id
            self.session.feed(McpToolsListed(item_id, LISTED) if listed else McpListingFailed(item_id, BROKEN))

    @rule(returns=st.booleans(), back=st.integers(0, 2))
    def tool_answers(self, returns: bool, back: int) -> None:
        called = self.session.all(CallTool)
        if len(called) > back:
            item_id = called[-1 - back].item_id
            self.session.feed(ToolReturned(item_id, "fine") if returns else ToolFailed(item_id, BROKEN))

    @rule(approve=st.booleans(), back=st.integers(0, 1))
    def answer_a_request(self, approve: bool, back: int) -> None:
        requests = [item for item in self.session.items() if item["type"] == "mcp_approval_request"]
        if len(requests) > back:
            item = {"type": "mcp_approval_response", "approve": approve,
                    "approval_request_id": requests[-1 - back]["id"]}  # fmt: skip
            self.session.client(type="conversation.item.create", item=item)

    @rule(calls=st.lists(st.sampled_from(sorted(TOOLS)), min_size=1, max_size=3), ends=st.booleans())
    def model_calls(self, calls: list[str], ends: bool) -> None:
        if not self.session.contexts:
            self.session.client(type="response.create")
        if self.session.contexts:
            response_id = self.session.contexts[-1].response_id
            for call in calls:
                chunk = ToolCallDone(CallId(call), TOOLS[call], "{}")
                self.session.feed(EngineChunk(response_id, self._coherent(response_id, chunk)))
            if ends:
                self.session.feed(EngineChunk(response_id, Done()))

    @rule(tokens=st.sampled_from([5, 50, None]))
    def shorten(self, tokens: int | None) -> None:
        limits = {"token_limits": {"post_instructions": tokens}} if tokens else {}
        self.session.update(truncation={"type": "retention_ratio", "retention_ratio": 0.5, **limits})

    @rule(joins=st.booleans())
    def sideband(self, joins: bool) -> None:
        other = ConnectionId("sideband")
        self.session.feed(Connected(other) if joins else Disconnected(other))

    # --- the speaker and the recognisers

    @rule(target=turns, lane=st.sampled_from(["0", "0", "0", "1"]), ms=st.integers(1, 80),
          probability=st.sampled_from([0.0, 0.4, 0.9]), gap=st.booleans(), live=st.booleans())  # fmt: skip
    def audio(self, lane: str, ms: int, probability: float, gap: bool, live: bool) -> Any:
        before = len(self.session.all(StartTranscription))
        windows, start = ms, self.position[lane]
        samples = windows * 16 * MS
        if live:
            self.session.now += windows * 16
        self.session.feed(LaneAdvanced(LaneId(lane), start, samples, (probability,) * windows, start, gap))
        self.position[lane] = start + samples
        return multiple(*(one.item_id for one in self.session.all(StartTranscription)[before:]))

    @rule(item_id=turns, words=st.text("ab ", max_size=8), stable=st.integers(-1, 9))
    def partial(self, item_id: ItemId, words: str, stable: int) -> None:
        self.session.partial(item_id, words, stable)

    @rule(item_id=turns, words=st.sampled_from(["", "hello there", " a"]))
    def final(self, item_id: ItemId, words: str) -> None:
        self.session.recognise(item_id, words)

    @rule(item_id=turns)
    def failed(self, item_id: ItemId) -> None:
        self.session.misrecognise(item_id)

    @rule(item_id=turns, probability=st.floats(0, 1))
    def scored(self, item_id: ItemId, probability: float) -> None:
        self.session.feed(TurnScored(item_id, probability))

    @rule(words=st.sampled_from(["", "hello there"]), promptly=st.booleans())
    def turn(self, words: str, promptly: bool) -> None:
        self.audio("0", 40, 0.9, False, True)
        self.audio("0", 60, 0.0, False, True)
        open_readings = self.session.all(FinishTranscription)
        if promptly and open_readings:
            self.session.recognise(open_readings[-1].item_id, words)

    # --- the engines, the playout and the clock

    @rule(clauses=st.lists(st.sampled_from(["One two. ", "Three ", "four five six"]), min_size=1, max_size=3),
          ms=st.integers(50, 1500), started=st.booleans(), wait=st.integers(0, 1500), ends=st.booleans())  # fmt: skip
    def speech(self, clauses: list[str], ms: int, started: bool, wait: int, ends: bool) -> None:
        if not self.session.contexts:
            self.session.client(type="response.create")
        if self.session.contexts:
            response_id = self.session.contexts[-1].response_id
            self.session.speak(*clauses, ms=ms)
            if started:
                self.session.feed(PlayoutStarted(response_id))
            self.session.wait(wait)
            if ends:
                self.session.engine(Done())

    @rule(chunks=st.lists(CHUNKS, min_size=1, max_size=4), back=st.integers(0, 2))
    def engine(self, chunks: list[Chunk], back: int) -> None:
        contexts = self.session.contexts
        if len(contexts) > back:
            response_id = contexts[-1 - back].response_id
            for chunk in chunks:
                self.session.feed(EngineChunk(response_id, self._coherent(response_id, chunk)))

    def _coherent(self, response_id: ResponseId, chunk: Chunk) -> Chunk:
        """A finished call's arguments are its deltas' concatenation: the one thing an engine must get right."""
        if isinstance(chunk, ToolCallDelta):
            told = self.arguments.get((response_id, chunk.call_id), "")
            self.arguments[response_id, chunk.call_id] = told + chunk.arguments
        if isinstance(chunk, ToolCallDone):
            told = self.arguments.get((response_id, chunk.call_id), "")
            return replace(chunk, arguments=told + chunk.arguments)
        return chunk

    @rule(which=st.integers(1, 8), done=st.booleans())
    def playout(self, which: int, done: bool) -> None:
        response_id = ResponseId(f"resp_{which:06d}")
        self.session.feed(PlayoutDrained(response_id) if done else PlayoutStarted(response_id))

    @rule(samples=st.integers(-1, 50_000), back=st.integers(0, 1))
    def flushed(self, samples: int, back: int) -> None:
        flushes = self.session.all(FlushPlayout)
        if len(flushes) > back:
            self.session.feed(PlayoutFlushed(flushes[-1 - back].item_id, samples))

    @rule(shows=st.booleans(), back=st.integers(0, 1))
    def look(self, shows: bool, back: int) -> None:
        looks = self.session.all(TakeStill)
        if len(looks) > back:
            self.session.feed(StillTaken(looks[-1 - back].response_id, "data:image/webp;base64,AA" if shows else None))

    @rule(tokens=st.integers(0, 200), back=st.integers(0, 1))
    def grant(self, tokens: int, back: int) -> None:
        contexts = self.session.contexts
        if len(contexts) > back:
            self.session.feed(TokensGranted(contexts[-1 - back].response_id, tokens))

    @rule(ms=st.integers(0, 20_000))
    def time(self, ms: int) -> None:
        self.session.wait(ms)

    # --- what must hold

    @invariant()
    def heard_is_at_most_sent_and_sent_at_most_generated(self) -> None:
        if not hasattr(self, "session"):
            return
        now: Any = self.session.now
        sent: dict[str, int] = {}
        for event in self.session.of_type("response.output_audio.delta"):
            sent[event["item_id"]] = sent.get(event["item_id"], 0) + event["samples"]
        for entry in self.session.machine._conversation.entries():
            if entry.spoken is not None:
                assert entry.spoken.sent_samples == sent.get(entry.id, 0)
                assert 0 <= entry.spoken.heard_ms(now) <= entry.spoken.sent_ms
                assert entry.spoken.text.startswith(entry.spoken.heard_text(now))

    @invariant()
    def stills_are_few_and_nobody_is_told_of_them(self) -> None:
        if not hasattr(self, "session") or not self.session.contexts:
            return
        items = self.session.contexts[-1].items
        parts = [part for item in items if isinstance(item, MessageItem) for part in item.content]
        assert sum(isinstance(part, InputImagePart) for part in parts) <= MOST_SHOWN
        assert "image/webp" not in str(self.session.events[-20:])

    @invariant()
    def a_context_holds_nothing_that_was_not_said(self) -> None:
        if not hasattr(self, "session") or not self.session.contexts:
            return
        told = {event["item_id"]: "" for event in self.session.of_type("response.output_audio_transcript.delta")}
        for event in self.session.of_type("response.output_audio_transcript.delta"):
            told[event["item_id"]] += event["delta"]
        for item in self.session.contexts[-1].items:
            if isinstance(item, MessageItem):
                assert item.content
                for part in item.content:
                    if isinstance(part, OutputAudioPart):
                        assert part.transcript.strip()
                        assert told[item.id].startswith(part.transcript)

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        session = self.session
        session.wait(600_000)
        assert session.machine.finished
        assert order_faults(session.events) == []
        self._outputs_are_in_order()
        self._tools_are_in_order()
        alive = [item["id"] for item in session.items()]
        assert alive == [str(entry.id) for entry in session.machine._conversation.entries()]
        assert not [item["id"] for item in session.items() if item.get("status") == "in_progress"]

    def _outputs_are_in_order(self) -> None:
        cancelled: set[str] = set()
        silenced: set[str] = set()
        generating: set[str] = set()
        listening: set[str] = set()
        looking: set[str] = set()
        for _, given, outputs in self.session.log:
            if isinstance(given, TranscriptFinal | TranscriptFailed):
                listening.discard(given.item_id)
            for output in outputs:
                match output:
                    case StartGeneration():
                        again = output.context.response_id in generating
                        assert not again or isinstance(given, ToolReturned | ToolFailed | EngineChunk)
                        assert output.context.response_id not in cancelled
                        generating.add(output.context.response_id)
                    case TakeStill():
                        assert output.response_id not in looking | generating
                        looking.add(output.response_id)
                    case CancelGeneration():
                        assert output.response_id in generating - cancelled
                        cancelled.add(output.response_id)
                    case AudioOut():
                        assert output.response_id in generating - cancelled
                        assert output.item_id not in silenced
                    case FlushPlayout():
                        silenced.add(output.item_id)
                    case StartTranscription():
                        assert output.item_id not in listening
                        listening.add(output.item_id)
                    case FinishTranscription():
                        assert output.item_id in listening
                    case AbandonTranscription():
                        listening.discard(output.item_id)
                    case _:
                        pass

    def _tools_are_in_order(self) -> None:
        asked: set[str] = set()
        answered: set[str] = set()
        for _, given, outputs in self.session.log:
            if isinstance(given, ToolReturned | ToolFailed | McpToolsListed | McpListingFailed):
                answered.add(given.item_id)
            for output in outputs:
                if isinstance(output, CallTool | ListMcpTools):
                    assert output.item_id not in asked
                    asked.add(output.item_id)
                if isinstance(output, AbandonTool):
                    assert output.item_id in asked - answered
                    answered.add(output.item_id)
        assert asked <= answered, "what was asked was answered or given up"


TestAnySession = AnySession.TestCase
TestAnySession.settings = settings(max_examples=max(80, ROUNDS), stateful_step_count=30, deadline=None)
