"""How sessions end: by their client, their age, nobody coming; and that nothing of them stays behind."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from runtime_kit import Client, CountedMetrics, supervised, utterance
from spoken import silence

from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.runner import SessionRunner
from parley.testing import FakeChatModel, FakeRecognizer, Hang, engine_set, say


def tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


async def test_client_gone_in_mid_answer_frees_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    runners: list[weakref.ref[SessionRunner]] = []
    make = SessionRunner.__init__

    def remembered(self: SessionRunner, *args: object, **options: object) -> None:
        make(self, *args, **options)  # type: ignore[arg-type]
        runners.append(weakref.ref(self))

    monkeypatch.setattr(SessionRunner, "__init__", remembered)
    metrics = CountedMetrics()
    chat = FakeChatModel([say("This is a long answer. " * 40, word_ms=100)])
    async with supervised(engine_set(chat=chat), metrics=metrics) as supervisor:
        before = tasks()
        client = await Client.connect(supervisor)
        await client.ask("everything")
        await client.until("response.output_audio.delta")
        assert len(tasks() - before) > 2
        await client.leave()
        await asyncio.sleep(1)
        assert tasks() - before == set()
        assert chat.generations[0].cancelled
        assert len(supervisor) == 0
        assert supervisor.get(client.handle.session_id) is None
        assert metrics.of("closed")[0][0] == "client_left"
        del client
        gc.collect()
        assert [runner() for runner in runners] == [None]


async def test_client_gone_while_it_is_heard_frees_the_recogniser() -> None:
    recognizer = FakeRecognizer([Hang()], word_every_ms=100)
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        before = tasks()
        client = await Client.connect(supervisor)
        await client.speak(utterance() + silence(900))
        await client.until("input_audio_buffer.committed")
        await client.leave()
        await asyncio.sleep(1)
        assert tasks() - before == set()
        assert recognizer.opened[0].cancelled


async def test_client_gone_with_its_reader_waiting_lets_the_reader_go() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.append(silence(250_000))
        waiting = [asyncio.create_task(client.append(silence(100_000))) for _ in range(8)]
        for _ in range(6):
            await asyncio.sleep(0)
        assert not all(task.done() for task in waiting), "back-pressure holds the reader"
        await client.leave()
        done, pending = await asyncio.wait(waiting, timeout=5)
        assert not pending
        assert [task.exception() for task in done] == [None] * 8
        await client.append(silence(100))


async def test_a_session_lives_sixty_minutes() -> None:
    metrics = CountedMetrics()
    async with supervised(metrics=metrics) as supervisor:
        client = await Client.connect(supervisor)
        opened_at = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - opened_at < 59 * 60:
            await client.ask("still there?")
            assert (await client.until("response.done"))["response"]["status"] == "completed"
            await asyncio.sleep(180)
        code, reason = await client.until_closed()
        assert asyncio.get_running_loop().time() - opened_at == pytest.approx(3600, abs=0.1)
        assert client.of("error")[-1]["error"]["code"] == "session_expired"
        assert (code, reason) == (1001, client.of("error")[-1]["error"]["message"])
        assert client.handle.ended
        assert metrics.of("closed") == [("finished", pytest.approx(3_600_000, abs=100))]
        await client.leave()


async def test_a_shorter_life_can_be_asked_for() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor, max_session_ms=60_000)
        assert (await client.until_closed())[0] == 1001
        assert asyncio.get_running_loop().time() == pytest.approx(60, abs=0.1)


async def test_a_session_nobody_joins_ends() -> None:
    metrics = CountedMetrics()
    async with supervised(metrics=metrics) as supervisor:
        handle = await supervisor.open(SessionConfig())
        await asyncio.sleep(29)
        assert [handle.ended] == [False]
        await asyncio.sleep(2)
        assert handle.ended
        assert metrics.of("closed")[0][0] == "unattached"


async def test_leaving_twice_and_sending_afterwards_is_harmless() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.leave()
        client.attachment.detach()
        await asyncio.sleep(1)
        client.attachment.detach()
        await client.ask("anybody?")
        assert len(supervisor) == 0
