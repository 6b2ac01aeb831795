"""A voice interrupts a device's call: what was heard is what was sent, to the word, on good lines and on bad ones.

`parley serve` tells a story, made by a stub of a language model and spoken by hibari; aiortc is the device, behind a
relay that loses packets of every kind. Three independent witnesses must agree on where the story stopped: the device's
recording, the words a recogniser reads in it, and what the model server is told in the next request. On a bad line the
recording says when it stopped, and the words up to there are read in a recording of the same story on a good line:
what a recogniser makes of holes says nothing about truncation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from device import Device, calling_device, relayed
from event_order import order_faults
from served import Served, parley_serve
from spoken import BYTES_PER_MS, duration_ms, edges, heard, say, silence, words

from parley.testing import Reply
from parley.testing import say as replying
from parley.testing.stub_openai import StubOpenAI

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

STORY = (
    "The old farmer opened the wooden gate and looked across the valley. His brown horse was standing under a large "
    "tree beside the river. A cold wind was blowing from the mountains, and the clouds were getting dark. He picked up "
    "his heavy coat, closed the kitchen door, and walked down the narrow path."
)
SLACK_WORDS = 2
"""As by WebSocket: hibari's word times are good to about a word, and the recogniser may guess the one that was cut."""
SLACK_MS = 40
"""The packet of the fade is mostly silence, and one of silence may follow."""
WORD_MS = 180
"""Slow enough that the story is still being written when it is interrupted, and faster than it is spoken."""
SILENT_WITHIN_MS = 400
"""From the first audible sample of the voice to the story's last packet, on a good line."""
LOST_MS = 100
"""On a bad line the first and the last packets may be missing, a few in a row."""


@dataclass(frozen=True)
class Scene:
    """A server, and the model server it asks."""

    served: Served
    stub: StubOpenAI


def storyteller(asked: dict[str, Any]) -> Reply:
    """Answer the first thing that anybody says with the story, and what comes after with one word."""
    later = sum(message["role"] == "user" for message in asked["messages"]) > 1
    return replying("Yes?") if later else replying(STORY, word_ms=WORD_MS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with StubOpenAI(chat=storyteller) as stub:
        serving = parley_serve("--llm", stub.url, "--llm-model", "stub-model")
        served = await asyncio.to_thread(serving.__enter__)
        try:
            yield Scene(served, stub)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_story(scene: Scene) -> bytes:
    """The story as a device hears it on a good line, to its end."""
    async with calling_device(scene.served.url, channel="oai-events") as device:
        await device.until("session.created")
        await device.speak(say("Tell me a story.") + silence(300))
        await device.until("output_audio_buffer.stopped")
        await asyncio.sleep(0.5)
        story = (await device.recording()).joined()
    assert await asyncio.to_thread(words_heard, story) >= len(words(STORY)) - SLACK_WORDS
    return story


def words_heard(sound: bytes) -> int:
    """How many of the story's words are in the sound: where what is read of it fits the story's beginning best."""
    read, story = words(heard(sound)), words(STORY)
    row = list(range(len(story) + 1))
    for count, word in enumerate(read, 1):
        previous, row[0] = row[0], count
        for place, other in enumerate(story, 1):
            previous, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, previous + (word != other))
    return row.index(min(row))


@dataclass(frozen=True)
class Interruption:
    """What became of a story: the server's `truncated`, what the device's ears got, its length in ms by the numbers of
    the packets that came, and how long after the voice began the last of them came.
    """

    cut: dict[str, Any]
    story: bytes
    heard_ms: int
    silent_after_ms: float


async def interrupted(device: Device, after_s: float) -> Interruption:
    """Ask for the story and interrupt it.

    The recording is taken after the next answer: until then aiortc's jitter buffer keeps what follows a lost packet.
    """
    voice = say("Wait a moment, please.")
    await device.speak(say("Tell me a story.") + silence(300))
    await device.until("output_audio_buffer.started")
    await asyncio.sleep(after_s)
    said_at = await device.speak(voice)
    cut = await device.until("conversation.item.truncated")
    await device.speak(silence(900))
    await device.until("output_audio_buffer.started")
    await device.until("output_audio_buffer.stopped")
    recording = await device.recording()
    story, *answers = recording.utterances(pause_ms=1_000)
    assert len(answers) == 1
    audible_at = said_at - duration_ms(voice) + edges(voice)[0]
    return Interruption(cut, story, recording.sent_ms()[0], recording.ended_at_ms()[0] - audible_at)


def assert_cut_in_order(events: list[dict[str, Any]]) -> None:
    """The voice that interrupts is followed by what was cleared, where that was cut, and the end of the response."""
    voice = max(n for n, event in enumerate(events) if event["type"] == "input_audio_buffer.speech_started")
    told = [event for event in events[voice:] if event.get("response", {}).get("status") != "in_progress"]
    ends = ("output_audio_buffer.cleared", "conversation.item.truncated", "response.done")
    cleared, truncated, done = (next(event for event in told if event["type"] == kind) for kind in ends)
    assert [event for event in told if event in (cleared, truncated, done)] == [cleared, truncated, done]
    assert done["response"]["status"] == "cancelled"
    assert cleared["response_id"] == done["response"]["id"]
    assert truncated["item_id"] in [item["id"] for item in done["response"]["output"]]


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.10])
async def test_what_was_heard_is_what_was_sent(scene: Scene, whole_story: bytes, loss: float) -> None:
    before = len(scene.stub.chat_requests)
    async with relayed(seed=7) as relay, calling_device(scene.served.url, relay=relay, channel="oai-events") as device:
        await device.until("session.created")
        relay.loss = loss
        told = await interrupted(device, after_s=4.0)
        async with asyncio.timeout(60):
            while len(scene.stub.chat_requests) < before + 2:
                await asyncio.sleep(0.05)
        assert order_faults(device.events) == []
        assert_cut_in_order(device.events)
        assert (relay.lost > 0) is (loss > 0)
    messages = scene.stub.chat_requests[before + 1].json["messages"]
    said = next(message["content"] for message in messages if message["role"] == "assistant")
    assert STORY.startswith(said)
    assert told.cut["item"]["content"][0]["transcript"] == said
    count = len(words(said))
    clean = told.story if not loss else whole_story[: told.heard_ms * BYTES_PER_MS]
    truth = await asyncio.to_thread(words_heard, clean)
    told_ms = told.cut["audio_end_ms"]
    log.info("%d words told, %d heard; %d ms told, %d ms heard", count, truth, told_ms, told.heard_ms)
    log.info("silent %.0f ms after the voice began", told.silent_after_ms)
    assert 3 < count < len(words(STORY)) - 5
    assert abs(count - truth) <= SLACK_WORDS
    assert abs(told_ms - told.heard_ms) <= SLACK_MS + (LOST_MS if loss else 0)
    if not loss:
        assert 0 < told.silent_after_ms <= SILENT_WITHIN_MS


async def test_nothing_of_the_story_comes_after_its_end(scene: Scene) -> None:
    async with calling_device(scene.served.url, channel="oai-events") as device:
        await device.until("session.created")
        await device.speak(say("Tell me a story.") + silence(300))
        await device.until("output_audio_buffer.started")
        await asyncio.sleep(1.5)
        await device.send("response.cancel")
        await device.send("output_audio_buffer.clear")
        cut = await device.until("conversation.item.truncated")
        await asyncio.sleep(2.0)
        (sent_ms,) = (await device.recording()).sent_ms()
        assert 0 <= sent_ms - cut["audio_end_ms"] <= SLACK_MS
        assert device.of("output_audio_buffer.stopped") == []
