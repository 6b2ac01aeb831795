"""Stopping an answer: by voice and by hand, at once and without a trace in the outbox."""

from __future__ import annotations

import asyncio

from event_order import order_faults
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, engine_set, say

LONG = "This is a long answer. " * 40


async def test_voice_stops_the_answer_and_the_next_turn_is_answered() -> None:
    chat = FakeChatModel([say(LONG, word_ms=200), say("Yes?")])
    recognizer = FakeRecognizer(["tell me everything", "stop"])
    async with supervised(engine_set(chat=chat, recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.speak(utterance("tell me everything you know") + silence(1200))
        await client.until("response.output_audio.delta")
        speaking = asyncio.create_task(client.speak(utterance("stop it please") + silence(1500)))
        await client.until("input_audio_buffer.speech_started")
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        assert chat.generations[0].cancelled
        emitted = chat.generations[0].emitted
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "Yes?"
        assert chat.generations[0].emitted == emitted
        await speaking
        assert order_faults(client.events) == []
        await client.leave()


async def test_cancel_reaches_the_engine_in_less_than_two_turns_of_the_loop() -> None:
    chat = FakeChatModel([say(LONG, word_ms=50)])
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("everything")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        turns = 0
        while not chat.generations[0].cancelled:
            await asyncio.sleep(0)
            turns += 1
        assert turns < 2
        await client.until("response.done")
        await asyncio.sleep(60)
        assert client.types()[-1] == "response.done"
        await client.leave()


async def test_no_audio_of_a_cancelled_answer_leaves_although_chunks_wait() -> None:
    synthesizer = FakeSynthesizer(chunk_ms=20)
    async with supervised(engine_set(chat=FakeChatModel([say(LONG)]), synthesizer=synthesizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("everything")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        await asyncio.sleep(5)
        assert client.types()[-1] == "response.done"
        assert order_faults(client.events) == []
        await client.leave()


async def test_out_of_band_responses_run_beside_the_conversation() -> None:
    chat = FakeChatModel(lambda context: say(f"about {context.instructions[:9]}", word_ms=100))
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("hello")
        for topic in ("the moon", "the sun"):
            response = {"conversation": "none", "instructions": topic, "input": [], "output_modalities": ["text"]}
            await client.send("response.create", response=response)
        answers = [await client.until("response.done") for _ in range(3)]
        texts = {answer["response"]["output"][0]["content"][0].get("text") for answer in answers}
        assert {"about the moon", "about the sun"} < texts
        assert client.of("error") == []
        assert order_faults(client.events) == []
        await client.leave()
