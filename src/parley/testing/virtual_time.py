"""An event loop whose time jumps: an hour of waiting takes no time, and always the same steps.

Here: the loop, the clock that reads it, and a runner. Not here: anything with sockets or threads, which live in real
time; test those on an ordinary loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from parley.protocol.realtime.ids import Ms

__all__ = ["VirtualClock", "VirtualTimeLoop", "run_virtual"]

T = TypeVar("T")

_STUCK_AFTER_S = 5.0


class _JumpingSelector(selectors.BaseSelector):
    """Answer at once: with what is ready, else by moving time to the next timer."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.time_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready:
            return ready
        if timeout is None:
            ready = self._inner.select(_STUCK_AFTER_S)
            if not ready:
                raise RuntimeError("virtual time: every task waits and no timer is set, so nothing will ever happen")
            return ready
        self.time_s += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that starts at 0 s and never waits. A test that can only hang fails after 5 s with the reason.

    With pytest-asyncio, put this into a directory's `conftest.py`::

        def pytest_asyncio_loop_factories(config, item):
            return {"virtual": VirtualTimeLoop}
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.time_s


class VirtualClock:
    """The running loop's time as a `parley.runtime.clock.Clock`; calendar time begins at `unix_start`."""

    def __init__(self, *, unix_start: int = 1_700_000_000) -> None:
        self._unix_start = unix_start

    def now(self) -> Ms:
        """Milliseconds of the running loop."""
        return Ms(round(asyncio.get_running_loop().time() * 1000))

    def unix(self) -> int:
        """Seconds since 1970."""
        return self._unix_start + int(asyncio.get_running_loop().time())


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh virtual-time loop."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
