"""Whole sentences score high, broken-off ones low, the unknown in the middle."""

from __future__ import annotations

import pytest

from parley.engines.turn.heuristic import NEUTRAL, completeness

SENTENCES = """What time is it in the capital
Please turn off the kitchen light
I think we should leave now
Can you tell me a story
Set a timer for ten minutes
The train was late again
Where is that
What is it for
Thank you very much
Play something quiet
I would like a cup of tea
How far is the next town
My sister lives by the sea
Open the second window
Write that down for me
Is there anything else
Remind me tomorrow morning
It was raining all day
Who wrote that book
Let us talk about music
Show me the big one
The meeting starts at noon
I have never been there
Tell me more about it
Could you say that again
The bread smells good
Change the title to hello world
What do you think
I am looking for my keys
Move the table to the left
That is not what I meant
Give me the short version
Nobody was at home
Call my brother at work
We need milk and eggs
Close the door when you leave
He plays the violin
Stop""".splitlines()


def test_whole_sentences_are_accepted() -> None:
    accepted = [sentence for sentence in SENTENCES if completeness(sentence) > 0.5]
    assert len(accepted) == len(SENTENCES), set(SENTENCES) - set(accepted)


def test_about_half_of_all_broken_off_sentences_are_held_back() -> None:
    prefixes = [
        " ".join(sentence.split()[:count]) for sentence in SENTENCES for count in range(1, len(sentence.split()))
    ]
    held = [prefix for prefix in prefixes if completeness(prefix) <= 0.5]
    assert len(held) / len(prefixes) >= 0.45


@pytest.mark.parametrize(
    "text",
    [
        "I would like to", "Set a timer for", "What is the", "My name is", "and then I", "the", "um", "Well, uh",
        "I want to go to the store and", "Because", "I was thinking...", "First of all,", "Tell me about your",
    ],
)  # fmt: skip
def test_what_hangs_in_the_air_scores_low(text: str) -> None:
    assert completeness(text) <= 0.2


@pytest.mark.parametrize("text", ["yes", "Okay.", "No thanks.", "What is that for?", "Where are you from", "Go on"])
def test_short_answers_and_stranded_prepositions_are_whole(text: str) -> None:
    assert completeness(text) > 0.5


@pytest.mark.parametrize("text", ["", "   ", "Ich möchte gerne einen Kaffee und", "你好吗", "Je voudrais le"])
def test_other_languages_and_silence_are_neutral(text: str) -> None:
    assert completeness(text) == NEUTRAL
