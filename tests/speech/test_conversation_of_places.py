"""'Where is that?' means the last place the user heard, not the last one that was generated.

The keyless brain reads a result with two places aloud. The user interrupts after the first, or lets it finish; what was
heard is what the recogniser reads in the sound that was played.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from sdk_talk import Event, Talk, talking
from served import Served
from spoken import duration_ms, heard, say, silence, words

pytestmark = [pytest.mark.speech, pytest.mark.timeout(180)]

TOOLS: list[Event] = [
    {"type": "function", "name": "get_itinerary", "description": "Read the itinerary of the trip."},
    {
        "type": "function",
        "name": "locate_place",
        "description": "Tell where a place is located.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
]
ITINERARY = (
    "Your first stop is Lisbon. Stay for two nights, taste the famous pastries, rest a little, and enjoy the warm "
    "evenings. Your second stop is Chicago."
)
STEP_MS = 200


async def itinerary(talk: Talk) -> tuple[str, bytes]:
    """Ask for the itinerary by voice and have it read aloud; the item and its sound."""
    await talk.speak(silence(300) + say("Read my itinerary, please.") + silence(1000))
    call = (await talk.until("response.done"))["response"]["output"][0]
    assert (call["type"], call["name"]) == ("function_call", "get_itinerary")
    await talk.give(call, {"message": ITINERARY})
    await talk.ask()
    answer = (await talk.until("response.done"))["response"]
    assert answer["output"][0]["content"][0]["transcript"] == ITINERARY
    return answer["output"][0]["id"], talk.audio(answer["id"])


async def where_is_that(talk: Talk, item_id: str) -> str:
    """Interrupt with the question, as clients do: fall silent, say how much was played. Gives what was looked up."""
    await talk.speak(silence(200) + say("Where is that?"))
    await talk.until("input_audio_buffer.speech_started")
    talk.player.stop()
    await talk.truncate(item_id, duration_ms(talk.player.played(item_id)))
    await talk.speak(silence(1000))
    call = (await talk.until("response.done", lambda done: done["response"]["output"]))["response"]["output"][0]
    assert call.get("name") == "locate_place", (call, talk.of("conversation.item.truncated")[-1])
    place: str = json.loads(call["arguments"])["place"]
    return place


def heard_by(sound: bytes, word: str) -> int:
    """How much of the sound must be played until `word` is heard, in ms."""
    return next(ms for ms in range(STEP_MS, duration_ms(sound), STEP_MS) if word in words(heard(sound[: ms * 48])))


async def test_it_is_the_first_place_if_the_second_was_not_heard(server: Served) -> None:
    async with talking(server, {"tools": TOOLS}) as talk:
        item_id, sound = await itinerary(talk)
        await talk.player.until(item_id, await asyncio.to_thread(heard_by, sound, "nights"))
        place = await where_is_that(talk, item_id)
        was_heard = words(await asyncio.to_thread(heard, talk.player.played(item_id)))
    assert "lisbon" in was_heard
    assert "chicago" not in was_heard, "the machine was too slow to interrupt in time"
    assert place == "Lisbon"


async def test_it_is_the_second_place_if_all_was_heard(server: Served) -> None:
    async with talking(server, {"tools": TOOLS}) as talk:
        item_id, sound = await itinerary(talk)
        await talk.player.until(item_id, duration_ms(sound))
        assert await where_is_that(talk, item_id) == "Chicago"
