"""The brain's judgement: instructions, tool choice, small talk, endings, limits, cancelling, its chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from intent_dialogue import Talk, answer, context, heard, said
from intent_tool_sets import TOOL_SETS, tool

from parley.engines.base import Capabilities, EngineError, EngineInfo, Generation
from parley.engines.local.intent import DemoBrain
from parley.protocol.realtime.generation import Chunk, Done, EngineUsage, GenerationContext, TextDelta, ToolCallDelta
from parley.protocol.realtime.items import FunctionCallItem, FunctionCallOutputItem, MessageItem
from parley.protocol.realtime.tools import FunctionTool, McpTool, NamedToolChoice


class Chatter:
    """A chat model that says fixed pieces and may fail after some of them."""

    def __init__(self, *pieces: str, fails: bool = False) -> None:
        self.pieces = pieces
        self.fails = fails
        self.contexts: list[GenerationContext] = []
        self.cancelled = False
        self.closed = False
        self.warm = False

    info = EngineInfo(stage="llm", name="chatter", model="chatter", licence="-", source="test")
    capabilities = Capabilities()

    async def warm_up(self) -> None:
        self.warm = True

    async def aclose(self) -> None:
        self.closed = True

    def generate(self, context: GenerationContext) -> Generation:
        self.contexts.append(context)
        return _Chatting(self)


class _Chatting:
    def __init__(self, owner: Chatter) -> None:
        self.owner = owner

    def cancel(self) -> None:
        self.owner.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for piece in self.owner.pieces:
            yield TextDelta(piece)
        if self.owner.fails:
            raise EngineError("small talk broke")
        yield EngineUsage(input_text_tokens=3, output_text_tokens=2)
        yield Done()


# --- who it is and what it can do ------------------------------------------------------------------------------------


def test_an_empty_conversation_is_greeted_by_name_and_nature() -> None:
    text = answer(context()).text
    assert "demo brain" in text
    assert "English" in text
    assert "one voice" in text


@pytest.mark.parametrize(
    "asked",
    ["What can you do?", "what can I say", "Hello, what can you do for me?", "help", "which tools do you have?"],
)
def test_what_can_you_do_lists_every_tool(asked: str) -> None:
    text = answer(context(said(asked), tools=TOOL_SETS["music"])).text
    for words in (
        "play a song",
        "pause the music",
        "continue the music",
        "skip to the next track",
        "set the loudness",
        "switch shuffle mode",
    ):
        assert words in text


def test_tools_without_description_are_listed_by_name() -> None:
    assert (
        answer(context(said("what can you do"), tools=[tool("water_garden"), tool("humidity")])).text
        == ("I can water the garden and look up the humidity.")
        or "humidity" in answer(context(said("what can you do"), tools=[tool("water_garden"), tool("humidity")])).text
    )


def test_without_tools_it_says_that_it_only_chats() -> None:
    assert "No tools are connected" in answer(context(said("what can you do?"))).text


def test_it_presents_itself_as_a_demonstration() -> None:
    brain = DemoBrain(Chatter())
    assert brain.info.model == "parley-demo"
    assert brain.capabilities.demo
    assert brain.capabilities.tools
    assert brain.capabilities.languages == ("en",)


# --- small talk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Hello!", "What can I do for you?"),
        ("Hi there.", "What can I do for you?"),
        ("Thank you very much.", "You are welcome."),
        ("Who are you?", "demo brain"),
        ("Are you a robot?", "demo brain"),
        ("How are you today?", "I am well"),
        ("Do you speak French?", "I only speak English."),
        ("Can you hear me?", "Yes, I can hear you."),
        ("Stop.", "Okay."),
        ("Goodbye.", "Goodbye!"),
        ("What is the capital of France?", "know no facts"),
        ("Who wrote Hamlet?", "know no facts"),
    ],
)
def test_small_talk_needs_no_model(words: str, expected: str) -> None:
    chatter = Chatter("never")
    assert expected in answer(context(said(words)), small_talk=chatter).text
    assert not chatter.contexts


def test_repeat_says_what_was_heard() -> None:
    items = (said("hi"), heard("The train leaves at nine."))
    assert answer(context(*items, said("Could you repeat that please?"))).text == "The train leaves at nine."
    assert answer(context(said("repeat that"))).text == "I have not said anything yet."


def test_talk_goes_to_the_chat_model_without_tools() -> None:
    chatter = Chatter("That ", "sounds nice.")
    result = answer(context(said("My garden is full of roses."), tools=TOOL_SETS["music"]), small_talk=chatter)
    assert result.text == "That sounds nice."
    assert chatter.contexts[0].tools == ()
    assert EngineUsage(input_text_tokens=3, output_text_tokens=2) in result.chunks


def test_a_chat_model_that_fails_at_once_gets_an_honest_sentence() -> None:
    for small_talk in (Chatter(fails=True), Chatter(), None):
        assert "small demo brain" in answer(context(said("My garden is full of roses.")), small_talk=small_talk).text


def test_a_chat_model_that_fails_midway_fails_the_response() -> None:
    with pytest.raises(EngineError, match="small talk broke"):
        answer(context(said("My garden is full of roses.")), small_talk=Chatter("Well, ", fails=True))


# --- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["end_session", "hangUp", "finish_conversation", "disconnect"])
@pytest.mark.parametrize("words", ["Goodbye!", "Okay, that's all, bye.", "Thanks, see you."])
def test_goodbye_calls_the_tool_that_means_ending(name: str, words: str) -> None:
    tools = [*TOOL_SETS["music"], FunctionTool(name=name, description="Call this to end the conversation")]
    result = answer(context(said(words), tools=tools))
    assert result.text == "Goodbye!"
    assert result.calls == [(name, {})]


def test_an_ordered_ending_is_said_too_and_its_result_is_a_goodbye() -> None:
    talk = Talk(TOOL_SETS["call"])
    ended = talk.user("End the conversation, please.")
    assert ended.text == "Goodbye!"
    assert ended.calls == [("end_session", {})]
    assert talk.output("{}").text == "Goodbye!"


def test_a_tool_that_ends_something_else_is_no_goodbye() -> None:
    assert answer(context(said("Goodbye"), tools=TOOL_SETS["timers"])).calls == []


# --- tool choice -----------------------------------------------------------------------------------------------------


def test_none_calls_nothing() -> None:
    assert answer(context(said("pause the music"), tools=TOOL_SETS["music"], tool_choice="none")).calls == []


def test_required_calls_something_valid() -> None:
    result = answer(context(said("I am bored"), tools=TOOL_SETS["music"], tool_choice="required"))
    assert len(result.calls) == 1


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "string"}, "Hello there"),
        ({"type": "string", "enum": ["red", "blue"]}, "red"),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "string"}}, []),
    ],
)
@pytest.mark.parametrize("choice", ["required", NamedToolChoice("function", "adjust")])
def test_a_forced_call_is_made_with_a_guess_for_what_was_not_said(choice: Any, schema: Any, value: Any) -> None:
    only = [tool("adjust", "", ("level",), level=schema)]
    result = answer(context(said("Hello there"), tools=only, tool_choice=choice))
    assert result.calls == [("adjust", {"level": value})]
    assert answer(context(said("Hello there"), tools=only)).calls == []


def test_a_forced_call_that_no_guess_fits_is_asked_about() -> None:
    only = [tool("adjust", "", ("level",), level={"type": "string", "pattern": "^[0-9]{4}$"})]
    result = answer(context(said("Hello there"), tools=only, tool_choice="required"))
    assert result.calls == []
    assert result.text.strip()


def test_a_named_tool_is_called_even_if_nobody_asked() -> None:
    choice = NamedToolChoice("function", "set_shuffle")
    assert answer(context(said("turn it on"), tools=TOOL_SETS["music"], tool_choice=choice)).calls == [
        ("set_shuffle", {"enabled": True})
    ]
    result = answer(
        context(said("play jazz"), tools=TOOL_SETS["music"], tool_choice=NamedToolChoice("function", "nothing"))
    )
    assert "does not exist" in result.text


def test_a_remote_servers_tools_are_left_alone() -> None:
    assert answer(context(said("play jazz"), tools=[McpTool(server_label="x")])).calls == []


def test_after_a_result_required_does_not_loop() -> None:
    call = FunctionCallItem(id="f", call_id="c", name="pause_playback", arguments="{}")
    items = (said("pause"), call, FunctionCallOutputItem(id="o", call_id="c", output="ok"))
    result = answer(context(*items, tools=TOOL_SETS["music"], tool_choice="required"))
    assert result.calls == []
    assert result.text == "Done. I paused the playback."


# --- instructions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ('Say exactly: "Welcome aboard, friend."', "Welcome aboard, friend."),
        ("Say exactly: one two three.", "one two three."),
        ('Please repeat verbatim the following: "Hello, world"', "Hello, world"),
        ('Say "Good evening."', "Good evening."),
        ("say exactly this text: The door is open", "The door is open"),
    ],
)
def test_dictated_words_are_said_verbatim(instructions: str, expected: str) -> None:
    assert answer(context(instructions=instructions)).text == expected
    assert answer(context(said("hi"), heard("Hello."), instructions=instructions)).text == expected


@pytest.mark.parametrize(
    ("instructions", "parts"),
    [
        ("Greet the user.", ["Hello"]),
        ("Greet the user warmly and ask how you can help.", ["Hello", "How can I help you?"]),
        ("Say hello and tell the user that you can play music.", ["Hello", "I can play music."]),
        ("Say hello and tell them what you can do", ["Hello", "I can play a song"]),
        ("Ask the user for their name.", ["What is your name?"]),
        ("ask for feedback about the songs - don't repeat the songs, just ask", ["What do you think of the songs?"]),
        ("Say goodbye to the user.", ["Goodbye!"]),
        ("You are a pirate. Always speak French.", ["demo brain", "English"]),
    ],
)
def test_orders_to_speak_are_followed_as_far_as_it_can(instructions: str, parts: list[str]) -> None:
    text = answer(context(instructions=instructions, tools=TOOL_SETS["music"])).text
    for part in parts:
        assert part in text


def test_session_instructions_do_not_replace_the_users_words() -> None:
    prompt = 'You are a DJ. Greet the user. When the user says goodbye, say "Bye bye!" and be nice.'
    assert answer(context(said("Pause the music"), tools=TOOL_SETS["music"], instructions=prompt)).calls == [
        ("pause_playback", {})
    ]
    assert "You are welcome" in answer(context(said("thanks"), instructions=prompt)).text


def test_nothing_new_is_answered_with_an_offer() -> None:
    assert answer(context(said("hi"), heard("Hello."))).text == "What else can I do for you?"
    call = FunctionCallItem(id="f", call_id="c", name="pause_playback", arguments="{}")
    assert "waiting" in answer(context(said("pause"), call, tools=TOOL_SETS["music"])).text


# --- streaming -------------------------------------------------------------------------------------------------------


def test_text_comes_in_words_and_ids_are_the_same_on_replay() -> None:
    given = context(said("lock the back door and unlock the front door"), tools=TOOL_SETS["home"])
    first, again = answer(given), answer(given)
    assert first.chunks == again.chunks
    ids = [chunk.call_id for chunk in first.chunks if isinstance(chunk, ToolCallDelta)]
    assert len(set(ids)) == 2
    other = answer(context(said("lock the back door"), tools=TOOL_SETS["home"], response_id="resp_2"))
    assert not {item.call_id for item in other.call_items} & set(ids)
    assert sum(isinstance(chunk, TextDelta) for chunk in answer(context()).chunks) > 5


def test_the_token_limit_cuts_and_says_so() -> None:
    cut = answer(context(limit=5))
    assert sum(isinstance(chunk, EngineUsage) for chunk in cut.chunks) == 1
    assert cut.chunks[-1] == Done("max_output_tokens")
    assert 0 < len(cut.text) < 40
    call = answer(context(said("play the longest song title that ever was"), tools=TOOL_SETS["music"], limit=2))
    assert call.chunks[-1] == Done("max_output_tokens")
    assert call.calls == []


async def test_nothing_comes_after_cancel() -> None:
    chatter = Chatter("one ", "two ", "three ")
    generation = DemoBrain(chatter).generate(context(said("My garden is full of roses.")))
    got = []
    async for chunk in generation:
        got.append(chunk)
        generation.cancel()
        generation.cancel()
    assert len(got) == 1
    assert chatter.cancelled


async def test_it_owns_its_chat_model() -> None:
    chatter = Chatter()
    brain = DemoBrain(chatter)
    await brain.warm_up()
    await brain.aclose()
    await brain.aclose()
    assert chatter.warm
    assert chatter.closed


def test_system_messages_and_pictures_are_no_turns() -> None:
    note = MessageItem(id="s", role="system", content=())
    assert "demo brain" in answer(context(note)).text
