"""A small device that calls: aiortc in a process and an environment of its own, with a microphone, ears and a mouth.

What it was told by its data channel, or by a sideband where it has none, is kept in order; what it heard can be had as
a recording. A relay between device and server loses packets where a test wants that.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from client_venvs import client_python
from spoken import BYTES_PER_MS

__all__ = ["Device", "Relay", "calling_device", "relayed"]

SCRIPT = Path(__file__).resolve().parents[1] / "conformance/devices/aiortc_device.py"
WAIT_S = 60
_LOUD = 200
_PACKET_MS = 20
_ALONE_MS = 200

Event = dict[str, Any]


class Device:
    """One call of one device."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.events: list[Event] = []
        self.told: list[Event] = []
        """Everything else the device said: states, answers, ends of speech; with `at_ms`."""
        self._process = process
        self._folder = folder
        self._news = asyncio.Event()
        self._read = 0
        self._saved = 0

    @property
    def call_id(self) -> str:
        """Name of the call, from `Location`."""
        location: str = next(what["location"] for what in self.told if "location" in what)
        return location.rsplit("/", 1)[-1]

    async def order(self, do: str, **what: Any) -> None:
        """Have the device do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        await self._process.stdin.drain()

    async def speak(self, pcm: bytes) -> int:
        """Say something into the microphone, behind what is still being said.

        Returns when it is said, with the instant: CLOCK_MONOTONIC in ms.
        """
        path = self._folder / f"said{len(self.told)}.pcm"
        path.write_bytes(pcm)
        before = self._count("said")
        await self.order("speak", pcm=str(path))
        async with asyncio.timeout(WAIT_S):
            while self._count("said") <= before:
                await self._wait()
        said: int = [what["at_ms"] for what in self.told if "said" in what][before]
        return said

    async def send(self, type: str, **fields: Any) -> None:
        """Send an event by the data channel."""
        await self.order("send", event={"type": type, **fields})

    async def until(self, type: str) -> Event:
        """Wait for the next event of `type`; skip what comes before it."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self._read < len(self.events):
                    self._read += 1
                    if self.events[self._read - 1]["type"] == type:
                        return self.events[self._read - 1]
                await self._wait()

    async def until_told(self, key: str, value: Any = None) -> Event:
        """Wait until the device has said `key`, with `value` if one is given."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for what in self.told:
                    if key in what and (value is None or what[key] == value):
                        return what
                await self._wait()

    def of(self, type: str) -> list[Event]:
        """Every event of `type` so far."""
        return [event for event in self.events if event["type"] == type]

    async def recording(self) -> Heard:
        """Give all that was heard."""
        self._saved += 1
        path = self._folder / f"heard{self._saved}.pcm"
        await self.order("save", path=str(path))
        saved = await self.until_told("saved", str(path))
        return Heard(
            path.read_bytes(), [tuple(row) for row in saved["arrivals"]], [tuple(row) for row in saved["packets"]]
        )

    def take_event(self, event: Event) -> None:
        """Take an event from wherever it came."""
        self.events.append(event)
        self._news.set()

    async def listen(self) -> None:
        """Read what the device says, to its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what: Event = json.loads(line)
            if "event" in what:
                self.take_event({**what["event"], "at_ms": what["at_ms"]})
            else:
                self.told.append(what)
                self._news.set()
        self.told.append({"state": "process ended"})
        self._news.set()

    def _count(self, key: str) -> int:
        return sum(key in what for what in self.told)

    async def _wait(self) -> None:
        assert not self.told or self.told[-1] != {"state": "process ended"}, "the device's process ended"
        self._news.clear()
        await self._news.wait()


class Heard:
    """A recording: PCM16 24 kHz on the sender's time line, and when each packet arrived."""

    def __init__(self, pcm: bytes, arrivals: list[tuple[int, int, int]], packets: list[tuple[int, float]]) -> None:
        self.pcm = pcm
        self.packets = packets
        """Sequence number of each packet as it came off the wire, and when: CLOCK_MONOTONIC in ms."""
        self.arrivals = arrivals
        """Place in the recording in ms, arrival on CLOCK_MONOTONIC in ms, loudest sample."""

    def sounding(self) -> list[tuple[int, int]]:
        """Place and arrival of each packet that is not silence."""
        return [(place, arrived) for place, arrived, loudest in self.arrivals if loudest > _LOUD]

    def sent_ms(self, pause_ms: int = 1_000) -> list[int]:
        """Give how much sound was sent before each pause, by sequence numbers: lost packets count, pauses do not."""
        stretches = self._stretches(pause_ms)
        return [((packets[-1][0] - packets[0][0]) % 65_536 + 1) * _PACKET_MS for packets in stretches]

    def ended_at_ms(self, pause_ms: int = 1_000) -> list[float]:
        """Give when the last packet before each pause came: CLOCK_MONOTONIC in ms."""
        return [packets[-1][1] for packets in self._stretches(pause_ms)]

    def _stretches(self, pause_ms: int) -> list[list[tuple[int, float]]]:
        """Give the packets between pauses."""
        stretches: list[list[tuple[int, float]]] = []
        for packet in self._spoken():
            if not stretches or packet[1] - stretches[-1][-1][1] > pause_ms:
                stretches.append([])
            stretches[-1].append(packet)
        return stretches

    def _spoken(self) -> list[tuple[int, float]]:
        """Leave out the packets of silence that come alone, every 2 s of a pause."""
        times = [float("-inf"), *(came for _, came in self.packets), float("inf")]
        apart = [after - before > _ALONE_MS for before, after in pairwise(times)]
        alone = [before and after for before, after in pairwise(apart)]
        return [packet for packet, is_alone in zip(self.packets, alone, strict=True) if not is_alone]

    def joined(self) -> bytes:
        """Give all that was heard without the pauses, whoever made them: the speaker, or an engine that was late."""
        starts = [place * BYTES_PER_MS for place, _, _ in self.arrivals]
        return b"".join(self.pcm[start : start + _PACKET_MS * BYTES_PER_MS] for start in starts)

    def utterances(self, pause_ms: int = 400) -> Iterator[bytes]:
        """Give each stretch of sound between pauses."""
        places = [place for place, _ in self.sounding()]
        if not places:
            return
        pauses = [(before, after) for before, after in pairwise(places) if after - before > pause_ms]
        starts = [places[0], *(after for _, after in pauses)]
        ends = [*(before for before, _ in pauses), places[-1]]
        for start, end in zip(starts, ends, strict=True):
            yield self.pcm[start * BYTES_PER_MS : (end + _PACKET_MS) * BYTES_PER_MS]


@asynccontextmanager
async def calling_device(url: str, *, relay: Relay | None = None, **options: Any) -> AsyncIterator[Device]:
    """Let a device call the server at `url`; options as the script's `Device` has them. Leaving hangs up.

    With `relay` all packets go through it.
    """
    if relay is not None:
        options["relay"] = relay.address
    python = await asyncio.to_thread(client_python, "aiortc")
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            str(python),
            str(SCRIPT),
            json.dumps({"url": url, **options}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=16 << 20,
        )
        device = Device(process, Path(folder))
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(device.listen())
            try:
                if relay is not None:
                    relay.server = _media_port((await device.until_told("answer"))["answer"])
                await device.until_told("state", "connected")
                yield device
                await device.order("hangup")
                await asyncio.wait({listening}, timeout=20)
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()
                listening.cancel()


class Relay(asyncio.DatagramProtocol):
    """One end of a UDP relay between one device and the server; it loses packets once it is told to."""

    def __init__(self, seed: int) -> None:
        self.loss = 0.0
        """Share of packets that is lost, both ways, whatever is in them but ICE's checks."""
        self.server: tuple[str, int] | None = None
        """Where the server's media port is; until it is known nothing passes."""
        self.passed = 0
        self.lost = 0
        self._device: tuple[str, int] | None = None
        self._random = random.Random(seed)
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the device finds it."""
        assert self._transport is not None
        name: tuple[str, int] = self._transport.get_extra_info("sockname")
        return name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        assert self._transport is not None
        if addr != self.server:
            self._device = addr
        target = self._device if addr == self.server else self.server
        if target is None:
            return
        if data[0] > 3 and self._random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        self._transport.sendto(data, target)


@asynccontextmanager
async def relayed(*, seed: int = 1) -> AsyncIterator[Relay]:
    """Run a relay on loopback."""
    transport, relay = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay(seed), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay
    finally:
        transport.close()


def _media_port(answer: str) -> tuple[str, int]:
    """Find the media port in an answer; the relay reaches it on loopback."""
    found = re.search(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+)", answer)
    assert found is not None, answer
    return "127.0.0.1", int(found.group(1))
