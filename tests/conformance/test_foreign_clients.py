"""Unmodified clients of other projects talk with `parley serve`: only their address is changed.

Each holds three conversations by voice: a turn, a tool's call with its result spoken, and an interruption by its own
means. Everything that the server said goes through the official validators and the order checker.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from event_order import order_faults
from foreign_clients import CLIENTS, SCENES, Held, hold
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from sdp_kit import offer_text
from served import Served, parley_serve
from spoken import BYTES_PER_MS, heard, say, silence, words

from parley.server.certificate import self_signed

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600)]

HELLO, WEATHER, WAIT = "Hello, what can you do?", "What is the weather in Lisbon?", "Wait a moment, please."
ANSWER = "I am Parley's built-in demo brain. I speak English, with one voice."
INSISTS_ON_WSS = "openai for Node"
KNOWN_AS_GENERIC: set[str] = set()
"""What agents-js is known not to know: nothing that these conversations provoke."""

VALIDATOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
Hold = Callable[[str], Awaitable[Held]]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    for name, text in (("hello", HELLO), ("weather", WEATHER), ("wait", WAIT)):
        (folder / f"{name}.pcm").write_bytes(silence(300) + say(text) + silence(1_500))
    (folder / "offer.sdp").write_bytes(offer_text("chromium_audio_and_data").encode())
    return folder


@pytest.fixture(scope="module")
def held(server: Served, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Hold:
    """What came of a client's conversations, which are held once."""
    known: dict[str, Held] = {}

    async def once(name: str) -> Held:
        if name not in known and name == INSISTS_ON_WSS:
            place = tmp_path_factory.mktemp("tls")
            certificate, key = self_signed(("127.0.0.1",), place, datetime.datetime.now(datetime.UTC))
            with parley_serve("--tls", str(certificate), str(key), certificate=certificate) as secure:
                known[name] = await hold(name, secure.url, speech, certificate)
        elif name not in known:
            known[name] = await hold(name, server.url, speech)
        return known[name]

    return once


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_spoken_turn_is_understood_and_answered_aloud(held: Hold, name: str) -> None:
    conversation = await held(name)
    report = conversation.report["turn"]
    understood = report["transcripts"] if "transcripts" in report else report["history"]
    assert words(understood[0]) == words(HELLO)
    answer = words(await asyncio.to_thread(heard, conversation.sounds["turn"]))
    assert len(set(answer) & set(words(ANSWER))) >= 0.7 * len(set(words(ANSWER))), answer


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_tool_is_run_and_its_result_spoken(held: Hold, name: str) -> None:
    conversation = await held(name)
    assert conversation.report["tool"]["asked_for"] == ["Lisbon"]
    assert "sunny" in words(await asyncio.to_thread(heard, conversation.sounds["tool"]))


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_voice_interrupts_and_the_client_cuts_what_was_not_heard(held: Hold, name: str) -> None:
    log = (await held(name)).logs["barge_in"]
    cuts = [event for event in log if event["type"] == "conversation.item.truncated"]
    assert cuts
    first = next(event for event in log if event["type"] == "response.output_audio.delta")["item_id"]
    assert cuts[0]["item_id"] == first
    made = sum(
        len(event["delta"]) * 3 // 4
        for event in log
        if event.get("item_id") == first and "audio.delta" in event["type"]
    )
    assert cuts[0]["audio_end_ms"] < made // BYTES_PER_MS
    done = [event["response"] for event in log if event["type"] == "response.done"]
    assert done[0]["status"] in {"cancelled", "completed"}
    if done[0]["status"] == "cancelled":
        assert done[0]["status_details"]["reason"] == "turn_detected"
    assert done[1]["status"] == "completed"


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_client_sees_no_error_and_nothing_that_it_does_not_know(held: Hold, name: str) -> None:
    conversation = await held(name)
    for scene, report in conversation.report.items():
        assert report["errors"] == [], scene
        assert set(report.get("generic", ())) <= KNOWN_AS_GENERIC, scene
        assert [event for event in conversation.logs[scene] if event["type"] == "error"] == []


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_event_is_valid_and_in_order(held: Hold, name: str) -> None:
    conversation = await held(name)
    assert set(SCENES) <= set(conversation.logs)
    for scene, log in conversation.logs.items():
        for event in log:
            VALIDATOR.validate_python(event)
        assert order_faults(log, whole=False) == [], scene


async def test_the_sdk_for_node_holds_a_session_of_transcription(held: Hold) -> None:
    report = (await held(INSISTS_ON_WSS)).report["transcription"]
    assert words(report["transcripts"][0]) == words(HELLO)
    assert "response.created" not in report["kinds"]


async def test_the_sdk_for_node_places_a_call_joins_it_by_its_id_and_hangs_up(held: Hold) -> None:
    report = (await held(INSISTS_ON_WSS)).report["sideband"]
    assert report["answered"] == "v=0\r\n"
    assert report["instructions"] == "From the side."
    assert report["closed"] == 1000
    assert report["again"] == [404, "call_id_not_found"]


async def test_livekit_seeds_a_history(held: Hold) -> None:
    assert (await held("LiveKit")).report["turn"]["seeded"][:2] == ["My name is Bob.", "Hello Bob."]


async def test_agents_js_keeps_what_was_heard_in_its_history(held: Hold) -> None:
    kept = (await held("openai-agents for JavaScript")).report["barge_in"]["kept"]
    assert len(words(kept[0])) < 20
