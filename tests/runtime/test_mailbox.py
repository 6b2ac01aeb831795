"""The mailbox's four shelves: order, bounds, and what gives way."""

from __future__ import annotations

import asyncio

import pytest

from parley.protocol.realtime.client_events import InputAudioBufferCommit
from parley.protocol.realtime.generation import TextDelta
from parley.protocol.realtime.ids import ConnectionId, ItemId, ResponseId
from parley.protocol.realtime.inputs import Connected, EngineChunk, TranscriptPartial
from parley.runtime.mailbox import Frame, Mailbox

A, B = ConnectionId("a"), ConnectionId("b")
R1, R2 = ResponseId("r1"), ResponseId("r2")


def mailbox(*, frames: int = 2, size: int = 1000, chunks: int = 2) -> Mailbox:
    return Mailbox(max_frames=frames, max_frame_bytes=size, max_chunks=chunks)


def frame(connection: ConnectionId = A, size: int = 1) -> Frame:
    return Frame(connection, InputAudioBufferCommit(), size)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_own_inputs_come_first_then_partials_then_frames_and_chunks_in_turn() -> None:
    box = mailbox(frames=9, chunks=9)
    for _ in range(2):
        await box.put_chunk(R1, TextDelta("x"))
        await box.put_frame(frame())
    box.post_partial(TranscriptPartial(ItemId("i"), "he"))
    box.post_partial(TranscriptPartial(ItemId("i"), "hello"))
    box.post(Connected(A))
    assert len(box) == 6
    taken = [box.take() for _ in range(7)]
    kinds = [type(entry) for entry in taken]
    assert kinds == [Connected, TranscriptPartial, Frame, EngineChunk, Frame, EngineChunk, type(None)]
    assert isinstance(taken[1], TranscriptPartial)
    assert taken[1].text == "hello"


async def test_frames_can_be_left_waiting() -> None:
    box = mailbox()
    await box.put_frame(frame())
    await box.put_chunk(R1, TextDelta("x"))
    assert isinstance(box.take(frames=False), EngineChunk)
    assert box.take(frames=False) is None
    assert isinstance(box.take(), Frame)


@pytest.mark.parametrize(("frames", "size", "each"), [(2, 1000, 1), (99, 1000, 500)])
async def test_the_reader_of_one_frame_too_many_waits(frames: int, size: int, each: int) -> None:
    box = mailbox(frames=frames, size=size)
    await box.put_frame(frame(size=each))
    await box.put_frame(frame(size=each))
    third = asyncio.create_task(box.put_frame(frame(B, each)))
    await turns()
    assert not third.done()
    box.take()
    await third
    assert len(box) == 2


async def test_a_frame_above_the_whole_bound_is_let_in_alone() -> None:
    box = mailbox(size=10)
    await box.put_frame(frame(size=100))
    second = asyncio.create_task(box.put_frame(frame(size=1)))
    await turns()
    assert not second.done()
    box.take()
    await second


async def test_the_pump_of_one_chunk_too_many_waits_but_not_for_another_response() -> None:
    box = mailbox()
    for _ in range(2):
        await box.put_chunk(R1, TextDelta("x"))
    third = asyncio.create_task(box.put_chunk(R1, TextDelta("late")))
    await box.put_chunk(R2, TextDelta("y"))
    await turns()
    assert not third.done()
    box.take()
    await third


async def test_chunks_of_a_dropped_response_are_gone_and_its_pump_goes_on() -> None:
    box = mailbox()
    for _ in range(2):
        await box.put_chunk(R1, TextDelta("x"))
    await box.put_chunk(R2, TextDelta("y"))
    third = asyncio.create_task(box.put_chunk(R1, TextDelta("late")))
    await turns()
    third.cancel()
    assert box.drop_response(R1) == 2
    await turns()
    entry = box.take()
    assert isinstance(entry, EngineChunk)
    assert entry.response_id == R2
    assert box.take() is None


async def test_frames_of_a_dropped_connection_are_gone_and_make_room() -> None:
    box = mailbox()
    await box.put_frame(frame(A))
    await box.put_frame(frame(A))
    waiting = asyncio.create_task(box.put_frame(frame(B)))
    await turns()
    box.drop_connection(A)
    await waiting
    entry = box.take()
    assert isinstance(entry, Frame)
    assert entry.connection == B


async def test_closing_lets_everybody_go_and_drops_everything() -> None:
    box = mailbox()
    for _ in range(2):
        await box.put_frame(frame())
        await box.put_chunk(R1, TextDelta("x"))
    waiting = [
        asyncio.create_task(box.put_frame(frame())),
        asyncio.create_task(box.put_frame(frame())),
        asyncio.create_task(box.put_chunk(R1, TextDelta("x"))),
    ]
    await turns()
    box.close()
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
    await box.put_frame(frame())
    box.post(Connected(A))
    assert len(box) == 0
    await asyncio.wait_for(box.wait(None), 1)


async def test_the_owner_wakes_for_news_and_for_its_deadline() -> None:
    box = mailbox()
    loop = asyncio.get_running_loop()
    await box.wait(500)
    assert loop.time() == pytest.approx(0.5)
    loop.call_later(1, box.post, Connected(A))
    await box.wait(None)
    assert loop.time() == pytest.approx(1.5)
    await box.wait(10_000)
    assert loop.time() == pytest.approx(1.5)
