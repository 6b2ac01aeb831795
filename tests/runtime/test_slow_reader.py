"""A client that stops reading is closed with a reason; the session beside it loses nothing."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest
from event_order import order_faults
from runtime_kit import Client, CountedMetrics, supervised

from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.limits import Limits
from parley.testing import FakeChatModel, engine_set, say

LONG = "This is a long answer. " * 20


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(outbox_bytes=512 << 10), "512 KiB unsent"),
        (Limits(outbox_age_ms=5_000), "waited 5 s"),
    ],
)
async def test_slow_reader_is_closed_and_its_neighbour_unharmed(limits: Limits, says: str) -> None:
    metrics = CountedMetrics()
    chat = FakeChatModel(lambda context: say(LONG, word_ms=10))
    async with supervised(engine_set(chat=chat), limits=limits, metrics=metrics) as supervisor:
        neighbour = await Client.connect(supervisor)
        handle = await supervisor.open(SessionConfig())
        slow = handle.attach()
        frames = slow.frames()
        assert '"session.created"' in await anext(frames)
        aborted = asyncio.create_task(slow.wait_aborted())
        await slow.receive('{"type":"response.create"}')
        for _ in range(3):
            await neighbour.ask("talk")
            done = await neighbour.until("response.done")
            assert done["response"]["status"] == "completed"
            await asyncio.sleep(3)
        await asyncio.wait_for(aborted, 60)
        assert [frame async for frame in frames] == []
        assert slow.close_code == 1008
        assert says in slow.close_reason
        assert metrics.of("slow_reader") == [()]
        assert handle.ended
        assert len(supervisor) == 1
        assert order_faults(neighbour.events) == []
        await neighbour.leave()


async def test_a_slow_line_gets_a_long_answer_from_a_fast_engine() -> None:
    """Minutes of speech made in no time, over a line that carries speech twice as fast as it plays."""
    chat = FakeChatModel([say("This is a long answer. " * 140)])
    limits = Limits()
    async with supervised(engine_set(chat=chat), limits=limits) as supervisor:
        handle = await supervisor.open(SessionConfig())
        line = handle.attach()
        await line.receive('{"type":"response.create"}')
        audio_bytes, most_waiting, done = 0, 0, None
        async for frame in line.frames():
            event = msgspec.json.decode(frame)
            most_waiting = max(most_waiting, line._outbox.waiting_bytes)
            if event["type"] == "response.output_audio.delta":
                audio_bytes += len(base64.b64decode(event["delta"]))
            if event["type"] == "response.done":
                done = event["response"]
                break
            await asyncio.sleep(len(frame) / 128_000)
        assert done is not None
        assert done["status"] == "completed"
        assert audio_bytes > 150 * 48_000
        assert most_waiting < limits.outbox_calm_bytes + 300_000
        line.detach()


async def test_a_stuck_sideband_does_not_hold_up_the_answer() -> None:
    chat = FakeChatModel([say("This is a long answer. " * 60)])
    async with supervised(engine_set(chat=chat), limits=Limits(outbox_calm_bytes=50_000)) as supervisor:
        client = await Client.connect(supervisor)
        stuck = client.handle.attach()
        await client.ask("talk")
        await client.until("response.done", within_s=10)
        assert not stuck._outbox.closed
        assert stuck._outbox.waiting_bytes > 1 << 20
        await asyncio.sleep(31)
        assert stuck._outbox.aborted
        assert not client.handle.ended
        await client.leave()


async def test_a_reader_that_keeps_up_is_never_closed() -> None:
    chat = FakeChatModel(lambda context: say(LONG, word_ms=10))
    async with supervised(engine_set(chat=chat), limits=Limits(outbox_bytes=100_000)) as supervisor:
        client = await Client.connect(supervisor)
        for _ in range(10):
            await client.ask("talk")
            await client.until("response.done")
        assert len(client.audio()) > 100_000
        await asyncio.sleep(100)
        assert not client.handle.ended
        await client.leave()
