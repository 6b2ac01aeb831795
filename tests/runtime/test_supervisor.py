"""Many sessions in one process: capacity, draining, and one that breaks."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from runtime_kit import Client, CountedMetrics, supervised, utterance
from spoken import silence

from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.inputs import ClientEventReceived, PlayoutDrained, PlayoutFlushed, PlayoutStarted, Tick
from parley.protocol.realtime.outputs import AudioOut
from parley.protocol.realtime.session import RealtimeSession
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.directory import MemoryDirectory
from parley.runtime.limits import Limits
from parley.runtime.supervisor import AtCapacity, SessionEnded, SessionHandle
from parley.testing import FakeChatModel, FakeRecognizer, engine_set, say

LONG = "This is a long answer. " * 20
CANARY = "zebra crossing at noon"


async def test_a_full_server_refuses_with_a_reason_and_takes_the_next_when_one_leaves() -> None:
    metrics = CountedMetrics()
    async with supervised(limits=Limits(max_sessions=2), metrics=metrics) as supervisor:
        first, second = await Client.connect(supervisor), await Client.connect(supervisor)
        with pytest.raises(AtCapacity, match="All 2 sessions are taken") as refused:
            await supervisor.open(SessionConfig())
        assert refused.value.code == "full"
        await first.leave()
        await asyncio.sleep(0.1)
        third = await Client.connect(supervisor)
        await second.ask("still served?")
        assert (await second.until("response.done"))["response"]["status"] == "completed"
        assert metrics.of("refused") == [("full",)]
        for client in (second, third):
            await client.leave()


async def test_a_late_loop_refuses_newcomers() -> None:
    async with supervised(limits=Limits(loop_lag_ms=-1)) as supervisor:
        first = await Client.connect(supervisor)  # nobody to protect: an idle server takes its first guest
        with pytest.raises(AtCapacity, match="too busy") as refused:
            await supervisor.open(SessionConfig())
        assert refused.value.code == "late"
        await first.leave()


async def test_drain_lets_an_answer_finish_and_closes_idle_sessions_at_once() -> None:
    chat = FakeChatModel([say(LONG, word_ms=50)])
    async with supervised(engine_set(chat=chat)) as supervisor:
        idle, busy = await Client.connect(supervisor), await Client.connect(supervisor)
        await busy.ask("everything")
        await busy.until("response.output_audio.delta")
        draining = asyncio.create_task(supervisor.drain("the server restarts", 60_000))
        code, _ = await idle.until_closed()
        assert code in {1001, 1012}
        with pytest.raises(AtCapacity, match="the server restarts"):
            await supervisor.open(SessionConfig())
        assert not busy.closed.is_set()
        assert (await busy.until("response.done"))["response"]["status"] == "completed"
        assert (await busy.until_closed())[0] == code
        await draining
        assert len(supervisor) == 0


async def test_drain_does_not_wait_for_ever() -> None:
    chat = FakeChatModel([say(LONG, word_ms=5_000)])
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("everything")
        await client.until("response.created")
        started_at = asyncio.get_running_loop().time()
        await supervisor.drain("the server restarts", 3_000)
        assert asyncio.get_running_loop().time() - started_at < 4
        await client.until_closed()
        assert len(client.of("response.done")) == len(client.of("response.created"))
        assert chat.generations[0].cancelled


async def test_leaving_the_supervisor_ends_every_session() -> None:
    async with supervised() as supervisor:
        clients = [await Client.connect(supervisor) for _ in range(5)]
    for client in clients:
        code, reason = await client.until_closed()
        assert code in {1001, 1012}
        assert reason
        with pytest.raises(SessionEnded):
            client.handle.attach()


async def test_an_error_inside_the_supervisor_block_comes_out_as_it_is() -> None:
    async def fail() -> None:
        async with supervised() as supervisor:
            await Client.connect(supervisor)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_a_broken_session_closes_with_1011_and_a_report_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handle: Any = RealtimeSession.handle

    def broken(self: RealtimeSession, item: Any, now: Any) -> Any:
        if isinstance(item, ClientEventReceived) and item.event.event_id == "break":
            raise KeyError(CANARY)
        return handle(self, item, now)

    monkeypatch.setattr(RealtimeSession, "handle", broken)
    metrics = CountedMetrics()
    with caplog.at_level(logging.DEBUG):
        async with supervised(metrics=metrics) as supervisor:
            victim, other = await Client.connect(supervisor), await Client.connect(supervisor)
            await other.ask("hello")
            await victim.ask(CANARY)
            await victim.send("response.create", event_id="break")
            assert await victim.until_closed() == (1011, "server_error.internal_error")
            assert victim.events[-1]["error"]["code"] == "internal_error"
            assert (await other.until("response.done"))["response"]["status"] == "completed"
            await other.ask("still there?")
            assert (await other.until("response.done"))["response"]["status"] == "completed"
            assert metrics.of("closed")[0][0] == "crashed"
            assert supervisor.get(victim.handle.session_id) is None
            await other.leave()
    reports = [record for record in caplog.records if record.message == "session broke"]
    assert len(reports) == 1
    report = vars(reports[0])
    assert (report["exception"], report["session_id"]) == ("KeyError", victim.handle.session_id)
    assert "broken" in report["origin"]
    assert report["last_steps"][-1].endswith("ResponseCreate -> KeyError")
    assert CANARY not in caplog.text
    assert CANARY not in repr(report["last_steps"])


async def test_a_deadline_that_never_moves_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    handle: Any = RealtimeSession.handle
    monkeypatch.setattr(RealtimeSession, "deadline", property(lambda self: 0))
    monkeypatch.setattr(RealtimeSession, "handle", lambda s, i, n: [] if isinstance(i, Tick) else handle(s, i, n))
    metrics = CountedMetrics()
    async with supervised(metrics=metrics) as supervisor:
        await supervisor.open(SessionConfig())
        await asyncio.sleep(1)
        assert metrics.of("closed")[0][0] == "crashed"


async def test_speech_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    recognizer = FakeRecognizer([CANARY])
    with caplog.at_level(logging.DEBUG):
        async with supervised(engine_set(recognizer=recognizer)) as supervisor:
            client = await Client.connect(supervisor, SessionConfig(instructions=CANARY))
            await client.speak(utterance() + silence(1500))
            await client.until("response.done")
            await client.attachment.receive(CANARY)
            await client.until("error")
            await client.leave()
    assert CANARY not in caplog.text


class _Speaker:
    """A playout that plays nothing and remembers everything."""

    full = False

    def __init__(self) -> None:
        self.played = b""
        self.ended: list[ItemId] = []
        self.flushed: list[ItemId] = []

    def play(self, out: AudioOut) -> None:
        self.played += out.pcm

    def end(self, item_id: ItemId) -> None:
        self.ended.append(item_id)

    def flush(self, item_id: ItemId) -> None:
        self.flushed.append(item_id)


async def test_server_paced_speech_goes_to_the_playout_and_its_reports_come_back() -> None:
    speaker = _Speaker()
    chat = FakeChatModel([say(LONG, word_ms=100)])
    async with supervised(engine_set(chat=chat)) as supervisor:
        handle: SessionHandle = await supervisor.open(SessionConfig(), playout=speaker)
        client = await Client.join(handle, wants_audio=False)
        await client.ask("everything")
        response_id = ResponseId((await client.until("response.created"))["response"]["id"])
        await asyncio.sleep(3)
        handle.report_playout(PlayoutStarted(response_id))
        await client.until("output_audio_buffer.started")
        assert len(speaker.played) > 48_000
        assert client.audio() == b""
        await client.send("output_audio_buffer.clear")
        await asyncio.sleep(0.02)
        assert len(speaker.flushed) == 1
        handle.report_playout(PlayoutFlushed(speaker.flushed[0], 24_000))
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == 1000
        await client.send("response.cancel")
        handle.report_playout(PlayoutDrained(response_id))
        await client.leave()


async def test_directory_gives_a_session_to_one_node_only() -> None:
    directory = MemoryDirectory()
    async with supervised() as supervisor:
        handle = await supervisor.open(SessionConfig())
        assert await directory.claim(handle.session_id, "a")
        assert not await directory.claim(handle.session_id, "b")
        assert await directory.locate(handle.session_id) == "a"
        await directory.release(handle.session_id, "b")
        assert await directory.locate(handle.session_id) == "a"
        await directory.release(handle.session_id, "a")
        assert await directory.locate(handle.session_id) is None
