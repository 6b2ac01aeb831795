"""Clients of other projects in conversation with the server: each runs in its own interpreter and reports as JSON.

What a client is and what it does is in `tests/conformance/clients`; what it needs, in `requirements/clients`. The
server's events are kept on the way, by a proxy or, where the client insists on wss, by the client itself.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client_venvs import client_python, node_packages
from event_proxy import event_proxy

__all__ = ["CLIENTS", "SCENES", "Held", "hold"]

Event = dict[str, Any]
SCRIPTS = Path(__file__).resolve().parents[1] / "conformance" / "clients"
SCENES = ("turn", "tool", "barge_in")
"""What every client does, in this order, each on a connection of its own."""
LIMIT_S = 150


@dataclass(frozen=True)
class Client:
    """`packages` names its lock; `address` makes the URL it is given from a base `http://host:port`."""

    script: str
    packages: str
    path: str

    @property
    def node(self) -> bool:
        return self.script.endswith(".mjs")


CLIENTS = {
    "openai-agents for Python": Client("agents_python.py", "openai-agents", "ws:/v1/realtime"),
    "openai-agents for JavaScript": Client("agents_js.mjs", "node", "ws:/v1/realtime"),
    "openai for Node": Client("openai_node.mjs", "node", ""),
    "Pipecat": Client("pipecat_client.py", "pipecat", "ws:/v1/realtime"),
    "LiveKit": Client("livekit_client.py", "livekit", "http:/v1"),
}


@dataclass(frozen=True)
class Held:
    """What came of a client's conversations: its own report, and what the server said and was asked, per scene."""

    report: dict[str, dict[str, Any]]
    logs: dict[str, list[Event]]
    asked: list[Event]
    sounds: dict[str, bytes]


async def hold(name: str, url: str, speech: Path, certificate: Path | None = None) -> Held:
    """Let the client talk with the server at `url`; `certificate` is given to one that insists on wss."""
    client = CLIENTS[name]
    if certificate is not None:
        report = await _run(client, url, speech, certificate)
        logs = json.loads((speech / "openai_node.json").read_text())
        return _held(client, report, logs, [], speech)
    async with event_proxy("ws" + url.removeprefix("http")) as proxy:
        scheme, path = client.path.split(":")
        report = await _run(client, f"{scheme}://127.0.0.1:{proxy.port}{path}", speech, None)
        return _held(client, report, proxy.logs, proxy.asked, speech)


def _held(client: Client, report: Any, logs: list[list[Event]], asked: list[Event], speech: Path) -> Held:
    stem = client.script.rpartition(".")[0]
    sounds = {
        scene: (speech / f"{stem}{ending}.pcm").read_bytes() for scene, ending in (("turn", ""), ("tool", "_tool"))
    }
    return Held(report, dict(zip(report, logs, strict=True)), asked, sounds)


async def _run(client: Client, url: str, speech: Path, certificate: Path | None) -> Any:
    script = str(SCRIPTS / client.script)
    if client.node:
        packages = await asyncio.to_thread(node_packages, client.packages)
        command = ["node", script, url, str(speech), str(packages)]
    else:
        python = await asyncio.to_thread(client_python, client.packages)
        command = [str(python), "-W", "ignore", script, url, str(speech)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTHON"))}
    if certificate is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(certificate)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    words = err.decode(errors="replace")[-3_000:]
    assert process.returncode == 0, f"{client.script} ended with {process.returncode}:\n{words}"
    return json.loads(out.decode().splitlines()[-1])
