"""Does a value fit a JSON Schema? The last gate before a call leaves: what cannot be proven to fit is not sent.

Covers the assertions that function tools use. A keyword it does not know how to prove makes the answer no; annotations
(`title`, `description`, `format`, …) prove nothing and are skipped. Patterns that could run long are not run.

Source: JSON Schema 2020-12, validation vocabulary.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

__all__ = ["conforms", "follow"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_DEPTH: Final = 16
_LONGEST_MATCHED: Final = 256
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "number": _number,
        "integer": lambda value: _number(value) and float(value).is_integer(),
    }
)
_UNPROVABLE: Final = frozenset(
    {
        "$dynamicRef",
        "$recursiveRef",
        "contains",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "disallow",
        "divisibleBy",
        "extends",
        "if",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_RISKY_PATTERN = re.compile(r"\)[*+?{]|\\[1-9]|\(\?")
_OPEN_ENDED = re.compile(r"[*+]|\{\d*,\}")


def follow(schema: Any, root: Any) -> Any:
    """Resolve local `$ref`s (`#/…`) of `schema` against `root`. None where a reference leads nowhere or in a circle."""
    for _ in range(_DEPTH):
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema
        pointer = schema["$ref"]
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return None
        target = root
        for part in pointer.lstrip("#").strip("/").split("/") if pointer.strip("#/") else ():
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if not isinstance(target, dict):
            return None if beside or target is not True else True
        schema = {**target, **beside}
    return None


def conforms(value: Any, schema: Any, root: Any, depth: int = 0) -> bool:
    """Tell whether `value` provably fits `schema`, references resolved against `root`."""
    if isinstance(schema, bool):
        return schema
    if depth > _DEPTH or not isinstance(schema, dict):
        return False
    if "$ref" in schema:
        target = follow({"$ref": schema["$ref"]}, root)
        rest = {key: part for key, part in schema.items() if key != "$ref"}
        return (
            target is not None and conforms(value, target, root, depth + 1) and conforms(value, rest, root, depth + 1)
        )
    if _UNPROVABLE & schema.keys():
        return False
    return all(
        _CHECKS[keyword](value, wanted, schema, root, depth + 1)
        for keyword, wanted in schema.items()
        if keyword in _CHECKS
    )


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(part, other[key]) for key, part in one.items())
    return bool(one == other)


def _type(value: Any, wanted: Any, *_: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(isinstance(name, str) and name in _TYPES and _TYPES[name](value) for name in names)


def _enum(value: Any, wanted: Any, *_: Any) -> bool:
    return isinstance(wanted, list) and any(_same(value, one) for one in wanted)


def _bound(fits: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def check(value: Any, wanted: Any, *_: Any) -> bool:
        return not _number(value) or (_number(wanted) and fits(value, wanted))

    return check


def _length(kind: type[str | list[Any] | dict[str, Any]], fits: Callable[[int, Any], bool]) -> Callable[..., bool]:
    def check(value: Any, wanted: Any, *_: Any) -> bool:
        return not isinstance(value, kind) or (_number(wanted) and fits(len(value), wanted))

    return check


def _multiple(value: Any, wanted: Any, *_: Any) -> bool:
    if not _number(value):
        return True
    if not _number(wanted) or wanted <= 0:
        return False
    if isinstance(value, int) and isinstance(wanted, int):
        return value % wanted == 0
    quotient = value / wanted
    return math.isfinite(quotient) and quotient == int(quotient)


def _pattern(value: Any, wanted: Any, *_: Any) -> bool:
    if not isinstance(value, str):
        return True
    return len(value) <= _LONGEST_MATCHED and _runnable(wanted) and re.search(wanted, value) is not None


def _runnable(pattern: Any) -> bool:
    """Tell whether a pattern compiles and cannot run long."""
    if not isinstance(pattern, str) or len(pattern) > 200:
        return False
    if _RISKY_PATTERN.search(pattern) or len(_OPEN_ENDED.findall(pattern)) > 2:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _items(value: Any, wanted: Any, _schema: Any, root: Any, depth: int) -> bool:
    return not isinstance(value, list) or all(conforms(one, wanted, root, depth) for one in value)


def _unique(value: Any, wanted: Any, *_: Any) -> bool:
    if wanted is not True or not isinstance(value, list):
        return True
    return not any(_same(one, other) for place, one in enumerate(value) for other in value[:place])


def _properties(value: Any, wanted: Any, _schema: Any, root: Any, depth: int) -> bool:
    if not isinstance(value, dict):
        return True
    return isinstance(wanted, dict) and all(
        conforms(value[key], schema, root, depth) for key, schema in wanted.items() if key in value
    )


def _required(value: Any, wanted: Any, *_: Any) -> bool:
    return not isinstance(value, dict) or not isinstance(wanted, list) or all(key in value for key in wanted)


def _additional(value: Any, wanted: Any, schema: Any, root: Any, depth: int) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties")
    extra = [part for key, part in value.items() if not isinstance(known, dict) or key not in known]
    return all(conforms(part, wanted, root, depth) for part in extra)


def _any_of(value: Any, wanted: Any, _schema: Any, root: Any, depth: int) -> bool:
    return isinstance(wanted, list) and any(conforms(value, one, root, depth) for one in wanted)


def _one_of(value: Any, wanted: Any, _schema: Any, root: Any, depth: int) -> bool:
    if not isinstance(wanted, list) or not all(_provable(value, one, root, depth) for one in wanted):
        return False
    return sum(conforms(value, one, root, depth) for one in wanted) == 1


def _provable(value: Any, schema: Any, root: Any, depth: int) -> bool:
    """Tell whether a no of `conforms` would be a real no, so that "exactly one" can be counted."""
    if depth > _DEPTH:
        return False
    if isinstance(schema, list):
        return all(_provable(value, one, root, depth + 1) for one in schema)
    if not isinstance(schema, dict):
        return True
    if "$ref" in schema and follow(schema, root) is None:
        return False
    if "not" in schema or _UNPROVABLE & schema.keys():
        return False
    if "pattern" in schema and not (_runnable(schema["pattern"]) and len(str(value)) <= _LONGEST_MATCHED):
        return False
    target = follow(schema, root) if "$ref" in schema else None
    return _provable(value, target, root, depth + 1) and all(
        _provable(value, part, root, depth + 1) for part in schema.values()
    )


def _all_of(value: Any, wanted: Any, _schema: Any, root: Any, depth: int) -> bool:
    return isinstance(wanted, list) and all(conforms(value, one, root, depth) for one in wanted)


def _unprovable(*_: Any) -> bool:
    return False


_CHECKS: Final = MappingProxyType(
    {
        "type": _type,
        "enum": _enum,
        "const": lambda value, wanted, *_: _same(value, wanted),
        "minimum": _bound(lambda value, limit: value >= limit),
        "maximum": _bound(lambda value, limit: value <= limit),
        "exclusiveMinimum": _bound(lambda value, limit: value > limit),
        "exclusiveMaximum": _bound(lambda value, limit: value < limit),
        "multipleOf": _multiple,
        "minLength": _length(str, lambda size, limit: size >= limit),
        "maxLength": _length(str, lambda size, limit: size <= limit),
        "pattern": _pattern,
        "items": _items,
        "minItems": _length(list, lambda size, limit: size >= limit),
        "maxItems": _length(list, lambda size, limit: size <= limit),
        "uniqueItems": _unique,
        "properties": _properties,
        "required": _required,
        "additionalProperties": _additional,
        "minProperties": _length(dict, lambda size, limit: size >= limit),
        "maxProperties": _length(dict, lambda size, limit: size <= limit),
        "anyOf": _any_of,
        "oneOf": _one_of,
        "allOf": _all_of,
        "not": _unprovable,
    }
)
