"""Connecting: addresses, credentials, sub-protocols, the greeting, closing. Realtime API, "WebSocket connection"."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from parley.conformance.bench import Bench
from parley.conformance.check import Check, CheckFailed, at, checks, expect, expect_equal

__all__ = ["CHECKS", "refuses_call"]

_ANY_TEXT = object()
_SESSION: tuple[tuple[str, Any], ...] = (
    ("type", "realtime"),
    ("object", "realtime.session"),
    ("output_modalities", ["audio"]),
    ("instructions", _ANY_TEXT),
    ("tools", []),
    ("tool_choice", "auto"),
    ("max_output_tokens", "inf"),
    ("tracing", None),
    ("prompt", None),
    ("include", None),
    ("truncation", "auto"),
    ("audio.input.format", {"type": "audio/pcm", "rate": 24_000}),
    ("audio.input.transcription", None),
    ("audio.input.noise_reduction", None),
    ("audio.input.turn_detection.type", "server_vad"),
    ("audio.input.turn_detection.threshold", 0.5),
    ("audio.input.turn_detection.prefix_padding_ms", 300),
    ("audio.input.turn_detection.idle_timeout_ms", None),
    ("audio.input.turn_detection.create_response", True),
    ("audio.input.turn_detection.interrupt_response", True),
    ("audio.output.format", {"type": "audio/pcm", "rate": 24_000}),
    ("audio.output.voice", _ANY_TEXT),
    ("audio.output.speed", 1.0),
)


def _default(path: str, wanted: Any) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open() as peer:
            got = at(peer.log[0], f"session.{path}")
        if wanted is _ANY_TEXT:
            expect(isinstance(got, str) and got, f"session.{path} is {got!r}, not a text")
        else:
            expect_equal(got, wanted, f"session.{path}")

    said = "a text" if wanted is _ANY_TEXT else repr(wanted)
    return Check("session.created", path, f"Greet with `session.{path}` at its default: {said}.", work)


async def _first(bench: Bench) -> None:
    """Send `session.created` first, before the client has said anything."""
    async with bench.raw() as peer:
        first = await peer.next()
        expect(first["type"] == "session.created", f"the first event is {first['type']}")


async def _model(bench: Bench) -> None:
    """Echo the model that the address asks for."""
    async with bench.open() as peer:
        expect_equal(at(peer.log[0], "session.model"), bench.target.model, "session.model")


async def _session_id(bench: Bench) -> None:
    """Give every session an id of its own that begins with `sess_`."""
    async with bench.open() as one, bench.open() as other:
        ids = [at(peer.log[0], "session.id") for peer in (one, other)]
    expect(all(str(name).startswith("sess_") for name in ids), f"the ids are {ids}")
    expect(ids[0] != ids[1], "two sessions have the same id")


async def _expiry(bench: Bench) -> None:
    """Say when the session expires, in Unix seconds of the future."""
    async with bench.open() as peer:
        expires = at(peer.log[0], "session.expires_at")
    expect(isinstance(expires, int), f"expires_at is {expires!r}")
    expect(time.time() < expires <= time.time() + 7 * 86_400, f"expires_at is {expires}")


async def _silence_window(bench: Bench) -> None:
    """Greet with a silence window between 100 and 1000 ms."""
    async with bench.open() as peer:
        window = at(peer.log[0], "session.audio.input.turn_detection.silence_duration_ms")
    expect(isinstance(window, int) and 100 <= window <= 1_000, f"silence_duration_ms is {window!r}")


async def _conversation(bench: Bench) -> None:
    """Name the conversation, if at all, right after the greeting and with a `conv_` id."""
    async with bench.open() as peer:
        await peer.fence()
        named = peer.of("conversation.created")
        if named:
            expect(peer.log[1] is named[0], "conversation.created is not the second event")
            expect(str(at(named[0], "conversation.id")).startswith("conv_"), "the id does not begin with conv_")


async def _no_model(bench: Bench) -> None:
    """Open a session although the address names no model: some clients never do."""
    async with bench.open(bench.target.websocket_base) as peer:
        expect(at(peer.log[0], "session.model"), "the session names no model")


async def _unknown_model(bench: Bench) -> None:
    """Take a model's name that clients hard-code, and echo it."""
    async with bench.open(bench.url(model="gpt-realtime-2.1")) as peer:
        expect_equal(at(peer.log[0], "session.model"), "gpt-realtime-2.1", "session.model")


async def _trailing_query(bench: Bench) -> None:
    """Ignore what else the address says."""
    async with bench.open(bench.url(model=bench.target.model, trace="1")) as peer:
        await peer.update()


async def _azure(bench: Bench) -> None:
    """Serve Azure's address `/openai/v1/realtime`."""
    async with bench.open(bench.url(path="/openai/v1/realtime", model="m")) as peer:
        expect(at(peer.log[0], "session.id"), "no session")


async def _azure_preview(bench: Bench) -> None:
    """Serve Azure's older address `/openai/realtime?deployment=`, in whatever dialect."""
    query = {"api-version": "2025-04-01-preview", "deployment": "mine"}
    async with bench.raw(bench.url(path="/openai/realtime", **query)) as peer:
        expect_equal(at(await peer.until("session.created"), "session.model"), "mine", "session.model")


async def _transcription_intent(bench: Bench) -> None:
    """Open a session of transcription for `intent=transcription`."""
    async with bench.open(bench.url(intent="transcription")) as peer:
        expect_equal(at(peer.log[0], "session.type"), "transcription", "session.type")


async def _subprotocol(bench: Bench) -> None:
    """Select the sub-protocol `realtime` when a browser offers it."""
    async with bench.open(subprotocols=["realtime"]) as peer:
        expect(peer.socket.subprotocol == "realtime", f"selected was {peer.socket.subprotocol!r}")


async def _subprotocol_key(bench: Bench) -> None:
    """Take the key from the sub-protocol `openai-insecure-api-key.` and never select that one."""
    minted = await bench.secret()
    offered = ["realtime", "openai-insecure-api-key." + at(minted, "value")]
    async with bench.open(key="", subprotocols=offered) as peer:
        expect(peer.socket.subprotocol == "realtime", "the selected sub-protocol is not `realtime`")


async def _agents_subprotocol(bench: Bench) -> None:
    """Take the sub-protocols that the Agents SDK offers in browsers."""
    minted = await bench.secret()
    key = "openai-insecure-api-key." + at(minted, "value")
    async with bench.open(key="", subprotocols=["realtime", key, "openai-agents-sdk.0.20.0"]) as peer:
        expect(peer.socket.subprotocol == "realtime", "the selected sub-protocol is not `realtime`")


async def _organisation_headers(bench: Bench) -> None:
    """Refuse no session for the headers that official clients add."""
    added = {
        "OpenAI-Organization": "org",
        "OpenAI-Project": "proj",
        "OpenAI-Safety-Identifier": "hash",
        "X-OpenAI-Agents-SDK": "js",
        "x-stainless-lang": "js",
    }
    async with bench.open(headers=added) as peer:
        expect(peer.log, "no greeting")


async def _azure_key(bench: Bench) -> None:
    """Take the key from Azure's header `api-key`."""
    minted = await bench.secret()
    async with bench.open(key="", headers={"api-key": at(minted, "value")}) as peer:
        expect(peer.log, "no greeting")


async def _compression(bench: Bench) -> None:
    """Talk with a client that offers compression, whether it is taken or not."""
    async with bench.open(compression="deflate") as peer:
        await peer.update(instructions="Compressed." * 200)


async def _ping(bench: Bench) -> None:
    """Answer a WebSocket ping."""
    async with bench.open() as peer:
        answered = await peer.socket.ping()
        try:
            await asyncio.wait_for(answered, peer.wait_s)
        except TimeoutError:
            raise CheckFailed("the ping was not answered") from None


async def _fragments(bench: Bench) -> None:
    """Put a fragmented message together."""
    async with bench.open() as peer:
        await peer.socket.send(iter(['{"type": "session.upd', 'ate", "session": {"type": "realtime"}}']))
        await peer.until("session.updated")


async def _goodbye(bench: Bench) -> None:
    """Answer a close with a close."""
    async with bench.open() as peer:
        await peer.socket.close(1000, "bye")
        expect(peer.socket.close_code == 1000, f"the close code is {peer.socket.close_code}")


async def _bad_key_event(bench: Bench) -> None:
    """Tell a client with an unknown key `invalid_api_key` in an event that a browser can read."""
    async with bench.raw(key="ek_unknown") as peer:
        error = at(await peer.until("error", errors=True), "error")
        expect_equal(error.get("code"), "invalid_api_key", "error.code")


async def _bad_key_close(bench: Bench) -> None:
    """Close with 3000 and `<type>.<code>` after an unknown key."""
    async with bench.raw(key="ek_unknown") as peer:
        code, reason = await peer.closed()
        expect(code == 3000, f"the close code is {code}")
        expect(reason.endswith(".invalid_api_key"), f"the close reason is {reason!r}")


async def _bad_key_first(bench: Bench) -> None:
    """Send no greeting to a client with an unknown key."""
    async with bench.raw(key="ek_unknown") as peer:
        await peer.closed()
        expect(not peer.of("session.created"), "session.created was sent")


async def _unknown_call(bench: Bench) -> None:
    """Refuse a sideband of an unknown call with 404 or `call_id_not_found`."""
    await refuses_call(bench, "rtc_unknown")


async def refuses_call(bench: Bench, call_id: str) -> None:
    """Fail unless a sideband of that call is refused with 404 or `call_id_not_found`."""
    headers = {"Authorization": f"Bearer {bench.target.key}"} if bench.target.key else {}
    try:
        async with connect(bench.url(call_id=call_id), additional_headers=headers, proxy=None) as socket:
            frame = await asyncio.wait_for(socket.recv(), bench.wait_s)
    except InvalidStatus as refused:
        expect(refused.response.status_code == 404, f"the status is {refused.response.status_code}")
        return
    expect("call_id_not_found" in str(frame), f"the answer is {str(frame)[:120]}")


CHECKS = (
    *checks("session.created", _first, _model, _session_id, _expiry, _silence_window),
    *(_default(path, wanted) for path, wanted in _SESSION),
    *checks("conversation.created", _conversation),
    *checks(
        "connection",
        _no_model,
        _unknown_model,
        _trailing_query,
        _azure,
        _azure_preview,
        _transcription_intent,
        _subprotocol,
        _subprotocol_key,
        _agents_subprotocol,
        _organisation_headers,
        _azure_key,
        _compression,
        _ping,
        _fragments,
        _goodbye,
        _bad_key_event,
        _bad_key_close,
        _bad_key_first,
        _unknown_call,
    ),
)
