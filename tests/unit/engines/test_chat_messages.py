"""Conversations as strict chat servers want them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parley.engines.llm.messages import chat_messages, chat_tool_choice, chat_tools, estimated_tokens
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    InputTextPart,
    Item,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.tools import FunctionTool, McpTool, NamedToolChoice
from parley.testing import generation_context

USER = MessageItem("u", "user", (InputTextPart("Hello"),))
CALL = FunctionCallItem("c", "call_1", "look_up", '{"what": "it"}')
RESULT = FunctionCallOutputItem("r", "call_1", "found")
PICTURE = MessageItem("p", "user", (InputTextPart("Look:"), InputImagePart("data:image/png;base64,AA==", "low")))


def messages(*items: Item, instructions: str = "", images: bool = False) -> list[dict[str, Any]]:
    return chat_messages(generation_context(*items, instructions=instructions), images=images)


def test_speech_is_its_transcript_and_what_was_not_heard_is_left_out() -> None:
    assert messages(
        MessageItem("a", "user", (InputAudioPart("Where is it?"),)),
        MessageItem("b", "assistant", (OutputAudioPart("Over there"),), status="incomplete"),
        MessageItem("c", "assistant", (OutputAudioPart(""),), status="incomplete"),
        MessageItem("d", "user", (InputAudioPart(None),)),
        MessageItem("e", "user", (InputAudioPart("Thanks."),)),
        instructions="Be brief.",
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": "Over there"},
        {"role": "user", "content": "Thanks."},
    ]


def test_neighbours_of_one_role_are_one_message() -> None:
    assert messages(USER, MessageItem("v", "user", (InputTextPart("again"),))) == [
        {"role": "user", "content": "Hello\nagain"}
    ]
    system = MessageItem("s", "system", (InputTextPart("More."),))
    assert messages(system, USER, instructions="First.")[0] == {"role": "system", "content": "First.\nMore."}


def test_a_call_is_followed_at_once_by_its_result_wherever_that_came() -> None:
    late = messages(USER, CALL, MessageItem("v", "user", (InputTextPart("And?"),)), RESULT)
    assert [message["role"] for message in late] == ["user", "assistant", "tool", "user"]
    assert late[1]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"what": "it"}'}}
    ]
    assert late[2] == {"role": "tool", "tool_call_id": "call_1", "content": "found"}


def test_calls_of_one_answer_share_a_message_with_its_text() -> None:
    said = MessageItem("m", "assistant", (OutputAudioPart("Let me look."),))
    other = FunctionCallItem("d", "call_2", "look_up", "{}")
    both = messages(USER, said, CALL, other, RESULT, FunctionCallOutputItem("s", "call_2", ""))
    assert [message["role"] for message in both] == ["user", "assistant", "tool", "tool"]
    assert both[1]["content"] == "Let me look."
    assert [call["id"] for call in both[1]["tool_calls"]] == ["call_1", "call_2"]


def test_a_second_round_of_calls_is_a_second_message() -> None:
    other = FunctionCallItem("d", "call_2", "look_up", "{}")
    said = MessageItem("m", "assistant", (OutputTextPart("Once more."),))
    rounds = messages(USER, CALL, RESULT, said, other, FunctionCallOutputItem("s", "call_2", "yes"))
    assert [message["role"] for message in rounds] == ["user", "assistant", "tool", "assistant", "tool"]


def test_a_call_without_a_result_gets_a_placeholder_and_a_broken_one_goes() -> None:
    assert messages(USER, CALL)[-1] == {"role": "tool", "tool_call_id": "call_1", "content": "(no result yet)"}
    broken = FunctionCallItem("c", "call_1", "look_up", '{"wh', status="incomplete")
    assert messages(USER, broken) == [{"role": "user", "content": "Hello"}]


def test_arguments_are_always_an_object() -> None:
    for arguments in ("", "null", "[1]", '{"a":', "text"):
        item = FunctionCallItem("c", "call_1", "f", arguments)
        assert messages(USER, item)[1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_result_without_its_call_is_told_in_words() -> None:
    assert messages(RESULT, USER)[0] == {"role": "system", "content": "Result of an earlier function call: found"}


def test_pictures_go_to_those_who_see() -> None:
    seen = messages(PICTURE, images=True)[0]["content"]
    assert seen[1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
    assert messages(PICTURE)[0]["content"] == "Look:\n(a picture, which you cannot see)"


def test_somebody_has_always_said_something() -> None:
    assert [message["role"] for message in messages(instructions="Greet.")] == ["system", "user"]


def test_a_result_comes_last_even_if_nobody_spoke() -> None:
    answered = messages(CALL, RESULT, instructions="Be brief.")
    assert [message["role"] for message in answered] == ["system", "user", "assistant", "tool"]
    assert [message["role"] for message in messages(CALL, RESULT)] == ["user", "assistant", "tool"]


def test_tools_come_by_name_and_only_functions() -> None:
    tools = (
        FunctionTool("zeta", "Last", {"type": "object", "properties": {"x": {"type": "string"}}}),
        McpTool("server"),
        FunctionTool("alpha", parameters=None),
    )
    listed = chat_tools(generation_context(tools=tools))
    assert [tool["function"]["name"] for tool in listed] == ["alpha", "zeta"]
    assert listed[0]["function"] == {"name": "alpha", "parameters": {"type": "object", "properties": {}}}
    assert listed[1]["function"]["description"] == "Last"


def test_tool_choices() -> None:
    assert chat_tool_choice(generation_context(tool_choice="required")) == "required"
    named = NamedToolChoice("function", "alpha")
    assert chat_tool_choice(generation_context(tool_choice=named)) == {
        "type": "function",
        "function": {"name": "alpha"},
    }
    assert chat_tool_choice(generation_context(tool_choice=NamedToolChoice("mcp", server_label="s"))) == "required"


def test_the_estimate_counts_what_is_sent() -> None:
    assert estimated_tokens((), "") == 0
    assert estimated_tokens((USER, CALL, RESULT), "abc") == -(-(3 + 5 + 7 + 14 + 5) // 4)


TEXTS = st.sampled_from(["", "one", "two words"])
ITEMS = st.lists(
    st.one_of(
        st.builds(lambda text: MessageItem("u", "user", (InputTextPart(text),)), TEXTS),
        st.builds(lambda text: MessageItem("a", "assistant", (OutputAudioPart(text),)), TEXTS),
        st.builds(lambda text: MessageItem("s", "system", (InputTextPart(text),)), TEXTS),
        st.builds(
            lambda number, status: FunctionCallItem("c", f"call_{number}", "f", "{}", status),
            st.integers(0, 3),
            st.sampled_from(["completed", "incomplete", "in_progress"]),
        ),
        st.builds(lambda number: FunctionCallOutputItem("o", f"call_{number}", "x"), st.integers(0, 3)),
    ),
    max_size=12,
)


@given(ITEMS)
def test_every_conversation_is_one_that_strict_servers_take(items: list[Item]) -> None:
    written = messages(*items)
    open_calls: list[str] = []
    for before, message in zip([None, *written], written, strict=False):
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls
        open_calls = [call["id"] for call in message.get("tool_calls", [])]
        assert message["content"] or open_calls
        if before is not None and "tool_calls" not in before:
            assert before["role"] != message["role"]
    assert not open_calls
    assert any(message["role"] == "user" for message in written)
