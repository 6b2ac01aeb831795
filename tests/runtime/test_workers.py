"""Generations, recognitions, adoptions and scores by themselves: what they let go of, and when."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from runtime_kit import Client, supervised, utterance
from spoken import BYTES_PER_MS, silence

from parley.engines.base import Transcript
from parley.protocol.realtime.generation import Chunk, TextDelta
from parley.protocol.realtime.ids import ItemId, LaneId, ResponseId
from parley.protocol.realtime.inputs import TranscriptFailed, TranscriptFinal, TurnScored
from parley.protocol.realtime.outputs import (
    FinishTranscription,
    ScoreTurn,
    StartTranscription,
    TranscribeItemAudio,
    TranscriptionOptions,
)
from parley.protocol.realtime.session_config import PcmFormat
from parley.runtime.adoptions import Adoptions
from parley.runtime.audio_store import AudioStore
from parley.runtime.generations import Generations
from parley.runtime.mailbox import Mailbox
from parley.runtime.recognitions import Recognitions
from parley.runtime.scores import Scores
from parley.testing import FakeRecognizer, FakeTurnDetector, Hang, engine_set, generation_context

ITEM, LANE, R = ItemId("item"), LaneId("0"), ResponseId("resp_test")


class Room:
    """A mailbox, a store, and tasks that are counted."""

    def __init__(self) -> None:
        self.mailbox = Mailbox(max_frames=9, max_frame_bytes=9_000, max_chunks=3)
        self.store = AudioStore(max_bytes=1 << 24)
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self.tasks.append(task)
        return task

    async def settled(self) -> list[Any]:
        """Wait until no task is left; everything in the mailbox."""
        await asyncio.wait(self.tasks, timeout=100)
        assert all(task.done() for task in self.tasks)
        taken = []
        while (entry := self.mailbox.take()) is not None:
            taken.append(entry)
        return taken


class Endless:
    """A responder that never stops, and notes when its generator is closed."""

    def __init__(self) -> None:
        self.closed_at: float | None = None
        self.cancelled = False

    def generate(self, context: Any) -> Endless:
        return self

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        try:
            while True:
                yield TextDelta("more ")
        finally:
            self.closed_at = asyncio.get_running_loop().time()


async def test_a_cancelled_generation_is_gone_before_cancel_returns() -> None:
    room, engine = Room(), Endless()
    generations = Generations(engine, room.mailbox, room.spawn, silence_ms=1000, congested=bool)  # type: ignore[arg-type]
    generations.start(generation_context())
    await asyncio.sleep(1)
    assert len(room.mailbox) == 3, "the pump waits above its bound"
    generations.cancel(R)
    assert len(room.mailbox) == 0
    assert engine.cancelled
    assert R not in generations
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert engine.closed_at == 1.0, "its generator runs its finally blocks now"
    assert await room.settled() == []


async def test_no_partial_follows_the_final_reading() -> None:
    class Chatty(FakeRecognizer):
        def open(self, options: Any) -> Any:
            return self

        def feed(self, pcm: bytes) -> None: ...

        def cancel(self) -> None: ...

        async def partials(self) -> AsyncIterator[Transcript]:
            yield Transcript("he")
            await asyncio.sleep(10)
            yield Transcript("too late")

        async def finish(self) -> Transcript:
            return Transcript("hello")

    room = Room()
    recognitions = Recognitions(Chatty(), room.store, room.mailbox, room.spawn, limit_ms=1000)
    recognitions.start(StartTranscription(ITEM, LANE, 0, TranscriptionOptions()))
    await asyncio.sleep(0)
    assert len(room.mailbox) == 1
    recognitions.finish(FinishTranscription(ITEM, 24_000, 24_000))
    taken = await room.settled()
    assert taken == [TranscriptFinal(ITEM, "hello", 1.0)]
    assert asyncio.get_running_loop().time() < 1, "a recogniser that goes on with partials is not waited for"
    assert len(recognitions) == 0


async def test_an_abandoned_turn_is_not_answered() -> None:
    room = Room()
    engine = FakeRecognizer(["hello"], delay_ms=500)
    recognitions = Recognitions(engine, room.store, room.mailbox, room.spawn, limit_ms=1000)
    recognitions.start(StartTranscription(ITEM, LANE, 0, TranscriptionOptions()))
    recognitions.finish(FinishTranscription(ITEM, 24_000, 24_000))
    await asyncio.sleep(0.1)
    recognitions.abandon(ITEM)
    assert await room.settled() == []
    assert engine.opened[0].cancelled


@pytest.mark.parametrize(("heard", "answer_kind"), [("hello", TranscriptFinal), (Hang(), TranscriptFailed)])
async def test_an_adopted_item_is_kept_and_answered(heard: Any, answer_kind: type) -> None:
    room = Room()
    engine = FakeRecognizer([heard])
    adoptions = Adoptions(engine, room.store, room.mailbox, room.spawn, slice_ms=100, limit_ms=1000)
    adoptions.adopt(TranscribeItemAudio(ITEM, silence(2000), PcmFormat(), TranscriptionOptions()))
    (answer,) = await room.settled()
    assert type(answer) is answer_kind
    assert getattr(answer, "seconds", 2.0) == 2.0
    assert room.store.item_bytes(ITEM) == 2000 * BYTES_PER_MS
    assert engine.opened[0].cancelled


async def test_an_item_deleted_while_it_is_adopted_leaves_nothing_behind() -> None:
    room = Room()
    engine = FakeRecognizer(["hello"])
    adoptions = Adoptions(engine, room.store, room.mailbox, room.spawn, slice_ms=100, limit_ms=1000)
    adoptions.adopt(TranscribeItemAudio(ITEM, silence(2000), PcmFormat(), TranscriptionOptions()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert 0 < room.store.item_bytes(ITEM) < 2000 * BYTES_PER_MS
    adoptions.drop(ITEM)
    room.store.drop(ITEM)
    assert await room.settled() == []
    assert room.store.held_bytes == 0
    assert engine.opened[0].cancelled


async def test_deleting_an_item_stops_its_adoption() -> None:
    recognizer = FakeRecognizer([Hang()])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        part = {"type": "input_audio", "audio": base64.b64encode(silence(60_000)).decode()}
        item = {"id": "item_mine", "type": "message", "role": "user", "content": [part]}
        await client.send("conversation.item.create", item=item)
        await client.send("conversation.item.delete", item_id="item_mine")
        await client.until("conversation.item.deleted")
        await asyncio.sleep(1)
        assert recognizer.opened[0].cancelled
        assert recognizer.opened[0].fed_bytes < 60_000 * BYTES_PER_MS
        assert client.handle._runner._performer._store.held_bytes == 0
        await client.leave()


async def test_a_question_is_dropped_for_a_newer_one_and_given_up_in_time() -> None:
    class Detector(FakeTurnDetector):
        async def score(self, pcm: bytes, text: str) -> float:
            self.asked.append((len(pcm), text))
            await asyncio.sleep(0.5 if text == "second" else 60)
            return 7.0

    room, detector = Room(), Detector()
    room.store.append(LANE, silence(20_000))
    scores = Scores(detector, room.store, room.mailbox, room.spawn, limit_ms=1000)
    scores.ask(ScoreTurn(ITEM, LANE, 0, 480_000, "first"))
    await asyncio.sleep(0.1)
    scores.ask(ScoreTurn(ITEM, LANE, 0, 480_000, "second"))
    assert await room.settled() == [TurnScored(ITEM, 1.0)]
    assert detector.asked[0] == (8000 * BYTES_PER_MS, "first")
    scores.ask(ScoreTurn(ITEM, LANE, 0, 480_000, "third"))
    assert await room.settled() == []
    assert asyncio.get_running_loop().time() == pytest.approx(1.6)
    scores.ask(ScoreTurn(ITEM, LANE, 0, 480_000, "second"))
    scores.drop(ITEM)
    assert await room.settled() == []


async def test_half_a_sample_is_forgotten_with_the_buffer_it_belongs_to() -> None:
    async with supervised(engine_set(recognizer=FakeRecognizer(["x"]))) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await client.append(silence(100) + b"\x7f")
        await client.send("input_audio_buffer.clear")
        await client.append(utterance())
        await client.send("input_audio_buffer.commit")
        item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert base64.b64decode(part["audio"]) == utterance()
        await client.leave()


async def test_a_detached_link_ends_its_writer_and_holds_nothing() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        other = client.handle.attach()
        frames = other.frames()
        assert '"session.created"' in await anext(frames)
        await client.ask("hello")
        await client.until("response.done")
        assert other._outbox.waiting_bytes > 10_000
        other.detach()
        assert other._outbox.waiting_bytes == 0
        assert [frame async for frame in frames] == []
        assert not client.handle.ended
        await client.leave()
