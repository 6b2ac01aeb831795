"""Speaking from what functions return."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.local.intent.history import Returned
from parley.engines.local.intent.results import speak_result
from parley.protocol.realtime.items import FunctionCallItem


def spoken(name: str, output: Any, asked: str = "", /, **arguments: Any) -> str:
    call = FunctionCallItem(id="f", call_id="c", name=name, arguments=json.dumps(arguments))
    return speak_result(Returned(call, output if isinstance(output, str) else json.dumps(output)), asked)


@pytest.mark.parametrize(
    "output", ["", "ok", "Done.", "null", "true", '"success"', "{}", '{"success": true}', '{"status": "ok"}']
)
def test_a_bare_success_tells_what_was_done(output: str) -> None:
    assert spoken("change_title", output, title="hello") == "I changed the title to hello."
    assert spoken("pause_music", output) == "Done. I paused the music."


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("setBackgroundColor", {"color": "teal"}, "I set the background color to teal."),
        ("undo", {}, "Done. I undid that."),
        ("focus_city", {"city": "Rome"}, "Done. I focused on Rome."),
        ("set_light", {"room": "living_room", "on": True}, "Done. I turned the living room light on."),
        ("toggle_dark_mode", {"dark": False}, "Done. I turned the dark off."),
        ("show_grid", {"visible": False}, "Done. I hid the grid."),
        ("show_grid", {"visible": True}, "Done. I showed the grid."),
        ("lock_door", {"door": "front", "locked": False}, "Done. I unlocked the front door."),
        ("start_timer", {"minutes": 5}, "Done. I started the timer: 5."),
        ("resize_box", {"box": {"width": 3, "height": 4}}, "Done. I resized the box, with width 3 and height 4."),
        ("humidity", {}, "Done: humidity."),
    ],
)
def test_what_was_done_comes_from_the_call(name: str, arguments: dict[str, Any], expected: str) -> None:
    assert spoken(name, "", **arguments) == expected


def test_what_came_back_besides_is_added() -> None:
    output = {"room": "kitchen", "watts": 12, "status": "ok"}
    assert spoken("start_heater", output, room="kitchen") == "Done. I started the heater: kitchen. The watts are 12."
    assert spoken("get_energy", {"kwh": 12.5}) == "The energy is 12.5 kilowatt hours."
    assert spoken("get_order", {"status": "shipped"}) == "The status is shipped."


def test_values_are_said_with_their_names_and_units() -> None:
    text = spoken("get_weather", {"temperature_c": 21.5, "condition": "light rain", "humidity_pct": 40})
    assert text == "The temperature is 21.5 degrees, the condition is light rain and the humidity is 40 percent."


def test_the_question_picks_the_fact() -> None:
    facts = {"mass_kg": 6.39e23, "diameter_km": 6779, "distance_km": 227900000}
    assert spoken("get_facts", facts, "what is the diameter") == "The diameter is 6779 kilometers."
    assert "227.9 million kilometers" in spoken("get_facts", facts, "how far away is the distance")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"error": "no such city"}, "I could not get the weather: no such city."),
        ({"error": {"code": 404, "message": "Not found."}}, "I could not get the weather: Not found."),
        ({"success": False, "message": "try later"}, "I could not get the weather: try later."),
        ({"ok": False}, "I could not get the weather."),
        ("Error: the service is down", "I could not get the weather: the service is down."),
    ],
)
def test_errors_are_said_as_errors(output: Any, expected: str) -> None:
    assert spoken("get_weather", output) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("It is sunny in Rome", "It is sunny in Rome."),
        (["milk", "eggs", "bread"], "Milk, eggs and bread."),
        ([], "There is nothing there."),
        (42, "The weather is 42."),
        (0.30000000000000004, "The weather is 0.3."),
        ({"answer": "forty two"}, "Forty two."),
        ({"result": [1, 2, 3]}, "1, 2 and 3."),
        ({"open": True}, "It is open."),
        ({"items": []}, "There are no items."),
    ],
)
def test_plain_values_read_well(output: Any, expected: str) -> None:
    assert spoken("get_weather", output) == expected


def test_lists_of_things_lead_with_their_names() -> None:
    events = [{"id": "a1", "title": "standup", "time": "9 am"}, {"id": "a2", "title": "lunch", "time": "noon"}]
    assert spoken("list_events", events) == "There are 2 events: standup, 9 am and lunch, noon."


def test_long_lists_and_texts_are_cut() -> None:
    assert spoken("list_names", [f"n{at}" for at in range(9)]).endswith("n4 and 4 more.")
    assert len(spoken("read_book", "word " * 500).split()) < 90


def test_markup_is_read_not_spelled() -> None:
    page = "<div><style>p{}</style><h1>Welcome home</h1><p>Some words.</p><button>Press me</button></div>"
    assert spoken("get_html", page, "what does the heading say") == "The heading says: Welcome home."
    assert spoken("get_html", page, "what is on the button") == "The button says: Press me."
    assert spoken("get_html", {"html": page}, "read it").startswith("It says: Welcome home.")


def test_an_output_without_its_call_is_still_said() -> None:
    assert speak_result(Returned(None, '{"level": 3}')) == "The level is 3."


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=6),
        max_leaves=12,
    )
)
def test_no_result_is_ever_read_as_raw_json(value: Any) -> None:
    text = spoken("look_up", value)
    assert text.strip()
    assert not set("{}[]") & set(text)


@given(st.text(max_size=200))
def test_any_text_is_spoken(output: str) -> None:
    assert spoken("look_up", output).strip()
