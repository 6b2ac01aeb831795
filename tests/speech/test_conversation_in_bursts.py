"""Speech appended faster than it was spoken: turns are where the pauses are, whatever arrived when.

The truth is found without the server: a voice detector fed 20 ms at a time and a silence counter of a few lines for
the human reading, and the places where the sentences were put for the others.
"""

from __future__ import annotations

import pytest
from sdk_talk import Event, Talk, talking
from served import Served
from speech_engines import TALE, pieces
from spoken import HIBARI, duration_ms, edges, say, silence, word_error_rate, words

from parley.audio import VoiceActivity

pytestmark = [pytest.mark.speech, pytest.mark.timeout(180)]

WINDOW_MS = 16
PREFIX_MS, SILENCE_MS = 300, 500
LISTENING: Event = {
    "audio": {
        "input": {
            "transcription": {"model": "whisper-1"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": PREFIX_MS,
                "silence_duration_ms": SILENCE_MS,
                "create_response": False,
            },
        }
    }
}


def pauses(pcm: bytes) -> list[tuple[int, int]]:
    """Where turns begin and end, in ms: three voiced windows in a row begin one, a silence of SILENCE_MS ends it."""
    activity = VoiceActivity()
    speech = [probability for piece in pieces(pcm) for probability in activity.push(piece)]
    turns: list[tuple[int, int]] = []
    floor = begins = run = voiced = 0
    for window, probability in enumerate(speech):
        end = (window + 1) * WINDOW_MS
        if not voiced:
            run = run + 1 if probability >= (0.35 if run else 0.5) else 0
            if run == 3:
                begins, voiced = max(floor, end - 3 * WINDOW_MS - PREFIX_MS), end
        elif probability >= (0.5 if end - WINDOW_MS > voiced else 0.35):
            voiced = end
        elif end - voiced >= SILENCE_MS:
            turns.append((begins, end))
            floor, run, voiced = end, 0, 0
    return turns


async def heard_turns(talk: Talk, count: int) -> list[tuple[int, int, str]]:
    """Wait for `count` turns: where the server says they begin and end, and what it read."""
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    read: dict[str, str] = {}
    while len(read) < count:
        event = await talk.next()
        match event["type"]:
            case "input_audio_buffer.speech_started":
                begins[event["item_id"]] = event["audio_start_ms"]
            case "input_audio_buffer.speech_stopped":
                ends[event["item_id"]] = event["audio_end_ms"]
            case "conversation.item.input_audio_transcription.completed":
                read[event["item_id"]] = event["transcript"]
    assert list(begins) == list(ends), "a turn ended that never began, or turns overlap"
    return [(begins[item], ends[item], read[item]) for item in begins]


@pytest.mark.parametrize("step_ms", [60_000, 20], ids=["one burst", "20 ms pieces"])
async def test_a_human_reading_is_parted_at_its_pauses(server: Served, two_cities: bytes, step_ms: int) -> None:
    sound = two_cities + silence(1000)
    expected = pauses(sound)
    assert len(expected) >= 3
    async with talking(server, LISTENING) as talk:
        await talk.speak(sound, step_ms=step_ms)
        turns = await heard_turns(talk, len(expected))
    for (begins, ends, _), (expected_begins, expected_ends) in zip(turns, expected, strict=True):
        assert abs(begins - expected_begins) <= WINDOW_MS
        assert abs(ends - expected_ends) <= WINDOW_MS
    assert word_error_rate(TALE, " ".join(text for _, _, text in turns)) <= 0.08


async def test_three_sentences_in_thirty_seconds_are_three_turns(server: Served) -> None:
    sentences = {
        3_000: "The train to the city leaves at seven.",
        11_500: "My favorite season is autumn.",
        22_200: "Open the window and close the door.",
    }
    sound = b""
    spoken_from_to = []
    for at_ms, sentence in sentences.items():
        said = say(sentence, HIBARI)
        sound += silence(at_ms - duration_ms(sound))
        spoken_from_to.append(tuple(at_ms + edge for edge in edges(said)))
        sound += said
    sound += silence(30_000 - duration_ms(sound))
    async with talking(server, LISTENING) as talk:
        await talk.speak(sound, step_ms=30_000)
        turns = await heard_turns(talk, 3)
        await talk.connection.input_audio_buffer.clear()
        await talk.until("input_audio_buffer.cleared")
        assert len(talk.of("input_audio_buffer.speech_started")) == 3
    for (begins, ends, text), sentence, (voice_from, voice_to) in zip(
        turns, sentences.values(), spoken_from_to, strict=True
    ):
        assert words(text.replace("7", "seven")) == words(sentence)
        assert abs(begins + PREFIX_MS - voice_from) <= 150, "the turn does not begin where the voice does"
        assert 0 <= ends - SILENCE_MS - voice_to + 100 <= 300, "the turn does not end after its silence"
