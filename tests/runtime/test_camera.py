"""A call with a camera, in virtual time: what the model is shown, what it is not, and what it costs in time."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from call_kit import Caller, calling, loopback_board
from event_order import order_faults
from media_planes import peer_spec
from runtime_kit import supervised, utterance
from spoken import silence

from parley.engines.base import Capabilities
from parley.media.peer_spec import Codec, PeerSpec, PublicationId, Slot, StreamIds
from parley.protocol.realtime.items import InputImagePart, MessageItem
from parley.runtime.camera import MAX_AGE_MS
from parley.testing import FakeChatModel, FakeRecognizer, engine_set, say

CAMERA = "2"


class Blind(FakeChatModel):
    """A model that does not look at pictures."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, images=False)


def filming() -> PeerSpec:
    """A browser's call with a camera."""
    spec = peer_spec("ann")
    vp8 = Codec(96, "VP8", 90_000, feedback=("nack pli",))
    slot = Slot(CAMERA, "video", (vp8,), PublicationId("ann/camera"), (StreamIds(ssrc=77),))
    return replace(spec, slots=(*spec.slots, slot))


@asynccontextmanager
async def film(chat: FakeChatModel, *, camera: bool = True) -> AsyncIterator[Caller]:
    engines = engine_set(chat=chat, recognizer=FakeRecognizer(["what is this", "and this", "and now"]))
    async with (
        loopback_board() as (plane, board),
        supervised(engines) as supervisor,
        calling(supervisor, plane, board, spec=filming() if camera else None, camera=camera) as caller,
    ):
        yield caller
        while len(caller.of("output_audio_buffer.stopped")) < len(caller.of("output_audio_buffer.started")):
            await caller.until("output_audio_buffer.stopped")
        assert order_faults(caller.events) == []
        assert "data:image" not in str(caller.events)


def pictures(chat: FakeChatModel) -> list[str]:
    """What the newest answer was shown."""
    return [
        part.image_url
        for item in chat.contexts[-1].items
        if isinstance(item, MessageItem)
        for part in item.content
        if isinstance(part, InputImagePart)
    ]


def as_url(webp: bytes) -> str:
    return "data:image/webp;base64," + b64encode(webp).decode()


async def test_the_newest_still_goes_with_a_spoken_question() -> None:
    chat = FakeChatModel([say("A red cup.")])
    async with film(chat) as caller:
        assert caller.remote.watched == CAMERA
        caller.remote.show(CAMERA, b"blue")
        await asyncio.sleep(1)
        caller.remote.speak("0", utterance() + silence(1200))
        await asyncio.sleep(0.5)
        caller.remote.show(CAMERA, b"red")
        await caller.until("response.done")
        assert pictures(chat) == [as_url(b"red")]
        question = chat.contexts[-1].items[-1]
        assert isinstance(question, MessageItem)
        assert question.role == "user"
        assert [type(part).__name__ for part in question.content] == ["InputAudioPart", "InputImagePart"]


async def test_a_written_question_is_answered_with_a_look_without_waiting_for_one() -> None:
    chat = FakeChatModel([say("A red cup.")])
    async with film(chat) as caller:
        caller.remote.show(CAMERA, b"red")
        await asyncio.sleep(0.1)
        asked_ms = caller.now_ms
        await caller.ask("what is this")
        async with asyncio.timeout(1):
            while not chat.contexts:
                await asyncio.sleep(0.01)
        assert caller.now_ms - asked_ms < 200
        assert pictures(chat) == [as_url(b"red")]
        await caller.until("response.done")


async def test_a_camera_that_is_switched_off_shows_nothing_and_the_call_goes_on() -> None:
    chat = FakeChatModel([say("Fine.")])
    async with film(chat) as caller:
        caller.remote.show(CAMERA, b"red")
        await asyncio.sleep(MAX_AGE_MS / 1000 + 0.1)
        await caller.ask("what is this")
        await caller.until("response.done")
        assert pictures(chat) == []
        caller.remote.show(CAMERA, b"green")
        await asyncio.sleep(0.1)
        await caller.ask("and now")
        await caller.until("response.done")
        assert pictures(chat) == [as_url(b"green")]


async def test_a_model_that_does_not_see_is_shown_nothing() -> None:
    chat = Blind([say("Fine.")])
    async with film(chat) as caller:
        caller.remote.show(CAMERA, b"red")
        await asyncio.sleep(0.1)
        await caller.ask("what is this")
        done = await caller.until("response.done")
        assert done["response"]["status"] == "completed"
        assert pictures(chat) == []


async def test_a_call_without_a_camera_never_looks() -> None:
    chat = FakeChatModel([say("Fine.")])
    async with film(chat, camera=False) as caller:
        assert caller.remote.watched is None
        await caller.ask("what is this")
        await caller.until("response.done")
        assert pictures(chat) == []
