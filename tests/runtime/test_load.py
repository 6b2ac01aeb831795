"""Much at once: a five-minute append, a memory budget, hundreds of idle sessions."""

from __future__ import annotations

import asyncio
import tracemalloc

from runtime_kit import Client, supervised, utterance
from spoken import BYTES_PER_MS, silence

from parley.protocol.realtime.ids import LaneId
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.limits import Limits
from parley.runtime.runner import SessionRunner

MINUTE_MS = 60_000


def runner_of(client: Client) -> SessionRunner:
    return client.handle._runner


async def test_five_minutes_in_one_event_hold_up_nobody() -> None:
    """Virtual time stands still while the append is worked off, so any progress beside it is real interleaving."""
    async with supervised() as supervisor:
        heavy, light = await Client.connect(supervisor), await Client.connect(supervisor)
        speech = utterance()
        await asyncio.sleep(0)
        pcm = (speech + silence(1000)) * (5 * MINUTE_MS * BYTES_PER_MS // (len(speech) + 48_000))
        await asyncio.sleep(0)
        await heavy.append(pcm)
        turns = 0
        for _ in range(3):
            await light.ask("how are you?")
            await light.until("response.done")
            lane_ms = runner_of(heavy)._performer._store.lane_end(LaneId("0")) // 24
            turns += 1
        assert turns == 3
        assert lane_ms < 4 * MINUTE_MS, "the neighbour was answered before the append was through"
        for _ in range(20_000):
            await asyncio.sleep(0)
        assert runner_of(heavy)._performer._store.lane_end(LaneId("0")) // 24 > 4.8 * MINUTE_MS
        assert len(heavy.of("input_audio_buffer.committed")) > 50
        await heavy.leave()
        await light.leave()


async def test_a_long_append_does_not_hold_up_its_own_session_either() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await client.ask("how are you?")
        await client.append(silence(4 * MINUTE_MS))
        await client.until("response.done")
        assert runner_of(client)._performer._store.lane_end(LaneId("0")) // 24 < 3 * MINUTE_MS
        await client.leave()


async def test_audio_stays_within_its_budget_and_the_oldest_goes_first() -> None:
    async with supervised(limits=Limits(audio_bytes=2 << 20)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        items = []
        for _ in range(10):
            await client.append(silence(10_000))
            await client.send("input_audio_buffer.commit")
            items.append((await client.until("input_audio_buffer.committed"))["item_id"])
            assert runner_of(client)._performer._store.held_bytes <= 2 << 20
        for item_id in (items[0], items[-1]):
            await client.send("conversation.item.retrieve", item_id=item_id)
        oldest = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        newest = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert "audio" not in oldest
        assert len(newest["audio"]) == 640_000
        await client.append(silence(120_000))
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        assert runner_of(client)._performer._store.held_bytes <= 2 << 20
        await client.leave()


async def test_ten_minutes_of_silence_cost_no_memory() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        second = silence(1000)
        held = []
        for _ in range(60):
            for _ in range(10):
                await client.append(second)
            while not runner_of(client)._mailbox._owner:
                await asyncio.sleep(0)
            held.append(runner_of(client)._performer._store.held_bytes)
        assert max(held) <= 10 * 48_000
        await client.leave()


async def test_three_hundred_idle_sessions_are_cheap() -> None:
    tracemalloc.start()
    try:
        async with supervised(limits=Limits(max_sessions=300)) as supervisor:
            tasks = len(asyncio.all_tasks())
            before = tracemalloc.get_traced_memory()[0]
            attachments = []
            for _ in range(300):
                attachments.append((await supervisor.open(SessionConfig())).attach())
                await asyncio.sleep(0)
            await asyncio.sleep(1)
            each = (tracemalloc.get_traced_memory()[0] - before) / 300
            assert len(asyncio.all_tasks()) - tasks == 300, "one task for an idle session"
            assert each < 64 * 1024, f"{each / 1024:.0f} KiB for an idle session"
            for attachment in attachments:
                attachment.detach()
            await asyncio.sleep(1)
            assert len(supervisor) == 0
    finally:
        tracemalloc.stop()
