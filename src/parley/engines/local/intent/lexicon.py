"""General English: the word lists that every session shares, whatever its tools are about.

Here: function words, politeness, polarity, units, prepositions and a small thesaurus of everyday verbs and measures.
Not here: anything about a subject. No tool's name, no colour, no place ever enters this file; those words come from
the session's own schemas.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from parley.engines.local.intent.words import stem, word_set

__all__ = [
    "COMMAND_VERBS",
    "CONCEPTS",
    "DEICTIC",
    "FUNCTION_WORDS",
    "NEGATIONS",
    "OFF_WORDS",
    "ON_WORDS",
    "PLAIN_VERBS",
    "PREPOSITIONS",
    "QUERY_CONCEPTS",
    "QUESTION_WORDS",
    "TIME_WORDS",
    "UNITS",
    "VERBS",
]


QUESTION_WORDS: Final = word_set("what what's which who who's whose when where where's why how how's")

PREPOSITIONS: Final = word_set(
    "to in at on for from with about by of near into onto as under around inside until till regarding toward towards "
    "between over through titled called named saying says reading via"
)

FUNCTION_WORDS: Final = (
    word_set(
        "a an the this that these those there here it its it's he she they them him her his their we "
        "us our i i'm i'd i'll "
        "i've me my mine you you're your yours am is are was were be been being do does did doing "
        "done don't doesn't didn't "
        "have has had can can't could couldn't would wouldn't will won't shall should shouldn't may "
        "might must let let's and "
        "or but nor so if then than because while not no yes yeah yep ok okay please kindly just "
        "really very quite some any "
        "also too again now well hey hi hello uh um er oh ah hmm like want need wants needs wanna "
        "gonna gotta please thanks "
        "thank which's that's there's everything something anything one ones bit little lot much "
        "many more most all both "
        "each every other another same such only even still already maybe perhaps actually basically "
        "alright right cool "
        "great nice good go going get got ahead try out up down off over back mind ever would've "
        "able sure i'll we'll "
        "everyone somebody someone anyone kind sort way thing things stuff parley else instead rather"
    )
    | PREPOSITIONS
    | QUESTION_WORDS
)

DEICTIC: Final = word_set("it that there this them those these one")

NEGATIONS: Final = word_set("not don't never no without doesn't didn't can't won't")

ON_WORDS: Final = word_set(
    "on enable enabled enables activate show display visible reveal yes true start open with unhide "
    "unmute add play resume"
)

OFF_WORDS: Final = word_set(
    "off disable disabled disables deactivate hide hidden conceal no false stop close without not "
    "don't never remove mute "
    "pause invisible unhighlight"
)

TIME_WORDS: Final = word_set(
    "today tomorrow tonight yesterday now noon midnight morning afternoon evening night monday "
    "tuesday wednesday thursday "
    "friday saturday sunday weekend january february march april may june july august september october november "
    "december am pm o'clock week next"
)

UNITS: Final = MappingProxyType(
    {
        stem(name): unit
        for unit, names in {
            "millisecond": "millisecond milliseconds ms",
            "second": "second seconds sec secs s",
            "minute": "minute minutes min mins",
            "hour": "hour hours hr hrs h",
            "day": "day days",
            "week": "week weeks",
            "percent": "percent percentage pct %",
            "degree": "degree degrees deg celsius fahrenheit",
            "meter": "meter meters metre metres m",
            "centimeter": "centimeter centimeters centimetre centimetres cm",
            "millimeter": "millimeter millimeters millimetre millimetres mm",
            "kilometer": "kilometer kilometers kilometre kilometres km kms",
            "mile": "mile miles",
            "kilogram": "kilogram kilograms kilo kilos kg",
            "gram": "gram grams g",
            "pixel": "pixel pixels px",
            "dollar": "dollar dollars usd bucks",
            "euro": "euro euros eur",
        }.items()
        for name in names.split()
    }
)
"""Stem of a unit's name to the unit."""

_GROUPS: Final = MappingProxyType(
    {
        "set": "set change make turn adjust update modify switch put paint edit",
        "create": "create add put make new schedule book compose write insert generate",
        "delete": "delete remove erase clear drop discard",
        "stop": "stop end finish quit exit terminate halt cancel abort disconnect hang conclude",
        "start": "start begin launch run resume",
        "show": "show display view see look present focus visit",
        "get": (
            "get fetch retrieve read check tell give know what what's how how's find obtain query say list hear contain"
        ),
        "find": "find search look locate where where's seek",
        "send": "send message write mail tell",
        "buy": "buy purchase order",
        "move": "move go navigate travel drive walk bring head shift",
        "raise": "increase raise up louder higher brighter warmer boost",
        "lower": "decrease lower reduce down quieter dimmer cooler dim",
        "size": (
            "size bigger big large larger small smaller huge tiny enormous giant wider taller shorter grow shrink "
            "enlarge"
        ),
        "big": "big bigger large larger huge enormous giant",
        "small": "small smaller little tiny mini",
        "undo": "undo revert rollback",
        "reset": "reset restore default restart",
        "text": "text font lettering letter word",
        "picture": "picture image photo photograph",
        "volume": "volume loud louder quiet quieter loudness",
        "temperature": "temperature warm warmer hot cold cooler thermostat degree",
        "brightness": "brightness bright brighter brighten dim dimmer",
        "speed": "speed fast faster slow slower quick velocity",
        "weather": "weather forecast rain raining snow snowing sunny",
        "calculate": "calculate compute convert work",
        "save": "save store remember record note jot keep",
        "play": "play listen hear",
        "skip": "skip next",
        "talk": "conversation session call chat talk discussion dialogue",
        "person": "person contact recipient attendee guest",
        "place": "place location position city town where where's",
        "call": "call phone ring dial",
        "pick": "pick grab grip grasp take hold",
        "release": "release drop ungrip",
        "wait": "wait pause hold",
        "distance": "distance far away",
        "age": "age old",
        "price": "price cost expensive much",
        "amount": "amount number count quantity many",
        "task": "task todo chore",
        "event": "event meeting appointment",
        "cart": "cart basket bag",
        "route": "route directions direction way",
        "remind": "remind reminder",
        "document": "html document page markup heading headline paragraph",
        "lights": "light lamp bulb",
    }
)


def _concepts() -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for concept, group in _GROUPS.items():
        for word in group.split():
            members.setdefault(stem(word), set()).add(concept)
    return {word: frozenset(concepts) for word, concepts in members.items()}


CONCEPTS: Final = MappingProxyType(_concepts())
"""Stem to the ideas it may stand for."""

QUERY_CONCEPTS: Final = frozenset({"get", "find", "show", "calculate"})
"""Ideas of a tool that looks something up and so may answer a question."""

_VERB_GROUPS: Final = (
    "set create delete stop start show get find send buy move raise lower undo reset calculate save "
    "play skip call pick "
    "release wait remind"
)

VERBS: Final = frozenset(
    stem(word)
    for concept in _VERB_GROUPS.split()
    for word in _GROUPS[concept].split()
    if word
    not in {
        "what",
        "what's",
        "how",
        "how's",
        "where",
        "where's",
        "up",
        "down",
        "new",
        "message",
        "text",
        "note",
        "light",
    }
)
"""Stems of everyday verbs: weak evidence for a tool, because so many tools share them."""

PLAIN_VERBS: Final = VERBS - {
    stem(word)
    for concept in ("remind", "undo", "reset", "calculate", "skip", "call", "wait", "release", "buy")
    for word in (*_GROUPS[concept].split(), "book", "schedule", "record", "paint", "focus", "visit")
}
"""Verbs so common that they say little about which tool is meant."""

COMMAND_VERBS: Final = word_set(
    "sing resize restart reload redraw "
    "activate add adjust apply archive assign begin book brighten bring build buy calculate call cancel change "
    "check choose clear clip close complete compute conclude continue convert cook cool count create cut "
    "deactivate decrease delete demo demonstrate dim disable disconnect display download draw drive drop empty "
    "enable end feed fetch filter find finish fly focus get give go grab grip hang heat hide hold increase insert "
    "jump keep launch lead leave let list load lock log look lower make map mark meet move mute navigate open "
    "order pause pay pick pin place plan play press print put query raise read record redo refresh release "
    "remember remind remove rename reserve reset resume return rewind ring rotate run save say scan schedule "
    "scroll search see select send set share show shut skip sort speak spin start step stop submit swap swipe "
    "switch tag take tell toggle transfer translate trigger turn type undo unlock unmute update upload use view "
    "visit vote wake walk warm water write zoom"
)
"""Verbs that open a command or a tool's name, in their base form."""
