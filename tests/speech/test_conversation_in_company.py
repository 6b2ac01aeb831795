"""Two people at once on one keyless server: both are served, neither waits for the other's end.

Time is counted in the audio that a speaker has sent, so a slow machine slows the clock with it.
"""

from __future__ import annotations

import asyncio

import pytest
from sdk_talk import Event, Talk, talking
from served import Served
from spoken import HIBARI, heard, say, silence, words

pytestmark = [pytest.mark.speech, pytest.mark.timeout(180)]

STEP_MS = 40
PATIENCE_MS = 15_000
"""Silence a speaker sends before the answer must have begun: 500 ms end the turn, the rest is generous."""
TOOL: Event = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def answered(talk: Talk, question: str, voice: str) -> Event:
    """Say the question live, then wait by sending silence until the answer begins; the whole answer."""
    await talk.speak(silence(200) + say(question, voice), step_ms=STEP_MS, live=True)
    waited_ms = 0
    while not talk.of("response.output_item.added"):
        assert waited_ms < PATIENCE_MS, f"no answer to {question!r}: {[event['type'] for event in talk.events]}"
        await talk.speak(silence(STEP_MS), step_ms=STEP_MS, live=True)
        waited_ms += STEP_MS
    done = await talk.until("response.done")
    assert done["response"]["status"] == "completed", done
    return done


async def both_ask(server: Served, first: tuple[str, str], second: tuple[str, str]) -> list[tuple[Talk, Event]]:
    async with talking(server, {"tools": [TOOL]}) as one, talking(server, {"tools": [TOOL]}) as other:
        answers = await asyncio.gather(answered(one, *first), answered(other, *second))
        return list(zip((one, other), answers, strict=True))


async def test_two_commands_at_once_are_both_carried_out(server: Served) -> None:
    first, second = ("What is the weather in Lisbon?", HIBARI), ("What is the weather in Chicago?", HIBARI)
    (_, one), (_, other) = await both_ask(server, first, second)
    assert "lisbon" in one["response"]["output"][0]["arguments"].lower()
    assert "chicago" in other["response"]["output"][0]["arguments"].lower()


async def test_two_people_who_chat_at_once_are_both_answered_aloud(server: Served) -> None:
    """Small talk takes the slowest engine, which both need at the same moment."""
    question = ("I had a long day at work.", HIBARI)
    for talk, done in await both_ask(server, question, question):
        said = done["response"]["output"][0]["content"][0]["transcript"]
        reply = words(await asyncio.to_thread(heard, talk.audio(done["response"]["id"])))
        assert len(set(reply) & set(words(said))) >= 0.7 * len(set(words(said))), (said, reply)
