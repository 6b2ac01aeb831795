"""Any client on any engines, in virtual time: order is kept, all is freed, and the recording replays."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from event_order import order_faults
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.engines.base import EngineError, EngineSet
from parley.protocol.realtime.recording import replay
from parley.runtime.limits import Limits
from parley.testing import (
    FakeChatModel,
    FakeRecognizer,
    FakeSynthesizer,
    Hang,
    Wait,
    call,
    engine_set,
    run_virtual,
    say,
)

ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.just(0)),
    st.tuples(st.just("speak"), st.integers(0, 1500)),
    st.tuples(st.just("burst"), st.integers(0, 1500)),
    st.tuples(st.just("wait"), st.integers(0, 8000)),
    st.tuples(st.just("cancel"), st.just(0)),
    st.tuples(st.just("commit"), st.just(0)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("truncate"), st.integers(0, 3000)),
    st.tuples(st.just("retrieve"), st.integers(0, 9)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("aside"), st.just(0)),
    st.tuples(st.just("vad"), st.sampled_from(["server_vad", "semantic_vad", None])),
    st.tuples(st.just("text"), st.booleans()),
    st.tuples(st.just("garbage"), st.just(0)),
)
REPLIES = st.sampled_from(
    [
        say("Short."),
        say("A rather long answer with many words in it. " * 6, first_ms=300, word_ms=80),
        [*say("Now the lamp. "), *call("lamp", {"on": True})],
        [*say("Broken off"), EngineError("The LLM hung up.", code="engine_gone")],
        [*say("Never ending"), Hang()],
        [Wait(5000), *say("Late.")],
    ]
)
HEARD = st.sampled_from(["turn it on", "", EngineError("The STT is down.", code="down"), Hang(), "what is that"])
FINDS = ("conversation.item.added", "response.output_item.added")


def engines(replies: list[Any], heard: list[Any], delay_ms: int, factor: float) -> EngineSet:
    return engine_set(
        chat=FakeChatModel(replies),
        recognizer=FakeRecognizer(heard, delay_ms=delay_ms, word_every_ms=200),
        synthesizer=FakeSynthesizer(delay_ms=delay_ms // 2, realtime_factor=factor),
    )


async def act(client: Client, action: str, value: Any) -> None:
    """Do one thing to the session."""
    items = [event["item"]["id"] for kind in FINDS for event in client.of(kind)]
    chosen = items[value % len(items)] if items and isinstance(value, int) else "item_none"
    match action:
        case "ask":
            await client.ask("What now?")
        case "speak":
            await client.speak(utterance("hello there") + silence(value))
        case "burst":
            await client.append(utterance("hello there") + silence(value))
        case "wait":
            await asyncio.sleep(value / 1000)
        case "cancel":
            await client.send("response.cancel")
        case "commit" | "clear":
            await client.send(f"input_audio_buffer.{action}")
        case "truncate":
            item_id = items[-1] if items else "item_none"
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=value)
        case "retrieve" | "delete":
            await client.send(f"conversation.item.{action}", item_id=chosen)
        case "aside":
            await client.send("response.create", response={"conversation": "none", "input": []})
        case "vad":
            detection = {"type": value} if value else None
            await client.send(
                "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
            )
        case "text":
            modalities = ["text"] if value else ["audio"]
            await client.send("session.update", session={"type": "realtime", "output_modalities": modalities})
        case _:
            await client.attachment.receive("{")


def tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


async def recorded(before: set[asyncio.Task[Any]]) -> None:
    """Wait in real time for the recorder's thread: virtual time does not count for it."""
    give_up_at = time.monotonic() + 5
    while tasks() != before and time.monotonic() < give_up_at:
        time.sleep(0.0005)
        await asyncio.sleep(0)


async def live(script: list[tuple[str, Any]], engine_args: tuple[Any, ...], folder: Path) -> list[dict[str, Any]]:
    """Live one session by `script` and check what must hold at its end."""
    limits = Limits(generation_silence_ms=6_000, recognition_ms=4_000)
    async with supervised(engines(*engine_args), limits=limits, capture_dir=folder) as supervisor:
        before = tasks()
        client = await Client.connect(supervisor)
        for action, value in script:
            await act(client, action, value)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await asyncio.sleep(60)
        assert len(client.of("response.created")) == len(client.of("response.done"))
        assert order_faults(client.events) == []
        await client.leave()
        await asyncio.sleep(2)
        await recorded(before)
        assert tasks() == before
        assert len(supervisor) == 0
    lines = (folder / f"{client.handle.session_id}.jsonl").read_bytes().splitlines()
    assert replay(lines) == []
    return client.events


@settings(max_examples=25)
@given(
    st.lists(ACTIONS, min_size=1, max_size=14),
    st.tuples(
        st.lists(REPLIES, min_size=1, max_size=3),
        st.lists(HEARD, min_size=1, max_size=3),
        st.integers(0, 1500),
        st.sampled_from([0.0, 0.1, 1.5]),
    ),
)
def test_any_life_keeps_the_rules(script: list[tuple[str, Any]], engine_args: tuple[Any, ...]) -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        told = run_virtual(live(script, engine_args, Path(first)))
        again = run_virtual(live(script, engine_args, Path(second)))
    assert told == again, "virtual time makes a life repeatable to the byte"
