"""One session, running: the owner task, which alone touches the state machine, and the tasks it gives work to.

The loop is the whole idea: take one thing from the mailbox (or the tick, when the machine's deadline has come), hand it
to the machine with the time, do everything the machine answers, let the rest of the server have a turn, repeat. Doing
is synchronous throughout: speech goes to the audio store, events to outboxes, work to generations and recognitions,
each with tasks in this session's group. So nothing here waits for a client or an engine, and a cancelled response is
silent before the next input is looked at.

Appended audio enters in slices, one per turn of the loop, and no other client frame overtakes it; engine chunks and
deadlines do come in between.

| what ends | what follows |
|---|---|
| the machine finishes (expired, drained) | it has closed the connections with its reason; the session ends |
| the last connection leaves, or none comes in time | the session ends |
| a connection's outbox overflows | that connection leaves at once |
| a response is cancelled | its engine is told, its task cancelled, its waiting chunks dropped: at once |
| an engine breaks | its response or transcript fails; the session goes on |
| the machine or this module raises | connections get an `error` event and 1011; the supervisor reports |
| the session | mailbox, generations, recognitions, adoptions, scores, audio, recorder: closed here, in `_end` |

Neighbours: `machine`, `mailbox`, `links`, `projection`, `generations`, `recognitions`, `scores`, `supervisor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import assert_never

import msgspec

from parley.audio import LaneFeed
from parley.engines.base import EngineSet
from parley.observe.recorder import Recorder
from parley.protocol.realtime.client_events import InputAudioBufferAppend, InputAudioBufferClear
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import Done, Failed
from parley.protocol.realtime.ids import IdSource, ItemId, LaneId, Ms, SessionId
from parley.protocol.realtime.inputs import (
    ClientEventReceived,
    ClientFaultReceived,
    Connected,
    Disconnected,
    EngineChunk,
    Input,
    LaneAdvanced,
    PlayoutDrained,
    PlayoutFlushed,
    PlayoutStarted,
    SessionExpired,
    Tick,
)
from parley.protocol.realtime.outputs import (
    AbandonTranscription,
    AudioOut,
    CancelGeneration,
    Close,
    DropItemAudio,
    FinishTranscription,
    FlushPlayout,
    ForgetLane,
    KeepItemAudio,
    Output,
    ScoreTurn,
    Send,
    SettleTranscription,
    StartGeneration,
    StartTranscription,
    TranscribeItemAudio,
    TruncateItemAudio,
)
from parley.protocol.realtime.recording import Header
from parley.protocol.realtime.server_events import ErrorBody, ErrorEvent, OutputAudioDelta, ResponseDone, ServerEvent
from parley.runtime.adoptions import Adoptions
from parley.runtime.audio_store import AudioStore
from parley.runtime.clock import Clock
from parley.runtime.connection import Attachment, Connection
from parley.runtime.generations import Generations
from parley.runtime.limits import Limits
from parley.runtime.links import Links
from parley.runtime.machine import Machine
from parley.runtime.mailbox import Frame, Mailbox
from parley.runtime.measures import EndReason, SessionMetrics
from parley.runtime.playout import Playout
from parley.runtime.projection import Projection
from parley.runtime.recognitions import Recognitions
from parley.runtime.scores import Scores

__all__ = ["CLOSE_INTERNAL_ERROR", "InternalError", "PlayoutReport", "SessionRunner"]

CLOSE_INTERNAL_ERROR = 1011
PlayoutReport = PlayoutStarted | PlayoutDrained | PlayoutFlushed

_APPEND_LANE = LaneId("0")
_TICKS_AT_ONE_INSTANT = 100


class InternalError(Exception):
    """An invariant of ours is broken: this session closes with 1011 and a report."""


class SessionRunner:
    """One session. `run` is its life; the other public methods may be called by any task of the loop meanwhile."""

    def __init__(
        self,
        header: Header,
        *,
        engines: EngineSet,
        clock: Clock,
        ids: IdSource,
        limits: Limits,
        metrics: SessionMetrics,
        recorder: Recorder | None = None,
        playout: Playout | None = None,
    ) -> None:
        self.session_id = SessionId(header.session_id)
        self._engines = engines
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._metrics = metrics
        self._recorder = recorder
        self._playout = playout
        self._machine = Machine(header, ids, recorder)
        self._mailbox = Mailbox(
            max_frames=limits.mailbox_frames,
            max_frame_bytes=limits.mailbox_bytes,
            max_chunks=limits.mailbox_chunks,
        )
        self._links = Links(self.session_id, self._mailbox, limits, clock, metrics.slow_reader)
        self._store = AudioStore(max_bytes=limits.audio_bytes)
        self._projection = Projection(
            self._store, delta_bytes=limits.delta_bytes, retrieved_bytes=limits.retrieved_audio_bytes
        )
        self._lane = LaneFeed(_APPEND_LANE)
        self._append: Iterator[bytes] | None = None
        self._lonely_until: Ms | None = Ms(header.now + limits.unattached_ms)
        self._ticks = 0
        self._ended: EndReason | None = None
        self._group: asyncio.TaskGroup | None = None

    @property
    def ended(self) -> bool:
        """Whether the session is over: nothing can be attached any more."""
        return self._mailbox.closed

    @property
    def generating(self) -> bool:
        """Whether a response is being generated."""
        return self._group is not None and len(self._generations) > 0

    def attach(self, *, dialect: Dialect, wants_audio: bool) -> Attachment:
        """Add a connection; the machine greets it."""
        return self._links.join(dialect=dialect, wants_audio=wants_audio)

    def expire(self) -> None:
        """Have the machine say goodbye and finish: the server is going away."""
        self._mailbox.post(SessionExpired("draining"))

    def report_playout(self, report: PlayoutReport) -> None:
        """Take a report of server-paced playback."""
        self._mailbox.post(report)

    def last_steps(self) -> list[str]:
        """Name the kinds of the last inputs and outputs, for a report."""
        return self._machine.last_steps()

    async def run(self) -> EndReason:
        """Live. Raises, as a group, what broke; the session's connections are closed by then."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._generations = Generations(
                self._engines.responder, self._mailbox, group.create_task, silence_ms=self._limits.generation_silence_ms
            )
            self._recognitions = Recognitions(
                self._engines.recognizer,
                self._store,
                self._mailbox,
                group.create_task,
                limit_ms=self._limits.recognition_ms,
            )
            self._adoptions = Adoptions(
                self._engines.recognizer,
                self._store,
                self._mailbox,
                group.create_task,
                slice_ms=self._limits.slice_ms,
                limit_ms=self._limits.recognition_ms,
            )
            self._scores = Scores(
                self._engines.turn_detector,
                self._store,
                self._mailbox,
                group.create_task,
                limit_ms=self._limits.score_ms,
            )
            try:
                return await self._live()
            finally:
                self._end()

    async def _live(self) -> EndReason:
        """Be the owner task: loop."""
        while True:
            self._tick_if_due()
            self._take_one()
            self._append_one()
            if self._ended is not None:
                return self._ended
            if self._append is not None or len(self._mailbox):
                await asyncio.sleep(0)
            else:
                await self._mailbox.wait(self._idle_ms())

    def _end(self) -> None:
        """Free everything, synchronously. What connections were promised before stays in their outboxes."""
        if self._ended is None:
            self._say_broken()
        self._links.close_all(1000, "")
        self._mailbox.close()
        self._generations.close()
        self._recognitions.close()
        self._adoptions.close()
        self._scores.close()
        self._store.clear()
        self._append = None
        if self._recorder:
            self._recorder.close()

    def _say_broken(self) -> None:
        body = ErrorBody(
            type="server_error",
            code="internal_error",
            message="The session broke on the server's side and was closed. Reconnect to start a new one.",
        )
        error = ErrorEvent(event_id=self._ids("event"), error=body)
        self._links.send(error, None, silent=error)
        self._links.close_all(CLOSE_INTERNAL_ERROR, "server_error.internal_error")

    # --- what comes in -----------------------------------------------------------------------------------------------

    def _tick_if_due(self) -> None:
        now = self._clock.now()
        deadline = self._machine.deadline
        if deadline is None or now < deadline:
            self._ticks = 0
        else:
            self._ticks += 1
            if self._ticks > _TICKS_AT_ONE_INSTANT:
                raise InternalError(f"the machine's deadline stays in the past after {self._ticks} ticks")
            self._step(Tick())
        if self._lonely_until is not None and now >= self._lonely_until and self._ended is None:
            self._ended = "unattached"

    def _take_one(self) -> None:
        if self._ended is not None:
            return
        entry = self._mailbox.take(frames=self._append is None)
        match entry:
            case None:
                pass
            case Frame():
                self._frame(entry)
            case EngineChunk():
                self._chunk(entry)
            case Connected():
                self._lonely_until = None
                self._links.admit(entry.connection)
                self._step(entry)
            case Disconnected():
                self._disconnected(entry)
            case _:
                self._step(entry)

    def _append_one(self) -> None:
        """Put the next slice of the append being read onto the lane."""
        if self._append is None or self._ended is not None:
            return
        pcm = next(self._append, None)
        if pcm is None:
            self._append = None
            return
        block = self._lane.push(pcm)
        self._store.append(_APPEND_LANE, block.pcm)
        advanced = LaneAdvanced(
            _APPEND_LANE, block.start_sample, block.samples, block.speech, block.speech_start_sample
        )
        self._step(advanced)
        self._recognitions.lane_advanced(_APPEND_LANE)

    def _frame(self, frame: Frame) -> None:
        connection = self._links.get(frame.connection)
        if connection is None:
            return
        match frame.message:
            case ClientFault():
                self._step(ClientFaultReceived(frame.connection, frame.message))
            case InputAudioBufferAppend():
                self._begin_append(connection, frame.message)
            case InputAudioBufferClear():
                connection.appends.clear()
                self._step(ClientEventReceived(frame.connection, frame.message))
            case _:
                self._step(ClientEventReceived(frame.connection, frame.message))

    def _begin_append(self, connection: Connection, event: InputAudioBufferAppend) -> None:
        limit = self._limits.append_bytes
        if len(event.audio) > limit:
            message = f"One append carries at most {limit >> 20} MiB of audio. Send it in smaller pieces."
            fault = ClientFault(code="invalid_value", message=message, param="audio", event_id=event.event_id)
            self._step(ClientFaultReceived(connection.connection_id, fault))
            return
        self._append = connection.appends.slices(event.audio, self._machine.config.audio.input.format)

    def _chunk(self, entry: EngineChunk) -> None:
        if entry.response_id not in self._generations:
            return
        if isinstance(entry.chunk, Done | Failed):
            self._generations.ended(entry.response_id)
        self._step(entry)

    def _disconnected(self, entry: Disconnected) -> None:
        self._links.remove(entry.connection)
        self._step(entry)
        if not len(self._links) and self._ended is None:
            self._ended = "client_left"

    def _idle_ms(self) -> int | None:
        """How long nothing needs to happen by itself."""
        deadlines = [at for at in (self._machine.deadline, self._lonely_until) if at is not None]
        return max(1, min(deadlines) - self._clock.now()) if deadlines else None

    def _step(self, item: Input) -> None:
        """Move the machine: the only place that does."""
        for output in self._machine.step(item, self._clock.now()):
            self._perform(output)
        if self._machine.finished:
            self._ended = "finished"

    # --- what goes out -----------------------------------------------------------------------------------------------

    def _perform(self, output: Output) -> None:  # noqa: C901 - one case per output, each one line
        match output:
            case Send():
                self._send(output)
            case AudioOut():
                self._speak(output)
            case StartGeneration():
                self._generations.start(output.context)
            case CancelGeneration():
                self._generations.cancel(output.response_id)
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
            case Close():
                self._links.close(output.code, output.reason, output.to)
            case _:
                assert_never(output)

    def _send(self, output: Send) -> None:
        event: ServerEvent = output.event
        if isinstance(event, ResponseDone):
            timeline = self._machine.timeline.take(event.response.id)
            self._metrics.response_done(event.response.status, timeline)
            if timeline is not None:
                event = msgspec.structs.replace(event, parley_timeline=timeline)
        for completed in self._projection.events(event, self._machine.config):
            silent = None if isinstance(completed, OutputAudioDelta) else event
            self._links.send(completed, output.to, silent=silent)

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
