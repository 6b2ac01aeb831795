"""Time that jumps."""

from __future__ import annotations

import asyncio

import pytest

from parley.testing import VirtualClock, run_virtual


def test_an_hour_passes_at_once_and_exactly() -> None:
    async def main() -> tuple[int, int]:
        clock = VirtualClock(unix_start=1000)
        await asyncio.sleep(3600)
        return clock.now(), clock.unix()

    assert run_virtual(main()) == (3_600_000, 4600)


def test_timers_fire_in_order() -> None:
    async def main() -> list[int]:
        fired: list[int] = []

        async def at(ms: int) -> None:
            await asyncio.sleep(ms / 1000)
            fired.append(ms)

        await asyncio.gather(*(at(ms) for ms in (300, 100, 200, 100)))
        return fired

    assert run_virtual(main()) == [100, 100, 200, 300]


def test_time_outs_work() -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_virtual(main())


def test_a_thread_can_finish_in_it() -> None:
    async def main() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert run_virtual(main()) == 7


def test_a_test_that_would_hang_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.testing.virtual_time._STUCK_AFTER_S", 0.05)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run_virtual(main())
