"""Runtime tests run in virtual time, except files called `test_real_*`; none of them may block the loop."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from parley.testing import VirtualTimeLoop

BLOCKED_MS = 100
"""CPU milliseconds one callback may take. CPU, not wall: a busy machine is no bug."""


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    if item.path.name.startswith("test_real_"):
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


class LoopWatch:
    """The longest time one callback held the loop."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.culprit = ""


@pytest.fixture(autouse=True)
def loop_watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopWatch]:
    """Fail a test in which a callback holds the loop for too long.

    What earlier tests left behind is frozen: a collection that walks a whole suite's objects is no callback's work.
    """
    gc.freeze()
    watch = LoopWatch()
    run: Any = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        started = time.thread_time()
        try:
            run(handle)
        finally:
            took_ms = (time.thread_time() - started) * 1000
            if took_ms > watch.longest_ms:
                watch.longest_ms = took_ms
                watch.culprit = repr(handle)

    monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
    yield watch
    gc.unfreeze()
    assert watch.longest_ms < BLOCKED_MS, f"{watch.longest_ms:.0f} ms in one callback: {watch.culprit}"
