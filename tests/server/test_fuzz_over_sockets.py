"""Damaged events and offers by the thousand over real sockets: the server lives, counts its sessions, stays small.

`parley serve` runs as it is, on a stub of its engines. `PARLEY_SOAK_ROUNDS` rounds (100; `make soak` makes more) of 100
events each on a connection of its own, and ten offers for each round.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bent_offers import TEXTS, bend
from event_order import order_faults
from served import Served, parley_serve
from websockets.asyncio.client import connect

from parley.conformance.areas.items import MADE
from parley.conformance.areas.refusals import ROWS
from parley.conformance.areas.sessions import CHANGES
from parley.conformance.peer import Peer
from parley.testing.stub_openai import StubOpenAI

ROUNDS = int(os.environ.get("PARLEY_SOAK_ROUNDS", "100"))
EVENTS_PER_ROUND = 100
OFFERS_PER_ROUND = 10
AT_ONCE = 8
KEPT_BYTES = 8 << 20
KEPT_BYTES_PER_ROUND = 16 << 10
"""What an allocator may keep after the first fifth, measured at half of this and less: a leak of 1 KiB for each event,
or of 10 KiB for each offer, would be six times as much per round."""

pytestmark = [pytest.mark.timeout(60 + 6 * ROUNDS), pytest.mark.asyncio(loop_scope="module")]

Event = dict[str, Any]
WHOLE: list[Event] = [
    *({"type": row.event, **row.fields} for row in ROWS),
    *({"type": "session.update", "session": change.sent} for change in CHANGES),
    *({"type": "conversation.item.create", "item": made.item} for made in MADE if len(json.dumps(made.item)) < 20_000),
    {"type": "input_audio_buffer.append", "audio": "AAAA" * 3_200},
    {"type": "input_audio_buffer.commit"},
    {"type": "response.create", "response": {"output_modalities": ["text"]}},
    {"type": "response.create", "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}}},
    {"type": "response.cancel"},
]
NASTY: list[Any] = [None, True, -1, 0, 1e308, 2**63, "", "x" * 5_000, "\x00", "\ud800", [], {}, [[]], {"type": "x"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    environment = {name: value for name, value in os.environ.items() if name != "PARLEY_SOAK_ROUNDS"}
    async with StubOpenAI(ms_per_char=5) as stub:
        stages = (f"--{stage}={stub.url}" for stage in ("stt", "llm", "tts"))
        models = (f"--{stage}-model=stub-model" for stage in ("stt", "llm", "tts"))
        serving = parley_serve(*stages, *models, environment=environment, inherit=False)
        served = await asyncio.to_thread(serving.__enter__)
        try:
            yield served
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


# --- damage -----------------------------------------------------------------------------------------------------------


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every object and list inside, as its holder and its key."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, member in pairs:
        yield value, key
        yield from places(member)


def damaged(rng: random.Random) -> str:
    """A well-formed event with something wrong in it, or a frame that is no event at all."""
    event = copy.deepcopy(rng.choice(WHOLE))
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        holder, key = rng.choice(list(places(event)) or [(event, "type")])
        match rng.randrange(4):
            case 0:
                del holder[key]
                break
            case 1:
                holder[key] = copy.deepcopy(rng.choice(NASTY))
            case 2 if isinstance(holder, dict):
                holder[rng.choice(("type", "event_id", "item", "session", "response", "audio", "id"))] = holder[key]
            case _:
                holder[key] = copy.deepcopy(rng.choice(WHOLE))
    text = json.dumps(event, ensure_ascii=True)
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text))]
    elif rng.random() < 0.1:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice('{}[]",:\\0x\u2028') + text[place + 1 :]
    return text


# --- what the server must keep ----------------------------------------------------------------------------------------


def resident_bytes(served: Served) -> int:
    pages = int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


async def metric(served: Served, name: str) -> float:
    """The sum of a metric over its labels."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        text = (await http.get(f"{served.url}/metrics")).text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


async def accounted_for(served: Served) -> None:
    """Every session that was opened has been closed, every call has ended."""
    async with asyncio.timeout(60):
        while await metric(served, "parley_sessions") or await metric(served, "parley_calls"):
            await asyncio.sleep(0.1)
    assert await metric(served, "parley_sessions_opened_total") == await metric(served, "parley_sessions_closed_total")
    assert served.process.poll() is None
    assert " ERROR " not in served.logged(), served.logged()[-3_000:]


async def events_round(served: Served, seed: int) -> None:
    rng = random.Random(seed)
    url = f"{served.websocket_url}/v1/realtime?model=m"
    async with connect(url, proxy=None, compression=None, max_size=None, ping_interval=None) as socket:
        peer = Peer(socket, wait_s=60)
        first = await peer.next()
        if first["type"] == "error" and first["error"]["code"] == "rate_limit_exceeded":
            await asyncio.sleep(0.5)
            return await events_round(served, seed)
        for _ in range(EVENTS_PER_ROUND):
            await peer.send_text(damaged(rng))
            if rng.random() < 0.05:
                await peer.fence()
        await peer.fence()
        assert order_faults(peer.log, whole=False) == []
    return None


async def offers_round(served: Served, seed: int) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        for number in range(OFFERS_PER_ROUND):
            rng = random.Random(seed * OFFERS_PER_ROUND + number)
            body = bend(rng, rng.choice(TEXTS)).encode("utf-8", "surrogatepass")
            answer = await http.post("/v1/realtime/calls", content=body, headers={"content-type": "application/sdp"})
            assert answer.status_code in {201, 400, 413, 415, 422, 429, 503}, answer.text
            if answer.status_code == 201:
                assert answer.text.startswith("v=0")
                assert (await http.post(f"{answer.headers['location']}/hangup")).status_code == 200
            else:
                assert answer.json()["error"]["message"]


async def rounds(served: Served, one: Any) -> None:
    """Run all rounds, `AT_ONCE` at a time; the memory must not grow after the first fifth."""
    waiting = iter(range(ROUNDS))
    warm: list[int] = []

    async def work() -> None:
        for seed in waiting:
            await one(served, seed)
            if seed == ROUNDS // 5:
                warm.append(resident_bytes(served))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    await accounted_for(served)
    assert resident_bytes(served) - warm[0] < KEPT_BYTES + KEPT_BYTES_PER_ROUND * (ROUNDS - ROUNDS // 5)


async def test_damaged_events_hurt_nobody(server: Served) -> None:
    await rounds(server, events_round)


async def test_bent_offers_hurt_nobody(server: Served) -> None:
    await rounds(server, offers_round)
