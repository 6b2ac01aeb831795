"""Tools that the server runs: hosted functions inside their response, and MCP servers' tools with their events."""

from __future__ import annotations

from typing import Any

import pytest
from driven_session import DrivenSession, configured, types
from event_order import order_faults
from msgspec.structs import replace

from parley.protocol.realtime.generation import Done, Failed, GenerationContext, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import CallId, ItemId, Ms
from parley.protocol.realtime.inputs import McpListingFailed, McpToolsListed, SessionExpired, ToolFailed, ToolReturned
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    McpError,
    McpToolInfo,
    MessageItem,
    OutputAudioPart,
)
from parley.protocol.realtime.outputs import AbandonTool, CallTool, CancelGeneration, ListMcpTools
from parley.protocol.realtime.responses import MAX_GENERATIONS
from parley.protocol.realtime.session_config import SessionConfig
from parley.protocol.realtime.tools import FunctionTool

HOSTED = FunctionTool(name="clock", description="The time.", parameters={"type": "object", "properties": {}})
SERVER: dict[str, Any] = {
    "type": "mcp", "server_label": "files", "server_url": "https://files.example/mcp", "require_approval": "never",
}  # fmt: skip
READ = McpToolInfo(name="read", input_schema={"type": "object"}, annotations={"readOnlyHint": True})
WRITE = McpToolInfo(name="write", input_schema={"type": "object"})
BROKEN = McpError(type="tool_execution_error", message="No such file.")


def text(session: DrivenSession, words: str = "hello") -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    session.client(type="conversation.item.create", item=item)


def hosting(**config: Any) -> DrivenSession:
    session = DrivenSession(config=replace(SessionConfig(), hosted_tools=(HOSTED,), **config))
    text(session, "what time is it")
    session.client(type="response.create")
    return session


def call(session: DrivenSession, name: str, arguments: str = "{}", call_id: str = "c1") -> list[dict[str, Any]]:
    called = CallId(call_id)
    return session.engine(ToolCallDelta(called, name, arguments), ToolCallDone(called, name, arguments))


def give(session: DrivenSession, output: str, which: int = -1) -> list[dict[str, Any]]:
    before = len(session.events)
    session.feed(ToolReturned(session.all(CallTool)[which].item_id, output))
    return session.events[before:]


def fail(session: DrivenSession) -> list[dict[str, Any]]:
    before = len(session.events)
    session.feed(ToolFailed(session.last(CallTool).item_id, BROKEN))
    return session.events[before:]


def offered(context: GenerationContext) -> list[str]:
    return [tool.name for tool in context.tools if isinstance(tool, FunctionTool)]


# --- hosted functions


def test_a_hosted_function_runs_inside_its_response() -> None:
    session = hosting()
    assert offered(session.contexts[0]) == ["clock"]
    session.speak("Let me see.", ms=80)
    assert types(call(session, "clock")) == ["conversation.item.added"]
    assert session.engine(Done()) == []
    asked = session.last(CallTool)
    assert (asked.name, asked.arguments, asked.server, asked.response_id) == ("clock", "{}", None, "resp_000001")
    told = give(session, "noon")
    assert types(told) == [
        "conversation.item.done",
        "conversation.item.added",
        "conversation.item.done",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert [context.response_id for context in session.contexts] == ["resp_000001"] * 2
    said, called, output = session.contexts[1].items[1:]
    assert isinstance(said, MessageItem)
    assert said.content == (OutputAudioPart("Let me see."),)
    assert isinstance(called, FunctionCallItem)
    assert (called.name, called.status) == ("clock", "completed")
    assert isinstance(output, FunctionCallOutputItem)
    assert (output.output, output.call_id) == ("noon", called.call_id)
    done = session.answer("It is noon.", ms=80)[-1]["response"]
    assert done["status"] == "completed"
    assert [item["content"][0]["transcript"] for item in done["output"]] == ["Let me see.", "It is noon."]
    assert order_faults(session.events) == []


def test_clients_see_the_call_and_its_output_as_items_in_their_order() -> None:
    session = hosting()
    session.speak("Let me see.", ms=80)
    call(session, "clock")
    session.engine(Done())
    give(session, "noon")
    session.answer("It is noon.", ms=80)
    kinds = [item["type"] for item in session.items()]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]
    assert all(item["status"] == "completed" for item in session.items())
    assert not [event for event in session.events if event["type"].startswith("response.function_call")]
    text(session)
    session.client(type="response.create")
    assert [type(item).__name__ for item in session.contexts[-1].items] == [
        "MessageItem", "MessageItem", "FunctionCallItem", "FunctionCallOutputItem", "MessageItem", "MessageItem",
    ]  # fmt: skip


def test_a_tool_that_fails_is_told_to_the_model() -> None:
    session = hosting()
    call(session, "clock")
    session.engine(Done())
    fail(session)
    output = session.contexts[1].items[-1]
    assert isinstance(output, FunctionCallOutputItem)
    assert "No such file." in output.output


def test_several_hosted_calls_are_waited_for() -> None:
    session = hosting()
    call(session, "clock", call_id="c1")
    call(session, "clock", call_id="c2")
    session.engine(Done())
    give(session, "noon", 0)
    assert len(session.contexts) == 1
    give(session, "one", 1)
    assert [item.output for item in session.contexts[1].items if isinstance(item, FunctionCallOutputItem)] == [
        "noon",
        "one",
    ]


def test_a_tool_that_returns_before_the_generation_ends_is_told_after_it() -> None:
    session = hosting()
    call(session, "clock")
    give(session, "noon")
    assert len(session.contexts) == 1
    session.engine(Done())
    assert len(session.contexts) == 2


def test_a_clients_call_beside_a_hosted_one_ends_the_response() -> None:
    session = hosting(tools=(FunctionTool(name="paint"),))
    call(session, "clock", call_id="c1")
    call(session, "paint", call_id="c2")
    session.engine(Done())
    done = give(session, "noon")[-1]
    assert done["type"] == "response.done"
    assert [item["name"] for item in done["response"]["output"]] == ["paint"]
    session.client(type="conversation.item.create",
                   item={"type": "function_call_output", "call_id": "c2", "output": "red"})  # fmt: skip
    session.client(type="response.create")
    outputs = [item.output for item in session.contexts[-1].items if isinstance(item, FunctionCallOutputItem)]
    assert sorted(outputs) == ["noon", "red"]


@pytest.mark.parametrize("by_voice", [True, False])
def test_a_cancelled_response_abandons_its_tools(by_voice: bool) -> None:
    session = hosting()
    call(session, "clock")
    session.engine(Done())
    if by_voice:
        session.hear(96, 0.9)
    else:
        session.client(type="response.cancel")
    assert session.last(AbandonTool).item_id == session.last(CallTool).item_id
    assert session.all(CancelGeneration) == []
    done = session.of_type("response.done")[-1]["response"]
    assert done["status"] == "cancelled"
    assert [item["status"] for item in session.items() if item["type"] == "function_call"] == ["incomplete"]
    assert give(session, "too late") == []
    session.now += 1
    text(session)
    session.client(type="response.create")
    assert not any(isinstance(item, FunctionCallItem) for item in session.contexts[-1].items)


def test_progress_may_be_spoken_while_a_tool_runs() -> None:
    session = hosting()
    call(session, "clock")
    session.engine(Done())
    session.speak("One moment.", ms=80)
    give(session, "noon")
    done = session.answer("Noon.", ms=80)[-1]["response"]
    assert [item["content"][0]["transcript"] for item in done["output"]] == ["One moment.", "Noon."]


def test_a_model_that_never_stops_calling_is_left_without_tools() -> None:
    session = hosting(tool_choice="required")
    assert session.contexts[0].tool_choice == "required"
    for number in range(MAX_GENERATIONS):
        call(session, "clock", call_id=f"c{number}")
        session.engine(Done())
        give(session, "noon")
    assert [context.tool_choice for context in session.contexts[1:]] == ["auto"] * (MAX_GENERATIONS - 1) + ["none"]
    assert session.contexts[-1].tools == ()
    assert session.answer("Noon.")[-1]["response"]["status"] == "completed"


def test_a_failure_of_the_engine_abandons_the_tool() -> None:
    session = hosting()
    call(session, "clock")
    assert session.engine(Failed("down", "The model is down."))[-1]["response"]["status"] == "failed"
    assert session.all(AbandonTool)


def test_usage_counts_every_generation() -> None:
    session = hosting()
    call(session, "clock")
    session.engine(Done())
    give(session, "noon")
    twice = session.answer("Noon.", ms=80)[-1]["response"]["usage"]
    plain = DrivenSession(config=replace(SessionConfig(), hosted_tools=(HOSTED,)))
    text(plain, "what time is it")
    plain.client(type="response.create")
    once = plain.answer("Noon.", ms=80)[-1]["response"]["usage"]
    assert twice["input_tokens"] > 2 * once["input_tokens"]


def test_a_hosted_function_hides_a_clients_of_its_name() -> None:
    session = hosting(tools=(FunctionTool(name="clock"),))
    assert session.contexts[0].tools == (HOSTED,)
    call(session, "clock")
    assert session.last(CallTool).name == "clock"
    assert not session.of_type("response.function_call_arguments.done")


def test_out_of_band_tools_leave_no_items() -> None:
    session = DrivenSession(config=replace(SessionConfig(), hosted_tools=(HOSTED,)))
    session.client(type="response.create", response={"conversation": "none"})
    call(session, "clock")
    session.engine(Done())
    give(session, "noon")
    assert isinstance(session.contexts[1].items[-1], FunctionCallOutputItem)
    session.answer("Noon.")
    assert session.items() == []
    assert order_faults(session.events) == []


# --- MCP servers


def mcp(**server: Any) -> DrivenSession:
    session = DrivenSession()
    session.update(tools=[{**SERVER, **server}])
    session.feed(McpToolsListed(session.last(ListMcpTools).item_id, (READ, WRITE)))
    text(session)
    return session


def test_a_server_is_asked_for_its_tools() -> None:
    session = DrivenSession()
    events = session.update(tools=[SERVER])
    assert types(events) == ["session.updated", "conversation.item.added", "mcp_list_tools.in_progress"]
    asked = session.last(ListMcpTools)
    assert asked.server.server_url == SERVER["server_url"]
    before = len(session.events)
    session.feed(McpToolsListed(asked.item_id, (READ,)))
    assert types(session.events[before:]) == ["conversation.item.done", "mcp_list_tools.completed"]
    listed = session.events[before]["item"]
    assert (listed["id"], listed["server_label"]) == (asked.item_id, "files")
    assert [tool["name"] for tool in listed["tools"]] == ["read"]
    assert session.client(type="conversation.item.retrieve", item_id=asked.item_id)[0]["item"] == listed
    session.update(tools=[SERVER])
    assert len(session.all(ListMcpTools)) == 1, "a known server is not asked again"
    session.update(tools=[{**SERVER, "server_url": "https://other.example"}])
    assert len(session.all(ListMcpTools)) == 2


def test_what_is_still_asked_is_given_up_when_the_address_changes_and_when_the_session_ends() -> None:
    session = DrivenSession(config=configured({"tools": [SERVER]}))
    first = session.last(ListMcpTools).item_id
    events = session.update(tools=[{**SERVER, "server_url": "https://other.example"}])
    assert types(events)[:3] == ["session.updated", "conversation.item.done", "mcp_list_tools.failed"]
    assert session.last(AbandonTool).item_id == first
    second = session.last(ListMcpTools).item_id
    session.feed(SessionExpired("draining"))
    assert session.last(AbandonTool).item_id == second
    assert order_faults(session.events) == []


def test_a_server_that_does_not_answer() -> None:
    session = DrivenSession(config=configured({"tools": [SERVER]}))
    asked = session.last(ListMcpTools)
    before = len(session.events)
    session.feed(McpListingFailed(asked.item_id, McpError(type="http_error", code=503, message="Down.")))
    session.feed(McpToolsListed(asked.item_id, (READ,)))
    assert types(session.events[before:]) == ["conversation.item.done", "mcp_list_tools.failed"]
    session.client(type="response.create")
    assert session.contexts[0].tools == ()


def test_tools_can_be_used_once_they_are_listed() -> None:
    session = DrivenSession()
    session.update(tools=[SERVER], tool_choice="required")
    session.client(type="response.create")
    assert session.contexts[0].tools == ()
    session.answer("Hello.")
    session.feed(McpToolsListed(session.last(ListMcpTools).item_id, (READ, WRITE)))
    session.client(type="response.create")
    assert offered(session.contexts[1]) == ["read", "write"]


def test_a_call_runs_and_the_response_waits_for_it() -> None:
    session = mcp()
    session.client(type="response.create")
    began = call(session, "read", '{"path":"a"}')
    assert types(began) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
    ]
    assert began[0]["item"]["type"] == "mcp_call"
    order = session.last(CallTool)
    assert (order.name, order.arguments) == ("read", '{"path":"a"}')
    assert order.server is not None
    assert order.server.server_label == "files"
    assert session.engine(Done()) == []
    ended = give(session, "contents")
    assert types(ended) == [
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert ended[1]["item"]["output"] == "contents"
    assert ended[-1]["response"]["output"][0]["output"] == "contents"
    assert len(session.contexts) == 1, "the client asks for the next response"
    session.client(type="response.create")
    called, output = session.contexts[-1].items[-2:]
    assert isinstance(called, FunctionCallItem)
    assert isinstance(output, FunctionCallOutputItem)
    assert (called.name, called.call_id, output.output) == ("read", output.call_id, "contents")
    session.answer("It says contents.")
    assert order_faults(session.events) == []


def test_a_call_that_fails() -> None:
    session = mcp()
    session.client(type="response.create")
    call(session, "read")
    session.engine(Done())
    ended = fail(session)
    assert types(ended)[0] == "response.mcp_call.failed"
    assert ended[1]["item"]["error"] == {"type": "tool_execution_error", "message": "No such file."}
    assert ended[-1]["response"]["status"] == "completed"
    session.client(type="response.create")
    assert "No such file." in str(session.contexts[-1].items[-1])


def test_a_response_may_go_on_after_a_call_where_that_is_wanted() -> None:
    session = mcp(parley_continue=True)
    session.client(type="response.create")
    call(session, "read")
    session.engine(Done())
    give(session, "contents")
    assert len(session.contexts) == 2
    done = session.answer("It says contents.")[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["mcp_call", "message"]
    assert order_faults(session.events) == []


@pytest.mark.parametrize("running", [True, False])
def test_a_cancelled_call_is_abandoned(running: bool) -> None:
    session = mcp()
    session.client(type="response.create")
    if running:
        call(session, "read")
    else:
        session.engine(ToolCallDelta(CallId("c"), "read", "{"))
    events = session.client(type="response.cancel")
    assert bool(session.all(AbandonTool)) == running
    item = events[-1]["response"]["output"][0]
    assert item["error"]["type"] == "tool_execution_error"
    assert types(events)[-4:] == [
        "response.mcp_call.failed", "conversation.item.done", "response.output_item.done", "response.done",
    ]  # fmt: skip


def asking(**server: Any) -> tuple[DrivenSession, str]:
    session = mcp(**{"require_approval": "always", **server})
    session.client(type="response.create")
    asked = call(session, "write", '{"path":"a"}')
    assert types(asked) == [
        "response.output_item.added", "conversation.item.added", "conversation.item.done", "response.output_item.done",
    ]  # fmt: skip
    assert session.engine(Done())[-1]["response"]["status"] == "completed"
    assert session.all(CallTool) == []
    return session, asked[0]["item"]["id"]


def answer(session: DrivenSession, request: str, **fields: Any) -> list[dict[str, Any]]:
    item = {"type": "mcp_approval_response", "approval_request_id": request, **fields}
    return session.client(type="conversation.item.create", item=item, event_id="mine")


def test_an_approved_call_runs_outside_of_any_response() -> None:
    session, request = asking()
    events = answer(session, request, approve=True, id="mine")
    assert types(events) == [
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.added",
        "response.mcp_call.in_progress",
    ]
    assert events[0]["item"]["id"] == "mine"
    assert events[2]["item"]["approval_request_id"] == request
    assert session.last(CallTool).arguments == '{"path":"a"}'
    ended = give(session, "written")
    assert types(ended) == ["response.mcp_call.completed", "conversation.item.done"]
    session.client(type="response.create")
    assert "written" in str(session.contexts[-1].items[-1])


def test_a_refused_call_is_told_to_the_model() -> None:
    session, request = asking()
    answer(session, request, approve=False, reason="not that file")
    assert session.all(CallTool) == []
    session.client(type="response.create")
    called, output = session.contexts[-1].items[-2:]
    assert isinstance(called, FunctionCallItem)
    assert called.arguments == '{"path":"a"}'
    assert isinstance(output, FunctionCallOutputItem)
    assert "not that file" in output.output


def test_an_answer_to_no_request_is_refused() -> None:
    session, request = asking()
    answer(session, request, approve=False)
    for wrong in (request, "nobody"):
        error = answer(session, wrong, approve=True)[0]["error"]
        assert (error["param"], error["event_id"]) == ("item.approval_request_id", "mine")


def test_arguments_that_are_no_object_are_asked_about_as_an_empty_one() -> None:
    session = mcp(require_approval="always")
    session.client(type="response.create")
    assert call(session, "write", "{oops")[0]["item"]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("rule", "asks"),
    [
        ("never", set[str]()),
        ("always", {"read", "write"}),
        (None, {"read", "write"}),
        ({"never": {"read_only": True}}, {"write"}),
        ({"never": {"tool_names": ["write"]}}, {"read"}),
        ({"always": {"tool_names": ["write"]}, "never": {"tool_names": ["read", "write"]}}, {"write"}),
    ],
)
def test_who_must_be_asked(rule: Any, asks: set[str]) -> None:
    session = mcp(require_approval=rule) if rule is not None else mcp(require_approval={})
    session.client(type="response.create")
    for name in ("read", "write"):
        call(session, name, call_id=name)
    asked = {e["item"]["name"] for e in session.of_type("conversation.item.done") if "approval" in e["item"]["type"]}
    assert asked == asks


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (["read"], ["read"]),
        ({"tool_names": ["write"]}, ["write"]),
        ({"read_only": True}, ["read"]),
        ({"read_only": False}, ["write"]),
        ([], []),
    ],
)
def test_allowed_tools(rule: Any, names: list[str]) -> None:
    session = mcp(allowed_tools=rule)
    session.client(type="response.create")
    assert offered(session.contexts[0]) == names


def test_a_label_stands_for_what_the_session_knows() -> None:
    session = mcp()
    reference = {"type": "mcp", "server_label": "files", "allowed_tools": ["write"]}
    session.client(type="response.create", response={"tools": [reference]})
    assert offered(session.contexts[0]) == ["write"]
    call(session, "write")
    server = session.last(CallTool).server
    assert server is not None
    assert server.server_url == SERVER["server_url"]


def test_names_that_meet_are_told_apart() -> None:
    session = DrivenSession()
    other = {**SERVER, "server_label": "more"}
    session.update(tools=[{"type": "function", "name": "write"}, SERVER, other])
    for listing in session.all(ListMcpTools):
        session.feed(McpToolsListed(listing.item_id, (READ, WRITE)))
    session.client(type="response.create")
    assert offered(session.contexts[0]) == [
        "write", "read", "files__write", "more__read", "more__write",
    ]  # fmt: skip
    call(session, "more__read")
    order = session.last(CallTool)
    assert order.server is not None
    assert (order.name, order.server.server_label) == ("read", "more")


def test_a_choice_of_a_server_or_of_one_of_its_tools() -> None:
    session = mcp()
    session.update(
        tool_choice={"type": "mcp", "server_label": "files"}, tools=[SERVER, {"type": "function", "name": "f"}]
    )
    session.client(type="response.create")
    assert (offered(session.contexts[0]), session.contexts[0].tool_choice) == (
        ["read", "write"],
        "required",
    )
    session.answer("a")
    chosen = {"type": "mcp", "server_label": "files", "name": "write"}
    session.client(type="response.create", response={"tool_choice": chosen})
    choice = session.contexts[1].tool_choice
    assert not isinstance(choice, str)
    assert (choice.type, choice.name) == ("function", "write")
    session.answer("a")
    session.client(type="response.create", response={"tool_choice": {"type": "mcp", "server_label": "nobody"}})
    assert session.contexts[2].tool_choice == "auto"


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([SERVER, SERVER], "tools[1].server_label"),
        ([{"type": "mcp", "server_label": "new"}], "tools[0].server_url"),
        ([{**SERVER, "connector_id": "c"}], "tools[0].server_url"),
        ([{**SERVER, "authorization": "a", "headers": {"Authorization": "b"}}], "tools[0].authorization"),
    ],
)
@pytest.mark.parametrize("where", ["session", "response"])
def test_a_server_that_makes_no_sense_is_refused(tools: list[Any], param: str, where: str) -> None:
    session = DrivenSession()
    kind = "session.update" if where == "session" else "response.create"
    fields: dict[str, Any] = {where: {"tools": tools}}
    events = session.client(type=kind, event_id="mine", **fields)
    assert types(events) == ["error"]
    assert (events[0]["error"]["param"], events[0]["error"]["event_id"]) == (f"{where}.{param}", "mine")
    assert session.machine.config.tools == ()


def test_news_of_unknown_tools_is_ignored() -> None:
    session = mcp()
    item, now = ItemId("nobody"), Ms(session.now)
    for news in (ToolReturned(item, "a"), ToolFailed(item, BROKEN), McpToolsListed(item, ()),
                 McpListingFailed(item, BROKEN)):  # fmt: skip
        assert session.machine.handle(news, now) == []


def test_text_after_a_call_is_a_message_of_its_own_generation() -> None:
    session = hosting(output_modalities=("text",))
    session.engine(TextDelta("Well, "))
    call(session, "clock")
    session.engine(TextDelta("let me see."), Done())
    give(session, "noon")
    session.engine(TextDelta("Noon."), Done())
    done = session.of_type("response.done")[-1]["response"]
    assert [item["content"][0]["text"] for item in done["output"]] == ["Well, let me see.", "Noon."]
