"""The worker: urgent jobs first, nothing lost, nothing after the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from functools import partial

import pytest

from parley.engines.base import EngineError
from parley.engines.local.worker import Worker


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker("test-worker")
    yield made
    await made.aclose()


async def test_the_most_urgent_job_overtakes_and_equals_keep_their_order(worker: Worker) -> None:
    gate, order = threading.Event(), list[str]()
    held = worker.submit(gate.wait)
    jobs = [
        worker.submit(partial(order.append, name), priority=priority)
        for name, priority in (("late", 2), ("first", 0), ("middle", 1), ("second", 0))
    ]
    gate.set()
    await asyncio.wrap_future(held)
    for job in jobs:
        await asyncio.wrap_future(job)
    assert order == ["first", "second", "middle", "late"]


async def test_busy_while_every_thread_works(worker: Worker) -> None:
    gate = threading.Event()
    seen = [worker.busy]
    job = worker.submit(gate.wait)
    seen.append(worker.busy)
    gate.set()
    await asyncio.wrap_future(job)
    seen.append(worker.busy)
    assert seen == [False, True, False]


async def test_two_threads_work_side_by_side() -> None:
    worker = Worker("pair", threads=2)
    meeting = threading.Barrier(2)
    await asyncio.gather(worker.run(lambda: meeting.wait(5)), worker.run(lambda: meeting.wait(5)))
    await worker.aclose()


async def test_a_job_cancelled_before_it_starts_never_runs(worker: Worker) -> None:
    gate, ran = threading.Event(), list[int]()
    held = worker.submit(gate.wait)
    doomed = worker.submit(lambda: ran.append(1))
    assert doomed.cancel()
    gate.set()
    await asyncio.wrap_future(held)
    await worker.run(lambda: None)
    assert ran == []


async def test_an_error_reaches_the_one_who_waits_and_harms_nobody_else(worker: Worker) -> None:
    def fail() -> None:
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        await worker.run(fail)
    assert await worker.run(lambda: 7) == 7


async def test_the_thread_carries_the_engines_name(worker: Worker) -> None:
    assert (await worker.run(lambda: threading.current_thread().name)).startswith("test-worker")


async def test_closing_ends_what_runs_and_cancels_what_waits() -> None:
    worker = Worker("closing")
    gate = threading.Event()
    running, waiting = worker.submit(gate.wait), worker.submit(lambda: None)
    closing = asyncio.ensure_future(worker.aclose())
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert running.result() is True
    with pytest.raises(CancelledError):
        waiting.result()
    with pytest.raises(EngineError, match="closed"):
        worker.submit(lambda: None)
    await worker.aclose()
