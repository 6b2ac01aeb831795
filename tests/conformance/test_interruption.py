"""After an interruption the model is told what was heard, and no more: as seen by the model server that is asked.

`parley serve` speaks with hibari for a stub of a language model; the official SDK is the client, with a speaker that
plays in real time. It interrupts, says what its speaker had played, as official clients do, and the request that the
model server gets next is read. What had been heard is decided independently: the recogniser reads the played sound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sdk_talk import Event, Talk, talking
from served import Served, parley_serve
from spoken import BYTES_PER_MS, duration_ms, heard, say, silence, words

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
"""hibari's word times are good to about a word, and the recogniser may guess the one that was cut."""
ESTIMATE_SLACK_WORDS = 4
"""The server's own clock begins when it sends; on a busy machine the client's begins later."""
SLOWLY, AT_ONCE = "You tell stories slowly.", "You tell stories at once."


@dataclass(frozen=True)
class Scene:
    """A server, and the model server it asks."""

    served: Served
    stub: StubOpenAI


def storyteller(asked: Event) -> Reply:
    """Answer the first thing that anybody says with the story, and what comes after with one word."""
    if sum(message["role"] == "user" for message in asked["messages"]) > 1:
        return replying("Yes?")
    return replying(STORY, word_ms=250 if SLOWLY in asked["messages"][0]["content"] else 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with StubOpenAI(chat=storyteller) as stub:
        serving = parley_serve("--llm", stub.url, "--llm-model", "stub-model")
        served = await asyncio.to_thread(serving.__enter__)
        try:
            yield Scene(served, stub)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


class Told:
    """A conversation in which the story is being told."""

    def __init__(self, scene: Scene, talk: Talk, before: int) -> None:
        self.talk = talk
        self.item_id = ""
        self._stub = scene.stub
        self._before = before

    async def begin(self) -> None:
        """Ask for the story; it begins to sound."""
        await self.talk.speak(silence(200) + say("Tell me a story.") + silence(900))
        self.item_id = (await self.talk.until("response.output_audio.delta"))["item_id"]

    async def request(self, number: int) -> list[Event]:
        """The messages of the conversation's request `number`; the story was 0."""
        async with asyncio.timeout(60):
            while (
                len(self._stub.chat_requests) <= self._before + number
                or len(self.talk.of("response.created")) <= number
            ):
                await asyncio.sleep(0.02)
        messages: list[Event] = self._stub.chat_requests[self._before + number].json["messages"]
        return messages

    async def raise_voice(self, text: str = "Wait a moment, please.") -> bytes:
        """Begin to speak; the client falls silent when it is told so. What its speaker had played."""
        await self.talk.speak(silence(200) + say(text))
        await self.talk.until("input_audio_buffer.speech_started")
        self.talk.player.stop()
        return self.talk.player.played(self.item_id)


@asynccontextmanager
async def told(scene: Scene, manner: str) -> AsyncIterator[Told]:
    before = len(scene.stub.chat_requests)
    async with talking(scene.served, {"instructions": manner}) as talk:
        story = Told(scene, talk, before)
        await story.begin()
        yield story
        await talk.settled()


def remembered(messages: list[Event]) -> int:
    """How many words of the story the model is told it has said. Whatever it is, the story begins with it."""
    said = [message["content"] for message in messages if message["role"] == "assistant"]
    assert STORY.startswith(said[0] if said else "")
    return len(words(said[0])) if said else 0


def words_heard(sound: bytes) -> int:
    """How many of the story's words are in the sound: where what is read of it fits the story's beginning best."""
    read, story = words(heard(sound)), words(STORY)
    row = list(range(len(story) + 1))
    for count, word in enumerate(read, 1):
        previous, row[0] = row[0], count
        for place, other in enumerate(story, 1):
            previous, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, previous + (word != other))
    return row.index(min(row))


async def assert_heard(count: int, sound: bytes, slack_words: int = SLACK_WORDS) -> None:
    """The count is right by what can be heard in the sound."""
    truth = await asyncio.to_thread(words_heard, sound)
    log.info("%d words remembered, %d heard in %d ms", count, truth, duration_ms(sound))
    assert abs(count - truth) <= slack_words


def until(sound: bytes, ms: int) -> bytes:
    return sound[: ms * BYTES_PER_MS]


@pytest.mark.parametrize("played_ms", [900, 4_000, 9_000], ids=["early", "in the middle", "late"])
async def test_a_voice_interrupts_while_the_story_is_made(scene: Scene, played_ms: int) -> None:
    async with told(scene, SLOWLY) as story:
        await story.talk.player.until(story.item_id, played_ms)
        assert not [done for done in story.talk.of("response.done") if done["response"]["status"] == "completed"]
        played = await story.raise_voice()
        await story.talk.truncate(story.item_id, duration_ms(played))
        await story.talk.speak(silence(900))
        count = remembered(await story.request(1))
    await assert_heard(count, played)
    assert 0 < count < len(words(STORY)) - 5


async def test_a_voice_interrupts_what_was_made_long_ago(scene: Scene) -> None:
    async with told(scene, AT_ONCE) as story:
        done = await story.talk.until("response.done")
        assert done["response"]["status"] == "completed"
        await story.talk.player.until(story.item_id, 6_000)
        played = await story.raise_voice()
        await story.talk.truncate(story.item_id, duration_ms(played))
        await story.talk.speak(silence(900))
        count = remembered(await story.request(1))
    await assert_heard(count, played)
    assert 5 < count < len(words(STORY)) - 5


async def test_a_hand_interrupts_before_the_response_is_done(scene: Scene) -> None:
    """Push to talk: truncate first, while the response still runs, then cancel it, then write."""
    async with told(scene, SLOWLY) as story:
        talk = story.talk
        await talk.player.until(story.item_id, 3_000)
        talk.player.stop()
        played = talk.player.played(story.item_id)
        await talk.truncate(story.item_id, duration_ms(played))
        assert not talk.of("response.done")
        await talk.connection.response.cancel()
        assert (await talk.until("response.done"))["response"]["status"] == "cancelled"
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And then?"}]}
        )
        await talk.ask()
        count = remembered(await story.request(1))
    await assert_heard(count, played)
    assert count > 0


async def test_the_truth_may_come_after_the_next_answer_has_begun(scene: Scene) -> None:
    """Until the client speaks, the server's own estimate holds; the client's word replaces it, however late.

    This client's loudspeaker is 2.5 s behind: what it says was played is less than the server could know.
    """
    async with told(scene, AT_ONCE) as story:
        talk = story.talk
        await talk.player.until(story.item_id, 6_000)
        sent = await story.raise_voice()
        await talk.speak(silence(900))
        estimated = remembered(await story.request(1))
        await talk.until("response.created")
        played = until(sent, duration_ms(sent) - 2_500)
        await talk.truncate(story.item_id, duration_ms(played))
        await story.raise_voice("Please go on.")
        await talk.speak(silence(900))
        count = remembered(await story.request(2))
    await assert_heard(estimated, sent, slack_words=ESTIMATE_SLACK_WORDS)
    await assert_heard(count, played)
    assert 0 < count < estimated
