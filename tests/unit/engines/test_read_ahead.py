"""An iterator that runs ahead of its reader, and can be cancelled by anyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from parley.engines.read_ahead import ReadAhead


class Source:
    def __init__(self, count: int, *, pause_s: float = 0.0, error: Exception | None = None) -> None:
        self.count = count
        self.pause_s = pause_s
        self.error = error
        self.made = 0
        self.closed_at: float | None = None

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.count):
                if self.pause_s:
                    await asyncio.sleep(self.pause_s)
                self.made += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed_at = asyncio.get_running_loop().time()


async def test_it_gives_everything_in_order() -> None:
    assert [value async for value in ReadAhead(Source(50), ahead=3)] == list(range(50))


async def test_it_reads_no_further_ahead_than_told() -> None:
    source = Source(50)
    stream = ReadAhead(source, ahead=3)
    stream.start()
    await asyncio.sleep(1)
    assert source.made == 4
    assert await anext(stream) == 0
    await asyncio.sleep(1)
    assert source.made == 5
    stream.cancel()


async def test_it_reads_nothing_before_it_is_asked() -> None:
    source = Source(5)
    stream = ReadAhead(source)
    await asyncio.sleep(1)
    assert source.made == 0
    stream.cancel()
    assert [value async for value in stream] == []
    assert source.made == 0


async def test_an_error_comes_after_the_values_before_it() -> None:
    stream = ReadAhead(Source(2, error=ValueError("late")))
    assert await anext(stream) == 0
    await asyncio.sleep(1)
    assert await anext(stream) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="late"):
            await anext(stream)


async def test_cancel_drops_what_was_read_and_closes_the_source_at_once() -> None:
    source = Source(50, pause_s=1)
    live: set[ReadAhead[int]] = set()
    stream = ReadAhead(source, among=live)
    assert await anext(stream) == 0
    await asyncio.sleep(2.5)
    assert live == {stream}
    stream.cancel()
    stream.cancel()
    assert stream.cancelled
    assert await anext(stream, None) is None
    await stream.closed()
    assert source.closed_at == pytest.approx(3.5)
    assert source.made == 3
    assert live == set()


async def test_cancel_frees_a_waiting_reader() -> None:
    stream = ReadAhead(Source(1, pause_s=1000))
    asyncio.get_running_loop().call_later(5, stream.cancel)
    assert await anext(stream, None) is None
    assert asyncio.get_running_loop().time() == pytest.approx(5)


async def test_cancel_after_the_end_is_no_cancel() -> None:
    stream = ReadAhead(Source(1))
    assert [value async for value in stream] == [0]
    stream.cancel()
    assert not stream.cancelled


async def test_a_shared_event_tells_of_news() -> None:
    changed = asyncio.Event()
    stream = ReadAhead(Source(2, pause_s=1), changed=changed)
    stream.start()
    assert stream.take() is None
    taken = []
    while not stream.ended:
        changed.clear()
        value = stream.take()
        if value is None:
            await changed.wait()
        else:
            taken.append(value)
    assert taken == [0, 1]


async def test_a_cancelled_reader_leaves_the_stream_usable() -> None:
    stream = ReadAhead(Source(3, pause_s=10))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(stream)
    assert [value async for value in stream] == [0, 1, 2]
