"""What agents, their tools and MCP servers are told reaches no log either, whatever goes wrong, at DEBUG."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp_servers import mcp_server, plain_server
from running_server import ask, receive, receive_until, running_server

from parley.observe.log import configure_logging
from parley.server.settings import load_settings
from parley.testing import FakeChatModel, call, engine_set, say

CANARY = "heron-at-midnight"
TOOLS = f'''
def broken(phrase: str) -> str:
    """Break."""
    raise ValueError("{CANARY} " + phrase)

def works(phrase: str) -> str:
    """Work."""
    return "{CANARY} " + phrase
'''


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, path = list(root.handlers), root.level, list(sys.path)
    stream = io.StringIO()
    configure_logging("debug", stream)
    for name in ("mcp", "httpx2", "httpcore2", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.path[:] = path
    sys.modules.pop("canary_tools", None)


async def test_a_phrase_through_every_tool_is_in_no_log(log: io.StringIO, tmp_path: Path) -> None:
    said = {"phrase": CANARY}
    chat = FakeChatModel(
        [
            call("works", said),
            say("Done."),
            call("broken", said),
            say("Done."),
            call("works", CANARY),
            say("Done."),
            call("find_order", {"number": CANARY}),
            say("Done."),
            call("cancel_order", {"number": 5}),
            say("Done."),
        ]
    )
    (tmp_path / "canary_tools.py").write_text(TOOLS)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/guide.md").write_text(f"{CANARY} {{{{city}}}}")
    async with mcp_server(token=CANARY) as shop, plain_server(500, body=CANARY.encode()) as broken:
        (tmp_path / "parley.toml").write_text(
            f'mcp_allow = ["127.0.0.1"]\n[agents.a]\ninstructions = "{CANARY}"\ngreeting = "{CANARY}"\n'
            f'tools = ["canary_tools:works", "canary_tools:broken"]\n'
            f'[[agents.a.mcp]]\nserver_label = "shop"\nserver_url = "{shop.url}"\nauthorization = "{CANARY}"\n'
            f'[[agents.a.mcp]]\nserver_label = "broken"\nserver_url = "{broken.url}?token={CANARY}"\n'
        )
        settings = load_settings(flags={}, environ={}, directory=tmp_path)
        async with running_server(settings, build=lambda: engine_set(chat=chat)) as server:
            async with server.websocket("/v1/realtime?model=a") as socket:
                await receive_until(socket, "response.done")
                for _ in range(5):
                    await ask(socket, CANARY)
                assert shop.seen.calls == ["cancel_order 5"]
            async with server.websocket() as socket:
                await receive(socket)
                for prompt in ({"id": "guide", "variables": {"city": CANARY}}, {"id": CANARY}):
                    await socket.send(json.dumps({"type": "session.update", "session": {"prompt": prompt}}))
                    await receive_until(socket, "session.updated", "error")
            async with server.http() as http:
                scope = {"lock": [CANARY], "origins": [CANARY]}
                await http.post("/v1/realtime/client_secrets", json={"parley": scope})
        await asyncio.sleep(0)
    text = log.getvalue()
    assert "request answered" in text, "the log was on"
    assert "engine broke its contract" in text, "the broken tool is told by place"
    assert CANARY not in text
