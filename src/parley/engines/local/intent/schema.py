"""A function tool as the index sees it: a flat list of parameters to fill by voice, read from its JSON Schema.

Here: `ToolShape` and `Parameter`, and how `$ref`, `allOf`, `anyOf`, type lists, `const`, nested objects and missing
pieces are reduced to a handful of kinds. What cannot be said aloud becomes kind `unsupported`, never an error.
Not here: filling (`slots`), proof that a filled call is valid (`schema_check`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from parley.engines.local.intent.lexicon import CONCEPTS, FUNCTION_WORDS
from parley.engines.local.intent.schema_check import conforms, follow
from parley.engines.local.intent.words import name_words, split_words, stem
from parley.protocol.realtime.tools import FunctionTool

__all__ = ["Choice", "Kind", "Parameter", "ToolShape", "read_tool"]

Kind = Literal["choice", "boolean", "number", "integer", "string", "list", "unsupported"]

_MOST_PARAMETERS: Final = 48
_MOST_CHOICES: Final = 300
_LONGEST_DESCRIPTION: Final = 1_500
_NESTING: Final = 3
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value, the stems that name it, and all its letters in one word."""

    value: Any
    stems: tuple[str, ...]
    joined: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One slot. `path` leads to it through nested objects; `required` holds for the whole path.

    `stems` come from its name, `about` from its description. `fallback` is the value to use when a required slot was
    not mentioned (`default`, `const`, a single choice), or `MISSING`.
    """

    path: tuple[str, ...]
    kind: Kind
    required: bool
    schema: Any
    said: str
    stems: tuple[str, ...]
    about: frozenset[str]
    description: str = ""
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    item: Parameter | None = None
    fallback: Any = _NOTHING

    @property
    def has_fallback(self) -> bool:
        return self.fallback is not _NOTHING


@dataclass(frozen=True, slots=True)
class ToolShape:
    """One tool: the stems of its name in order, of its description, and its slots.

    `names` are the stems and compounds that name the tool or a slot, `described` those of all descriptions, `ideas`
    what its name is about.
    """

    tool: FunctionTool
    root: Any
    name_words: tuple[str, ...]
    stems: tuple[str, ...]
    description: str
    about: frozenset[str]
    parameters: tuple[Parameter, ...]
    names: frozenset[str]
    described: frozenset[str]
    ideas: frozenset[str]

    @property
    def name(self) -> str:
        return self.tool.name

    def accepts(self, arguments: dict[str, Any]) -> bool:
        """Whether these arguments provably fit the tool's schema."""
        return self.root is None or conforms(arguments, self.root, self.root)


def content_stems(text: str) -> frozenset[str]:
    """Stems of a text's content words."""
    return frozenset(word.stem for word in split_words(text) if word.norm not in FUNCTION_WORDS)


def read_tool(tool: FunctionTool) -> ToolShape:
    """Read a tool. Never raises: whatever its schema holds, something usable or declinable comes out."""
    root = tool.parameters if isinstance(tool.parameters, dict) else None
    description = tool.description[:_LONGEST_DESCRIPTION] if isinstance(tool.description, str) else ""
    words = name_words(tool.name)
    parameters: list[Parameter] = []
    if root is not None:
        for parameter in _slots(_plain(root, root), root, (), required=True, depth=0):
            parameters.append(parameter)
            if len(parameters) == _MOST_PARAMETERS:
                break
    stems = tuple(stem(word) for word in words)
    about = content_stems(description)
    compounds = {one + other for one, other in pairwise(stems)}
    return ToolShape(
        tool=tool,
        root=root,
        name_words=words,
        stems=stems,
        description=description,
        about=about,
        parameters=tuple(parameters),
        names=frozenset({*stems, *compounds, *(one for parameter in parameters for one in parameter.stems)}),
        described=about.union(*(parameter.about for parameter in parameters)),
        ideas=frozenset(idea for one in stems for idea in CONCEPTS.get(one, ())) - {"size"},
    )


def _plain(schema: Any, root: Any) -> dict[str, Any]:
    """Reduce references, `allOf` and the first usable variant of `anyOf`/`oneOf` to one schema object."""
    schema = follow(schema, root)
    if not isinstance(schema, dict):
        return {}
    merged = dict(schema)
    for part in _listed(merged.pop("allOf", None)):
        merged = _merge(_plain(part, root), merged)
    for keyword in ("anyOf", "oneOf"):
        variants = [_plain(part, root) for part in _listed(merged.pop(keyword, None))[:16]]
        variants = [part for part in variants if part.get("type") != "null" and part]
        if not variants:
            continue
        constants = [value for part in variants for value in _constants(part)]
        if len(constants) >= len(variants) and all(_constants(part) for part in variants):
            merged = _merge({"enum": constants}, merged)
        else:
            merged = _merge(variants[0], merged)
    return merged


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _constants(schema: dict[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else _listed(schema.get("enum"))


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Join two schema objects; `other` wins, properties and required lists add up."""
    merged = {**one, **other}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        merged["properties"] = {**one["properties"], **other["properties"]}
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        merged["required"] = [*one["required"], *other["required"]]
    return merged


def _slots(
    schema: dict[str, Any], root: Any, path: tuple[str, ...], *, required: bool, depth: int
) -> Iterator[Parameter]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    wanted = [key for key in _listed(schema.get("required")) if isinstance(key, str)]
    for key, raw in properties.items():
        part = _plain(raw, root)
        needed = required and key in wanted
        if isinstance(part.get("properties"), dict) and depth < _NESTING:
            yield from _slots(part, root, (*path, key), required=needed, depth=depth + 1)
        else:
            yield _slot(part, root, (*path, key), required=needed)
    for key in wanted:
        if key not in properties:
            yield _slot(
                {} if schema.get("additionalProperties") is not False else False, root, (*path, key), required=required
            )


def _slot(schema: Any, root: Any, path: tuple[str, ...], *, required: bool, nested: bool = False) -> Parameter:
    words = name_words(path[-1])
    described = schema.get("description") if isinstance(schema, dict) else ""
    described = described[:_LONGEST_DESCRIPTION] if isinstance(described, str) else ""
    schema = schema if isinstance(schema, dict) else {"not": {}}
    kind = _kind(schema, nested=nested)
    item = _slot(_plain(schema.get("items"), root), root, path, required=True, nested=True) if kind == "list" else None
    return Parameter(
        path=path,
        kind=kind if item is None or item.kind in {"choice", "number", "integer", "string"} else "unsupported",
        required=required,
        schema=schema,
        said=" ".join(words) or path[-1],
        stems=tuple(stem(word) for word in words),
        about=content_stems(described),
        description=described,
        choices=_choices(schema) if kind == "choice" else (),
        minimum=_limit(schema, "minimum", "exclusiveMinimum"),
        maximum=_limit(schema, "maximum", "exclusiveMaximum"),
        item=item,
        fallback=_fallback(schema, root),
    )


def _kind(schema: dict[str, Any], *, nested: bool) -> Kind:
    if _constants(schema):
        return "choice"
    declared = schema.get("type")
    names = [name for name in (declared if isinstance(declared, list) else [declared]) if name != "null"]
    name = names[0] if names else None
    if name == "string":
        return "string"
    if name == "boolean":
        return "boolean"
    if name == "number":
        return "number"
    if name == "integer":
        return "integer"
    if name == "array" and not nested:
        return "list"
    return "string" if name is None and not ({"properties", "items", "not"} & schema.keys()) else "unsupported"


def _choices(schema: dict[str, Any]) -> tuple[Choice, ...]:
    choices = []
    for value in _constants(schema)[:_MOST_CHOICES]:
        if isinstance(value, bool) or value is None or not isinstance(value, str | int | float):
            choices.append(Choice(value, ()))
            continue
        text = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
        numeric = re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
        parts = [text] if numeric else list(name_words(text)) or [text.lower()]
        choices.append(Choice(value, tuple(stem(part) for part in parts), "".join(parts)))
    return tuple(choices)


def _limit(schema: dict[str, Any], inclusive: str, exclusive: str) -> float | None:
    for keyword in (inclusive, exclusive):
        value = schema.get(keyword)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _fallback(schema: dict[str, Any], root: Any) -> Any:
    if "default" in schema and conforms(schema["default"], schema, root):
        return schema["default"]
    constants = _constants(schema)
    return constants[0] if len(constants) == 1 else _NOTHING
