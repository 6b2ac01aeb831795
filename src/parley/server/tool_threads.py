"""Threads for agents' plain functions, which end with the process whatever runs on them.

The standard library's pool joins its threads when the interpreter exits, so that one function that hangs (a query
without a time-out, say) would keep a stopped server alive for ever. Nobody waits for these: what they would still
give is wanted by nobody. Neighbours: `workshop` (owns one), `parley.agents.functions` (runs on it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

__all__ = ["ToolThreads"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_Job = tuple[Future[Any], Callable[[], Any]]


class ToolThreads(Executor):
    """At most `most` calls run at once; further ones wait, in order. `shutdown` waits for none that runs."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0
        self._closed = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run a call on a thread. Raises `RuntimeError` once it is shut down."""
        future: Future[_T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is stopping: it runs no more functions")
            self._jobs.put((future, partial(fn, *args, **kwargs)))
            if not self._idle.acquire(blocking=False) and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls and drop those that have not begun, whatever is asked for. Idempotent."""
        del wait, cancel_futures
        with self._lock:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in range(self._started):
                self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                with _Raised(future):
                    future.set_result(call())
            del job, future, call
            self._idle.release()


class _Raised:
    """Hands what is raised inside on to whoever waits for the call, as every executor does."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True
