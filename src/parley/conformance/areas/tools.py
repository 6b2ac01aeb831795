"""Functions that the client runs: how a call is told, and what comes of its result."""

from __future__ import annotations

import json
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import Event, at, checks, expect, expect_equal
from parley.conformance.peer import Peer, of
from parley.conformance.speech import LISBON, words

__all__ = ["CHECKS", "WEATHER"]

_CITY = {"type": "object", "properties": {"city": {"type": "string", "description": "The city."}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": _CITY,
}
_TIME = {"type": "function", "name": "get_time", "description": "Get the time in a city.", "parameters": _CITY}
_UNDO = {"type": "function", "name": "undo", "description": "Undo the last change."}
_FORCED = {"type": "function", "name": "get_weather"}


async def _call(bench: Bench) -> tuple[Peer, list[Event]]:
    """Have the weather asked for; give all events of the response."""
    async with bench.writing(tools=[WEATHER], tool_choice=_FORCED) as peer:
        await peer.write(LISBON)
        return peer, await peer.respond()


def _called(events: list[Event]) -> Event:
    call: Event = at(events[-1], "response.output.0")
    expect_equal(call.get("type"), "function_call", "output type")
    return call


async def _sequence(bench: Bench) -> None:
    """Tell a call in the order added, arguments, arguments done, item done, response done."""
    _, events = await _call(bench)
    kinds = [event["type"] for event in events]
    order = (
        "response.created",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    )
    missing = [kind for kind in order if kind not in kinds]
    expect(not missing, f"missing: {missing}")
    places = [kinds.index(kind) for kind in order]
    expect(places == sorted(places), f"the order is {kinds}")


async def _registered(bench: Bench) -> None:
    """Add a call to the conversation before its arguments are done, with name and `call_id`."""
    peer, events = await _call(bench)
    item_id = _called(events)["id"]
    kinds = [(event["type"], event.get("item_id") or (event.get("item") or {}).get("id")) for event in peer.log]
    added = kinds.index(("conversation.item.added", item_id))
    expect(added < kinds.index(("response.function_call_arguments.done", item_id)), "it was added too late")
    expect_equal(at(peer.log[added], "item.name"), "get_weather", "item.name")
    expect(at(peer.log[added], "item.call_id"), "the item has no call_id")


async def _begins(bench: Bench) -> None:
    """Begin a call in progress, with name, `call_id` and no arguments."""
    _, events = await _call(bench)
    item = at(of(events, "response.output_item.added")[0], "item")
    for member, value in (
        ("type", "function_call"),
        ("name", "get_weather"),
        ("arguments", ""),
        ("status", "in_progress"),
    ):
        expect_equal(item.get(member), value, member)


async def _deltas(bench: Bench) -> None:
    """Give arguments that are JSON, the same in the deltas, their `done`, the item and the response."""
    _, events = await _call(bench)
    text = "".join(event["delta"] for event in of(events, "response.function_call_arguments.delta"))
    expect_equal(at(of(events, "response.function_call_arguments.done")[0], "arguments"), text, "arguments")
    expect_equal(at(of(events, "response.output_item.done")[0], "item.arguments"), text, "item.arguments")
    expect_equal(_called(events).get("arguments"), text, "response.output.0.arguments")
    expect_equal(words(json.loads(text)["city"]), ["lisbon"], "the city")


async def _names(bench: Bench) -> None:
    """Carry the function's name in `function_call_arguments.done`, where small devices read it."""
    _, events = await _call(bench)
    expect_equal(at(of(events, "response.function_call_arguments.done")[0], "name"), "get_weather", "name")


async def _one_call_id(bench: Bench) -> None:
    """Name the same `call_id` everywhere."""
    _, events = await _call(bench)
    wanted = _called(events)["call_id"]
    named = [event["call_id"] for event in events if "call_id" in event]
    named += [event["item"]["call_id"] for event in events if "item" in event]
    expect(set(named) == {wanted}, f"the call ids are {set(named)}")


async def _ends(bench: Bench) -> None:
    """End a call `completed` in `output_item.done` and `response.done`: clients run it then."""
    _, events = await _call(bench)
    expect_equal(at(of(events, "response.output_item.done")[0], "item.status"), "completed", "item.status")
    expect_equal(_called(events).get("status"), "completed", "output status")
    expect_equal(at(events[-1], "response.status"), "completed", "response.status")


async def _none(bench: Bench) -> None:
    """Call nothing with `tool_choice` none."""
    async with bench.writing(tools=[WEATHER], tool_choice="none") as peer:
        await peer.write(LISBON)
        output = at((await peer.respond())[-1], "response.output")
        expect(all(item["type"] == "message" for item in output), "a function was called")


async def _required(bench: Bench) -> None:
    """Call a function with `tool_choice` required."""
    async with bench.writing(tools=[_UNDO], tool_choice="required") as peer:
        await peer.write("Please undo that.")
        expect_equal(_called(await peer.respond()).get("name"), "undo", "name")


async def _forced(bench: Bench) -> None:
    """Call a function with `tool_choice` required although nobody asked for it."""
    async with bench.writing(tools=[WEATHER], tool_choice="required") as peer:
        await peer.write("Hello!")
        expect_equal(_called(await peer.respond()).get("name"), "get_weather", "name")


async def _forced_by_name(bench: Bench) -> None:
    """Call the function that `tool_choice` names although another one fits."""
    async with bench.writing(tools=[_UNDO, WEATHER], tool_choice={"type": "function", "name": "undo"}) as peer:
        await peer.write(LISBON)
        expect_equal(_called(await peer.respond()).get("name"), "undo", "name")


async def _auto(bench: Bench) -> None:
    """Call the function that fits."""
    async with bench.writing(tools=[_UNDO, WEATHER]) as peer:
        await peer.write(LISBON)
        expect_equal(_called(await peer.respond()).get("name"), "get_weather", "name")


async def _no_parameters(bench: Bench) -> None:
    """Give a function without parameters arguments that are an empty object."""
    async with bench.writing(tools=[_UNDO]) as peer:
        await peer.write("Please undo that.")
        expect_equal(json.loads(_called(await peer.respond())["arguments"]), {}, "arguments")


async def _response_tools(bench: Bench) -> None:
    """Take tools for one response alone."""
    async with bench.writing() as peer:
        await peer.write(LISBON)
        expect_equal(_called(await peer.respond(tools=[WEATHER])).get("name"), "get_weather", "name")


async def _response_no_tools(bench: Bench) -> None:
    """Leave the session's tools out of a response with `tools: []`."""
    async with bench.writing(tools=[WEATHER]) as peer:
        await peer.write(LISBON)
        output = at((await peer.respond(tools=[]))[-1], "response.output")
        expect(all(item["type"] == "message" for item in output), "a function was called")


async def _response_choice(bench: Bench) -> None:
    """Take `tool_choice` for one response alone."""
    async with bench.writing(tools=[WEATHER]) as peer:
        await peer.write(LISBON)
        output = at((await peer.respond(tool_choice="none"))[-1], "response.output")
        expect(all(item["type"] == "message" for item in output), "a function was called")


async def _two_calls(bench: Bench) -> None:
    """Make two calls two items, with places and ids of their own."""
    async with bench.writing(tools=[WEATHER, _TIME]) as peer:
        await peer.write("What is the weather in Lisbon and what is the time in Oslo?")
        events = await peer.respond()
        calls = [item for item in at(events[-1], "response.output") if item["type"] == "function_call"]
        expect({call["name"] for call in calls} == {"get_weather", "get_time"}, f"{len(calls)} calls came")
        expect(len({call["call_id"] for call in calls}) == len(calls), "they share a call_id")
        places = [event["output_index"] for event in of(events, "response.output_item.added")]
        expect(places == list(range(len(places))), f"the places are {places}")


async def _result(peer: Peer, call: Event, output: str) -> None:
    await peer.add({"type": "function_call_output", "call_id": call["call_id"], "output": output})


async def _spoken_result(bench: Bench) -> None:
    """Tell the user what a function gave back."""
    async with bench.writing(tools=[WEATHER]) as peer:
        await peer.write(LISBON)
        await _result(peer, _called(await peer.respond()), '{"temperature": 21, "sky": "sunny"}')
        text = at((await peer.respond())[-1], "response.output.0.content.0.text")
        expect("sunny" in text.lower() or "21" in text, f"it says {text!r}")


async def _odd_results(bench: Bench) -> None:
    """Take a result that is empty, and one that is no JSON."""
    async with bench.writing(tools=[WEATHER]) as peer:
        for output in ("", "It rains."):
            await peer.write(LISBON)
            await _result(peer, _called(await peer.respond(tool_choice=_FORCED)), output)
            expect_equal(at((await peer.respond(tool_choice="none"))[-1], "response.status"), "completed", "status")


async def _unknown_call(bench: Bench) -> None:
    """Take the result of a call that nobody made: clients seed a conversation so."""
    async with bench.writing() as peer:
        await _result(peer, {"call_id": "call_unknown"}, "x")


async def _history(bench: Bench) -> None:
    """Answer in a conversation that was seeded with a call and its result."""
    async with bench.writing(tools=[WEATHER]) as peer:
        await peer.write(LISBON)
        call = {"call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Lisbon"}'}
        await peer.add({"type": "function_call", **call})
        await _result(peer, call, '{"sky": "cloudy"}')
        text = at((await peer.respond())[-1], "response.output.0.content.0.text")
        expect("cloud" in text.lower(), f"it says {text!r}")


async def _early_result(bench: Bench) -> None:
    """Take a result while another response runs."""
    async with bench.by_hand() as peer:
        say: dict[str, Any] = {"instructions": 'Say exactly: "One, two, three, four, five, six, seven, eight."'}
        await peer.send("response.create", response=say)
        await peer.until("response.created")
        item = {"type": "function_call_output", "call_id": "call_1", "output": "x", "id": "early"}
        await peer.add(item)
        await peer.until("response.done")


async def _by_voice(bench: Bench) -> None:
    """Call a function for a question that was spoken."""
    async with bench.by_hand() as peer:
        await peer.update(tools=[WEATHER])
        await peer.append(bench.speech(LISBON))
        await peer.send("input_audio_buffer.commit")
        await peer.send("response.create")
        call = at(await peer.until("response.done"), "response.output.0")
        expect_equal(call.get("name"), "get_weather", "name")


CHECKS = (
    *checks("response.function_call_arguments.delta", _sequence, _deltas, _begins),
    *checks("response.function_call_arguments.done", _registered, _names, _one_call_id, _ends),
    *checks(
        "tools",
        _none,
        _required,
        _forced,
        _forced_by_name,
        _auto,
        _no_parameters,
        _response_tools,
        _response_no_tools,
        _response_choice,
        _two_calls,
        _spoken_result,
        _odd_results,
        _unknown_call,
        _history,
        _early_result,
    ),
    *checks("tools", _by_voice, needs=("speech",)),
)
