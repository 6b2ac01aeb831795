"""Words that are told while they are being spoken: what two readings in a row agree on."""

from __future__ import annotations

import pytest
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.runtime.recognitions import agreed_chars
from parley.testing import FakeRecognizer, engine_set


@pytest.mark.parametrize(
    ("before", "now", "agreed"),
    [
        ("", "the quick", ""),
        ("the quick", "the quick brown", "the quick"),
        ("the qui", "the quick", "the"),
        ("the quick", "the quiet town", "the"),
        ("the quick", "the quick", "the quick"),
        ("a quick", "the quick", ""),
        ("the quick brown", "the quick", "the quick"),
    ],
)
def test_whole_words_that_both_readings_have(before: str, now: str, agreed: str) -> None:
    assert now[: agreed_chars(before, now)] == agreed


async def test_deltas_come_before_the_turn_is_over() -> None:
    recognizer = FakeRecognizer(["the quick brown fox jumps over the lazy dog"], word_every_ms=200)
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"audio": {"input": {"transcription": {"model": "x"}}}})
        await client.speak(utterance() + silence(1500))
        completed = await client.until("conversation.item.input_audio_transcription.completed")
        kinds = client.types()
        first = kinds.index("conversation.item.input_audio_transcription.delta")
        assert first < kinds.index("input_audio_buffer.speech_stopped")
        deltas = [event["delta"] for event in client.of("conversation.item.input_audio_transcription.delta")]
        assert "".join(deltas) == completed["transcript"]
