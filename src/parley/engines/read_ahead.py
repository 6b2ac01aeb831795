"""An async iterator that runs ahead of its reader in a task of its own, and that anyone may cancel at once.

Here: `ReadAhead`, the one place under `engines` that starts tasks. Not here: what is read (`llm`, `tts`, `cascade`).
Every task it starts is owned: it ends with its source, or through `cancel()`, and `closed()` waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

__all__ = ["ReadAhead"]

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Iterate `source()` once, up to `ahead` values before the reader asks.

    `cancel` is synchronous and idempotent: nothing is yielded after it returns, a waiting reader ends, and the source
    is closed within a turn or two of the loop. An exception of the source reaches the reader after the values before.
    A reader of several may share one event between them (`changed`), set whenever any has news, and use `take`.
    Overflow policy: the source waits; nothing is dropped.
    """

    def __init__(
        self,
        source: Callable[[], AsyncGenerator[T, None]],
        *,
        ahead: int = 16,
        name: str = "engine",
        changed: asyncio.Event | None = None,
        among: set[ReadAhead[T]] | None = None,
    ) -> None:
        """Keep what is to be read. `changed` may be shared; `among` holds this one for as long as its task lives."""
        self._source = source
        self._ahead = ahead
        self._name = name
        self._values: deque[T] = deque()
        self._changed = changed or asyncio.Event()
        self._among = among
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._over = False
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    @property
    def ended(self) -> bool:
        """Whether everything was taken and no more will come. An error is still to be raised by `take`."""
        return self._over and not self._values and (self._error is None or self._cancelled)

    def start(self) -> None:
        """Begin reading now; otherwise the first `__anext__` does. Needs a running loop."""
        if self._task is None and not self._over:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)
            self._task.add_done_callback(self._settle)
            if self._among is not None:
                self._among.add(self)

    def take(self) -> T | None:
        """Give the next value if it is there, else None. Raises the source's error once its values are taken."""
        if self._values:
            value = self._values.popleft()
            self._room.set()
            return value
        if self._error is not None and not self._cancelled:
            raise self._error
        return None

    def __aiter__(self) -> ReadAhead[T]:
        return self

    async def __anext__(self) -> T:
        self.start()
        while True:
            value = self.take()
            if value is not None:
                return value
            if self._over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    def cancel(self) -> None:
        """Stop: what was read is dropped, the source is closed in the background. After the end it does nothing."""
        if self._cancelled or (self._task is not None and self._task.done() and not self._values):
            return
        self._cancelled = True
        self._over = True
        self._values.clear()
        self._changed.set()
        if self._task is not None:
            self._task.cancel()

    async def closed(self) -> None:
        """Wait until the source has let go of what it held."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        async with aclosing(self._source()) as values:
            async for value in values:
                while len(self._values) >= self._ahead:
                    self._room.clear()
                    await self._room.wait()
                self._values.append(value)
                self._changed.set()

    def _settle(self, task: asyncio.Task[None]) -> None:
        if self._among is not None:
            self._among.discard(self)
        self._over = True
        if task.cancelled():
            self._error = None if self._cancelled else asyncio.CancelledError()
        else:
            self._error = task.exception()
        self._changed.set()
