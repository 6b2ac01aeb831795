"""Whatever schema a client sends: never an exception, and never a call that its schema forbids."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import jsonschema.exceptions
import referencing.exceptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intent_dialogue import Talk, answer, context, heard, said

from parley.engines.local.intent.schema_check import conforms
from parley.engines.local.intent.words import name_words, word_set
from parley.protocol.realtime.items import FunctionCallItem, FunctionCallOutputItem, Item
from parley.protocol.realtime.tools import FunctionTool, NamedToolChoice

WORDS = st.sampled_from(
    sorted(
        word_set(
            "set get send the a to my title color size value amount hello world kitchen seven twenty three on off "
            "not show find message bob saying paris big and then please what where is percent half minutes one "
            "point five text list item name"
        )
    )
)
SENTENCES = st.one_of(st.lists(WORDS, min_size=1, max_size=14).map(" ".join), st.text(max_size=60))
NAMES = st.one_of(st.lists(WORDS, min_size=1, max_size=3).map("_".join), st.text(min_size=1, max_size=12))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def leaf() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({}),
        st.just({"type": "string"}),
        st.fixed_dictionaries({"type": st.just("string"), "description": WORDS}),
        st.fixed_dictionaries(
            {"type": st.just("string"), "minLength": st.integers(0, 9), "maxLength": st.integers(0, 20)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("string"), "pattern": st.sampled_from(["^#[0-9a-f]{6}$", "^\\w+$", "(a+)+$", "["])}
        ),
        st.fixed_dictionaries({"type": st.sampled_from(["number", "integer"])}),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["number", "integer"]),
                "minimum": st.integers(-5, 5),
                "maximum": st.integers(0, 50),
            }
        ),
        st.fixed_dictionaries(
            {"type": st.just("integer"), "multipleOf": st.integers(1, 7), "exclusiveMinimum": st.just(0)}
        ),
        st.just({"type": "boolean"}),
        st.fixed_dictionaries({"enum": st.lists(WORDS | st.integers(0, 9) | st.booleans() | st.none(), max_size=4)}),
        st.fixed_dictionaries({"const": WORDS | st.integers(0, 3)}),
        st.fixed_dictionaries({"type": st.just(["string", "null"])}),
        st.just({"type": ["integer", "string"]}),
        st.just({"$ref": "#/$defs/thing"}),
        st.just({"$ref": "#/$defs/nowhere"}),
        st.just({"$ref": "#"}),
        st.fixed_dictionaries({"type": st.just("string"), "default": WORDS | st.integers()}),
    )


def nested() -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaf(),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
            st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 3)}),
            st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
            st.fixed_dictionaries({"not": inner}),
            objects(inner),
        ),
        max_leaves=5,
    )


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def build(properties: dict[str, Any], required: list[str] | None, extra: bool | None) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required is not None:
            schema["required"] = [*properties][: len(required)] + required[:1]
        if extra is not None:
            schema["additionalProperties"] = extra
        return schema

    return st.builds(
        build,
        st.dictionaries(NAMES, inner, max_size=4),
        st.none() | st.lists(NAMES, max_size=3, unique=True),
        st.none() | st.booleans(),
    )


def with_defs(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$defs": {"thing": {"type": "string", "enum": ["big", "small"]}}}


TOOLS = st.lists(
    st.builds(
        FunctionTool,
        name=NAMES,
        description=st.one_of(st.just(""), st.lists(WORDS, max_size=8).map(" ".join), st.text(max_size=30)),
        parameters=st.one_of(
            objects(nested()).map(with_defs), st.none(), st.dictionaries(st.text(max_size=8), JUNK, max_size=3)
        ),
    ),
    max_size=6,
    unique_by=lambda tool: tool.name,
)
ORDINARY = st.lists(
    st.builds(
        FunctionTool,
        name=st.lists(WORDS, min_size=2, max_size=3).map("_".join),
        parameters=st.dictionaries(WORDS, leaf(), min_size=1, max_size=3).map(
            lambda slots: with_defs({"type": "object", "properties": slots, "required": [*slots][:1]})
        ),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: tool.name,
)
CHOICES = st.one_of(
    st.sampled_from(["auto", "none", "required"]), NAMES.map(lambda name: NamedToolChoice("function", name))
)
FAST = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def is_valid(arguments: dict[str, Any], tool: FunctionTool) -> bool:
    """The independent judge. A schema that is itself broken is judged where it can be."""
    if not isinstance(tool.parameters, dict):
        return arguments == {}
    try:
        jsonschema.Draft202012Validator(tool.parameters).validate(arguments)
    except jsonschema.exceptions.ValidationError:
        return False
    except referencing.exceptions.Unresolvable:
        return True  # a reference to nowhere beside a variant that fits: there is no verdict
    return True


def spoken_for(tool: FunctionTool) -> st.SearchStrategy[str]:
    """Sentences that mention a tool, its slots and its allowed values, so that most of them lead to a call."""
    schema = json.dumps(tool.parameters) if tool.parameters else ""
    words = [*name_words(tool.name), *name_words(schema.split("$defs")[0])] or ["it"]
    lead = " ".join(name_words(tool.name))
    return st.lists(st.sampled_from(words) | WORDS, max_size=8).map(lambda rest: " ".join([lead, *rest]))


@FAST
@given(TOOLS | ORDINARY, SENTENCES, CHOICES, st.data())
def test_every_call_fits_its_schema(tools: list[FunctionTool], sentence: str, choice: Any, data: st.DataObject) -> None:
    if tools and len(sentence) % 2:
        tool: FunctionTool = data.draw(st.sampled_from(tools))
        sentence = data.draw(spoken_for(tool))
    result = answer(context(said(sentence), tools=tools, tool_choice=choice))
    by_name = {tool.name: tool for tool in tools}
    for name, arguments in result.calls:
        assert is_valid(arguments, by_name[name]), (name, arguments, by_name[name].parameters)
    if choice == "none":
        assert not result.calls
    assert result.calls or result.text.strip()


def test_random_schemas_do_lead_to_calls_with_arguments() -> None:
    """The property above is not empty: a fair share of random tools is called, with arguments."""
    called: list[dict[str, Any]] = []

    @settings(deadline=None, max_examples=200, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(ORDINARY, st.data())
    def run(tools: list[FunctionTool], data: st.DataObject) -> None:
        tool: FunctionTool = data.draw(st.sampled_from(tools))
        sentence = data.draw(spoken_for(tool))
        called.extend(arguments for _, arguments in answer(context(said(sentence), tools=tools)).calls)

    run()
    assert len(called) >= 40
    assert sum(bool(arguments) for arguments in called) >= 12


@FAST
@given(TOOLS, st.lists(SENTENCES, min_size=2, max_size=4), st.text(max_size=40))
def test_a_whole_conversation_never_breaks(tools: list[FunctionTool], sentences: list[str], output: str) -> None:
    talk = Talk(tools)
    by_name = {tool.name: tool for tool in tools}
    for sentence in sentences:
        result = talk.user(sentence)
        for name, arguments in result.calls:
            assert is_valid(arguments, by_name[name])
        if result.calls:
            assert talk.output(output).text.strip()


@FAST
@given(
    st.lists(
        st.one_of(
            SENTENCES.map(said),
            SENTENCES.map(heard),
            st.builds(
                FunctionCallItem,
                id=st.just("f"),
                call_id=st.sampled_from("abc"),
                name=NAMES,
                arguments=st.text(max_size=20),
            ),
            st.builds(
                FunctionCallOutputItem,
                id=st.just("o"),
                call_id=st.sampled_from("abc"),
                output=st.text(max_size=40) | JUNK.map(json.dumps),
            ),
        ),
        max_size=8,
    ),
    st.text(max_size=80),
)
def test_any_order_of_items_is_answered(items: list[Item], instructions: str) -> None:
    result = answer(context(*items, instructions=instructions))
    assert result.text.strip()
    assert not result.calls


@FAST
@given(objects(nested()).map(with_defs), JUNK | st.dictionaries(NAMES, WORDS | st.integers(0, 30), max_size=4))
def test_what_conforms_is_valid(schema: dict[str, Any], value: Any) -> None:
    """Our check may refuse a valid value, never pass an invalid one."""
    if conforms(value, schema, schema):
        assert not isinstance(value, dict) or is_valid(value, FunctionTool(name="judge", parameters=schema))


@given(JUNK, st.dictionaries(st.text(max_size=8), JUNK, max_size=3))
def test_a_broken_schema_is_no_exception(value: Any, schema: dict[str, Any]) -> None:
    conforms(value, schema, schema)


def test_names_of_words_only_in_schemas_are_understood() -> None:
    tool = FunctionTool(
        name="frobnicate_widget",
        parameters={"type": "object", "properties": {"intensity": {"type": "integer", "minimum": 1, "maximum": 9}}},
    )
    result = answer(context(said("frobnicate the widget with intensity seven"), tools=[tool]))
    assert result.calls == [("frobnicate_widget", {"intensity": 7})]
