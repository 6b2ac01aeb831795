"""Filling slots: each kind of parameter, each odd schema, each way of saying it."""

from __future__ import annotations

from typing import Any

import pytest
from intent_tool_sets import tool

from parley.engines.local.intent import IntentIndex
from parley.protocol.realtime.tools import FunctionTool

TEXT = {"type": "string"}


def arguments(given: FunctionTool, said: str) -> dict[str, Any]:
    (found,) = IntentIndex([given]).rank(said, only=given.name)
    return found.filled.arguments


def missing(given: FunctionTool, said: str) -> list[str]:
    (found,) = IntentIndex([given]).rank(said, only=given.name)
    return [one.path[-1] for one in found.filled.missing]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("turn the fan on", True),
        ("switch it off", False),
        ("enable the fan", True),
        ("disable the fan please", False),
        ("Fan: off.", False),
        ("don't run the fan", False),
    ],
)
def test_a_boolean_is_read_from_polarity(said: str, value: bool) -> None:
    assert arguments(tool("set_fan", "Control the fan", ("on",), on={"type": "boolean"}), said) == {"on": value}


@pytest.mark.parametrize(
    ("said", "value"),
    [("mute the call", True), ("unmute the call", False), ("turn mute off", False), ("set muted to true", True)],
)
def test_a_negative_boolean_keeps_its_sense(said: str, value: bool) -> None:
    assert arguments(tool("set_audio", "", ("muted",), muted={"type": "boolean"}), said) == {"muted": value}


def test_two_booleans_are_kept_apart_by_their_clauses() -> None:
    options = tool("set_options", "", (), wifi={"type": "boolean"}, bluetooth={"type": "boolean"})
    assert arguments(options, "turn wifi on and bluetooth off") == {"wifi": True, "bluetooth": False}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("set a timer for two minutes", 120),
        ("timer for ninety seconds", 90),
        ("an hour", 3600),
        ("timer for 45", 45),
    ],
)
def test_units_are_converted_to_the_parameters_own(said: str, value: float) -> None:
    timer = tool("start_timer", "", ("duration_seconds",), duration_seconds={"type": "integer"})
    assert arguments(timer, said) == {"duration_seconds": value}


def test_a_share_is_scaled_and_limits_hold() -> None:
    share = tool("set_opacity", "", ("opacity",), opacity={"type": "number", "minimum": 0, "maximum": 1})
    assert arguments(share, "opacity forty percent") == {"opacity": 0.4}
    level = tool("set_level", "", ("level",), level={"type": "integer", "minimum": 0, "maximum": 11})
    assert arguments(level, "level three hundred") == {"level": 11}
    assert arguments(level, "level to the maximum") == {"level": 11}


def test_an_integer_slot_takes_no_fraction() -> None:
    assert missing(tool("go", "", ("floor",), floor={"type": "integer"}), "go to floor one point five") == ["floor"]


def test_numbers_go_to_the_slots_named_beside_them() -> None:
    box = tool("resize", "", ("width", "height"), width={"type": "number"}, height={"type": "number"})
    assert arguments(box, "resize to height fifty and width twenty") == {"width": 20, "height": 50}
    assert arguments(box, "resize to thirty by forty") == {"width": 30, "height": 40}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("the living room", "living_room"),
        ("livingroom please", "living_room"),
        ("in the kitchn", "kitchen"),
        ("in the bed room", "bedroom"),
        ("in the living area", "living_room"),
    ],
)
def test_choices_survive_compounds_and_slips(said: str, value: str) -> None:
    room = tool("clean", "", ("room",), room={"enum": ["living_room", "kitchen", "bedroom"]})
    assert arguments(room, f"clean {said}") == {"room": value}


def test_two_choices_of_one_kind_follow_their_prepositions() -> None:
    money = {"type": "string", "enum": ["euro", "dollar", "pound"]}
    convert = tool("convert", "", ("from", "to"), **{"from": money, "to": money})
    assert arguments(convert, "convert to dollars from pounds") == {"from": "pound", "to": "dollar"}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("set the title to hello world", "hello world"),
        ("Set the title to Hello World.", "Hello World"),
        ('set the title to "The End"', "The End"),
        ("title: spring plans", "spring plans"),
        ("change the title to The Great Escape please", "The Great Escape"),
    ],
)
def test_free_text_keeps_the_speakers_words(said: str, value: str) -> None:
    found = arguments(tool("set_title", "Set the title of the document", ("title",), title=TEXT), said)
    assert found["title"].removeprefix("The ") == value.removeprefix("The ")


@pytest.mark.parametrize(
    ("said", "recipient", "message"),
    [
        ("send a message to bob saying i am late", "bob", "i am late"),
        ("Send Bob a message saying I am late.", "Bob", "I am late"),
        ("tell Bob that dinner is ready", "Bob", "dinner is ready"),
        ("send a message saying see you at six to my team", "my team", None),
        ("Tell Mary Ann I will be late", "Mary Ann", "I will be late"),
    ],
)
def test_two_strings_are_parted(said: str, recipient: str, message: str | None) -> None:
    send = tool("send_message", "Send a message to a contact", ("recipient", "message"), recipient=TEXT, message=TEXT)
    if message is None:
        assert missing(send, said) == ["recipient"]
    else:
        assert arguments(send, said) == {"recipient": recipient, "message": message}


def test_places_follow_their_prepositions() -> None:
    trip = tool(
        "book_flight", "Book a flight", ("origin", "destination", "date"), origin=TEXT, destination=TEXT, date=TEXT
    )
    assert arguments(trip, "book a flight from New York to Paris on Friday") == {
        "origin": "New York",
        "destination": "Paris",
        "date": "Friday",
    }


def test_nested_objects_are_filled_and_their_own_requirements_asked() -> None:
    style = {"type": "object", "properties": {"color": TEXT, "weight": {"type": "integer"}}, "required": ["weight"]}
    given = tool("set_style", "Set the style", (), style=style)
    assert arguments(given, "set the weight to four hundred") == {"style": {"weight": 400}}
    assert missing(given, "set the style color to teal") == ["weight"]


def test_references_variants_and_constants_are_followed() -> None:
    given = FunctionTool(
        name="set_mode",
        parameters={
            "type": "object",
            "$defs": {"mode": {"type": "string", "enum": ["eco", "turbo"]}},
            "properties": {
                "mode": {"$ref": "#/$defs/mode"},
                "level": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
                "version": {"const": 2},
                "when": {"oneOf": [{"const": "immediately"}, {"const": "later"}]},
            },
            "required": ["mode", "version"],
        },
    )
    assert arguments(given, "set the mode to turbo level three later") == {
        "mode": "turbo",
        "level": 3,
        "version": 2,
        "when": "later",
    }


def test_lists_of_simple_things_are_filled() -> None:
    days = {"type": "array", "items": {"type": "string", "enum": ["mon", "tue", "wed"]}}
    assert arguments(tool("set_days", "", ("days",), days=days), "set days to mon and wed") == {"days": ["mon", "wed"]}
    items = {"type": "array", "items": TEXT}
    assert arguments(tool("buy", "Buy items", ("items",), items=items), "buy milk, eggs and bread") == {
        "items": ["milk", "eggs", "bread"]
    }
    numbers = {"type": "array", "items": {"type": "number"}}
    assert arguments(tool("add_up", "", ("numbers",), numbers=numbers), "add up two, three and five") == {
        "numbers": [2, 3, 5]
    }


def test_a_list_of_objects_is_refused() -> None:
    rows = {"type": "array", "items": {"type": "object", "properties": {"a": TEXT}}}
    (found,) = IntentIndex([tool("draw_chart", "Draw a chart", ("rows",), rows=rows)]).rank(
        "draw a chart", only="draw_chart"
    )
    assert found.filled.refused is not None
    assert not found.filled.valid


@pytest.mark.parametrize(
    "parameters",
    [None, {}, {"type": "object"}, {"type": "object", "properties": None}, {"type": "string"}, {"properties": []}],
)
def test_tools_without_usable_parameters_are_called_bare_or_not_at_all(parameters: Any) -> None:
    found = IntentIndex([FunctionTool(name="ring_bell", parameters=parameters)]).best("ring the bell")
    assert found is not None
    assert found.filled.arguments == {}
    assert found.filled.valid is (
        parameters != {"type": "string"}
        and parameters != {"type": "object", "properties": None}
        and parameters != {"properties": []}
    )


def test_a_pattern_that_could_run_forever_is_not_run() -> None:
    evil = tool("submit", "", ("code",), code={"type": "string", "pattern": "^(a+)+$"})
    assert missing(evil, "submit code " + "a" * 40 + "b") == ["code"]


def test_defaults_serve_required_slots_only() -> None:
    given = tool(
        "brew",
        "Brew coffee",
        ("cups",),
        cups={"type": "integer", "default": 2},
        strong={"type": "boolean", "default": True},
    )
    assert arguments(given, "brew coffee") == {"cups": 2}
