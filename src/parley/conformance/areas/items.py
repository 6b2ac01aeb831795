"""Items by hand: create in every kind and spelling, place, retrieve, delete, make again. Realtime API, "Items"."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import Check, Event, at, checks, expect, expect_equal
from parley.conformance.peer import Peer

__all__ = ["CHECKS"]

_SOUND = base64.b64encode(bytes(48 * 200)).decode()
_PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _message(role: str, *parts: Event, **fields: Any) -> Event:
    return {"type": "message", "role": role, "content": list(parts), **fields}


def _text(text: str, kind: str = "input_text") -> Event:
    return {"type": kind, "text": text}


@dataclass(frozen=True, slots=True)
class Made:
    """An item to create, and what it must then say at each path."""

    name: str
    item: Event
    then: dict[str, Any]


MADE: tuple[Made, ...] = (
    Made("user-text", _message("user", _text("Hi")), {"role": "user", "content.0": _text("Hi")}),
    Made("user-text-beta", _message("user", _text("Hi", "text")), {"content.0": _text("Hi")}),
    Made("user-text-empty", _message("user", _text("")), {"content.0.text": ""}),
    Made(
        "user-text-unicode",
        _message("user", _text("Grüß ☃ 你好 \U0001f600")),
        {"content.0.text": "Grüß ☃ 你好 \U0001f600"},
    ),
    Made("user-text-long", _message("user", _text("word " * 20_000)), {"content.0.text": "word " * 20_000}),
    Made("user-two-parts", _message("user", _text("a"), _text("b")), {"content.0.text": "a", "content.1.text": "b"}),
    Made("user-audio", _message("user", {"type": "input_audio", "audio": _SOUND}), {"content.0.type": "input_audio"}),
    Made(
        "user-audio-with-transcript",
        _message("user", {"type": "input_audio", "audio": _SOUND, "transcript": "hm"}),
        {"content.0.transcript": "hm"},
    ),
    Made(
        "user-text-and-audio",
        _message("user", _text("a"), {"type": "input_audio", "audio": _SOUND}),
        {"content.0.type": "input_text", "content.1.type": "input_audio"},
    ),
    Made(
        "assistant-text", _message("assistant", _text("Yes", "output_text")), {"content.0": _text("Yes", "output_text")}
    ),
    Made("assistant-text-beta", _message("assistant", _text("Yes", "text")), {"content.0.type": "output_text"}),
    Made(
        "assistant-spoken-transcript",
        _message("assistant", {"type": "output_audio", "transcript": "Yes"}),
        {"role": "assistant"},
    ),
    Made("system-text", _message("system", _text("Be kind")), {"role": "system", "content.0.type": "input_text"}),
    Made("system-text-beta", _message("system", _text("Be kind", "text")), {"content.0.type": "input_text"}),
    Made("developer", _message("developer", _text("Be kind")), {"content.0.text": "Be kind"}),
    Made(
        "function-call",
        {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": '{"a": 1}'},
        {"name": "f", "call_id": "call_1", "arguments": '{"a": 1}'},
    ),
    Made(
        "function-output",
        {"type": "function_call_output", "call_id": "call_1", "output": "21 degrees"},
        {"call_id": "call_1", "output": "21 degrees"},
    ),
    Made("function-output-empty", {"type": "function_call_output", "call_id": "call_1", "output": ""}, {"output": ""}),
    Made(
        "function-output-json",
        {"type": "function_call_output", "call_id": "c", "output": '{"a": [1, 2]}'},
        {"output": '{"a": [1, 2]}'},
    ),
    Made("own-id", _message("user", _text("Hi"), id="my-item"), {"id": "my-item"}),
    Made(
        "own-id-of-32-hex-digits",
        _message("user", _text("Hi"), id="0123456789abcdef" * 2),
        {"id": "0123456789abcdef" * 2},
    ),
    Made("own-long-id", _message("user", _text("Hi"), id="i" * 64), {"id": "i" * 64}),
    Made("object", _message("user", _text("Hi")), {"object": "realtime.item"}),
    Made("completed", _message("user", _text("Hi")), {"status": "completed"}),
    Made("status-ignored", _message("user", _text("Hi"), status="in_progress"), {"status": "completed"}),
)


def _made(made: Made) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.writing() as peer:
            item = await peer.add(made.item)
            for path, value in made.then.items():
                expect_equal(at(item, path), value, f"item.{path}")
            expect(str(item["id"]), "the item has no id")

    shown = ", ".join(made.then)
    return Check("conversation.item.create", made.name, f"Create it and show its {shown}.", work)


# --- what the answers say ---------------------------------------------------------------------------------------------


async def _added_is_full(bench: Bench) -> None:
    """Show a client's item in full in `added` already, with status `completed`."""
    async with bench.writing() as peer:
        await peer.write("Hi")
        added = at(peer.of("conversation.item.added")[0], "item")
        expect_equal(added, at(peer.of("conversation.item.done")[0], "item"), "the added item")
        expect_equal(added.get("status"), "completed", "status")


async def _fresh_ids(bench: Bench) -> None:
    """Give items without an id one of their own, of at most 32 characters, beginning with `item_`."""
    async with bench.writing() as peer:
        ids = [(await peer.write("Hi"))["id"] for _ in range(3)]
    expect(len(set(ids)) == 3, "the ids are not distinct")
    expect(all(name.startswith("item_") and len(name) <= 32 for name in ids), f"the ids are {ids}")


async def _no_audio_in_added(bench: Bench) -> None:
    """Send no audio bytes in `added` and `done`, and `transcript` null."""
    async with bench.writing() as peer:
        item = await peer.add(_message("user", {"type": "input_audio", "audio": _SOUND}))
        part = at(item, "content.0")
        expect("audio" not in part or part["audio"] is None, "the audio is sent back")
        expect("transcript" in part, "the part has no transcript member")


async def _no_response(bench: Bench) -> None:
    """Create no response for an item."""
    async with bench.writing() as peer:
        await peer.write("Hi")
        await peer.quiet()


async def _order(bench: Bench) -> None:
    """Answer fifty items in their order."""
    async with bench.writing() as peer:
        for number in range(50):
            item = _message("user", _text("Hi"), id=f"n{number}")
            await peer.send("conversation.item.create", item=item)
        await peer.fence()
        got = [at(event, "item.id") for event in peer.of("conversation.item.done")]
        expect(got == [f"n{number}" for number in range(50)], "the items came in another order")


async def _see(bench: Bench, picture: Event, path: str, value: str) -> None:
    async with bench.writing() as peer:
        item = _message("user", _text("See"), {"type": "input_image", **picture}, id="picture")
        await peer.send("conversation.item.create", item=item)
        expect_equal(at(await peer.until("conversation.item.done"), path), value, path)


async def _image(bench: Bench) -> None:
    """Take a picture as a data URI, whether or not the model can see it."""
    await _see(bench, {"image_url": _PIXEL}, "item.content.1.type", "input_image")


async def _image_with_detail(bench: Bench) -> None:
    """Take a picture's `detail`."""
    await _see(bench, {"image_url": _PIXEL, "detail": "low"}, "item.content.1.detail", "low")


async def _image_is_answered(bench: Bench) -> None:
    """Answer a message with a picture."""
    async with bench.writing() as peer:
        item = _message("user", _text("What is this?"), {"type": "input_image", "image_url": _PIXEL})
        await peer.send("conversation.item.create", item=item)
        await peer.send("response.create")
        expect_equal(at(await peer.until("response.done"), "response.status"), "completed", "response.status")


# --- places -----------------------------------------------------------------------------------------------------------


async def _previous(peer: Peer, name: str, **fields: Any) -> Any:
    await peer.add(_message("user", _text(name), id=name), **fields)
    return at(peer.of("conversation.item.added")[-1], "previous_item_id")


async def _first_is_null(bench: Bench) -> None:
    """Say `previous_item_id` null for the first item."""
    async with bench.writing() as peer:
        expect_equal(await _previous(peer, "a"), None, "previous_item_id")


async def _appends(bench: Bench) -> None:
    """Append an item that names no place."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        expect_equal(await _previous(peer, "b"), "a", "previous_item_id")


async def _null_appends(bench: Bench) -> None:
    """Append an item whose `previous_item_id` is null."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        expect_equal(await _previous(peer, "b", previous_item_id=None), "a", "previous_item_id")


async def _root(bench: Bench) -> None:
    """Put an item first for `root`."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        expect_equal(await _previous(peer, "b", previous_item_id="root"), None, "previous_item_id")
        expect_equal(await _previous(peer, "c"), "a", "previous_item_id")


async def _root_of_nothing(bench: Bench) -> None:
    """Take `root` in an empty conversation."""
    async with bench.writing() as peer:
        expect_equal(await _previous(peer, "a", previous_item_id="root"), None, "previous_item_id")


async def _between(bench: Bench) -> None:
    """Put an item after the one it names."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await _previous(peer, "c")
        expect_equal(await _previous(peer, "b", previous_item_id="a"), "a", "previous_item_id")
        expect_equal(await _previous(peer, "d"), "c", "previous_item_id")


async def _twice(bench: Bench) -> None:
    """Refuse a second item with the same id, and name `item.id`."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        item = _message("user", _text("again"), id="a")
        error = await peer.fault(await peer.send("conversation.item.create", item=item))
        expect_equal(error.get("param"), "item.id", "error.param")


async def _previous_unknown_adds_nothing(bench: Bench) -> None:
    """Add nothing after an unknown item."""
    async with bench.writing() as peer:
        item = _message("user", _text("x"), id="x")
        await peer.fault(await peer.send("conversation.item.create", item=item, previous_item_id="nobody"))
        expect_equal(await _previous(peer, "a"), None, "previous_item_id")


# --- delete and retrieve ----------------------------------------------------------------------------------------------


async def _deleted(bench: Bench) -> None:
    """Delete an item and say which."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await peer.send("conversation.item.delete", item_id="a")
        expect_equal(at(await peer.until("conversation.item.deleted"), "item_id"), "a", "item_id")


async def _deleted_twice(bench: Bench) -> None:
    """Refuse to delete an item twice."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await peer.send("conversation.item.delete", item_id="a")
        await peer.until("conversation.item.deleted")
        error = await peer.fault(await peer.send("conversation.item.delete", item_id="a"))
        expect_equal(error.get("code"), "item_delete_invalid_item_id", "error.code")


async def _deleted_in_the_middle(bench: Bench) -> None:
    """Chain over an item that was deleted in the middle."""
    async with bench.writing() as peer:
        for name in ("a", "b", "c"):
            await _previous(peer, name)
        await peer.send("conversation.item.delete", item_id="b")
        await peer.until("conversation.item.deleted")
        expect_equal(await _previous(peer, "d", previous_item_id="a"), "a", "previous_item_id")
        expect_equal(await _previous(peer, "e"), "c", "previous_item_id")


async def _deleted_last(bench: Bench) -> None:
    """Chain to the item before the one that was deleted at the end."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await _previous(peer, "b")
        await peer.send("conversation.item.delete", item_id="b")
        await peer.until("conversation.item.deleted")
        expect_equal(await _previous(peer, "c"), "a", "previous_item_id")


async def _made_again(bench: Bench) -> None:
    """Let an id be used again after its item was deleted: that is how clients change an item."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await _previous(peer, "b")
        await peer.send("conversation.item.delete", item_id="a")
        await peer.until("conversation.item.deleted")
        expect_equal(await _previous(peer, "a", previous_item_id="root"), None, "previous_item_id")


async def _deleted_and_retrieved(bench: Bench) -> None:
    """Forget a deleted item."""
    async with bench.writing() as peer:
        await _previous(peer, "a")
        await peer.send("conversation.item.delete", item_id="a")
        await peer.until("conversation.item.deleted")
        error = await peer.fault(await peer.send("conversation.item.retrieve", item_id="a"))
        expect_equal(error.get("code"), "item_retrieve_invalid_item_id", "error.code")


async def _retrieved(bench: Bench) -> None:
    """Show an item as it was created."""
    async with bench.writing() as peer:
        item = await peer.write("Hello there")
        await peer.send("conversation.item.retrieve", item_id=item["id"])
        expect_equal(at(await peer.until("conversation.item.retrieved"), "item"), item, "the item")


async def _retrieved_audio(bench: Bench) -> None:
    """Give back the audio of a user's item in the session's format."""
    sound = bytes(range(0, 240, 2)) * 80
    async with bench.writing() as peer:
        part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
        item = await peer.add(_message("user", part))
        await peer.send("conversation.item.retrieve", item_id=item["id"])
        back = at(await peer.until("conversation.item.retrieved"), "item.content.0.audio")
        expect(base64.b64decode(back) == sound, "the audio is not what was sent")


async def _retrieve_names(bench: Bench) -> None:
    """Name the unknown item in the message, so that a client can tell which."""
    async with bench.writing() as peer:
        error = await peer.fault(await peer.send("conversation.item.retrieve", item_id="item_gone"))
        expect("item_gone" in str(error.get("message")), "the message does not name the item")


async def _pipecat_retrieve(bench: Bench) -> None:
    """Echo Pipecat's `rci_<item_id>`, from which it knows what it asked for."""
    async with bench.writing() as peer:
        event = {"type": "conversation.item.retrieve", "event_id": "rci_gone", "item_id": "gone"}
        await peer.send_event(event)
        await peer.fault("rci_gone")


CHECKS = (
    *(_made(made) for made in MADE),
    *checks(
        "conversation.item.create",
        _image,
        _image_with_detail,
        _image_is_answered,
        _no_response,
        _order,
        _appends,
        _null_appends,
        _root,
        _root_of_nothing,
        _between,
        _twice,
        _previous_unknown_adds_nothing,
    ),
    *checks("conversation.item.added", _added_is_full, _fresh_ids, _no_audio_in_added, _first_is_null),
    *checks(
        "conversation.item.deleted",
        _deleted,
        _deleted_twice,
        _deleted_in_the_middle,
        _deleted_last,
        _made_again,
        _deleted_and_retrieved,
    ),
    *checks("conversation.item.retrieved", _retrieved, _retrieved_audio, _retrieve_names, _pipecat_retrieve),
)
