"""Every event that the server can send goes through the parsers of strict clients, each in its own interpreter.

What a client cannot read is named here with the reason why that harms nobody; anything else is a fault of ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from client_venvs import client_python, node_packages
from server_event_rows import EVENTS

from parley.protocol.realtime.server_events import ServerEvent

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

Event = dict[str, Any]
SCRIPTS = Path(__file__).parent / "clients"
LIMIT_S = 120
ROWS: list[Event] = [msgspec.json.decode(msgspec.json.encode(event)) for event in EVENTS]

NO_MCP = "it never configures MCP servers, so that none of these events comes"
MCP_ITEMS = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")


@dataclass(frozen=True)
class Reader:
    """How to run a client's parser on a file of events, and the kinds of event that it cannot read, with reasons."""

    command: Callable[[str], list[str]]
    unread: dict[str, str]


def python(packages: str, script: str) -> Callable[[str], list[str]]:
    return lambda file: [str(client_python(packages)), "-W", "ignore", str(SCRIPTS / script), file]


READERS = {
    "openai-agents for Python": Reader(python("openai-agents", "read_agents_python.py"), {}),
    "openai-agents for JavaScript": Reader(
        lambda file: ["node", str(SCRIPTS / "read_agents_js.mjs"), file, str(node_packages("node"))],
        {
            "input_audio_buffer.timeout_triggered": "its closed list lacks the event, which it hands on as it came",
            "response.mcp_call.failed": "its closed list lacks the event, which it hands on; the item says the same",
        },
    ),
    "Pipecat": Reader(
        python("pipecat", "read_pipecat.py"),
        {
            **{f"conversation.item.{step} {item}": NO_MCP for step in ("added", "done") for item in MCP_ITEMS},
            **{
                f"{list_or_call}.{step}": NO_MCP
                for list_or_call in ("mcp_list_tools", "response.mcp_call")
                for step in ("in_progress", "completed", "failed")
            },
            **{f"response.mcp_call_arguments.{step}": NO_MCP for step in ("delta", "done")},
            **{
                f"output_audio_buffer.{step}": "it speaks by WebSocket and passes over what only calls have"
                for step in ("started", "stopped", "cleared")
            },
            "input_audio_buffer.timeout_triggered": "it passes over the event",
            **{
                f"session.{step} {session}": reason
                for step in ("created", "updated")
                for session, reason in {
                    "transcription": "it opens no sessions of transcription",
                    "realtime with a named tool": "it never chooses a tool by name, so that none is echoed",
                }.items()
            },
        },
    ),
}


def kind(event: Event) -> str:
    """Name what of an event a client may or may not read."""
    session, item = event.get("session"), event.get("item")
    if session is not None:
        named = session["type"] == "realtime" and isinstance(session["tool_choice"], dict)
        return f"{event['type']} {session['type']}" + (" with a named tool" if named else "")
    if item is not None and item["type"] in MCP_ITEMS:
        return f"{event['type']} {item['type']}"
    return str(event["type"])


async def faults(name: str, events: list[Event], folder: Path) -> list[str | None]:
    """What the client's parser says to each event: None where it was read."""
    file = folder / "events.json"
    file.write_text(json.dumps(events))
    command = await asyncio.to_thread(READERS[name].command, str(file))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, err.decode(errors="replace")[-3_000:]
    found: list[str | None] = json.loads(out.decode().splitlines()[-1])
    assert len(found) == len(events)
    return found


@pytest.mark.parametrize("name", READERS)
async def test_every_event_is_read_but_those_with_a_reason(name: str, tmp_path: Path) -> None:
    found = await faults(name, ROWS, tmp_path)
    unread = {kind(event): fault for event, fault in zip(ROWS, found, strict=True) if fault is not None}
    read = {kind(event) for event, fault in zip(ROWS, found, strict=True) if fault is None}
    assert set(unread) == set(READERS[name].unread), unread
    assert not read & set(unread)


def test_every_event_of_the_server_is_among_the_rows() -> None:
    assert {event.__struct_config__.tag for event in get_args(ServerEvent)} == {event["type"] for event in ROWS}


def damaged(type: str, *path: str) -> Event:
    """Leave one member out of the first event of `type`."""
    event: Event = json.loads(json.dumps(next(event for event in ROWS if event["type"] == type)))
    here = event
    for step in path[:-1]:
        here = here[step]
    del here[path[-1]]
    return event


DAMAGED = {
    "openai-agents for Python": damaged("conversation.item.input_audio_transcription.completed", "usage"),
    "openai-agents for JavaScript": damaged("response.output_audio.delta", "delta"),
    "Pipecat": damaged("response.created", "event_id"),
}


@pytest.mark.parametrize("name", READERS)
async def test_an_event_that_the_client_cannot_read_is_noticed(name: str, tmp_path: Path) -> None:
    unknown = {"type": "parley.note", "event_id": "e"}
    assert None not in await faults(name, [DAMAGED[name], unknown], tmp_path)
