"""After an interruption the model is told what was heard: to the word, where the synthesizer times its words.

The client plays in real time (of the virtual kind), is interrupted at many moments, and says what its speaker had
played. The truth follows from the synthesizer's pace alone: so many ms per character of each text it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from event_order import order_faults
from runtime_kit import Client, supervised, utterance
from spoken import duration_ms, silence

from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.items import MessageItem, OutputAudioPart
from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, Reply, engine_set, say

STORY = (
    "The old farmer opened the wooden gate and looked across the valley. His brown horse was standing under a large "
    "tree beside the river. A cold wind was blowing from the mountains, and the clouds were getting dark."
)
MS_PER_CHAR = 50
SLACK_WORDS = 0
AT_ONCE, AS_SPOKEN = 0, 400
"""Milliseconds between the words of the story as it is generated."""
MOMENTS_MS = range(130, 7_000, 370)


def storyteller(word_ms: int) -> FakeChatModel:
    def reply(context: GenerationContext) -> Reply:
        asked = sum(isinstance(item, MessageItem) and item.role == "user" for item in context.items)
        return say(STORY, word_ms=word_ms) if asked == 1 else say("Yes?")

    return FakeChatModel(reply)


class Told:
    """A conversation in which the story is being told."""

    def __init__(self, client: Client, chat: FakeChatModel, synthesizer: FakeSynthesizer) -> None:
        self.client = client
        self.chat = chat
        self.item_id = ""
        self._synthesizer = synthesizer

    async def begin(self) -> None:
        await self.client.append(utterance("tell me a story") + silence(1000))
        self.item_id = (await self.client.until("response.output_audio.delta"))["item_id"]

    async def raise_voice(self) -> int:
        """Begin to speak; the client falls silent when it is told so. How much its speaker had played, in ms."""
        await self.client.append(utterance("wait a moment please"))
        await self.client.until("input_audio_buffer.speech_started")
        return self.fall_silent()

    def fall_silent(self) -> int:
        self.client.player.stop()
        return duration_ms(self.client.player.played(self.item_id))

    async def truncate(self, played_ms: int) -> None:
        await self.client.send(
            "conversation.item.truncate", item_id=self.item_id, content_index=0, audio_end_ms=played_ms
        )
        await self.client.until("conversation.item.truncated")

    async def next_answer(self) -> None:
        """End the turn, and wait for its answer."""
        answers = len(self.chat.generations) + 1
        await self.client.append(silence(1000))
        while len(self.client.of("response.done")) < answers:
            await self.client.until("response.done")

    def remembered(self, number: int) -> int:
        """How many words of the story the model was told it had said, when it was asked for answer `number`."""
        said = [
            part.transcript
            for item in self.chat.contexts[number].items
            if isinstance(item, MessageItem) and item.role == "assistant"
            for part in item.content
            if isinstance(part, OutputAudioPart)
        ]
        text = said[0] if said else ""
        assert STORY.startswith(text)
        return len(text.split())

    def heard(self, played_ms: int) -> int:
        """How many words of the story had ended by then."""
        count = began_ms = 0
        for speech in self._synthesizer.spoken:
            if speech.text == "Yes?":
                break
            end = 0
            for word in speech.text.split():
                end = speech.text.index(word, end) + len(word)
                count += began_ms + end * MS_PER_CHAR <= played_ms
            began_ms += len(speech.text) * MS_PER_CHAR
        return count


@asynccontextmanager
async def told(word_ms: int) -> AsyncIterator[Told]:
    chat, synthesizer = storyteller(word_ms), FakeSynthesizer(ms_per_char=MS_PER_CHAR)
    recognizer = FakeRecognizer(["tell me a story", "wait", "go on"])
    async with supervised(engine_set(chat=chat, synthesizer=synthesizer, recognizer=recognizer)) as supervisor:
        story = Told(await Client.connect(supervisor), chat, synthesizer)
        await story.begin()
        yield story
        assert story.client.of("error") == []
        assert order_faults(story.client.events) == []
        await story.client.leave()


@pytest.mark.parametrize("word_ms", [AT_ONCE, AS_SPOKEN], ids=["made at once", "made as spoken"])
@pytest.mark.parametrize("moment_ms", MOMENTS_MS)
async def test_a_voice_interrupts(word_ms: int, moment_ms: int) -> None:
    async with told(word_ms) as story:
        await story.client.player.until(story.item_id, moment_ms)
        assert len(story.client.of("response.done")) == (word_ms == AT_ONCE)
        played_ms = await story.raise_voice()
        assert moment_ms <= played_ms <= moment_ms + 20
        await story.truncate(played_ms)
        await story.next_answer()
        assert abs(story.remembered(1) - story.heard(played_ms)) <= SLACK_WORDS
        assert story.remembered(1) <= len(STORY.split()) - 2


@pytest.mark.parametrize("moment_ms", MOMENTS_MS)
async def test_a_hand_interrupts_before_the_response_is_done(moment_ms: int) -> None:
    async with told(AS_SPOKEN) as story:
        await story.client.player.until(story.item_id, moment_ms)
        played_ms = story.fall_silent()
        await story.truncate(played_ms)
        assert story.client.of("response.done") == []
        await story.client.send("response.cancel")
        await story.client.until("response.done")
        await story.client.ask("and then?")
        await story.client.until("response.done")
        assert abs(story.remembered(1) - story.heard(played_ms)) <= SLACK_WORDS


@pytest.mark.parametrize("moment_ms", MOMENTS_MS)
async def test_the_truth_may_come_after_the_next_answer(moment_ms: int) -> None:
    """Until the client speaks, the server's own estimate holds; the client's word replaces it, however late."""
    async with told(AT_ONCE) as story:
        await story.client.player.until(story.item_id, moment_ms)
        sent_ms = await story.raise_voice()
        await story.next_answer()
        played_ms = sent_ms * 2 // 3
        await story.truncate(played_ms)
        await story.client.append(utterance("please go on"))
        await story.next_answer()
        assert abs(story.remembered(1) - story.heard(sent_ms)) <= SLACK_WORDS
        assert abs(story.remembered(2) - story.heard(played_ms)) <= SLACK_WORDS


async def test_what_was_played_to_its_end_was_heard_to_its_end() -> None:
    async with told(AT_ONCE) as story:
        await asyncio.sleep(len(STORY) * MS_PER_CHAR / 1000 + 1)
        await story.raise_voice()
        await story.next_answer()
        assert story.remembered(1) == len(STORY.split())
