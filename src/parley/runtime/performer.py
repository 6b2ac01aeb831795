"""What goes out of a session: doing each output of the machine, at once and without waiting.

Speech goes to the audio store and on to whoever plays it, events to connections, work to the engines. Owns everything
that an output can start or fill; `close` ends it all. Neighbours: `runner` (feeds it the outputs), `projection` and
`links` (events), `generations`, `recognitions`, `adoptions`, `scores` (engines), `tool_runs`, `audio_store`.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from parley.engines.base import EngineSet, Responder
from parley.protocol.realtime.ids import ItemId, LaneId, ResponseId
from parley.protocol.realtime.inputs import QuotasChanged, SessionExpired, StillTaken, TokensGranted
from parley.protocol.realtime.outputs import (
    AbandonTool,
    AbandonTranscription,
    AudioOut,
    CallTool,
    CancelGeneration,
    Close,
    DropItemAudio,
    FinishTranscription,
    FlushPlayout,
    ForgetLane,
    KeepItemAudio,
    ListMcpTools,
    Output,
    ScoreTurn,
    Send,
    SettleTranscription,
    StartGeneration,
    StartTranscription,
    TakeStill,
    TranscribeItemAudio,
    TruncateItemAudio,
)
from parley.protocol.realtime.resources import DurationUsage
from parley.protocol.realtime.server_events import (
    OutputAudioDelta,
    OutputAudioDone,
    ResponseDone,
    ServerEvent,
    TranscriptionCompleted,
    Usage,
)
from parley.protocol.realtime.usage import USER_MS_PER_TOKEN
from parley.runtime.adoptions import Adoptions
from parley.runtime.allowance import Allowance
from parley.runtime.audio_store import AudioStore
from parley.runtime.camera import Camera
from parley.runtime.costs import priced
from parley.runtime.generations import Generations, Spawn
from parley.runtime.limits import Limits
from parley.runtime.links import Links
from parley.runtime.machine import Machine
from parley.runtime.mailbox import Mailbox
from parley.runtime.measures import SessionMetrics
from parley.runtime.playout import Playout
from parley.runtime.projection import Projection
from parley.runtime.recognitions import Recognitions
from parley.runtime.scores import Scores
from parley.runtime.tool_runs import NoTools, ToolExecutor, ToolRuns

__all__ = ["InternalError", "Performer"]


class InternalError(Exception):
    """An invariant of ours is broken: this session closes with 1011 and a report."""


class Performer:
    """One session's hands. `generations` is open to the runner, which knows when a response's last chunk was taken."""

    def __init__(
        self,
        engines: EngineSet,
        machine: Machine,
        mailbox: Mailbox,
        links: Links,
        limits: Limits,
        metrics: SessionMetrics,
        spawn: Spawn,
        playout: Playout | None,
        camera: Camera,
        tools: ToolExecutor | None = None,
        allowance: Allowance | None = None,
        interim: Responder | None = None,
    ) -> None:
        self._machine = machine
        self._mailbox = mailbox
        self._allowance = allowance
        self._prices = engines.prices
        self._links = links
        self._metrics = metrics
        self._playout = playout
        self._camera = camera
        self._store = store = AudioStore(max_bytes=limits.audio_bytes)
        self._projection = Projection(
            store, delta_bytes=limits.delta_bytes, retrieved_bytes=limits.retrieved_audio_bytes
        )
        self.generations = Generations(
            engines.responder,
            mailbox,
            spawn,
            silence_ms=limits.generation_silence_ms,
            congested=self._congested,
            interim=interim,
        )
        self._recognitions = Recognitions(engines.recognizer, store, mailbox, spawn, limit_ms=limits.recognition_ms)
        self._adoptions = Adoptions(
            engines.recognizer, store, mailbox, spawn, slice_ms=limits.slice_ms, limit_ms=limits.recognition_ms
        )
        self._scores = Scores(engines.turn_detector, store, mailbox, spawn, limit_ms=limits.score_ms)
        self._tools = ToolRuns(
            tools or NoTools(),
            mailbox,
            spawn,
            limit_ms=limits.tool_ms,
            slow_ms=limits.tool_slow_ms,
            on_slow=self.generations.interject,
        )

    def keep_lane_audio(self, lane: LaneId, pcm: bytes, *, start_sample: int | None = None) -> None:
        """Keep what a lane heard; the machine is told next. What is missing before `start_sample` stays missing."""
        if start_sample is not None:
            self._store.skip(lane, start_sample)
        self._store.append(lane, pcm)

    def feed_recognisers(self, lane: LaneId) -> None:
        """Let recognisers have what the machine now knows of."""
        self._recognitions.lane_advanced(lane)

    def perform(self, output: Output) -> None:  # noqa: C901 - one case per output, a line or two each
        """Do it."""
        match output:
            case Send():
                self._send(output)
            case AudioOut():
                self._speak(output)
            case TakeStill():
                self._mailbox.post(StillTaken(output.response_id, self._camera.show()))
            case StartGeneration():
                self._grant(output.context.response_id)
                self.generations.start(output.context)
            case CancelGeneration():
                self.generations.cancel(output.response_id)
            case StartTranscription():
                self._recognitions.start(output)
            case SettleTranscription():
                self._recognitions.settle(output)
            case FinishTranscription():
                self._recognitions.finish(output)
            case AbandonTranscription():
                self._recognitions.abandon(output.item_id)
                self._adoptions.drop(output.item_id)
                self._scores.drop(output.item_id)
            case TranscribeItemAudio():
                self._adoptions.adopt(output)
            case ScoreTurn():
                self._scores.ask(output)
            case KeepItemAudio():
                self._store.keep(output.item_id, output.lane, output.start_sample, output.end_sample)
            case TruncateItemAudio():
                self._store.truncate(output.item_id, output.end_ms)
            case DropItemAudio():
                self._adoptions.drop(output.item_id)
                self._store.drop(output.item_id)
            case ForgetLane():
                self._store.forget(output.lane, output.before_sample)
            case FlushPlayout():
                self._flush_playout(output.item_id)
            case ListMcpTools():
                self._tools.list_tools(output)
            case CallTool():
                self._tools.call(output)
            case AbandonTool():
                self._tools.abandon(output.item_id)
            case Close():
                self._links.close(output.code, output.reason, output.to)
            case _:
                assert_never(output)

    def close(self) -> None:
        """Cancel and free everything. Idempotent."""
        self.generations.close()
        self._recognitions.close()
        self._adoptions.close()
        self._scores.close()
        self._tools.close()
        self._store.clear()

    def _congested(self) -> bool:
        return self._links.congested() if self._playout is None else self._playout.full

    def _send(self, output: Send) -> None:
        event: ServerEvent = output.event
        if isinstance(event, ResponseDone):
            timeline = self._machine.timeline.take(event.response.id)
            self._metrics.response_done(event.response.status, timeline)
            self._charge(event.response.usage)
            self.generations.done(ResponseId(event.response.id))
            if timeline is not None:
                event = msgspec.structs.replace(event, parley_timeline=timeline)
        if isinstance(event, TranscriptionCompleted) and isinstance(event.usage, DurationUsage):
            self._charge_transcript(event.usage.seconds)
        if self._prices.known:
            event = priced(event, self._prices)
        if isinstance(event, OutputAudioDone) and self._playout is not None:
            self._playout.end(ItemId(event.item_id))
        for completed in self._projection.events(event, self._machine.config):
            silent = None if isinstance(completed, OutputAudioDelta) else event
            self._links.send(completed, output.to, silent=silent)

    def _grant(self, response_id: ResponseId) -> None:
        """Bound a response by what is left."""
        left = self._allowance.remaining_tokens if self._allowance is not None else None
        if left is not None:
            self._mailbox.post(TokensGranted(response_id, left))

    def _charge(self, usage: Usage | None) -> None:
        """Count what a response used and tell what is left."""
        if self._allowance is None or usage is None:
            return
        solvent = self._allowance.spend(usage.total_tokens)
        if facts := self._allowance.facts():
            self._mailbox.post(QuotasChanged(facts))
        self._end_unless(solvent)

    def _charge_transcript(self, seconds: float) -> None:
        """Count what was transcribed, as what a response hears."""
        if self._allowance is not None:
            self._end_unless(self._allowance.spend(-(-round(seconds * 1000) // USER_MS_PER_TOKEN)))

    def _end_unless(self, solvent: bool) -> None:
        """End a session whose grant is used up."""
        if not solvent:
            self._mailbox.post(SessionExpired("budget_spent"))

    def _speak(self, out: AudioOut) -> None:
        self._store.extend(out.item_id, out.pcm)
        if self._playout is not None:
            self._playout.play(out)
            return
        for delta in self._projection.audio(out, self._machine.config.audio.output.format):
            self._links.send(delta, None, silent=None)

    def _flush_playout(self, item_id: ItemId) -> None:
        if self._playout is None:
            raise InternalError("the machine flushed a playback that this session does not have")
        self._playout.flush(item_id)
