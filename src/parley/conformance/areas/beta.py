"""The retired beta, which abandoned demos and firmware still speak: flat session, old event names, old endpoints."""

from __future__ import annotations

from typing import Any

from parley.conformance.areas.responses import SAY
from parley.conformance.areas.tools import WEATHER
from parley.conformance.bench import Bench
from parley.conformance.check import Check, Event, at, checks, expect, expect_equal
from parley.conformance.event_shapes import GA_ONLY
from parley.conformance.peer import Peer
from parley.conformance.speech import HELLO, LISBON

__all__ = ["CHECKS"]

_BETA = frozenset({"beta"})

_DEFAULTS: tuple[tuple[str, Any], ...] = (
    ("object", "realtime.session"),
    ("input_audio_format", "pcm16"),
    ("output_audio_format", "pcm16"),
    ("input_audio_transcription", None),
    ("turn_detection.type", "server_vad"),
    ("tools", []),
    ("tool_choice", "auto"),
    ("temperature", 0.8),
    ("max_response_output_tokens", "inf"),
)
_UPDATES: tuple[tuple[str, Any], ...] = (
    ("voice", "echo"),
    ("modalities", ["text"]),
    ("input_audio_format", "g711_ulaw"),
    ("output_audio_format", "g711_alaw"),
    ("turn_detection", None),
    ("temperature", 0.7),
    ("max_response_output_tokens", 100),
    ("instructions", "Be brief."),
)


def _default(path: str, value: Any) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open(beta=True) as peer:
            expect_equal(at(peer.log[0], f"session.{path}"), value, f"session.{path}")

    return Check("beta session.created", path, f"Greet with `session.{path}`: {value!r}.", work, _BETA)


def _update(name: str, value: Any) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open(beta=True) as peer:
            expect_equal(at(await _change(peer, **{name: value}), name), value, f"session.{name}")

    return Check("beta session.update", name, f"Apply the flat `{name}` and echo it flat.", work, _BETA)


async def _change(peer: Peer, **session: Any) -> Event:
    await peer.send("session.update", session=session)
    updated: Event = at(await peer.until("session.updated"), "session")
    return updated


async def _both_modalities(bench: Bench) -> None:
    """Greet with the modalities text and audio."""
    async with bench.open(beta=True) as peer:
        expect(set(at(peer.log[0], "session.modalities")) == {"text", "audio"}, "they are others")


async def _flat(bench: Bench) -> None:
    """Greet without the newer `audio` and `output_modalities`."""
    async with bench.open(beta=True) as peer:
        newer = {"audio", "output_modalities"} & set(at(peer.log[0], "session"))
        expect(not newer, f"the session has {newer}")


async def _by_subprotocol(bench: Bench) -> None:
    """Speak the beta for the sub-protocol `openai-beta.realtime-v1`."""
    async with bench.open(beta=True, subprotocols=["realtime", "openai-beta.realtime-v1"]) as peer:
        expect(at(peer.log[0], "session.modalities"), "the session is not flat")
        expect(peer.socket.subprotocol == "realtime", f"selected was {peer.socket.subprotocol!r}")


async def _written(bench: Bench) -> list[Event]:
    async with bench.open(beta=True) as peer:
        await _change(peer, modalities=["text"], turn_detection=None)
        await _ask(peer)
        return peer.log


async def _ask(peer: Peer) -> None:
    part = {"type": "input_text", "text": "Hello!"}
    await peer.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    await peer.until("conversation.item.created")
    await peer.send("response.create")
    await peer.until("response.done")


async def _spoken(bench: Bench) -> list[Event]:
    async with bench.open(beta=True) as peer:
        await _change(peer, turn_detection=None)
        await _ask(peer)
        return peer.log


def _kinds(log: list[Event]) -> list[str]:
    return [event["type"] for event in log]


async def _text_names(bench: Bench) -> None:
    """Call written words `response.text.delta` and `.done`."""
    kinds = _kinds(await _written(bench))
    expect({"response.text.delta", "response.text.done"} <= set(kinds), f"there are {sorted(set(kinds))}")


async def _audio_names(bench: Bench) -> None:
    """Call sound and its words `response.audio.*` and `response.audio_transcript.*`."""
    wanted = {f"response.{name}.{end}" for name in ("audio", "audio_transcript") for end in ("delta", "done")}
    missing = wanted - set(_kinds(await _spoken(bench)))
    expect(not missing, f"missing: {sorted(missing)}")


async def _no_newer_names(bench: Bench) -> None:
    """Send no event that only the newer API has."""
    newer = set(_kinds(await _spoken(bench))) & GA_ONLY
    expect(not newer, f"sent: {sorted(newer)}")


async def _created_once(bench: Bench) -> None:
    """Send `conversation.item.created` once for each item."""
    ids = [event["item"]["id"] for event in await _spoken(bench) if event["type"] == "conversation.item.created"]
    expect(len(ids) == 2 and len(set(ids)) == 2, f"{len(ids)} were sent for 2 items")


async def _created_between(bench: Bench) -> None:
    """Send `conversation.item.created` between `output_item.added` and `content_part.added`."""
    kinds = _kinds(await _spoken(bench))
    begun = kinds.index("response.output_item.added")
    expect("conversation.item.created" in kinds[begun : kinds.index("response.content_part.added")], "it is not there")


async def _part_names(bench: Bench) -> None:
    """Call an item's parts `text` and `audio`."""
    for log, kind in ((await _written(bench), "text"), (await _spoken(bench), "audio")):
        expect_equal(at(log[_kinds(log).index("response.done")], "response.output.0.content.0.type"), kind, "type")


async def _response_fields(bench: Bench) -> None:
    """Give a response `modalities`, `voice` and `output_audio_format`."""
    log = await _spoken(bench)
    response = at(log[_kinds(log).index("response.created")], "response")
    missing = {"modalities", "voice", "output_audio_format"} - set(response)
    expect(not missing, f"missing: {missing}")
    expect("audio" not in response, "it has the newer `audio`")


async def _call(bench: Bench) -> None:
    """Tell of a call so that the old library finds it: item created, arguments in deltas, item done."""
    async with bench.open(beta=True) as peer:
        await _change(peer, modalities=["text"], turn_detection=None, tools=[WEATHER])
        part = {"type": "input_text", "text": LISBON}
        await peer.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await peer.send("response.create")
        call = at(await peer.until("response.output_item.done"), "item")
        expect_equal(call.get("name"), "get_weather", "name")
        deltas = "".join(event["delta"] for event in peer.of("response.function_call_arguments.delta"))
        expect_equal(call.get("arguments"), deltas, "arguments")


async def _cancel(bench: Bench) -> None:
    """Cancel a response."""
    async with bench.open(beta=True) as peer:
        await _change(peer, turn_detection=None)
        await peer.send("response.create", response={"instructions": SAY, "modalities": ["text", "audio"]})
        await peer.until("response.audio.delta")
        await peer.send("response.cancel")
        expect_equal(at(await peer.until("response.done"), "response.status"), "cancelled", "status")


async def _truncate(bench: Bench) -> None:
    """Cut a spoken item with `conversation.item.truncate`."""
    async with bench.open(beta=True) as peer:
        await _change(peer, turn_detection=None)
        await peer.send("response.create", response={"instructions": SAY, "modalities": ["text", "audio"]})
        item_id = (await peer.until("response.audio.delta"))["item_id"]
        await peer.send("response.cancel")
        await peer.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
        cut = await peer.until("conversation.item.truncated")
        expect_equal((cut["item_id"], cut["audio_end_ms"]), (item_id, 0), "item_id, audio_end_ms")


async def _items(bench: Bench) -> None:
    """Retrieve and delete items, and clear the buffer, with the events of ever."""
    async with bench.open(beta=True) as peer:
        part = {"type": "input_text", "text": "Hello."}
        await peer.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        item_id = at(await peer.until("conversation.item.created"), "item.id")
        await peer.send("conversation.item.retrieve", item_id=item_id)
        shown = await peer.until("conversation.item.retrieved")
        expect_equal(at(shown, "item.content.0.text"), "Hello.", "item.content.0.text")
        await peer.send("conversation.item.delete", item_id=item_id)
        expect_equal((await peer.until("conversation.item.deleted"))["item_id"], item_id, "item_id")
        await peer.send("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")


async def _error(bench: Bench) -> None:
    """Answer a mistake with the same error as ever."""
    async with bench.open(beta=True) as peer:
        error = await peer.fault(await peer.send("response.cancel"))
        expect_equal(error.get("code"), "response_cancel_not_active", "error.code")


_MISTAKES: tuple[tuple[str, Any], ...] = (
    ("voice", 5),
    ("modalities", "text"),
    ("input_audio_format", "mp3"),
    ("max_response_output_tokens", 0),
)


def _mistake(name: str, value: Any) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open(beta=True) as peer:
            error = await peer.fault(await peer.send("session.update", session={name: value}))
            expect_equal(error.get("param"), f"session.{name}", "error.param")

    claim = f"Name a mistake in `{name}` by this key, not by a newer one."
    return Check("beta", f"names-{name}", claim, work, frozenset({"beta"}))


async def _turn(bench: Bench) -> None:
    """Hear a turn and answer it."""
    async with bench.open(beta=True) as peer:
        await _change(peer, modalities=["text"])
        await peer.append(bench.speech(HELLO))
        started = await peer.until("input_audio_buffer.speech_started")
        created = await peer.until("conversation.item.created")
        expect_equal(at(created, "item.id"), started["item_id"], "item.id")
        await peer.until("response.done")


async def _transcription(bench: Bench) -> None:
    """Answer `transcription_session.update` with `transcription_session.updated`."""
    async with bench.open(bench.url(intent="transcription"), beta=True) as peer:
        flat = {"input_audio_transcription": {"model": "whisper-1"}, "turn_detection": None}
        await peer.send("transcription_session.update", session=flat)
        session = at(await peer.until("transcription_session.updated"), "session")
        expect_equal(at(session, "input_audio_transcription.model"), "whisper-1", "model")


async def _sessions(bench: Bench) -> None:
    """Mint a secret at `/realtime/sessions`, as `client_secret.value`."""
    answer = await bench.http("POST", "/realtime/sessions", json={"model": "gpt-4o-realtime-preview", "voice": "ash"})
    expect(answer.status_code == 200, f"the status is {answer.status_code}")
    expect(str(at(answer.json(), "client_secret.value")).startswith("ek_"), "it begins otherwise")
    expect_equal(at(answer.json(), "voice"), "ash", "voice")
    expect_equal(at(answer.json(), "object"), "realtime.session", "object")


async def _sessions_dialect(bench: Bench) -> None:
    """Speak the beta with a secret that was minted there."""
    answer = await bench.http("POST", "/realtime/sessions", json={"voice": "ash"})
    async with bench.open(beta=True, subprotocols=["realtime"], key=at(answer.json(), "client_secret.value")) as peer:
        expect_equal(at(peer.log[0], "session.voice"), "ash", "session.voice")


async def _transcription_sessions(bench: Bench) -> None:
    """Mint a secret at `/realtime/transcription_sessions`."""
    body = {"input_audio_transcription": {"model": "whisper-1"}}
    answer = await bench.http("POST", "/realtime/transcription_sessions", json=body)
    expect(answer.status_code == 200, f"the status is {answer.status_code}")
    expect_equal(at(answer.json(), "object"), "realtime.transcription_session", "object")
    expect(at(answer.json(), "client_secret.value"), "there is no secret")


CHECKS: tuple[Check, ...] = (
    *(_default(path, value) for path, value in _DEFAULTS),
    *checks("beta session.created", _both_modalities, _flat, _by_subprotocol, needs=("beta",)),
    *(_update(name, value) for name, value in _UPDATES),
    *checks(
        "beta responses",
        _text_names,
        _audio_names,
        _no_newer_names,
        _created_once,
        _created_between,
        _part_names,
        _response_fields,
        _call,
        _cancel,
        _truncate,
        needs=("beta",),
    ),
    *checks(
        "beta", _error, _items, _transcription, _sessions, _sessions_dialect, _transcription_sessions, needs=("beta",)
    ),
    *(_mistake(name, value) for name, value in _MISTAKES),
    *checks("beta", _turn, needs=("beta", "speech")),
)
