"""Small devices call: aiortc with and without a data channel, in G.711, in 8 kHz Opus, without candidates.

Every question is spoken into the device's microphone and every answer recognised out of what its ears got, by a
recogniser that knows nothing of the events. What the server says in events is compared with that, never taken for it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from device import Device, calling_device
from event_order import order_faults
from served import Served, parley_serve
from spoken import BYTES_PER_MS, edges, heard, say, silence, word_error_rate, words
from websockets.asyncio.client import connect

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

QUESTION = "What can you do?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    serving = parley_serve()
    served = await asyncio.to_thread(serving.__enter__)
    try:
        yield served
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


@asynccontextmanager
async def sideband(served: Served, device: Device) -> AsyncIterator[None]:
    """Let the device's events be those that a sideband gets: it has no channel of its own."""
    address = f"{served.websocket_url}/v1/realtime?call_id={device.call_id}"
    async with connect(address, proxy=None, max_size=None, compression=None) as socket, asyncio.TaskGroup() as group:

        async def read() -> None:
            async for text in socket:
                device.take_event(json.loads(text))

        reading = group.create_task(read())
        try:
            yield
        finally:
            reading.cancel()


async def ask_and_hear(device: Device) -> None:
    """Ask by voice; the answer is in the ears as it is in the transcript, and the order of events is kept."""
    await device.speak(say(QUESTION) + silence(300))
    asked = await device.until("conversation.item.done")
    done = await device.until("response.done")
    assert done["response"]["status"] == "completed"
    await device.until("output_audio_buffer.stopped")
    await asyncio.sleep(0.5)
    transcript = done["response"]["output"][0]["content"][0]["transcript"]
    recording = await device.recording()
    read = await asyncio.to_thread(heard, recording.pcm)
    assert word_error_rate(transcript, read) <= 0.2, (transcript, read)
    assert asked["item"]["role"] == "user"
    assert order_faults(device.events) == []
    assert device.of("error") == []
    assert device.of("response.output_audio.delta") == []


DEVICES: list[tuple[str, dict[str, Any], str]] = [
    ("with a data channel", {"channel": "oai-events"}, "opus/48000"),
    ("PCMU only", {"channel": "oai-events", "codec": "PCMU"}, "PCMU/8000"),
    ("8 kHz Opus", {"channel": "esp_channel", "narrow": True}, "opus/48000"),
    ("without candidates", {"channel": "oai-events", "candidates": False}, "opus/48000"),
]


@pytest.mark.parametrize(("options", "codec"), [row[1:] for row in DEVICES], ids=[row[0] for row in DEVICES])
async def test_a_device_asks_and_hears_the_answer(server: Served, codec: str, options: dict[str, Any]) -> None:
    async with calling_device(server.url, **options) as device:
        answer = (await device.until_told("answer"))["answer"]
        assert codec in re.findall(r"a=rtpmap:\d+ (\S+)", answer)[0]
        await device.until("session.created")
        await ask_and_hear(device)


async def test_a_device_without_a_data_channel_asks_and_hears_the_answer(server: Served) -> None:
    async with calling_device(server.url) as device, sideband(server, device):
        assert "m=application" not in (await device.until_told("answer"))["answer"]
        await device.until("session.created")
        await ask_and_hear(device)


async def test_a_device_with_firmware_for_the_beta_speaks_the_retired_dialect(server: Served) -> None:
    """It offers to the old address, and its session is flat."""
    options: dict[str, Any] = {"path": "/v1/realtime?model=gpt-4o-realtime-preview", "channel": "esp_channel"}
    async with calling_device(server.url, **options) as device:
        created = await device.until("session.created")
        assert "input_audio_format" in created["session"]
        await device.send("session.update", session={"instructions": "Be brief.", "voice": "verse"})
        await device.until("session.updated")
        await device.speak(say(QUESTION) + silence(300))
        await device.until("response.audio_transcript.done")
        await device.until("output_audio_buffer.stopped")
        assert order_faults(device.events, beta=True) == []
        recording = await device.recording()
        transcript = device.of("response.audio_transcript.done")[0]["transcript"]
        assert word_error_rate(transcript, await asyncio.to_thread(heard, recording.pcm)) <= 0.2


async def test_a_device_that_announces_no_channel_is_heard_on_channel_0(server: Served) -> None:
    options: dict[str, Any] = {"channel": "events", "channel_options": {"negotiated": True, "id": 0}}
    async with calling_device(server.url, **options) as device:
        await device.until_told("open")
        await device.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        await device.until("session.created")
        assert (await device.until("session.updated"))["session"]["instructions"] == "Be brief."


async def test_a_device_converses_without_events_and_opens_their_channel_late(server: Served) -> None:
    """Its first channel is unordered, so it cannot carry events; SCTP is up, and nothing is said there."""
    options: dict[str, Any] = {"channel": "telemetry", "channel_options": {"ordered": False}}
    async with calling_device(server.url, **options) as device:
        await device.until_told("open", "telemetry")
        async with sideband(server, device):
            await device.until("session.created")
            await ask_and_hear(device)
        before = len(device.events)
        await device.order("open", label="oai-events")
        await device.until("session.created")
        await device.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        assert (await device.until("session.updated"))["session"]["instructions"] == "Be brief."
        await device.speak(say(QUESTION) + silence(300))
        done = await device.until("response.done")
        await device.until("output_audio_buffer.stopped")
        kinds = [event["type"] for event in device.events[before:]]
        assert kinds.count("session.created") == kinds.count("response.done") == 1
        await asyncio.sleep(0.5)
        _, *later = (await device.recording()).utterances(pause_ms=1_500)
        transcript = done["response"]["output"][0]["content"][0]["transcript"]
        assert word_error_rate(transcript, await asyncio.to_thread(heard, b"".join(later))) <= 0.2
        assert device.of("error") == []


async def test_push_to_talk_takes_the_last_word_though_it_is_committed_at_once(server: Served) -> None:
    question = "Please tell me the name of the largest city in Texas"
    said = say(question)
    said = said[: edges(said)[1] * BYTES_PER_MS]
    async with calling_device(server.url, channel="oai-events") as device:
        await device.until("session.created")
        hearing = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
        await device.send("session.update", session={"type": "realtime", "audio": {"input": hearing}})
        updated = await device.until("session.updated")
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        await device.send("input_audio_buffer.clear")
        await device.until("input_audio_buffer.cleared")
        await device.speak(said)
        await device.send("input_audio_buffer.commit")
        await device.send("response.create")
        transcribed = await device.until("conversation.item.input_audio_transcription.completed")
        assert word_error_rate(question, transcribed["transcript"]) <= 0.2, transcribed["transcript"]
        assert words(transcribed["transcript"])[-1] == words(question)[-1]
        assert (await device.until("response.done"))["response"]["status"] == "completed"
        await device.until("output_audio_buffer.stopped")
        assert order_faults(device.events) == []
        assert device.of("error") == device.of("input_audio_buffer.speech_started") == []


async def test_a_device_that_is_hung_up_gets_a_goodbye(server: Served) -> None:
    async with calling_device(server.url, channel="oai-events") as device:
        await device.until("session.created")
        await device.send("response.create")
        await device.until("output_audio_buffer.stopped")
        answer = (await device.until_told("answer"))["answer"]
        hangup = f"{server.url}/v1/realtime/calls/{device.call_id}/hangup"
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.post(hangup)).status_code == 200
        goodbye = await device.until_told("goodbye")
        assert goodbye["goodbye"] == [int(re.findall(r"a=ssrc:(\d+)", answer)[0])]
        await device.until_told("state", "closed")
