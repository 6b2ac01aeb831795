"""Free strings: the words of the sentence that belong to no tool, no slot name and no grammar.

A sentence is cut at its prepositions into segments; each open string slot has a leaning (a person follows `to`, a
place `in`, a message `saying`), and segments go to the slots they fit. The speaker's own words and casing are kept.
Not here: which words are the tool's (`OwnWords`, given by `slots`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from parley.engines.local.intent.filling import Filling, OwnWords
from parley.engines.local.intent.lexicon import COMMAND_VERBS, CONCEPTS, FUNCTION_WORDS, PREPOSITIONS, TIME_WORDS, VERBS
from parley.engines.local.intent.schema import Parameter
from parley.engines.local.intent.words import Word, stem, word_set

__all__ = ["fill_lists", "fill_strings", "leaning"]


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_LEANINGS: Final = (
    ("time", _stems("time date day when start end deadline due datetime hour until month")),
    ("size", _stems("size width height scale")),
    (
        "person",
        _stems("recipient contact person attendee guest customer client assignee who participant addressee owner"),
    ),
    ("origin", _stems("from origin source departure")),
    ("place", _stems("city location place address destination where country town region area to venue")),
    (
        "content",
        _stems(
            "text message body content note question prompt description comment caption reason "
            "summary memo query details utterance sentence"
        ),
    ),
    ("title", _stems("title name label heading topic subject")),
    ("thing", _stems("item product task todo song thing goods")),
)
_MARKERS: Final = MappingProxyType(
    {
        "time": frozenset({"at", "on", "for", "by", "until", "till", "in", "from"}),
        "size": frozenset({"to"}),
        "person": frozenset({"to", "with", "for"}),
        "origin": frozenset({"from"}),
        "place": frozenset({"in", "at", "near", "to", "around", "from", "for", "into", "toward", "towards"}),
        "content": frozenset({"saying", "says", "that", "reading", "about", "with", "regarding"}),
        "title": frozenset({"called", "named", "titled", "as"}),
        "thing": frozenset(),
        "other": frozenset({"to", "as", "with", "into"}),
    }
)
_NAMELESS: Final = frozenset({"valu", "input", "arg", "argument", "data", "param", "str", "x"})
_OPENERS: Final = frozenset({"saying", "says", "reading", "called", "named", "titled"})
_EDGES: Final = word_set(
    "a an the to of it is be some me us my our your please kindly just for now thanks and with in on "
    "at as by that this "
    "from into i you can could would will want like need let's uh um so well hey ok okay there's i'd "
    "i'll i'm like we wanna"
)
_CLOCK = re.compile(r"\d{1,2}(:\d{2})?(am|pm)|\d{1,2}:\d{2}")
_QUOTED = re.compile(r"[\"“”«](.+?)[\"“”»]|(?<!\w)['\u2018](.+?)['\u2019](?!\w)")
_NUMBER_NAMES: Final = word_set("one two three four five six seven eight nine ten eleven twelve half")


@dataclass(frozen=True, slots=True)
class Segment:
    """Words `[start, end)` that may be a value, and what introduced them. `weak`: all are the tool's own as well."""

    start: int
    end: int
    marker: str
    mentions: frozenset[str]
    weak: bool = False


def leaning(parameter: Parameter) -> str:
    """Tell what sort of words a string slot is likely to want, from its name, else from its description."""
    for one in reversed(parameter.stems):
        kind = _group_of(one)
        if kind:
            return kind
    if parameter.stems and not set(parameter.stems) <= _NAMELESS:
        return "other"
    return next((kind for one in sorted(parameter.about) if (kind := _group_of(one))), "content")


def _group_of(one: str) -> str:
    return next((name for name, group in _LEANINGS if one in group), "")


def fill_strings(filling: Filling, own: OwnWords) -> None:
    """Fill every string slot that the sentence has words for.

    `own` are the words that speak of the tool.
    """
    if filling.open("string"):
        _fill_quoted(filling)
    if filling.open("string"):
        _fill_opened(filling, own)
    if filling.open("string"):
        _fill_times(filling)
    waiting = filling.open("string")
    if not waiting:
        return
    segments = _segments(filling, own, split_and=len(waiting) > 1)
    if len(waiting) == 1:
        _fill_only(filling, waiting[0], segments)
    else:
        _fill_several(filling, waiting, segments)


def fill_lists(filling: Filling, own: OwnWords) -> None:
    """Fill a list of strings from words parted by commas and `and`; at most one list slot per call."""
    for parameter in filling.open("list")[:1]:
        if parameter.item is None or parameter.item.kind != "string":
            continue
        segments = _segments(filling, own, split_and=True)
        if segments:
            values: list[Any] = [filling.said(one.start, one.end) for one in segments]
            filling.put(parameter, values, [at for one in segments for at in range(one.start, one.end)], 0.2)
            filling.loose += sum(one.end - one.start for one in segments)


# --- introduced strings --------------------------------------------------------------------------------------------


def _fill_quoted(filling: Filling) -> None:
    for match in _QUOTED.finditer(filling.text):
        inside = [
            place for place, word in enumerate(filling.words) if match.start() < word.start and word.end < match.end()
        ]
        waiting = sorted(filling.open("string"), key=lambda one: leaning(one) not in {"content", "title"})
        if waiting and inside and not filling.used & set(inside):
            filling.quote(inside)
            filling.put(waiting[0], match.group(1) or match.group(2), inside, 0.3)


def _fill_opened(filling: Filling, own: OwnWords) -> None:
    """Take everything after `saying`, `called`, or after a message's `that`."""
    words = filling.words
    for place, word in enumerate(words[:-1]):
        colon = filling.text[word.end : word.end + 1] == ":" and place in own.named
        wanted = {"title", "content"} if word.norm in {"called", "named", "titled"} else {"content"}
        is_that = (
            word.norm == "that"
            and place > 1
            and (place - 1 in own.named or words[place - 1].norm not in FUNCTION_WORDS)
        )
        if not (word.norm in _OPENERS or is_that or colon) or place in filling.used:
            continue
        takers = [one for one in filling.open("string") if leaning(one) in wanted]
        takers.sort(
            key=lambda one: leaning(one) != ("title" if word.norm in {"called", "named", "titled"} else "content")
        )
        if not takers and word.norm in {"called", "named", "titled"}:
            takers = filling.open("string")
        end = _opened_end(filling, place + 1, takers[0]) if takers else 0
        if takers and end > place + 1:
            filling.quote(range(place + 1, end))
            filling.put(takers[0], filling.said(place + 1, end), range(place, end), 0.35)
            return


def _opened_end(filling: Filling, start: int, taker: Parameter) -> int:
    """Find where an introduced string ends: for a title, before a preposition that another slot wants."""
    end = len(filling.words)
    while end > start and filling.words[end - 1].norm == "please":
        end -= 1
    if leaning(taker) != "title":
        return end
    others = [one for one in filling.open("string") if one is not taker]
    wanted = {marker for one in others for marker in _MARKERS[leaning(one)]}
    for place in range(start + 1, end):
        norm = filling.words[place].norm
        if place in filling.used or (norm in PREPOSITIONS and norm in wanted):
            return place
    return end


def _fill_times(filling: Filling) -> None:
    waiting = [one for one in filling.open("string") if leaning(one) == "time"]
    if not waiting:
        return
    spans = [span for span in _time_spans(filling.words) if not filling.used & set(range(*span))]
    if not spans:
        return
    if len(waiting) == 1:
        while len(spans) > 1 and not all(
            filling.words[at].norm in {"at", "on", "in", "of", "the"} for at in range(spans[0][1], spans[-1][0])
        ):
            spans.pop()
        _put_span(filling, waiting[0], spans[0][0], spans[-1][1])
        return
    for start, end in spans:
        clock = any(_is_clock(filling.words, at) for at in range(start, end))
        takers = [one for one in filling.open("string") if leaning(one) == "time"]
        takers.sort(key=lambda one: ("dat" in one.stems or "day" in one.stems) is clock)
        if takers:
            _put_span(filling, takers[0], start, end)


def _put_span(filling: Filling, parameter: Parameter, start: int, end: int) -> None:
    filling.put(parameter, filling.said(start, end), range(start, end), 0.3)


def _time_spans(words: tuple[Word, ...]) -> list[tuple[int, int]]:
    """Stretches that tell a day or an hour: `next friday`, `tomorrow morning`, `five thirty pm`, `17:30`."""
    spans: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        end = place
        while end < len(words) and (words[end].norm in TIME_WORDS or _is_clock(words, end)):
            end += 1
        if end > place and not (end == place + 1 and words[place].norm in {"next", "now", "may", "week", "march"}):
            spans.append((place, end))
        place = max(end, place + 1)
    return spans


def _is_clock(words: tuple[Word, ...], at: int) -> bool:
    norm = words[at].norm
    if _CLOCK.fullmatch(norm):
        return True
    if not (norm.isdigit() or norm in _NUMBER_NAMES or norm in {"thirty", "fifteen", "forty", "twenty"}):
        return False
    nearby = {word.norm for word in words[at + 1 : at + 3]}
    return bool(nearby & {"am", "pm", "o'clock"}) or (at > 0 and words[at - 1].norm == "at")


# --- segments ------------------------------------------------------------------------------------------------------


def _segments(filling: Filling, own: OwnWords, *, split_and: bool) -> list[Segment]:
    """Cut at prepositions, used words and, with `split_and`, at `and` and commas; keep what has content."""
    words = filling.words
    found: list[Segment] = []
    foreign: list[Segment] = []
    start, marker = 0, ""
    mentions: set[str] = set()
    names = {one for parameter in filling.open("string", "list") for one in parameter.stems}
    for place in range(len(words) + 1):
        cut = place == len(words) or place in filling.used or words[place].norm in PREPOSITIONS
        cut = cut or (split_and and words[place].norm == "and")
        comma = split_and and place < len(words) and words[place].pause and not cut
        if not cut and not comma:
            continue
        end = place + 1 if comma else place
        trimmed = _trim(words, start, end, own, introduced=bool(marker))
        mentions |= {words[at].stem for at in range(start, end) if words[at].stem in names}
        if trimmed is not None:
            is_own = all(
                at in own.described or at in own.akin or at in own.named or words[at].norm in FUNCTION_WORDS
                for at in range(*trimmed)
            )
            mentioned = any(words[at].stem in names for at in range(start, end))
            weak = is_own or (bool(marker) and not mentioned and any(at in own.named for at in range(start, end)))
            found.append(Segment(*trimmed, marker, frozenset(mentions), weak))
            if not is_own:
                foreign.append(found[-1])
            mentions = set()
        start = place + 1
        if place < len(words) and words[place].norm in PREPOSITIONS and place not in filling.used:
            marker = words[place].norm
            mentions |= {marker} & names
        elif not comma and place < len(words) and words[place].norm != "and":
            marker = ""
    strong = [one for one in found if not one.weak]
    return strong or foreign or found


def _trim(words: tuple[Word, ...], start: int, end: int, own: OwnWords, *, introduced: bool) -> tuple[int, int] | None:
    """Strip grammar and the tool's own words from both ends. None if nothing of the speaker's remains.

    Words of a description go from both ends, words merely akin to the tool from the front; if nothing else is there
    they are the value after all.
    """
    inner = [at for at in range(start, end) if words[at].norm not in FUNCTION_WORDS and at not in own.named]
    if not inner:
        return None
    front = [at for at in inner if at not in own.described and at not in own.akin]
    if introduced or not front:
        return inner[0], inner[-1] + 1
    return front[0], [at for at in inner if at not in own.described][-1] + 1


def _fill_only(filling: Filling, parameter: Parameter, segments: list[Segment]) -> None:
    """Fill the one open string: from the segment it leans to, or from all of them."""
    segments = [one for one in segments if parameter.required or not one.weak]
    if not segments:
        return
    kind = leaning(parameter)
    fitting = [one for one in segments if _fit(filling, one, parameter) >= 1.0]
    if kind in {"place", "person", "origin", "time"} and fitting:
        segments = fitting[-1:] if kind != "place" else fitting[:1]
    segments = [one for one in segments if _fit(filling, one, parameter) >= 0.0]
    if not segments:
        return
    if kind not in {"content", "title"}:
        segments = _without_times(filling, segments)
    start, end = segments[0].start, segments[-1].end
    if kind in {"content", "title"}:
        start, end = _widened(filling, start, end, segments[0].marker)
    while start < end and (start in filling.used):
        start += 1
    if start < end and not filling.used & set(range(start, end)):
        _take(filling, parameter, start, end, introduced=bool(fitting))


def _without_times(filling: Filling, segments: list[Segment]) -> list[Segment]:
    kept = []
    for one in segments:
        end = one.end
        while end > one.start and filling.words[end - 1].norm in TIME_WORDS:
            end -= 1
        if end > one.start:
            kept.append(Segment(one.start, end, one.marker, one.mentions))
    return kept or segments


def _widened(filling: Filling, start: int, end: int, marker: str) -> tuple[int, int]:
    """Give a message its own small words back: all after its marker, up to the sentence's end."""
    words = filling.words
    if marker:
        while start > 0 and start - 1 not in filling.used and words[start - 1].norm != marker:
            start -= 1
        while start < end and words[start].norm in {"a", "an", "the", "to"} and words[start].norm != marker:
            start += 1
    while marker and end < len(words) and end not in filling.used and not words[end - 1].stop:
        end += 1
    while end > start and (words[end - 1].norm in {"please", "now", "thanks"} or words[end - 1].norm in PREPOSITIONS):
        end -= 1
    return start, end


def _take(filling: Filling, parameter: Parameter, start: int, end: int, *, introduced: bool) -> None:
    if filling.put(parameter, filling.said(start, end), range(start, end), 0.2 if introduced else 0.1):
        if introduced:
            filling.quote(range(start, end))
        filling.loose += 0 if introduced else end - start


# --- several strings -----------------------------------------------------------------------------------------------


def _fill_several(filling: Filling, waiting: list[Parameter], segments: list[Segment]) -> None:
    pairs = [
        (fit, -order, -place, segment, parameter)
        for place, segment in enumerate(segments)
        for order, parameter in enumerate(waiting)
        if (fit := _fit(filling, segment, parameter)) > 0.0
    ]
    free = list(segments)
    for fit, _, _, segment, parameter in sorted(pairs, key=lambda one: one[:3], reverse=True):
        if segment in free and parameter.path not in filling.values:
            free.remove(segment)
            _take(filling, parameter, segment.start, segment.end, introduced=fit >= 1.0)
    _split_addressee(filling, free)
    for segment in list(free):
        takers = [one for one in filling.open("string") if _fit(filling, segment, one) >= 0.0]
        needed = [one for one in takers if one.required]
        if needed or len(takers) == 1:
            free.remove(segment)
            _take(filling, (needed or takers)[0], segment.start, segment.end, introduced=False)


def _fit(filling: Filling, segment: Segment, parameter: Parameter) -> float:
    """How well a segment suits a slot: ≥ 1 introduced for it, 0 possible, below 0 impossible."""
    kind = leaning(parameter)
    words = filling.words[segment.start : segment.end]
    fit = 0.0
    if segment.mentions & set(parameter.stems):
        fit += 2.0
    if segment.marker in _MARKERS[kind]:
        fit += 1.0 if kind != "other" else 0.6
    if kind == "size":
        measured = any("size" in CONCEPTS.get(word.stem, frozenset()) or word.norm[0].isdigit() for word in words)
        return fit + (1.2 if measured else -3.0)
    if kind == "time":
        timed = bool(_time_spans(tuple(words))) or any(word.norm[0].isdigit() for word in words)
        return fit + (1.2 if timed else -3.0 if fit < 2.0 else 0.0)
    if any("size" in CONCEPTS.get(word.stem, frozenset()) for word in words) and kind == "other" and len(words) == 1:
        fit -= 0.5 if fit < 1.0 else 0.0
    if kind == "other" and any(word.stem in parameter.about for word in words):
        fit += 0.5
    return fit


def _split_addressee(filling: Filling, free: list[Segment]) -> None:
    """Part `tell Bob I will be late` into a person and a message where both are wanted."""
    people = [one for one in filling.open("string") if leaning(one) == "person"]
    texts = [one for one in filling.open("string") if leaning(one) == "content"]
    if not people or not texts or not free or free[0].marker:
        return
    first = free[0]
    last = filling.words[-1]
    cut = first.start + 1
    while (
        cut < first.end
        and filling.text[filling.words[cut].start].isupper()
        and filling.words[cut].norm not in FUNCTION_WORDS
    ):
        cut += 1
    end = len(filling.words) - (last.norm == "please")
    if end <= cut or filling.used & set(range(first.start, end)):
        return
    _take(filling, people[0], first.start, cut, introduced=True)
    _take(filling, texts[0], cut, end, introduced=True)
    free.clear()


def leading_verb(words: tuple[Word, ...]) -> int | None:
    """Index of the verb that opens a command, politeness skipped."""
    for place, word in enumerate(words):
        if word.stem in VERBS or word.norm in COMMAND_VERBS:
            return place
        if word.norm not in _EDGES:
            return None
    return None
