"""Frames that are no events, and events that nobody knows: an `error` each, and the session lives on."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from parley.conformance.bench import Bench
from parley.conformance.check import Check, at, checks, expect, expect_equal

__all__ = ["CHECKS"]

_NO_EVENTS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("not-json", "{oops", frozenset({"invalid_json"})),
    ("empty", "", frozenset({"invalid_json"})),
    ("cut-off", '{"type": "response.create"', frozenset({"invalid_json"})),
    ("list", "[]", frozenset({"invalid_event", "invalid_json"})),
    ("text", '"response.create"', frozenset({"invalid_event", "invalid_json"})),
    ("number", "7", frozenset({"invalid_event", "invalid_json"})),
    ("null", "null", frozenset({"invalid_event", "invalid_json"})),
    ("no-type", '{"event_id": "e"}', frozenset({"invalid_event", "missing_required_parameter"})),
    ("type-is-a-number", '{"type": 1}', frozenset({"invalid_event", "invalid_type", "invalid_value"})),
    ("type-is-null", '{"type": null}', frozenset({"invalid_event", "invalid_type", "missing_required_parameter"})),
    ("deep", "[" * 5_000 + "]" * 5_000, frozenset({"invalid_event", "invalid_json"})),
)


def _no_event(name: str, frame: str, codes: frozenset[str]) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open() as peer:
            await peer.send_text(frame)
            error = at(await peer.until("error", errors=True), "error")
            expect(error.get("code") in codes, f"error.code is {error.get('code')!r}, not {' or '.join(sorted(codes))}")
            expect_equal(error.get("type"), "invalid_request_error", "error.type")
            await peer.quiet()

    return Check("error", f"frame-{name}", f"Answer a frame like {frame[:24]!r} with an error, and go on.", work)


async def _unknown_type(bench: Bench) -> None:
    """Answer an unknown event type with `invalid_value`, `param` `type` and its id."""
    async with bench.open() as peer:
        error = await peer.fault(await peer.send("response.creat"))
        expect_equal(error.get("code"), "invalid_value", "error.code")
        expect_equal(error.get("param"), "type", "error.param")


async def _names_supported(bench: Bench) -> None:
    """Name the supported types when one is unknown."""
    async with bench.open() as peer:
        error = await peer.fault(await peer.send("response.creat"))
        expect("response.create" in str(error.get("message")), "the message does not name response.create")


async def _server_type(bench: Bench) -> None:
    """Refuse a server's event from a client."""
    async with bench.open() as peer:
        error = await peer.fault(await peer.send("response.done"))
        expect_equal(error.get("code"), "invalid_value", "error.code")


async def _binary(bench: Bench) -> None:
    """Refuse a binary frame with `invalid_event`, and go on."""
    async with bench.open() as peer:
        await peer.socket.send(b'{"type": "input_audio_buffer.clear"}')
        error = at(await peer.until("error", errors=True), "error")
        expect_equal(error.get("code"), "invalid_event", "error.code")
        await peer.quiet()


async def _long_event_id(bench: Bench) -> None:
    """Echo a client's `event_id` of 512 characters in an error."""
    async with bench.open() as peer:
        await peer.send_event({"type": "response.cancel", "event_id": "e" * 512})
        await peer.fault("e" * 512)


async def _odd_event_id(bench: Bench) -> None:
    """Echo an `event_id` with any characters."""
    async with bench.open() as peer:
        await peer.send_event({"type": "response.cancel", "event_id": 'x "é" ☃ \\ /'})
        await peer.fault('x "é" ☃ \\ /')


async def _no_event_id(bench: Bench) -> None:
    """Give `error.event_id` null where the client gave none."""
    async with bench.open() as peer:
        await peer.send_event({"type": "response.cancel"})
        await peer.fault(None)


async def _null_event_id(bench: Bench) -> None:
    """Take an `event_id` of null."""
    async with bench.open() as peer:
        await peer.send_event({"type": "session.update", "event_id": None, "session": {"type": "realtime"}})
        await peer.until("session.updated")


async def _event_id_type(bench: Bench) -> None:
    """Refuse an `event_id` that is no string, and name it."""
    async with bench.open() as peer:
        await peer.send_event({"type": "input_audio_buffer.clear", "event_id": 5})
        error = at(await peer.until("error", errors=True), "error")
        expect_equal(error.get("param"), "event_id", "error.param")


async def _only_its_sender(bench: Bench) -> None:
    """Tell a mistake to nobody but the connection that made it."""
    async with bench.open() as one, bench.open() as other:
        await one.fault(await one.send("response.cancel"))
        came: list[Any] = [event for event in await other.fence() if event["type"] == "error"]
        expect(not came, "another session was told of it")


async def _many_mistakes(bench: Bench) -> None:
    """Answer a hundred mistakes in their order, one error each."""
    async with bench.open() as peer:
        sent = [await peer.send("response.cancel") for _ in range(100)]
        got = [at(await peer.until("error", errors=True), "error.event_id") for _ in sent]
        expect(got == sent, "the errors do not answer the events one by one")


async def _extra_members(bench: Bench) -> None:
    """Ignore members of an event that nobody knows."""
    async with bench.open() as peer:
        await peer.send("input_audio_buffer.clear", colour="blue")
        await peer.until("input_audio_buffer.cleared")


async def _large_append(bench: Bench) -> None:
    """Refuse an append of more than 15 MiB of audio with an error, and go on."""
    async with bench.by_hand() as peer:
        audio = base64.b64encode(bytes(15 * 1024 * 1024 + 2)).decode()
        error = await peer.fault(await peer.send("input_audio_buffer.append", audio=audio))
        expect_equal(error.get("param"), "audio", "error.param")
        await peer.quiet()


async def _large_item(bench: Bench) -> None:
    """Answer an item of 5 MB with frames of at most 4 MiB, be it by an error, and go on."""
    async with bench.by_hand() as peer:
        part = {"type": "input_text", "text": "x" * 5_000_000}
        await peer.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        expect(await peer.fence(), "no answer came")  # a frame above 4 MiB fails any check


async def _large_session(bench: Bench) -> None:
    """Answer instructions of 5 MB with frames of at most 4 MiB, be it by an error, and go on."""
    async with bench.by_hand() as peer:
        await peer.send("session.update", session={"type": "realtime", "instructions": "x" * 5_000_000})
        expect(await peer.fence(), "no answer came")  # a frame above 4 MiB fails any check


async def _huge_frame(bench: Bench) -> None:
    """Close with 1009 when a frame is larger than 32 MiB."""
    async with bench.open() as peer:
        piece = "x" * (1 << 20)
        with suppress(ConnectionClosed):
            await peer.socket.send(piece for _ in range(34))
        code, _reason = await peer.closed()
        expect(code == 1009, f"the close code is {code}")


CHECKS = (
    *(_no_event(*row) for row in _NO_EVENTS),
    *checks(
        "error",
        _unknown_type,
        _names_supported,
        _server_type,
        _binary,
        _long_event_id,
        _odd_event_id,
        _no_event_id,
        _null_event_id,
        _event_id_type,
        _only_its_sender,
        _many_mistakes,
        _extra_members,
    ),
    *checks("limits", _large_append, _large_item, _large_session, _huge_frame),
)
