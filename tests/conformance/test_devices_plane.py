"""Devices with our own core in them: offers in the shape of small firmware, and calls over TCP alone.

Spoken in and recognised out, like `test_devices_aiortc`, which has the foreign stack.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from event_order import order_faults
from plane_device import PlaneDevice, calling_plane
from sdp_kit import offer_text
from served import Served, parley_serve
from spoken import heard, say, silence, word_error_rate
from websockets.asyncio.client import connect

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

GA, BETA = "/v1/realtime/calls", "/v1/realtime?model=gpt-4o-realtime-preview"
PROTOCOLS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    serving = parley_serve()
    served = await asyncio.to_thread(serving.__enter__)
    try:
        yield served
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


async def ask_and_hear(device: PlaneDevice, transcript_event: str = "response.output_audio_transcript.done") -> None:
    await device.until("session.created")
    await device.speak(say("What can you do?") + silence(300))
    transcript = (await device.until(transcript_event))["transcript"]
    await device.until("output_audio_buffer.stopped")
    await asyncio.sleep(0.5)
    read = await asyncio.to_thread(heard, bytes(device.heard))
    assert word_error_rate(transcript, read) <= 0.2, (transcript, read)
    assert not [event for event in device.events if event["type"] == "error"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_browsers_offer_works_by_either_protocol_alone(server: Served, protocol: Literal["udp", "tcp"]) -> None:
    offer = offer_text("chromium_audio_and_data")
    async with calling_plane(server.url + GA, offer, protocol=protocol) as device:
        await ask_and_hear(device)
        assert order_faults(device.events) == []


@pytest.mark.parametrize("name", ["unverified_libpeer_no_candidates", "unverified_libpeer_pcma_and_data"])
async def test_a_libpeer_shaped_offer_is_a_conversation_in_the_retired_dialect(server: Served, name: str) -> None:
    async with calling_plane(server.url + BETA, offer_text(name)) as device:
        assert len(device.answer) < 2_048
        await ask_and_hear(device, "response.audio_transcript.done")
        assert order_faults(device.events, beta=True) == []


async def test_a_libpeer_shaped_offer_without_channels_hears_the_answer_that_a_sideband_reads(server: Served) -> None:
    offer = offer_text("unverified_libpeer_opus_only")
    async with calling_plane(server.url + BETA, offer) as device:
        assert not re.search("m=application", device.answer)
        address = f"{server.websocket_url}/v1/realtime?call_id={device.location.rsplit('/', 1)[-1]}"
        async with connect(address, proxy=None, max_size=None) as sideband:
            await device.speak(silence(300) + say("What can you do?") + silence(300))
            events: list[dict[str, Any]] = []
            async with asyncio.timeout(60):
                while not events or events[-1]["type"] != "output_audio_buffer.stopped":
                    events.append(json.loads(await sideband.recv()))
        await asyncio.sleep(0.5)
        (done,) = [event for event in events if event["type"] == "response.done"]
        transcript = done["response"]["output"][0]["content"][0]["transcript"]
        read = await asyncio.to_thread(heard, bytes(device.heard))
        assert len(transcript.split()) >= 4
        assert word_error_rate(transcript, read) <= 0.2, (transcript, read)


async def test_ice_restarts_in_the_middle_of_a_conversation(server: Served) -> None:
    async with calling_plane(server.url + GA, offer_text("chromium_audio_and_data")) as device:
        await ask_and_hear(device)
        await device.restart()
        await asyncio.sleep(1.0)
        device.heard.clear()
        await device.speak(silence(300) + say("What can you do?") + silence(300))
        transcript = (await device.until("response.output_audio_transcript.done"))["transcript"]
        await device.until("output_audio_buffer.stopped")
        await asyncio.sleep(0.5)
        read = await asyncio.to_thread(heard, bytes(device.heard))
        assert word_error_rate(transcript, read) <= 0.2, (transcript, read)
        assert len([event for event in device.events if event["type"] == "session.created"]) == 1
