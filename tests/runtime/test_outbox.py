"""The outbox: order, closing after the rest or at once, and its two bounds."""

from __future__ import annotations

import asyncio

import pytest

from parley.runtime.outbox import SLOW_READER, Outbox
from parley.testing import VirtualClock


class Box(Outbox):
    def __init__(self, *, size: int = 100, age_ms: int = 30_000) -> None:
        self.overflows = 0
        super().__init__(max_bytes=size, max_age_ms=age_ms, clock=VirtualClock(), on_overflow=self.count)

    def count(self) -> None:
        self.overflows += 1


async def test_frames_come_in_order_and_end_after_the_close() -> None:
    box = Box()
    box.put("a")
    box.put("b")
    box.close(1001, "bye")
    box.put("never")
    box.close(1000, "too late")
    assert [frame async for frame in box.frames()] == ["a", "b"]
    assert (box.close_code, box.close_reason, box.aborted) == (1001, "bye", False)
    await asyncio.sleep(100)
    assert box.overflows == 0


async def test_a_waiting_writer_gets_what_comes_later() -> None:
    box = Box()
    got: list[str] = []

    async def write() -> None:
        async for frame in box.frames():
            got.append(frame)
            await asyncio.sleep(1)

    writer = asyncio.create_task(write())
    for frame in "abc":
        await asyncio.sleep(5)
        box.put(frame)
    box.close(1000, "")
    await writer
    assert got == ["a", "b", "c"]
    assert box.waiting_bytes == 0


async def test_too_many_bytes_close_at_once_with_a_reason() -> None:
    box = Box()
    box.put("x" * 60)
    frames = box.frames()
    assert await anext(frames) == "x" * 60
    box.put("y" * 40)
    assert [box.aborted] == [False], "the frame being written counts, and both just fit"
    box.put("z")
    assert box.aborted
    assert (box.close_code, box.overflows, box.waiting_bytes) == (SLOW_READER, 1, 0)
    await box.wait_aborted()
    assert [frame async for frame in frames] == []


async def test_a_write_that_never_ends_is_noticed() -> None:
    box = Box()
    frames = box.frames()
    box.put("stuck")
    assert await anext(frames) == "stuck"
    await asyncio.wait_for(box.wait_aborted(), 31)
    assert asyncio.get_running_loop().time() == pytest.approx(30)
    assert "30 s" in box.close_reason
    assert box.overflows == 1


async def test_age_counts_from_the_oldest_unsent_frame() -> None:
    box = Box(age_ms=10_000)
    frames = box.frames()
    for _ in range(20):
        box.put("x")
        box.put("y")
        await asyncio.sleep(4)
        await anext(frames)
        await anext(frames)
    assert not box.aborted
    await asyncio.sleep(11)
    assert box.aborted


async def test_an_abort_keeps_the_reason_of_an_earlier_close() -> None:
    box = Box()
    box.put("a")
    box.close(1001, "expired")
    box.abort(1000, "")
    box.abort(1000, "again")
    assert [frame async for frame in box.frames()] == []
    assert (box.close_code, box.close_reason) == (1001, "expired")
    assert box.overflows == 0
