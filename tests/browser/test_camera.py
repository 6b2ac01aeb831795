"""Chromium calls with a camera that shows a moving pattern, and decodes by itself what the chat model was shown."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from console import artifacts, run_driver
from served import parley_serve

from parley.testing import say
from parley.testing.stub_openai import StubOpenAI

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def shown_in(request: dict[str, Any]) -> list[str]:
    """The pictures of one request to the chat model."""
    parts = [
        part for message in request["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


async def test_the_model_sees_what_chromiums_camera_shows() -> None:
    folder = artifacts("camera")
    outcome = folder / "outcome.json"
    async with StubOpenAI(chat=[say("I see.")]) as stub:
        serving = parley_serve("--llm", f"{stub.url}#images=yes", "--llm-model", "stub-model")
        served = await asyncio.to_thread(serving.__enter__)
        try:
            await asyncio.to_thread(run_driver, "camera.mjs", "call", served.url, str(outcome), limit_s=90)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)
        first, second, third = [shown_in(request.json) for request in stub.chat_requests]
    result = json.loads(outcome.read_text())
    assert result["direction"] == "sendonly"
    assert "error" not in result["told"]
    assert 1 <= result["plis"] <= result["seconds"] + 5, "asked for at most once a second"

    assert (len(first), len(second), len(third)) == (1, 2, 2), "one still a question; none of a camera that is off"
    assert first[0] == second[0] == third[0]
    assert first[0] != second[1] == third[1], "the pattern moves"
    assert all(url.startswith("data:image/webp;base64,") for url in second)

    (folder / "pictures.json").write_text(json.dumps([result["shown"], *second]))
    await asyncio.to_thread(
        run_driver, "camera.mjs", "look", str(folder / "pictures.json"), str(folder / "seen.json"), limit_s=60
    )
    here, *there = json.loads((folder / "seen.json").read_text())
    for still in there:
        assert 4 * still["height"] == 3 * still["width"] >= 480, "the encoder may make it smaller, no more"
        assert all(abs(a - b) < 16 for a, b in zip(still["colour"], here["colour"], strict=True)), (still, here)
