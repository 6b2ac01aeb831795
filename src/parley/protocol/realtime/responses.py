"""Which responses there are, when each may begin, and why it ends.

One default response at a time writes to the conversation; any number run out of band. Three things start one:

* the client (`response.create`): created at once; generation waits, for a bounded time, until the speech it answers has
  been recognised;
* a spoken turn (`answer`): nothing is announced until the turn's words are known, so that the transcript's `completed`
  comes first. Speech without words is not answered. It also waits while another default response runs and while a voice
  that may interrupt is speaking: then the next turn's response answers both;
* silence (`answer` with `wordless`): the idle timeout.

And four end one: the engine, the client's cancel, a voice, the end of the session. Where we pace playback, a voice (or
`output_audio_buffer.clear`) first flushes it, and what ends waits for the flush: `output_audio_buffer.cleared`, then
`conversation.item.truncated`, then the closing events.

A response for which the server runs tools outlives its generation: it ends when they have returned, or goes on with
another generation that is told of them. After `MAX_GENERATIONS` it gets no tools any more: it must say something.

Neighbours: `planning` (what a response is to be), `response` (its events), `playback` (what was heard of it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from parley.protocol.realtime.client_events import ResponseParams
from parley.protocol.realtime.context import InputTally, visible
from parley.protocol.realtime.conversation import Conversation, Entry
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import (
    AudioDelta,
    Chunk,
    Done,
    EngineUsage,
    Failed,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
)
from parley.protocol.realtime.ids import ConversationId, ItemId, Ms, ResponseId
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    McpApprovalResponseItem,
    McpCallItem,
    McpError,
    MessageItem,
)
from parley.protocol.realtime.mcp import McpServers
from parley.protocol.realtime.outputs import CancelGeneration, DropItemAudio, StartGeneration, TakeStill
from parley.protocol.realtime.planning import Plan, plan_response
from parley.protocol.realtime.playback import Playback
from parley.protocol.realtime.playout import Cut, Playout
from parley.protocol.realtime.response import Ending, LiveResponse
from parley.protocol.realtime.server_events import ResponseError, StatusDetails, Usage
from parley.protocol.realtime.session_config import SessionConfig
from parley.protocol.realtime.shortening import kept, over_limit
from parley.protocol.realtime.stills import STILL_WAIT_MS, Stills
from parley.protocol.realtime.usage import response_usage

__all__ = ["MAX_GENERATIONS", "MAX_RUNNING", "TRANSCRIPT_WAIT_MS", "Responses"]

TRANSCRIPT_WAIT_MS = 15_000
"""How long a response waits for the words it answers."""

MAX_RUNNING = 16
"""Responses that may run at once, out of band ones included."""

MAX_GENERATIONS = 8
"""Generations of one response that may use tools which the server runs."""

_CANCELLED = StatusDetails(type="cancelled", reason="client_cancelled")
_INTERRUPTED = StatusDetails(type="cancelled", reason="turn_detected")


@dataclass(slots=True)
class _Running:
    live: LiveResponse
    plan: Plan
    give_up_at: Ms
    phase: Literal["waiting", "generating", "tools"] = "waiting"
    """Waiting for words, being generated, or waiting for tools that the server runs."""
    still: Literal["none", "asked", "taken"] = "none"
    """While words are waited for: whether a look at the camera is under way, or was taken."""
    image_url: str | None = None
    granted_tokens: int | None = None
    """What it may use in all; None for no bound."""
    given: tuple[Item, ...] = ()
    given_tally: InputTally = field(default_factory=InputTally)
    """What the first generation was given, and how much that is."""
    generations: int = 0
    tally: InputTally = field(default_factory=InputTally)
    """What all generations were given."""
    ending: Ending | None = None
    """Decided, and waiting for playback to fall silent."""


class Responses:
    """The responses of a session."""

    def __init__(
        self,
        *,
        effects: Effects,
        conversation: Conversation,
        conversation_id: ConversationId,
        playback: Playback,
        mcp: McpServers,
        needs_transcript: bool,
        sees: bool,
        camera: bool = False,
    ) -> None:
        self._effects = effects
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._playback = playback
        self._mcp = mcp
        self._sees = sees
        self._playout = Playout(effects, conversation, playback)
        self._stills = Stills(camera=camera)
        self._needs_transcript = needs_transcript
        self._running: dict[ResponseId, _Running] = {}
        self._default: ResponseId | None = None
        self._unanswered: list[ItemId] = []
        """Spoken turns that no response has taken up yet."""
        self._wordless = False
        """The latest of them is to be answered even without words."""
        self._answer_by = Ms(0)
        self._voice = False
        """A voice that interrupts is speaking: spoken turns wait."""

    @property
    def answering(self) -> bool:
        """A default response runs or is about to."""
        return self._default is not None or bool(self._unanswered)

    @property
    def deadline(self) -> Ms | None:
        """When something here gives up waiting."""
        waits = [
            running.give_up_at
            for running in self._running.values()
            if running.phase == "waiting" and running.ending is None
        ]
        if (flush := self._playout.deadline) is not None:
            waits.append(flush)
        if self._unanswered and self._default is None and not self._voice:
            waits.append(self._answer_by)
        return min(waits, default=None)

    # --- starting ------------------------------------------------------------------------------------------------

    def create(self, params: ResponseParams, config: SessionConfig, now: Ms) -> ClientFault | None:
        """Begin a response for the client; a fault if it may not."""
        if params.conversation == "auto" and self._default is not None:
            return ClientFault(
                code="conversation_already_has_active_response",
                message=f"Conversation already has an active response in progress: {self._default}. "
                "Wait until the response is finished before creating a new one.",
            )
        # DEVIATION: the vendor sets no number. Here responses out of band are bounded, as all is that takes memory.
        if params.conversation == "none" and len(self._running) >= MAX_RUNNING:
            return ClientFault(
                code="rate_limit_exceeded",
                message=f"{MAX_RUNNING} responses are running. Wait until one is done, or cancel one by its id.",
                type="rate_limit_error",
            )
        plan = plan_response(params, config, self._conversation, self._mcp)
        if isinstance(plan, ClientFault):
            return plan
        self._begin(plan, now)
        return None

    def answer(self, item_id: ItemId, now: Ms, *, wordless: bool = False) -> None:
        """Ask for a response to a spoken turn (or, `wordless`, to a silence)."""
        self._unanswered.append(item_id)
        self._wordless = wordless
        self._answer_by = Ms(now + TRANSCRIPT_WAIT_MS)

    def advance(self, config: SessionConfig, now: Ms, *, voice: bool) -> None:
        """Do what has become possible or overdue. `voice`: somebody whose voice interrupts is speaking."""
        self._voice = voice
        for cut in self._playout.overdue(now):
            self._finish_cut(cut)
        for running in tuple(self._running.values()):
            if running.phase == "waiting" and running.ending is None:
                self._try_generation(running, now)
        if self._default is None and not voice and self._unanswered:
            self._try_answer(config, now)

    def _try_answer(self, config: SessionConfig, now: Ms) -> None:
        entries = [entry for entry in map(self._conversation.get, self._unanswered) if entry is not None]
        waiting = self._waits(self._conversation.entries())
        if waiting and now < self._answer_by:
            return
        failed = any(entry.reading is not None and entry.reading.state == "failed" for entry in entries)
        wanted = self._wordless or waiting or failed or not self._needs_transcript
        # DEVIATION: the vendor answers whatever its voice detection took for a turn. Here a turn without words (a
        # cough, a door) stays in the conversation and is not answered.
        if not entries or not (wanted or any(entry.reading and entry.reading.text for entry in entries)):
            self._unanswered.clear()
            return
        plan = plan_response(ResponseParams(), config, self._conversation, self._mcp)
        if not isinstance(plan, ClientFault):
            running = self._begin(plan, now)
            running.give_up_at = now
            self._try_generation(running, now)

    def _begin(self, plan: Plan, now: Ms) -> _Running:
        response_id = self._effects.response_id()
        live = LiveResponse(
            response_id,
            plan.shape,
            plan.toolbox,
            effects=self._effects,
            conversation=self._conversation,
            conversation_id=self._conversation_id,
            playback=self._playback,
            mcp=self._mcp,
        )
        running = _Running(live, plan, give_up_at=Ms(now + TRANSCRIPT_WAIT_MS))
        self._running[response_id] = running
        if not plan.shape.out_of_band:
            self._default = response_id
            self._unanswered.clear()
            self._wordless = False
        live.create()
        return running

    def _try_generation(self, running: _Running, now: Ms) -> None:
        entries = running.plan.entries
        if running.plan.from_conversation:
            entries = tuple(entry for entry in entries if self._conversation.holds(entry) and not entry.forgotten)
        if self._waits(entries):
            if now >= running.give_up_at:
                self._end(
                    running,
                    _failed(
                        "transcription_timeout",
                        "The speech to be answered was not transcribed in time: check the speech recogniser (--stt).",
                    ),
                )
            return
        if not self._has_looked(running, entries, now):
            return
        self._see(running, entries, now)
        if running.plan.from_conversation and over_limit(running.given, running.plan.truncation):
            if running.plan.truncation == "disabled":
                self._end(running, _TOO_LONG)
                return
            entries = _shortened(entries, kept(running.given, running.plan.truncation))
            self._see(running, entries, now)
        if (broken := _unheard(entries)) is not None and broken.reading is not None:
            self._end(running, _failed(broken.reading.code, broken.reading.message))
            return
        running.phase = "generating"
        running.generations = 1
        running.tally.add(running.given_tally)
        self._effects.add(StartGeneration(running.plan.context(running.live.response_id, running.given)))

    def _has_looked(self, running: _Running, entries: tuple[Entry, ...], now: Ms) -> bool:
        """Whether the response need not wait for a look at the camera; the first time, ask for it."""
        looks = self._stills.camera and running.plan.from_conversation and running.still == "none"
        if looks and self._stills.wanted(visible(entries, now)[0]):
            running.still = "asked"
            running.give_up_at = Ms(now + STILL_WAIT_MS)
            self._effects.add(TakeStill(running.live.response_id))
        return running.still != "asked" or now >= running.give_up_at

    def still_taken(self, response_id: ResponseId, image_url: str | None) -> None:
        """Take the answer to a look at the camera."""
        running = self._running.get(response_id)
        if running is not None and running.still == "asked":
            running.still, running.image_url = "taken", image_url

    def _see(self, running: _Running, entries: tuple[Entry, ...], now: Ms) -> None:
        """Settle what the first generation is given."""
        items, tally = visible(entries, now)
        if running.plan.from_conversation:
            items = self._stills.placed(items, tally, running.live.response_id, running.image_url)
        # DEVIATION: the vendor's models see. Here one may be blind: it is told of a picture that it cannot look at, and
        # its tokens are not counted. The picture stays in the conversation: an error would end some clients.
        if not self._sees:
            tally.image_tokens = 0
        running.given, running.given_tally = items, tally

    def _waits(self, entries: Iterable[Entry]) -> bool:
        return self._needs_transcript and any(
            entry.reading is not None and not entry.reading.settled for entry in entries
        )

    # --- running and ending --------------------------------------------------------------------------------------

    def take(self, response_id: ResponseId, chunk: Chunk, now: Ms) -> None:
        """Take the engine's next chunk. Chunks of a response that has ended are dropped."""
        running = self._running.get(response_id)
        if running is None or running.phase == "waiting" or running.ending is not None:
            return
        match chunk:
            case Done():
                self._generated(running, chunk)
            case Failed():
                self._end(running, _failed(chunk.code, chunk.message))
            case TextDelta() | AudioDelta() | ToolCallDelta() | ToolCallDone() | EngineUsage():
                running.live.take(chunk, now)
                self._cut_if_spent(running)
            case _:
                assert_never(chunk)

    def tokens_granted(self, response_id: ResponseId, tokens: int) -> None:
        """Bound what a response may use, its input included."""
        running = self._running.get(response_id)
        if running is not None and running.ending is None:
            running.granted_tokens = tokens
            self._cut_if_spent(running)

    def _cut_if_spent(self, running: _Running) -> None:
        """End a response that has used what it was granted, or will have when it is told what it is to answer."""
        if running.granted_tokens is not None and _usage_of(running).total_tokens >= running.granted_tokens:
            self._stop_engine(running)
            self._end(running, _SPENT)

    def tool_returned(self, item_id: ItemId, result: str | McpError) -> None:
        """Take what a tool gave that the server ran for a response."""
        for running in tuple(self._running.values()):
            if running.ending is None and running.live.returned(item_id, result):
                if running.phase == "tools" and not running.live.running_tools:
                    self._go_on_or_end(running)
                return

    def _generated(self, running: _Running, done: Done) -> None:
        """Take the end of a generation, which need not be the end of its response."""
        if done.reason != "stop":
            self._end(running, Ending("incomplete", StatusDetails(type="incomplete", reason=done.reason)))
        elif running.live.running_tools:
            running.phase = "tools"
        else:
            self._go_on_or_end(running)

    def _go_on_or_end(self, running: _Running) -> None:
        if not running.live.goes_on or running.generations > MAX_GENERATIONS:
            self._end(running, Ending("completed"))
            return
        running.phase = "generating"
        running.generations += 1
        told = running.live.go_on()
        running.tally.add(running.given_tally)
        running.tally.add(visible(map(Entry, told), Ms(0))[1])
        context = running.plan.next_context(
            running.live.response_id, (*running.given, *told), last=running.generations > MAX_GENERATIONS
        )
        self._effects.add(StartGeneration(context))

    def cancel(self, response_id: str | None) -> ClientFault | None:
        """Stop a response for the client: the named one, or the default one."""
        wanted = self._default if response_id is None else ResponseId(response_id)
        running = self._running.get(wanted) if wanted is not None else None
        if running is None:
            return ClientFault(
                code="response_cancel_not_active",
                message="Cancellation failed: no active response found",
                param=None if response_id is None else "response_id",
            )
        if running.ending is None:
            self._stop_engine(running)
            self._end(running, Ending("cancelled", _CANCELLED))
        return None

    def interrupt(self, now: Ms) -> None:
        """Let a voice interrupt: the default response ends, and what is playing falls silent."""
        running = self._running.get(self._default) if self._default is not None else None
        if running is not None and running.ending is None:
            self._stop_engine(running)
            running.ending = Ending("cancelled", _INTERRUPTED)
        if self._playback.pacing == "client":
            self._playback.freeze(now)
        elif self._playout.flush(now):
            return
        if running is not None and running.ending is not None:
            self._end(running, running.ending)

    def clear_playback(self, now: Ms) -> None:
        """Empty server-paced playback for the client. Generation goes on unheard."""
        if self._playback.pacing == "server":
            self._playout.flush(now)

    def playout_started(self, response_id: ResponseId, now: Ms) -> None:
        """Take note that the first frame of a response went out."""
        self._playout.started(response_id, now)

    def playout_drained(self, response_id: ResponseId) -> None:
        """Take note that the last frame of a response went out."""
        running = self._running.get(response_id)
        self._playout.drained(
            response_id, unfinished_samples=running.live.sent_samples if running is not None else None
        )

    def playout_flushed(self, item_id: ItemId, samples: int) -> None:
        """Take a flush's result."""
        for cut in self._playout.flushed(item_id, samples):
            self._finish_cut(cut)

    def fail_all(self, code: str, message: str) -> None:
        """End every response: the session ends."""
        self._unanswered.clear()
        for cut in self._playout.abandon():
            self._finish_cut(cut)
        self._playout.end()
        for running in tuple(self._running.values()):
            self._stop_engine(running)
            self._end(running, _failed(code, message))

    def _finish_cut(self, cut: Cut) -> None:
        self._playout.report(cut)
        if self._playout.deadline is not None:
            return
        for running in tuple(self._running.values()):
            if running.ending is not None:
                self._end(running, running.ending)

    def _stop_engine(self, running: _Running) -> None:
        if running.phase == "generating" and running.ending is None:
            self._effects.add(CancelGeneration(running.live.response_id))

    def _end(self, running: _Running, ending: Ending) -> None:
        live = running.live
        del self._running[live.response_id]
        if self._default == live.response_id:
            self._default = None
        live.end(ending, _usage_of(running))
        if live.shape.out_of_band:
            for item_id in live.spoken_items():
                self._effects.add(DropItemAudio(item_id))
        self._playout.response_done(live.response_id, live.sent_samples)


def _usage_of(running: _Running) -> Usage:
    """Add up what a response has used so far."""
    return response_usage(
        running.tally,
        prompt_chars=running.plan.prompt_chars * running.generations,
        engine=running.live.engine_usage,
        output_chars=running.live.output_chars,
        output_ms=running.live.output_ms,
    )


def _failed(code: str, message: str) -> Ending:
    error = ResponseError(type="server_error", code=code, message=message)
    return Ending("failed", StatusDetails(type="failed", error=error))


def _shortened(entries: tuple[Entry, ...], items: Sequence[Item]) -> tuple[Entry, ...]:
    """Forget, from now on, what lies before the first of `items`, which are what is kept of `entries`."""
    kept_ids = {item.id for item in items}
    for entry in entries:
        if entry.id in kept_ids:
            break
        entry.forgotten = True
    return tuple(entry for entry in entries if not entry.forgotten)


_SPENT = Ending("incomplete", StatusDetails(type="incomplete", reason="max_output_tokens"), cut=True)

_TOO_LONG = Ending(
    "failed",
    StatusDetails(
        type="failed",
        error=ResponseError(
            type="invalid_request_error",
            code="context_length_exceeded",
            message='The conversation is longer than its limit and truncation is "disabled": delete items, or set '
            'truncation to "auto".',
        ),
    ),
)


def _unheard(entries: tuple[Entry, ...]) -> Entry | None:
    """Find the failed speech that a response would answer, if it would answer nothing else."""
    broken: Entry | None = None
    for entry in reversed(entries):
        match entry.item:
            case MessageItem(role="user"):
                if entry.reading is None or entry.reading.text:
                    return None
                if entry.reading.state == "failed" and broken is None:
                    broken = entry
            case (
                MessageItem(role="assistant")
                | FunctionCallItem()
                | FunctionCallOutputItem()
                | McpCallItem()
                | McpApprovalResponseItem()
            ):
                return broken
            case _:
                continue
    return broken
