"""The small-talk pack: greetings, thanks, who are you, what can you do, repeat that, where was that, goodbye.

Pure: a sentence and the conversation in, words out, or None where the sentence is not of this kind. It says what it
is: a demonstration brain with one English voice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS
from parley.engines.local.intent.schema import ToolShape
from parley.engines.local.intent.subject import last_subject
from parley.engines.local.intent.wording import and_list, capability
from parley.engines.local.intent.words import split_words

__all__ = [
    "FALLBACK",
    "FAREWELL",
    "GREETING",
    "IDENTITY",
    "NO_FACTS",
    "asks_capabilities",
    "asks_to_repeat",
    "is_farewell",
    "list_capabilities",
    "means_ending",
    "repeat",
    "reply",
    "whereabouts",
]  # fmt: skip

IDENTITY: Final = "I am Parley's built-in demo brain. I speak English, with one voice."
GREETING: Final = f"Hello! {IDENTITY} Ask me what I can do."
FAREWELL: Final = "Goodbye!"
FALLBACK: Final = "I am only a small demo brain, and I have no good answer to that. You can ask me what I can do."
NO_FACTS: Final = (
    "I cannot answer that: I am a small demo brain and know no facts of my own. "
    "With a language model connected, I could."
)
_MOST_TOOLS: Final = 12

_CAPABILITIES = re.compile(
    r"\bwhat (?:else )?(?:can|could|do) you (?:actually |even )?do\b|\bwhat (?:are you able|can i"
    r"|could i|should i) (?:to do|say|ask|do)\b"
    r"|\bwhat are (?:your|the) (?:tools|functions|abilities|capabilities|features|commands|options"
    r"|skills)\b|\bhow can you help\b"
    r"|\b(?:what|which) (?:tools|functions|commands) (?:do you have|are there|can you use)\b"
    r"|^(?:please )?help(?: me)?(?: please)?$"
    r"|\blist (?:your|the|all) (?:tools|commands|functions)\b|\bwhat (?:things|stuff) can you do\b"
    r"|\bwhat can you help\b"
)
_REPEAT = re.compile(
    r"^(?:please |sorry |pardon |can you |could you |would you )*(?:repeat|say)(?: that| it| what you "
    r"said)?(?: again| once more| please)*$"
    r"|^(?:pardon|excuse me|come again|what did you (?:just )?say|say again|sorry what|i did not "
    r"(?:hear|get|catch) (?:that|you)|i didn't (?:hear|get|catch) (?:that|you|it))(?: me| please)?$"
)
_WHERE = re.compile(
    r"^(?:and |so |but |ok |okay |wait )*(?:where(?:'s| is| was| are| were)? (?:that|it|this|there"
    r"|they|those)|what (?:was|is) (?:that|it)(?: place| called| again)?|what's (?:that|it)"
    r"|which (?:place|one) (?:was|is) (?:that|it)|what (?:place|was that place)(?: was that| is "
    r"that)?|where did you say|where were you|what were you (?:saying|talking about)|what (?:was|is) "
    r"(?:the|that) last (?:place|one|thing|part)(?: you (?:said|mentioned))?)(?: exactly| again| please| located)*$"
)
_FAREWELL = re.compile(
    r"\b(?:goodbye|good bye|bye|bye bye|see you|see ya|farewell|talk to you later|good night|hang up"
    r"|that's all|that is all|that will be all|i'm done|i am done|we're done|we are done|gotta go"
    r"|have to go|got to go)\b"
)
_PACK: Final = (
    (r"^(?:hello|hi|hey|hiya|howdy|good (?:morning|afternoon|evening|day)|greetings)(?: there| parley"
     r"| everyone| again| computer| friend)*$", "Hello! What can I do for you?"),
    (r"\b(?:can|do) you hear me\b|^(?:are you there|anybody there|is anyone there|is this thing on"
     r"|testing)(?: testing| one two three)*$", "Yes, I can hear you."),
    (r"\bhow are you\b|\bhow(?:'s| is) it going\b|\bhow do you do\b|\bhow are "
     r"things\b", "I am well, thank you. What can I do for you?"),
    (r"\b(?:who|what) (?:are|r) you\b|\bwhat(?:'s| is) your name\b|\bintroduce yourself\b|\bare you "
     r"(?:a |an )?(?:robot|human|ai|person|real|machine|computer|bot|language model)\b|\bwho am i "
     r"(?:talking|speaking) to\b|\btell me about yourself\b", IDENTITY),
    (r"^(?:thanks|thank you|thank you very much|thanks a lot|many thanks|cheers|much appreciated)(?: "
     r"very much| so much| a lot| parley| for (?:that|your help|the help|everything))*$", "You are welcome."),
    (r"^(?:great|good|nice|perfect|cool|awesome|excellent|wonderful|lovely|very good|well done|good "
     r"job|amazing|that's (?:great|nice|perfect|good|cool))(?: job| work| one| thanks| thank you)*$", "I am glad."),
    (r"\b(?:speak|talk|answer|switch to)\b.*\b(?:another language|other languages?|different "
     r"language)\b|\bwhat languages?\b|\bdo you (?:speak|understand)\b", "I only speak English."),
    (r"\b(?:change|switch|another|different) (?:your )?voice\b|\bwhat voices?\b", "I have only one voice."),
    (r"^(?:yes|yeah|yep|sure|okay|ok|alright|right|no|nope|mhm|uh huh|i see|got it|fine)(?: please| "
     r"thanks)?$", "Okay. What would you like to do?"),
    (r"^(?:stop|be quiet|shut up|quiet|silence|stop talking|wait|hold on|one moment|never mind"
     r"|nevermind|cancel|forget it|hush)(?: please| that| it)*$", "Okay."),
    (r"^(?:i'm |i am )?sorry(?: about that)?$", "No problem."),
    (r"\bwhat(?:'s| is) the (?:time|date)\b|\bwhat (?:time|day|date) is "
     r"it\b", "I have no clock to look at, I am sorry."),
)  # fmt: skip
_COMPILED: Final = tuple((re.compile(pattern), answer) for pattern, answer in _PACK)


def _plain(text: str) -> str:
    norms = [word.norm for word in split_words(text)]
    while norms and norms[0] in {"um", "uh", "er", "well", "oh", "so"}:
        norms = norms[1:]
    return " ".join(norms)


def reply(text: str) -> str | None:
    """Answer plain small talk."""
    plain = _plain(text)
    for pattern, answer in _COMPILED:
        if pattern.search(plain):
            return answer
    shorter = re.sub(r"^(?:hello|hi|hey|okay|ok|parley|hello parley|hey parley|hi parley)(?: there)? ", "", plain)
    return reply(shorter) if shorter != plain and shorter else None


def asks_capabilities(text: str) -> bool:
    """Tell whether a sentence asks what can be done here."""
    return _CAPABILITIES.search(_plain(text)) is not None


def asks_to_repeat(text: str) -> bool:
    """Tell whether a sentence asks to hear the last answer again."""
    return _REPEAT.search(_plain(text)) is not None


def is_farewell(text: str) -> bool:
    """Tell whether a sentence ends the conversation."""
    words = split_words(text)
    return len(words) <= 12 and _FAREWELL.search(_plain(text)) is not None


def means_ending(shape: ToolShape) -> bool:
    """Tell whether a tool ends the conversation itself, by the meaning of its words."""
    names = [CONCEPTS.get(one, frozenset()) for one in shape.stems]
    about = [CONCEPTS.get(one, frozenset()) for one in shape.about]
    ends = any("stop" in ideas for ideas in names) or any(
        one in {"goodby", "farewell", "clos", "leav", "bye"} for one in shape.stems
    )
    talk = any("talk" in ideas for ideas in names) or any("talk" in ideas for ideas in about)
    return ends and talk


def list_capabilities(shapes: Sequence[ToolShape]) -> str:
    """Say what the session's tools can do."""
    if not shapes:
        return f"{IDENTITY} No tools are connected here, so I can only chat a little."
    said = list(dict.fromkeys(capability(shape) for shape in shapes))
    more = [f"{len(said) - _MOST_TOOLS} more things"] if len(said) > _MOST_TOOLS else []
    return f"I can {and_list([*said[:_MOST_TOOLS], *more])}."


def repeat(heard: str) -> str:
    """Say the last answer again, as far as it was heard."""
    return heard or "I have not said anything yet."


def whereabouts(text: str, heard: str) -> str | None:
    """Answer `where is that` and `what was that` from the words that were heard."""
    if _WHERE.search(_plain(text)) is None:
        return None
    subject = last_subject(heard)
    if subject is None:
        return f"I last said: {heard}" if heard else "I have not mentioned anything yet."
    if len(subject.sentence.split()) <= len(subject.phrase.split()) + 2:
        return f"I last mentioned {subject.phrase}. More than that I do not know."
    return f"I was talking about {subject.phrase}. What I said was: {_closed(subject.sentence)}"


def _closed(sentence: str) -> str:
    return sentence if sentence[-1] in ".!?" else sentence + "."


def has_words(text: str) -> bool:
    """Tell whether a text holds anything beyond grammar."""
    return any(word.norm not in FUNCTION_WORDS for word in split_words(text))
