"""All live sessions of this process: opening, finding, draining, and what happens when one breaks.

Every session is one task here, with all of its own tasks in a group below it. A broken session closes with 1011 and a
report that names places and kinds of events, never what was said; the others do not notice. New sessions are refused
with a reason when the server is full, late or going away: live ones are never degraded to make room.
Neighbours: `runner` (one session), `server` (opens sessions for its clients), `directory` (who holds which).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from parley.audio import AudioBlock
from parley.engines.base import EngineSet
from parley.observe.recorder import Recorder
from parley.protocol.realtime.dialects import Dialect
from parley.protocol.realtime.ids import IdSource, SessionId
from parley.protocol.realtime.recording import Header
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.allowance import Allowance
from parley.runtime.attention import Ears
from parley.runtime.clock import Clock
from parley.runtime.connection import Attachment
from parley.runtime.containment import origin
from parley.runtime.directory import MemoryDirectory, SessionDirectory
from parley.runtime.equipment import BARE, Equipment
from parley.runtime.limits import Limits
from parley.runtime.measures import EndReason, NoMetrics, SessionMetrics
from parley.runtime.permit import Permit
from parley.runtime.playout import Playout
from parley.runtime.runner import PlayoutReport, SessionRunner

__all__ = ["AtCapacity", "SessionEnded", "SessionHandle", "Supervisor"]

_log = logging.getLogger(__name__)

_PULSE_MS = 250
_DRAIN_STEP_S = 0.1
_LAST_STEPS_S = 2.0


class AtCapacity(Exception):  # noqa: N818 - a state of the server, not a mistake
    """No new session now. `reason` is for the client; `code` is `full`, `late` or `draining`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SessionEnded(Exception):  # noqa: N818 - a state of the session, not a mistake
    """The session is over: there is nothing to attach to."""


class SessionHandle:
    """One live session, from outside."""

    def __init__(self, runner: SessionRunner) -> None:
        self._runner = runner

    @property
    def session_id(self) -> SessionId:
        """`sess_…`, as in `session.created`."""
        return self._runner.session_id

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._runner.ended

    def attach(
        self, *, dialect: Dialect = Dialect.GA, wants_audio: bool = True, permit: Permit | None = None
    ) -> Attachment:
        """Add a connection, restricted by `permit`; its first frame is `session.created`. Raises `SessionEnded`."""
        if self._runner.ended:
            raise SessionEnded(f"session {self.session_id} has ended; open a new one")
        return self._runner.attach(dialect=dialect, wants_audio=wants_audio, permit=permit)

    def report_playout(self, report: PlayoutReport) -> None:
        """Pass on what a server-paced playback did."""
        self._runner.report_playout(report)

    def hear(self, block: AudioBlock) -> bool:
        """Pass on sound of the call that carries the session. False if too much waits and it was dropped."""
        return self._runner.hear(block)

    def see(self, webp: bytes) -> None:
        """Pass on a still of the call's camera, a WebP file. Responses are shown the latest one."""
        self._runner.see(webp)

    def heed(self, ears: Ears) -> None:
        """Let whoever hears the call hold silence back where nobody needs it."""
        self._runner.heed(ears)

    def hang_up(self) -> None:
        """Say that the call is over: connections close with 1000 and the session ends. Idempotent."""
        self._runner.hang_up()

    async def wait_ended(self) -> None:
        """Return when the session is over, by whatever cause."""
        await self._runner.wait_ended()


class Supervisor:
    """See the module. An asynchronous context manager: sessions live inside, and leaving it ends them."""

    def __init__(
        self,
        *,
        engines: EngineSet,
        clock: Clock,
        ids: IdSource,
        limits: Limits,
        metrics: SessionMetrics | None = None,
        capture_dir: Path | None = None,
        directory: SessionDirectory | None = None,
        node: str = "local",
    ) -> None:
        self._engines = engines
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._metrics = metrics or NoMetrics()
        self._capture_dir = capture_dir
        self._directory = directory or MemoryDirectory()
        self._node = node
        self._group = asyncio.TaskGroup()
        self._runners: dict[SessionId, SessionRunner] = {}
        self._tasks: dict[SessionId, asyncio.Task[None]] = {}
        self._pulse: asyncio.Task[None] | None = None
        self._lag_ms = 0
        self._draining: str | None = None

    async def __aenter__(self) -> Self:
        """Start to accept sessions."""
        await self._group.__aenter__()
        self._pulse = self._group.create_task(self._watch_lag())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every session, politely unless something went wrong, then return."""
        if error is None:
            await self.drain("the server is shutting down", 0)
        for task in (self._pulse, *self._tasks.values()):
            if task is not None:
                task.cancel()
        await self._group.__aexit__(None, None, None)
        for runner in self._runners.values():
            runner.close()  # it was cancelled before its first step

    def __len__(self) -> int:
        """How many sessions live."""
        return len(self._runners)

    @property
    def lag_ms(self) -> int:
        """How late the event loop answered lately."""
        return self._lag_ms

    async def open(
        self,
        config: SessionConfig,
        *,
        max_session_ms: int | None = None,
        playout: Playout | None = None,
        in_call: bool = False,
        camera: bool = False,
        equipment: Equipment = BARE,
    ) -> SessionHandle:
        """Start a session; with a `playout` its speech is server-paced. Raises `AtCapacity`.

        It waits for its first connection for `Limits.unattached_ms` and ends with its last. With `in_call` it needs no
        connection: it hears by `SessionHandle.hear` and lives until `hang_up`. `camera`: it also sees, by
        `SessionHandle.see`.
        """
        engines = equipment.engines or self._engines
        self._refuse_if_full()
        session_id = SessionId(self._ids("sess"))
        recorder = Recorder(self._capture_dir / f"{session_id}.jsonl") if self._capture_dir else None
        header = Header(
            session_id=session_id,
            config=config,
            now=self._clock.now(),
            created_unix=self._clock.unix(),
            max_session_ms=max_session_ms or self._limits.max_session_ms,
            needs_transcript=not engines.responder.capabilities.audio_in,
            sees=engines.responder.capabilities.images,
            camera=camera and engines.responder.capabilities.images,
            pacing="server" if playout else "client",
        )
        runner = SessionRunner(
            header,
            engines=engines,
            clock=self._clock,
            ids=self._ids,
            limits=self._limits,
            metrics=self._metrics,
            recorder=recorder,
            playout=playout,
            in_call=in_call,
            equipment=equipment,
        )
        self._runners[session_id] = runner
        self._tasks[session_id] = self._group.create_task(
            self._run(runner, recorder, equipment.allowance), name=f"session {session_id}"
        )
        return SessionHandle(runner)

    def get(self, session_id: str) -> SessionHandle | None:
        """Give the live session of that id."""
        runner = self._runners.get(SessionId(session_id))
        return None if runner is None or runner.ended else SessionHandle(runner)

    async def drain(self, reason: str, timeout_ms: int) -> None:
        """Refuse new sessions because of `reason` and end the live ones: at once, or when their answer is complete.

        After `timeout_ms` those still answering are ended as well. Returns when all are gone.
        """
        self._draining = reason
        deadline = self._clock.now() + timeout_ms
        told: set[SessionId] = set()
        while self._runners:
            late = self._clock.now() >= deadline
            for session_id, runner in self._runners.items():
                if session_id not in told and (late or not runner.generating):
                    told.add(session_id)
                    runner.expire()
            _, unfinished = await asyncio.wait(self._tasks.values(), timeout=_LAST_STEPS_S if late else _DRAIN_STEP_S)
            if late:
                for task in unfinished:
                    task.cancel()

    async def _run(self, runner: SessionRunner, recorder: Recorder | None, allowance: Allowance | None) -> None:
        opened_at = self._clock.now()
        reason: EndReason = "crashed"
        self._metrics.session_opened()
        try:
            await self._directory.claim(runner.session_id, self._node)
            reason = await runner.run()
        except Exception as error:  # a bug of ours ends one session with a report, never the process
            self._report(runner, error)
        finally:
            del self._runners[runner.session_id]
            del self._tasks[runner.session_id]
            self._metrics.session_closed(reason, self._clock.now() - opened_at)
            if allowance is not None:
                allowance.close()
            await self._directory.release(runner.session_id, self._node)
            if recorder is not None:
                await asyncio.to_thread(recorder.join)

    def _report(self, runner: SessionRunner, error: Exception) -> None:
        """Say what broke and where, and the kinds of the last events: enough to find it, nothing of what was said."""
        for leaf in _leaves(error):
            _log.error(
                "session broke",
                extra={
                    "session_id": runner.session_id,
                    "exception": type(leaf).__name__,
                    "origin": origin(leaf),
                    "last_steps": runner.last_steps(),
                },
            )

    def _refuse_if_full(self) -> None:
        refusal: AtCapacity | None = None
        if self._draining is not None:
            refusal = AtCapacity("draining", f"No new sessions: {self._draining}. Try again in a moment.")
        elif len(self._runners) >= self._limits.max_sessions:
            refusal = AtCapacity("full", f"All {self._limits.max_sessions} sessions are taken. Try again later.")
        elif self._runners and self._lag_ms > self._limits.loop_lag_ms:
            refusal = AtCapacity("late", "The server is too busy for another session. Try again in a moment.")
        if refusal is not None:
            self._metrics.session_refused(refusal.code)
            raise refusal

    async def _watch_lag(self) -> None:
        """Measure how late the loop is; a peak counts for a few seconds, halving."""
        while True:
            asleep_at = self._clock.now()
            await asyncio.sleep(_PULSE_MS / 1000)
            late_ms = max(0, self._clock.now() - asleep_at - _PULSE_MS)
            self._lag_ms = max(late_ms, self._lag_ms // 2)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
