"""One session, running: the owner task, which alone touches the state machine, and the tasks it gives work to.

The loop is the whole idea: take one thing from the mailbox (or the tick, when the machine's deadline has come), hand it
to the machine with the time, do everything the machine answers, let the rest of the server have a turn, repeat. Doing
is synchronous throughout: speech goes to the audio store, events to outboxes, work to generations and recognitions,
each with tasks in this session's group. So nothing here waits for a client or an engine, and a cancelled response is
silent before the next input is looked at.

Appended audio enters in slices, one per turn of the loop, and no other client frame overtakes it; engine chunks and
deadlines do come in between. A call's sound enters in blocks of its own, as it was spoken (`live_lane`); such a session
lives as long as its call, with any number of connections.

| what ends | what follows |
|---|---|
| the machine finishes (expired, drained) | it has closed the connections with its reason; the session ends |
| the last connection leaves, or none comes in time | the session ends, unless a call carries it |
| the call is hung up, or its peer is gone | connections close with 1000; the session ends |
| a connection's outbox overflows | that connection leaves at once |
| a response is cancelled | its engine is told, its task cancelled, its waiting chunks dropped: at once |
| an engine breaks | its response or transcript fails; the session goes on |
| the machine or this module raises | connections get an `error` event and 1011; the supervisor reports |
| the session | mailbox, generations, recognitions, adoptions, scores, audio, recorder: closed here, in `close` |

Neighbours: `machine` (moves), `mailbox` (fills it), `performer` (does what it says), `links`, `supervisor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

from parley.audio import AudioBlock, LaneFeed
from parley.engines.base import EngineSet
from parley.observe.recorder import Recorder
from parley.protocol.realtime.client_events import (
    ClientEvent,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    ResponseCreate,
)
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import Done, Failed
from parley.protocol.realtime.ids import ConnectionId, IdSource, LaneId, Ms, SessionId
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
from parley.protocol.realtime.recording import Header
from parley.protocol.realtime.server_events import ErrorBody, ErrorEvent
from parley.runtime.attention import Attention, Ears
from parley.runtime.camera import Camera
from parley.runtime.clock import Clock
from parley.runtime.connection import Attachment, Connection
from parley.runtime.equipment import BARE, Equipment
from parley.runtime.limits import Limits
from parley.runtime.links import Links
from parley.runtime.live_lane import LiveLane
from parley.runtime.machine import Machine
from parley.runtime.mailbox import Frame, Mailbox
from parley.runtime.measures import EndReason, SessionMetrics
from parley.runtime.noise import tune
from parley.runtime.opening import Opening
from parley.runtime.performer import InternalError, Performer
from parley.runtime.permit import Permit
from parley.runtime.playout import Playout
from parley.runtime.prompts import looked_up

__all__ = ["CLOSE_INTERNAL_ERROR", "PlayoutReport", "SessionRunner"]

CLOSE_INTERNAL_ERROR = 1011
PlayoutReport = PlayoutStarted | PlayoutDrained | PlayoutFlushed

_APPEND_LANE = LaneId("0")
_OURSELVES = ConnectionId("server")
"""Who asks for what the server itself starts; answers to it reach nobody."""

_TICKS_AT_ONE_INSTANT = 100


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
        in_call: bool = False,
        equipment: Equipment = BARE,
    ) -> None:
        """`in_call`: a call carries the session, which lives until `hang_up` and hears by `hear`."""
        self.session_id = SessionId(header.session_id)
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._recorder = recorder
        self._machine = Machine(header, ids, recorder)
        self._mailbox = Mailbox(
            max_frames=limits.mailbox_frames,
            max_frame_bytes=limits.mailbox_bytes,
            max_chunks=limits.mailbox_chunks,
        )
        self._links = Links(self.session_id, self._mailbox, limits, clock, metrics.slow_reader)
        self._camera = Camera(clock)
        self._performer = Performer(
            engines,
            self._machine,
            self._mailbox,
            self._links,
            limits,
            metrics,
            self._spawn,
            playout,
            self._camera,
            equipment.tools,
            equipment.allowance,
            equipment.interim,
        )
        self._metered = equipment.allowance is not None
        self._prompts = equipment.prompts
        self._opening = Opening(active=equipment.greets)
        self._lane = LaneFeed(_APPEND_LANE)
        self._append: Iterator[bytes] | None = None
        self._live = LiveLane(_APPEND_LANE) if in_call else None
        self._attention: Attention | None = None
        self._lonely_until: Ms | None = None if in_call else Ms(header.now + limits.unattached_ms)
        self._ticks = 0
        self._ended: EndReason | None = None
        self._hung_up = False
        self._over = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @property
    def ended(self) -> bool:
        """Whether the session is over: nothing can be attached any more."""
        return self._mailbox.closed

    @property
    def generating(self) -> bool:
        """Whether a response is being generated."""
        return len(self._performer.generations) > 0

    def attach(self, *, dialect: Dialect, wants_audio: bool, permit: Permit | None = None) -> Attachment:
        """Add a connection; the machine greets it. `permit` restricts it."""
        return self._links.join(dialect=dialect, wants_audio=wants_audio, permit=permit)

    def expire(self) -> None:
        """Have the machine say goodbye and finish: the server is going away."""
        self._mailbox.post(SessionExpired("draining"))

    def report_playout(self, report: PlayoutReport) -> None:
        """Take a report of server-paced playback."""
        self._mailbox.post(report)

    def hear(self, block: AudioBlock) -> bool:
        """Take sound of the call. False if too much waits and it was dropped."""
        return self._mailbox.post_block(block)

    def see(self, webp: bytes) -> None:
        """Take a still of the call's camera."""
        self._camera.see(webp)

    def heed(self, ears: Ears) -> None:
        """Let `ears` hold silence back where nobody needs it."""
        self._attention = Attention(ears, self._machine.config)

    def hang_up(self) -> None:
        """End with the call that carries the session."""
        self._hung_up = True
        self._mailbox.post(SessionExpired("call_ended"))

    async def wait_ended(self) -> None:
        """Return when the session is over."""
        await self._over.wait()

    def last_steps(self) -> list[str]:
        """Name the kinds of the last inputs and outputs, for a report."""
        return self._machine.last_steps()

    async def run(self) -> EndReason:
        """Live. Raises, as a group, what broke; the session's connections are closed by then."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                return await self._loop()
            finally:
                self.close()

    def close(self) -> None:
        """Free everything, now. What connections were promised before stays in their outboxes. Idempotent."""
        if self._mailbox.closed:
            return
        if self._ended is None:
            self._say_broken()
        self._links.close_all(1000, "")
        self._mailbox.close()
        self._performer.close()
        self._append = None
        if self._recorder:
            self._recorder.close()
        self._over.set()

    async def _loop(self) -> EndReason:
        """Be the owner task."""
        while True:
            self._tick_if_due()
            self._release_commit()
            self._take_one()
            self._append_one()
            if self._ended is not None:
                return self._ended
            if self._append is not None or self._mailbox.holds(frames=self._takes_frames):
                await asyncio.sleep(0)
            else:
                await self._mailbox.wait(self._idle_ms(), frames=self._takes_frames)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task of this session."""
        if self._group is None:
            raise InternalError("the session was given work before it ran")
        return self._group.create_task(work)

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
        if self._opening.take(now):
            self._step(ClientEventReceived(_OURSELVES, ResponseCreate()))
        if self._lonely_until is not None and now >= self._lonely_until and self._ended is None:
            self._ended = "unattached"

    @property
    def _takes_frames(self) -> bool:
        """Whether client frames may be looked at: not while an earlier one is still being done."""
        return self._append is None and not (self._live is not None and self._live.holding)

    def _take_one(self) -> None:
        if self._ended is not None:
            return
        entry = self._mailbox.take(frames=self._takes_frames)
        match entry:
            case None:
                pass
            case Frame():
                self._frame(entry)
            case AudioBlock():
                self._hear(entry)
            case EngineChunk():
                self._chunk(entry)
            case Connected():
                self._lonely_until = None
                self._links.admit(entry.connection)
                self._step(entry)
                self._opening.joined(self._clock.now())
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
        tune(self._lane, self._machine.config.audio.input.noise_reduction)
        block = self._lane.push(pcm)
        self._performer.keep_lane_audio(_APPEND_LANE, block.pcm)
        advanced = LaneAdvanced(
            _APPEND_LANE, block.start_sample, block.samples, block.speech, block.speech_start_sample
        )
        self._step(advanced)
        self._performer.feed_recognisers(_APPEND_LANE)

    def _hear(self, block: AudioBlock) -> None:
        """Put a call's sound onto the lane."""
        if self._live is None:
            return
        self._opening.joined(self._clock.now())
        block = self._live.cleaned(block, self._machine.config.audio.input.noise_reduction)
        advanced = self._live.advance(block, self._clock.now())
        self._performer.keep_lane_audio(_APPEND_LANE, block.pcm, start_sample=block.start_sample)
        self._step(advanced)
        self._performer.feed_recognisers(_APPEND_LANE)
        if self._attention is not None:
            self._attention.heard(block)

    @property
    def _resting(self) -> bool:
        """Whether a call's silence is held back, so that no block need come."""
        return self._attention is not None and self._attention.resting

    def _release_commit(self) -> None:
        """Do a commit that waited for the call's sound."""
        frame = self._live.release(self._clock.now()) if self._live is not None else None
        if frame is not None:
            self._hurry(on=False)
        if frame is not None and not isinstance(frame.message, ClientFault):
            self._step(ClientEventReceived(frame.connection, frame.message))

    def _hurry(self, *, on: bool) -> None:
        if self._attention is not None:
            self._attention.hurry(on=on)

    def _frame(self, frame: Frame) -> None:
        connection = self._links.get(frame.connection)
        if connection is None:
            return
        match frame.message:
            case ClientFault():
                self._step(ClientFaultReceived(frame.connection, frame.message))
            case InputAudioBufferAppend():
                self._begin_append(connection, frame.message)
            case InputAudioBufferCommit() if self._live is not None and not self._resting:
                self._live.hold(frame, self._clock.now())
                self._hurry(on=True)
            case InputAudioBufferClear():
                connection.appends.clear()
                self._step(ClientEventReceived(frame.connection, frame.message))
            case _:
                self._event(frame.connection, frame.message)

    def _event(self, connection: ConnectionId, event: ClientEvent) -> None:
        prompt = looked_up(self._prompts, event)
        if isinstance(prompt, ClientFault):
            self._step(ClientFaultReceived(connection, prompt))
            return
        self._step(ClientEventReceived(connection, event, prompt))
        self._opening.heard(event, self._clock.now())

    def _begin_append(self, connection: Connection, event: InputAudioBufferAppend) -> None:
        if self._live is not None:
            message = "This session hears the call's audio track: send sound there, not in events."
            fault = ClientFault(code="invalid_value", message=message, param="type", event_id=event.event_id)
            self._step(ClientFaultReceived(connection.connection_id, fault))
            return
        limit = self._limits.append_bytes
        if len(event.audio) > limit:
            message = f"One append carries at most {limit >> 20} MiB of audio. Send it in smaller pieces."
            fault = ClientFault(code="invalid_value", message=message, param="audio", event_id=event.event_id)
            self._step(ClientFaultReceived(connection.connection_id, fault))
            return
        self._append = connection.appends.slices(event.audio, self._machine.config.audio.input.format)

    def _chunk(self, entry: EngineChunk) -> None:
        if entry.response_id not in self._performer.generations:
            return
        if isinstance(entry.chunk, Done | Failed):
            self._performer.generations.ended(entry.response_id)
        self._step(entry)

    def _disconnected(self, entry: Disconnected) -> None:
        self._links.remove(entry.connection)
        self._step(entry)
        if not len(self._links) and self._ended is None and self._live is None:
            if self._metered:
                self._step(SessionExpired("client_left"))  # ends what is being generated, so that it is counted
            self._ended = "client_left"

    def _idle_ms(self) -> int | None:
        """How long nothing needs to happen by itself."""
        held_until = self._live.deadline if self._live is not None else None
        waits = (self._machine.deadline, self._lonely_until, self._opening.deadline, held_until)
        deadlines = [at for at in waits if at is not None]
        return max(1, min(deadlines) - self._clock.now()) if deadlines else None

    def _step(self, item: Input) -> None:
        """Move the machine: the only place that does."""
        outputs = self._machine.step(item, self._clock.now())
        for output in outputs:
            self._performer.perform(output)
        if self._attention is not None:
            self._attention.observe(outputs, self._machine.config)
        if self._machine.finished:
            self._ended = "client_left" if self._hung_up else "finished"
