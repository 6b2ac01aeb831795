"""The life of the engines and of the supervisor on them: build, warm up, serve, drain, close. One task owns it all.

The port is open long before the engines are warm; whoever needs them waits here for a bounded time. An engine that
cannot warm up (a model server that is not running yet) is tried again, and sessions are taken meanwhile: each response
then says what is wrong. `/readyz` is green only when every stage is warm.
Neighbours: `serving` runs it beside the HTTP server; routes and `realtime_entry` ask it for engines and sessions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from parley.engines.base import Engine, EngineError, EngineSet
from parley.engines.cascade import Cascade
from parley.observe.metrics import ServerMetrics
from parley.runtime.supervisor import Supervisor

__all__ = ["EngineRoom", "NotReady", "State", "stages_of"]

log = logging.getLogger(__name__)

State = Literal["starting", "warming", "ready", "degraded", "failed", "draining"]

_FIRST_RETRY_S = 2.0
_LAST_RETRY_S = 30.0


class NotReady(Exception):  # noqa: N818 - a state, phrased as one
    """No session can be had now. The text says why and what to do."""


class EngineRoom:
    """See the module. Call `run` once, in a task of its own; everything else may be asked at any time."""

    def __init__(
        self,
        *,
        build: Callable[[], EngineSet],
        supervise: Callable[[EngineSet], Supervisor],
        metrics: ServerMetrics,
        on_change: Callable[[], None] = lambda: None,
        wait_s: float = 10.0,
        drain_ms: int = 5_000,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        also_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`build` blocks (it imports and loads) and runs on a thread. `wait_s`: how long askers wait for the start."""
        self._build = build
        self._supervise = supervise
        self._metrics = metrics
        self._on_change = on_change
        self._wait_s = wait_s
        self._drain_ms = drain_ms
        self._sleep = sleep
        self._also_close = also_close
        self._engines: EngineSet | None = None
        self._supervisor: Supervisor | None = None
        self._opened = asyncio.Event()
        self._stopping = asyncio.Event()
        self.state: State = "starting"
        self.problems: dict[str, str] = {}
        """Stage → why it is not warm, in words that name the fix."""

    @property
    def built(self) -> EngineSet | None:
        """The engines, warm or not, once they are built."""
        return self._engines

    async def engines(self) -> EngineSet:
        """Wait for the engines. Raises `NotReady`."""
        await self._open()
        assert self._engines is not None
        return self._engines

    async def supervisor(self) -> Supervisor:
        """Wait for the supervisor that opens sessions. Raises `NotReady`, also while the server drains."""
        await self._open()
        assert self._supervisor is not None
        return self._supervisor

    async def _open(self) -> None:
        if self.state == "draining":
            raise NotReady("The server is shutting down. Connect again in a moment.")
        try:
            async with asyncio.timeout(self._wait_s):
                await self._opened.wait()
        except TimeoutError:
            raise NotReady("The engines are still loading. GET /readyz says when they are done.") from None
        if self.state in {"draining", "failed"}:
            raise NotReady("The server is shutting down. Connect again in a moment.")

    async def run(self) -> None:
        """Build, warm up and serve until `stop`. Raises `EngineError` if the engines cannot even be built."""
        try:
            self._engines = engines = await self._built()
            self._enter("warming")
            pending = await self._warmed(stages_of(engines))
            async with self._supervise(engines) as supervisor, asyncio.TaskGroup() as group:
                self._supervisor = supervisor
                self._settle(pending)
                self._opened.set()
                retrying = group.create_task(self._retry(pending))
                await self._stopping.wait()
                retrying.cancel()
                self._enter("draining")
                await supervisor.drain("The server is shutting down.", self._drain_ms)
        except EngineError as error:
            self.problems["engines"] = error.message
            self._enter("failed")
            raise
        finally:
            self._metrics.ready(is_ready=False)
            self._opened.set()
            if self._also_close is not None:
                await self._also_close()
            if self._engines is not None:
                await _close(self._engines)

    def stop(self) -> None:
        """Begin to drain; `run` ends when it is done. Idempotent."""
        self._stopping.set()

    async def _built(self) -> EngineSet:
        with ThreadPoolExecutor(1, "parley-build") as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, self._build)

    async def _warmed(self, stages: list[Engine]) -> list[Engine]:
        """Warm all up at once; give those that failed."""
        async with asyncio.TaskGroup() as group:
            results = [(engine, group.create_task(self._warm_up(engine))) for engine in stages]
        return [engine for engine, task in results if not task.result()]

    async def _warm_up(self, engine: Engine) -> bool:
        info = engine.info
        try:
            await engine.warm_up()
        except EngineError as error:
            self.problems[info.stage] = error.message
            log.warning("engine is not ready", extra={"stage": info.stage, "engine": info.name, "code": error.code})
            return False
        self.problems.pop(info.stage, None)
        log.info("engine is warm", extra={"stage": info.stage, "engine": info.name, "model": info.model})
        return True

    def _settle(self, pending: list[Engine]) -> None:
        self._metrics.ready(is_ready=not pending)
        self._enter("degraded" if pending else "ready")

    def _enter(self, state: State) -> None:
        self.state = state
        self._on_change()

    async def _retry(self, pending: list[Engine]) -> None:
        wait_s = _FIRST_RETRY_S
        while pending:
            await self._sleep(wait_s)
            pending = await self._warmed(pending)
            self._settle(pending)
            wait_s = min(wait_s * 2, _LAST_RETRY_S)


def stages_of(engines: EngineSet) -> list[Engine]:
    """List the engines that do the work; a cascade is made of two of them and is left out."""
    stages: list[Engine] = [engines.recognizer, engines.turn_detector, engines.chat, engines.synthesizer]
    if not isinstance(engines.responder, Cascade):
        stages.append(engines.responder)
    return stages


async def _close(engines: EngineSet) -> None:
    for engine in (engines.responder, engines.synthesizer, engines.chat, engines.turn_detector, engines.recognizer):
        await engine.aclose()
