"""Janus's video room, as Debian packages it: one handle to send and one to receive, by its WebSocket API."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from benchmarks.meeting import Meeting
from benchmarks.sfu.process import free_port, stopped, wait_for
from benchmarks.sfu.room import Person, Room, UnavailableError

__all__ = ["running"]

_FOLDERS = Path("/usr/lib")
_SETTINGS = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{plugins}"
  transports_folder = "{transports}"
  events_folder = "{folder}"
  loggers_folder = "{folder}"
  debug_level = 1
  debug_timestamps = false
  session_timeout = 0
  event_loops = 1
}}
nat: {{
  ice_lite = true
  ice_enforce_list = "{address}"
}}
media: {{ ipv6 = false }}
plugins: {{ disable = "{others}" }}
transports: {{ disable = "{silent}" }}
"""


@dataclass
class _Wire:
    """One WebSocket and one session, in which all handles live."""

    socket: ClientConnection
    session: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, janus: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for what it brought about."""
        transaction = str(next(self.numbers))
        known = {"session_id": self.session} if self.session else {}
        self.socket.send(json.dumps({"janus": janus, "transaction": transaction, **known, **fields}))
        while True:
            reply = self._next()
            if reply.get("transaction") == transaction and reply["janus"] != "ack":
                data = reply.get("plugindata", {}).get("data", {})
                if reply["janus"] == "error" or "error" in data:
                    raise RuntimeError(f"Janus: {reply.get('error') or data}")
                return reply

    def wait(self, event: str, handle: int) -> None:
        """Wait until Janus tells this of a handle."""
        while True:
            told = self._next()
            if told["janus"] == event and told.get("sender") == handle:
                return

    def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.socket.recv(timeout=20))
        return told

    def attach(self) -> int:
        """A handle on the video room."""
        handle: int = self.ask("attach", plugin="janus.plugin.videoroom")["data"]["id"]
        return handle


@dataclass
class _Room:
    wire: _Wire
    number: int
    meeting: Meeting

    def publish(self, kinds: Sequence[str]) -> Person:
        client, offer = self.meeting.offer(*(f"send:{kind}" for kind in kinds))
        body = {"request": "joinandconfigure", "ptype": "publisher", "room": self.number}
        handle, jsep = self.wire.attach(), {"type": "offer", "sdp": offer}
        joined = self.wire.ask("message", handle_id=handle, body=body, jsep=jsep)
        self.meeting.accept(client, joined["jsep"]["sdp"])
        # Nobody can subscribe before the handshake is over on both sides.
        self.wire.wait("webrtcup", handle)
        return Person(client, str(joined["plugindata"]["data"]["id"]), tuple(kinds))

    def audience(self, count: int, people: Sequence[Person]) -> None:
        for _ in range(count):
            self._subscribe(people)

    def hear(self, who: Person, people: Sequence[Person]) -> None:
        self._subscribe(people)

    def _subscribe(self, people: Sequence[Person]) -> None:
        streams = [{"feed": int(person.name)} for person in people]
        body = {"request": "join", "ptype": "subscriber", "room": self.number, "streams": streams}
        handle = self.wire.attach()
        joined = self.wire.ask("message", handle_id=handle, body=body)
        _, answer = self.meeting.answer(joined["jsep"]["sdp"])
        jsep = {"type": "answer", "sdp": answer}
        self.wire.ask("message", handle_id=handle, body={"request": "start"}, jsep=jsep)


@dataclass
class _Janus:
    pid: int
    wire: _Wire
    rooms: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def room(self, meeting: Meeting) -> Room:
        number = next(self.rooms)
        body = {
            "request": "create",
            "room": number,
            "publishers": 100,
            "bitrate": 0,
            "audiocodec": "opus",
            "videocodec": "vp8",
            "audiolevel_event": False,
        }
        self.wire.ask("message", handle_id=self.wire.attach(), body=body)
        return _Room(self.wire, number, meeting)


@contextmanager
def running(address: str) -> Iterator[_Janus]:
    """Run Debian's Janus; media at `address`."""
    program = shutil.which("janus")
    plugins = next(_FOLDERS.glob("*/janus/plugins"), None)
    if not program or not plugins:
        raise UnavailableError("not installed: apt-get install janus")
    port, transports = free_port(), plugins.parent / "transports"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        others = (plugin.name for plugin in plugins.glob("*.so") if "videoroom" not in plugin.name)
        settings = _SETTINGS.format(
            folder=folder,
            plugins=plugins,
            transports=transports,
            address=address,
            others=",".join(others),
            silent=",".join(
                transport.name for transport in transports.glob("*.so") if "websockets" not in transport.name
            ),
        )
        (folder / "janus.jcfg").write_text(settings)
        (folder / "janus.transport.websockets.jcfg").write_text(
            f'general: {{ json = "compact", ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}\n'
        )
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: {}\n")
        command = [program, "-N", "-F", name]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=name)
        with stopped(process):
            wait_for(port, process, folder / "log")
            with closing(
                connect(f"ws://127.0.0.1:{port}/", subprotocols=["janus-protocol"], proxy=None, max_size=None)  # type: ignore[list-item]
            ) as socket:
                wire = _Wire(socket)
                wire.session = wire.ask("create")["data"]["id"]
                yield _Janus(process.pid, wire)
