"""A device with a camera calls: what the chat model gets by HTTP is a picture, and shows what the camera shows.

VP8 comes from aiortc's encoder over DTLS and SRTP; the picture is decoded by FFmpeg, which knows nothing of the server.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from device import Device, calling_device
from event_order import order_faults
from served import Served, parley_serve
from spoken import say as spoken
from spoken import silence

from parley.testing import say
from parley.testing.stub_openai import StubOpenAI

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

RED, BLUE = [220, 30, 30], [30, 30, 220]
WEBP = "data:image/webp;base64,"


@asynccontextmanager
async def filming(*, sees: bool) -> AsyncIterator[tuple[StubOpenAI, Served, Device]]:
    """Run a server whose chat model sees, or does not, and a device that shows it something red."""
    async with StubOpenAI(chat=[say("I see.")]) as stub:
        serving = parley_serve("--llm", stub.url + ("#images=yes" if sees else ""), "--llm-model", "stub-model")
        served = await asyncio.to_thread(serving.__enter__)
        try:
            async with calling_device(served.url, channel="oai-events", camera=RED) as device:
                await device.until("session.created")
                yield stub, served, device
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


async def ask(device: Device) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What colour is this?"}]}
    await device.send("conversation.item.create", item=item)
    await device.send("response.create")
    assert (await device.until("response.done"))["response"]["status"] == "completed"
    await device.until("output_audio_buffer.stopped")


def pictures(stub: StubOpenAI) -> list[str]:
    """What the newest request shows, oldest first."""
    messages: list[dict[str, Any]] = stub.chat_requests[-1].json["messages"]
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


async def look(device: Device, folder: Path, url: str) -> list[int]:
    """Decode a picture and give its colour."""
    assert url.startswith(WEBP)
    file = folder / f"still{len(list(folder.iterdir()))}.webp"
    file.write_bytes(b64decode(url.removeprefix(WEBP), validate=True))
    await device.order("look", path=str(file))
    picture = await device.until_told("picture", str(file))
    assert (picture["width"], picture["height"]) == (320, 240)
    return list(picture["colour"])


def near(colour: list[int], expected: list[int]) -> bool:
    return all(abs(a - b) < 30 for a, b in zip(colour, expected, strict=True))


async def test_the_model_is_shown_what_the_camera_shows(tmp_path: Path) -> None:
    async with filming(sees=True) as (stub, served, device):
        answer = (await device.until_told("answer"))["answer"]
        assert "VP8/90000" in answer
        await device.speak(spoken("What colour is this?") + silence(300))
        done = await device.until("response.done")
        assert done["response"]["usage"]["input_token_details"]["image_tokens"] == 765
        await device.until("output_audio_buffer.stopped")
        (still,) = pictures(stub)
        assert near(await look(device, tmp_path, still), RED)

        await device.order("show", colour=BLUE)
        await asyncio.sleep(2.5)
        await ask(device)
        before, now = pictures(stub)
        assert before == still, "the question before keeps its picture"
        assert near(await look(device, tmp_path, now), BLUE), "a key frame was asked for"

        await device.order("show", colour=None)
        await asyncio.sleep(3.5)
        await ask(device)
        assert pictures(stub) == [still, now], "a camera that is off shows nothing"
        assert order_faults(device.events) == []
        assert device.of("error") == []
        assert "image" not in str([event for event in device.events if event["type"].startswith("conversation.")])
        assert still[len(WEBP) : len(WEBP) + 40] not in served.logged()


async def test_a_model_that_does_not_see_talks_all_the_same() -> None:
    async with filming(sees=False) as (stub, _, device):
        answer = (await device.until_told("answer"))["answer"]
        assert "a=inactive" in answer
        await ask(device)
        assert pictures(stub) == []
        assert device.of("error") == []
