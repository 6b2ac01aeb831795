"""Speak from what a function returned: what was done, what came back, or what went wrong. Never raw JSON.

Pure: a call and its output text in, one or a few sentences out. Wording of single values is in `wording`, markup in
`markup`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from parley.engines.local.intent.deeds import could_not, deed, flat_arguments
from parley.engines.local.intent.history import Returned
from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS, QUERY_CONCEPTS
from parley.engines.local.intent.markup import looks_like_markup, speak_markup
from parley.engines.local.intent.wording import and_list, is_verb, plural, shortened, the, value_aloud
from parley.engines.local.intent.words import name_words, split_words, stem, word_pairs, word_set

__all__ = ["speak_result"]

_MOST_FACTS: Final = 6
_MOST_ENTRIES: Final = 5
_MOST_WORDS: Final = 70
_PLAIN_KEYS: Final = (
    "answer", "message", "result", "output", "text", "summary", "content", "value", "data", "response", "description",
    "reply", "spoken", "speech",
)  # fmt: skip
_SPOKEN_KEYS: Final = word_set("answer message spoken speech summary")
_DULL: Final = word_set("id uuid url uri href link type object timestamp created updated version etag hash token")
_OK_WORDS: Final = word_set("ok okay done success succeeded true completed complete yes null none accepted")
_OK_KEYS: Final = _OK_WORDS | {"status", "result", "acknowledged", "updated", "changed"}
_BAD_WORDS: Final = word_set("error failed failure fail denied invalid rejected")
_SUFFIX_UNITS: Final = word_pairs(
    "km:kilometer m:meter cm:centimeter mm:millimeter mi:mile miles:mile kg:kilogram g:gram c:degree f:degree "
    "celsius:degree fahrenheit:degree deg:degree ms:millisecond s:second sec:second seconds:second secs:second "
    "min:minute minutes:minute hours:hour days:day pct:percent percent:percent percentage:percent usd:dollar "
    "eur:euro kwh:kilowatt_hour kmh:kilometers_per_hour kph:kilometers_per_hour mph:miles_per_hour px:pixel"
)
_INVARIANT: Final = frozenset({"percent", "kilometers per hour", "miles per hour"})


def speak_result(returned: Returned, asked: str = "") -> str:
    """Say what one function returned. `asked` is the user's question, whose words pick the facts to lead with."""
    name = returned.call.name if returned.call else ""
    arguments = _arguments(returned.call.arguments if returned.call else "")
    about = [word.stem for word in split_words(asked) if word.norm not in FUNCTION_WORDS]
    text = returned.output.strip()
    try:
        value: Any = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return _speak_text(text, name, arguments, about)
    trouble = _trouble(value)
    if trouble is not None:
        return _failed(name, arguments, trouble)
    if _is_plain_ok(value):
        return _done(name, arguments)
    return _speak_any(value, name, arguments, about)


def _done(name: str, arguments: Mapping[str, Any]) -> str:
    return _sentence(deed(name, arguments))


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# --- success and failure -------------------------------------------------------------------------------------------


def _trouble(value: Any) -> str | None:
    """Find the error a result reports: `""` for one without words, None for a result that is fine."""
    if not isinstance(value, Mapping):
        return None
    lower = {str(key).lower(): part for key, part in value.items()}
    error = lower.get("error", lower.get("errors"))
    if error not in (None, False, "", [], {}):
        return _words_of(error) or _words_of(lower.get("message"))
    said_bad = any(lower.get(key) is False for key in ("success", "ok", "succeeded"))
    if said_bad or str(lower.get("status", "")).lower() in _BAD_WORDS:
        return _words_of(lower.get("message")) or _words_of(lower.get("reason")) or _words_of(lower.get("detail"))
    return None


def _words_of(value: Any) -> str:
    if isinstance(value, str):
        return shortened(value.strip(), 30)
    if isinstance(value, Mapping):
        return next((_words_of(value[key]) for key in ("message", "detail", "reason", "code") if value.get(key)), "")
    if isinstance(value, list) and value:
        return _words_of(value[0])
    return ""


def _failed(name: str, arguments: Mapping[str, Any], why: str) -> str:
    why = _clean(why).rstrip(".")
    head = could_not(name, arguments)
    return f"{head}: {why}." if why else f"{head}."


def _is_plain_ok(value: Any) -> bool:
    if value is None or value is True or value in ("", {}):
        return True
    if isinstance(value, Mapping):
        return len(value) <= 3 and all(
            part is None
            or (part is True and str(key).lower() in _OK_KEYS)
            or (part is not True and str(part).lower() in _OK_WORDS)
            or str(key).lower() == "code"
            for key, part in value.items()
        )
    return False


# --- values --------------------------------------------------------------------------------------------------------


def _speak_text(text: str, name: str, arguments: Mapping[str, Any], about: Sequence[str]) -> str:
    if not text or text.lower().rstrip(".! ") in _OK_WORDS:
        return _done(name, arguments)
    if looks_like_markup(text):
        return speak_markup(text, about)
    first = text.split(None, 1)[0].lower().rstrip(":!.,")
    if first in _BAD_WORDS:
        return _failed(name, arguments, text.split(None, 1)[1] if " " in text else "")
    return _sentence(shortened(_clean(text), _MOST_WORDS))


def _speak_object(value: Mapping[str, Any], name: str, arguments: Mapping[str, Any], about: Sequence[str]) -> str:
    facts = {str(key): part for key, part in value.items() if not _is_formality(str(key).lower(), part)}
    plain = _plain_part(facts)
    if plain is not None:
        return _speak_any(plain, name, arguments, about)
    reads = is_reader_name(name) or not name
    asked = {
        key: part for key, part in facts.items() if reads and {stem(word) for word in name_words(key)} & set(about)
    }
    chosen = asked or {key: part for key, part in facts.items() if not set(name_words(key)) & _DULL} or facts
    lead = ""
    if not reads:
        given = {str(part).lower() for part in flat_arguments(arguments).values()}
        chosen = {key: part for key, part in chosen.items() if str(part).lower() not in given}
        lead = _done(name, arguments) + " "
    said = [fact for key, part in list(chosen.items())[:_MOST_FACTS] if (fact := _fact(key, part, name))]
    return lead + _sentence(and_list(said)) if said else _done(name, arguments)


def _is_formality(key: str, part: Any) -> bool:
    """Tell whether an entry only says that all is well."""
    return key in {"success", "ok", "error", "errors"} or (key == "status" and str(part).lower() in _OK_WORDS)


def _plain_part(facts: Mapping[str, Any]) -> Any:
    """Find the one entry that is the answer itself, None if there is none."""
    for key in _PLAIN_KEYS:
        if key in facts and (len(facts) == 1 or (isinstance(facts[key], str) and key in _SPOKEN_KEYS)):
            return facts[key]
    only = next(iter(facts.values())) if len(facts) == 1 else None
    return only if isinstance(only, str) and (looks_like_markup(only) or len(only.split()) > 12) else None


def _speak_any(value: Any, name: str, arguments: Mapping[str, Any], about: Sequence[str]) -> str:
    if isinstance(value, str):
        return _speak_text(value.strip(), name, arguments, about)
    if isinstance(value, Mapping):
        return _speak_object(value, name, arguments, about)
    if isinstance(value, list):
        return _speak_list(value, name)
    return _sentence(f"{_subject(name)} is {value_aloud(value)}" if name else f"It is {value_aloud(value)}")


def is_reader_name(name: str) -> bool:
    """Tell whether a tool's name says that it looks something up."""
    words = name_words(name)
    return bool(words) and (
        not is_verb(words[0]) or bool(CONCEPTS.get(stem(words[0]), frozenset()) & (QUERY_CONCEPTS - {"show"}))
    )


def _fact(key: str, value: Any, name: str = "") -> str:
    """Say one entry of an object, without a full stop; "" for an empty one."""
    words, unit = list(name_words(key)) or ["value"], ""
    if len(words) > 1 and words[-1] in _SUFFIX_UNITS and isinstance(value, int | float) and not isinstance(value, bool):
        unit = _SUFFIX_UNITS[words.pop()]
    elif (
        len(words) == 1 and len(words[0]) > 1 and words[0] in _SUFFIX_UNITS and name and isinstance(value, int | float)
    ):
        unit, words = _SUFFIX_UNITS[words[0]], _subject(name).removeprefix("the ").split()
    subject = the(" ".join(words))
    if isinstance(value, bool):
        return (
            f"{subject} is {'on' if value else 'off'}"
            if words[-1] not in {"open", "closed", "locked", "available", "valid"}
            else f"it is {'' if value else 'not '}{words[-1]}"
        )
    if isinstance(value, Mapping):
        inner = [fact for part, one in list(value.items())[:3] if (fact := _fact(str(part), one))]
        return f"{subject}: {and_list(inner)}" if inner else ""
    if isinstance(value, list):
        return (
            f"{subject} {'are' if words[-1].endswith('s') else 'is'} {_entries(value)}"
            if value
            else f"there are no {' '.join(words)}"
        )
    if value is None or value == "":
        return ""
    said = shortened(_clean(value_aloud(value)), 24)
    if unit:
        said += f" {unit if unit in _INVARIANT else plural(unit, value)}"
    verb = "are" if words[-1].endswith("s") and not words[-1].endswith("ss") and words[-1] != "status" else "is"
    return f"{subject} {verb} {said}"


def _speak_list(values: Sequence[Any], name: str) -> str:
    if not values:
        return "There is nothing there."
    noun = (name_words(name) or ("result",))[-1]
    noun = noun if len(values) == 1 or noun.endswith("s") else plural(noun, 2)
    if all(not isinstance(one, Mapping | list) for one in values):
        return _sentence(_entries(values))
    head = (
        "There is one: "
        if len(values) == 1
        else f"There are {len(values)} {noun}: "
        if not is_verb(noun)
        else f"There are {len(values)}: "
    )
    return _sentence(head + _entries(values))


def _entries(values: Sequence[Any]) -> str:
    said = [_entry(one) for one in values[:_MOST_ENTRIES]]
    said = [one for one in said if one]
    if len(values) > _MOST_ENTRIES:
        said.append(f"{len(values) - _MOST_ENTRIES} more")
    return and_list(said) or "nothing"


def _entry(value: Any) -> str:
    if isinstance(value, Mapping):
        for key in ("name", "title", "label", "text", "summary", "subject"):
            if isinstance(value.get(key), str):
                extra = [
                    value_aloud(part)
                    for other, part in value.items()
                    if other != key
                    and isinstance(part, str | int | float)
                    and not isinstance(part, bool)
                    and not set(name_words(str(other))) & _DULL
                ]
                return shortened(_clean(f"{value[key]}, {', '.join(extra[:2])}" if extra else value[key]), 20)
        facts = [fact for key, part in list(value.items())[:3] if (fact := _fact(str(key), part))]
        return and_list(facts)
    if isinstance(value, list):
        return _entries(value)
    return shortened(_clean(value_aloud(value)), 20)


def _subject(name: str) -> str:
    words = list(name_words(name))
    if words and is_verb(words[0]) and len(words) > 1:
        words = words[1:]
    return the(" ".join(words)) or "it"


_CLUTTER = re.compile(r"[{}\[\]<>`*_#|\\]+|https?://\S+")


def _clean(text: str) -> str:
    return " ".join(_CLUTTER.sub(" ", text).split())


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return "Done."
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."
