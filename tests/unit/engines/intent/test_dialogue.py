"""Conversations over several turns: questions and their answers, follow-ups, pointing back, several commands."""

from __future__ import annotations

import pytest
from intent_dialogue import Talk, answer, context, heard, said
from intent_tool_sets import TOOL_SETS, tool

from parley.protocol.realtime.items import FunctionCallItem, FunctionCallOutputItem

TEXT = {"type": "string"}


def test_a_missing_argument_is_asked_for_and_the_answer_completes_the_call() -> None:
    talk = Talk(TOOL_SETS["weather"])
    asked = talk.user("What is the weather like?")
    assert asked.text == "Which city do you mean?"
    assert not asked.calls
    assert talk.user("Paris.").calls == [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize(
    "reply", ["in Paris", "It's Paris", "Paris please.", "I would like the weather in Paris", "uh Paris"]
)
def test_the_answer_may_be_said_in_many_ways(reply: str) -> None:
    talk = Talk(TOOL_SETS["weather"])
    talk.user("Get the weather")
    assert talk.user(reply).calls == [("get_weather", {"city": "Paris"})]


def test_two_missing_arguments_take_two_questions() -> None:
    talk = Talk(TOOL_SETS["home"])
    assert talk.user("Change the brightness.").text.startswith("Which room")
    assert talk.user("The kitchen").text == "How many percent?"
    assert talk.user("thirty").calls == [("set_brightness", {"room": "kitchen", "percent": 30})]


def test_a_message_given_as_an_answer_is_kept_whole() -> None:
    talk = Talk(TOOL_SETS["crm"])
    assert talk.user("Send a message.").text == "Who should the recipient be?"
    assert talk.user("Bob.").text == "What should the message be?"
    assert talk.user("I am running late").calls == [
        ("send_message", {"recipient": "Bob", "message": "I am running late"})
    ]
    assert talk.output('{"recipient": "Bob", "status": "sent"}').text.startswith("Done. I sent the message, with")


def test_an_interrupted_question_is_still_open() -> None:
    tools = TOOL_SETS["weather"]
    result = answer(context(said("what is the weather"), heard("Which city"), said("Lisbon"), tools=tools))
    assert result.calls == [("get_weather", {"city": "Lisbon"})]
    result = answer(context(said("what is the weather"), said("in Lisbon"), tools=tools))
    assert result.calls == [("get_weather", {"city": "Lisbon"})]


def test_an_answer_that_fits_nothing_is_asked_again_once_then_left() -> None:
    talk = Talk(TOOL_SETS["call"])
    assert "Which department" in talk.user("transfer the call").text
    assert talk.user("bananas").text.startswith("Sorry, I did not get that. Which department")
    assert talk.user("apples").text.startswith("I still do not understand")
    assert talk.user("What can you do?").text.startswith("I can ")


def test_a_question_can_be_dropped() -> None:
    talk = Talk(TOOL_SETS["weather"])
    talk.user("what is the weather")
    assert talk.user("Never mind.").text == "Okay, never mind."
    assert talk.user("Paris").calls == []


def test_another_command_replaces_an_open_question() -> None:
    talk = Talk([*TOOL_SETS["weather"], *TOOL_SETS["music"]])
    talk.user("what is the weather")
    assert talk.user("Set the volume to fifty").calls == [("set_volume", {"level": 50})]


def test_a_question_back_is_no_answer() -> None:
    talk = Talk(TOOL_SETS["weather"])
    talk.user("what is the weather")
    assert talk.user("What is the capital of Australia?").calls == []


def test_several_commands_make_several_calls() -> None:
    talk = Talk([*TOOL_SETS["home"], *TOOL_SETS["music"]])
    assert talk.user("Turn on the kitchen lights, lock the front door and then set the volume to forty").calls == [
        ("set_light", {"room": "kitchen", "on": True}),
        ("lock_door", {"door": "front", "locked": True}),
        ("set_volume", {"level": 40}),
    ]


def test_two_values_of_one_tool_are_one_call() -> None:
    style = tool("style_button", "Change the button", None, size=TEXT, color=TEXT)
    assert Talk([style]).user("make the button bigger and green").calls == [
        ("style_button", {"size": "bigger", "color": "green"})
    ]


def test_it_means_what_was_used_last() -> None:
    talk = Talk(TOOL_SETS["page"])
    talk.user("make the button red")
    talk.output("")
    assert talk.user("make it bigger and green").calls == [("changeButtonStyle", {"size": "bigger", "color": "green"})]


def test_a_follow_up_changes_one_value() -> None:
    talk = Talk(TOOL_SETS["home"])
    talk.user("turn on the kitchen lights")
    talk.output("ok")
    assert talk.user("and the bedroom").calls == [("set_light", {"room": "bedroom", "on": True})]
    talk.output("ok")
    assert talk.user("now the office please").calls == [("set_light", {"room": "office", "on": True})]


def test_words_never_answered_are_not_lost() -> None:
    tools = [*TOOL_SETS["home"], *TOOL_SETS["music"]]
    result = answer(context(said("turn on the kitchen lights"), said("set the volume to ten"), tools=tools))
    assert result.calls == [("set_light", {"room": "kitchen", "on": True}), ("set_volume", {"level": 10})]
    assert answer(context(said("set the volume"), said("to ten"), tools=tools)).calls == [("set_volume", {"level": 10})]


def test_where_is_that_uses_a_tool_that_fits() -> None:
    items = (said("tell me about towers"), heard("The tallest of them is the Eiffel Tower. Many people"))
    result = answer(context(*items, said("Where is that?"), tools=TOOL_SETS["maps"]))
    assert result.calls == [("locate_place", {"place": "Eiffel Tower"})]


def test_where_is_that_names_the_last_place_heard() -> None:
    items = (said("tell me a story"), heard("First they sailed to Lisbon. Then they came to Morocco, where the"))
    result = answer(context(*items, said("where is that?")))
    assert "Morocco" in result.text
    assert "Lisbon" not in result.text


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("Your first stop is Lisbon. Stay for two", "Lisbon"),
        ("Your first stop is Lisbon. Listen", "Lisbon"),
        ("You start in Lisbon. Chicago is your second stop.", "Chicago"),
        ("You will see two cities. Lisbon, then", "Lisbon"),
        ("You will see Lisbon. New York comes next.", "New York"),
        ("Which city do you like best? Lisbon.", "Lisbon"),
    ],
)
def test_the_capital_that_begins_a_sentence_makes_no_place(words: str, place: str) -> None:
    result = answer(context(said("plan a trip"), heard(words), said("Where is that?"), tools=TOOL_SETS["maps"]))
    assert result.calls == [("locate_place", {"place": place})]


def test_there_stands_for_the_last_place() -> None:
    items = (said("hi"), heard("The conference takes place in Helsinki."))
    result = answer(context(*items, said("What is the weather there?"), tools=TOOL_SETS["weather"]))
    assert result.calls == [("get_weather", {"city": "Helsinki"})]


def test_a_result_and_new_words_are_both_answered() -> None:
    call = FunctionCallItem(id="f", call_id="c", name="get_weather", arguments='{"city": "Rome"}')
    output = FunctionCallOutputItem(id="o", call_id="c", output='{"temperature": 21}')
    items = (said("weather in Rome"), call, said("and use celsius"), output)
    result = answer(context(*items, tools=TOOL_SETS["weather"]))
    assert "temperature is 21" in result.text
    assert result.calls == [("set_units", {"unit": "celsius"})]


def test_it_and_its_stand_for_what_was_shown_last() -> None:
    talk = Talk(TOOL_SETS["planets"])
    talk.user("Show me Mars.")
    talk.output('{"name": "Mars"}')
    assert talk.user("What about its moons?").calls == [("show_moons", {"planet": "mars"})]
    talk.output('["Phobos", "Deimos"]')
    talk.user("Set the speed to fifty")
    talk.output("ok")
    assert talk.user("How far is it from the sun?").calls == [("get_planet_facts", {"planet": "mars"})]


def test_an_action_does_not_guess_its_object() -> None:
    talk = Talk(TOOL_SETS["home"])
    talk.user("turn on the kitchen lights")
    talk.output("ok")
    assert talk.user("turn the lights off").text.startswith("Which room")


def test_a_question_about_a_state_changes_nothing() -> None:
    for asked in ("Is the front door locked?", "Are the lights on in the kitchen?"):
        assert Talk(TOOL_SETS["home"]).user(asked).calls == []


def test_a_setting_with_nothing_to_set_is_asked_for() -> None:
    talk = Talk(TOOL_SETS["page"])
    assert talk.user("change the text color").text == "What should the color be?"
    assert talk.user("teal").calls == [("changeTextColor", {"color": "teal"})]
