"""Run an engine's blocking work on its own few named threads, the most urgent job first.

What lives here: the queue between the event loop and native code that computes. What does not: any model. Each local
engine owns one `Worker`; a stage has one thread unless it says otherwise, because two small models on one core only
slow each other down. The queue is bounded by its users: a turn has at most one final and one partial decode in it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from parley.engines.base import EngineError

__all__ = ["Worker"]

T = TypeVar("T")


@dataclass(order=True)
class _Job:
    priority: int
    number: int
    call: Callable[[], Any] = field(compare=False)
    result: Future[Any] = field(compare=False)


class Worker:
    """Threads named `name` that take jobs by priority (lowest number first), then by age."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name = name
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.RLock()  # a job may be done before its callback is set, in this thread
        self._waiting: list[_Job] = []
        self._numbers = itertools.count()
        self._running = 0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job given now would have to wait."""
        with self._lock:
            return self._running >= self._threads

    def submit(self, call: Callable[[], T], *, priority: int = 0) -> Future[T]:
        """Queue `call`. Cancelling the future before it starts takes it out again. Raises `EngineError` when closed."""
        result: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise EngineError(f"The engine {self._name} is closed.", code="engine_closed")
            heapq.heappush(self._waiting, _Job(priority, next(self._numbers), call, result))
        self._start_most_urgent()
        return result

    async def run(self, call: Callable[[], T], *, priority: int = 0) -> T:
        """Queue `call` and wait for it. Cancelling the wait cancels a job that has not started."""
        return await asyncio.wrap_future(self.submit(call, priority=priority))

    async def aclose(self) -> None:
        """Cancel what waits, let what runs end, end the threads. Idempotent."""
        with self._lock:
            self._closed = True
            abandoned, self._waiting = self._waiting, []
        for job in abandoned:
            job.result.cancel()
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)

    def _start_most_urgent(self) -> None:
        """Hand jobs to the pool only while a thread is free, so that a later, more urgent one can still overtake."""
        with self._lock:
            while self._waiting and self._running < self._threads:
                job = heapq.heappop(self._waiting)
                if job.result.set_running_or_notify_cancel():
                    self._running += 1
                    self._pool.submit(job.call).add_done_callback(partial(self._finished, job))

    def _finished(self, job: _Job, outcome: Future[Any]) -> None:
        with self._lock:
            self._running -= 1
        error = outcome.exception()
        if error is not None:
            job.result.set_exception(error)
        else:
            job.result.set_result(outcome.result())
        self._start_most_urgent()
