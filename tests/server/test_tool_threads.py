"""Agents' plain functions run beside the loop, so many at once; one that hangs keeps no server alive."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from served import parley_serve
from websockets.asyncio.client import connect

from parley.server.tool_threads import ToolThreads
from parley.testing import call, say
from parley.testing.stub_openai import StubOpenAI

HANGING = """
import time

def look_up(name: str) -> str:
    '''Look a name up.'''
    while True:
        time.sleep(0.05)
"""


def test_results_and_exceptions_come_back() -> None:
    threads = ToolThreads(2, "tools")
    assert threads.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(5)
    assert threads.submit(threading.current_thread).result(5).daemon
    threads.shutdown()


def test_so_many_run_at_once_and_idle_threads_are_used_again() -> None:
    threads = ToolThreads(2, "tools")
    gate, running = threading.Event(), threading.Semaphore(0)

    def wait() -> str:
        running.release()
        gate.wait(10)
        return threading.current_thread().name

    futures = [threads.submit(wait) for _ in range(5)]
    assert running.acquire(timeout=5)
    assert running.acquire(timeout=5)
    assert not running.acquire(timeout=0.1), "a third one waits"
    gate.set()
    assert {future.result(5) for future in futures} == {"tools-1", "tools-2"}
    threads.shutdown()


def test_a_shutdown_waits_for_nothing_and_drops_what_has_not_begun() -> None:
    threads = ToolThreads(1, "tools")
    gate, began = threading.Event(), threading.Event()

    def wait() -> str:
        began.set()
        gate.wait(10)
        return "done"

    running, waiting = threads.submit(wait), threads.submit(wait)
    assert began.wait(5)
    threads.shutdown()
    with pytest.raises(CancelledError):
        waiting.result(5)
    with pytest.raises(RuntimeError, match="stopping"):
        threads.submit(wait)
    gate.set()
    assert running.result(5) == "done"


@pytest.mark.timeout(120)
async def test_a_function_that_hangs_keeps_no_server_alive(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    async with StubOpenAI(chat=[call("look_up", {"name": "Ada"}), say("Done.")]) as stub:
        file = tmp_path / "parley.toml"
        file.write_text(f'llm = "{stub.url}"\nllm_model = "m"\n[agents.a]\ntools = "hanging:look_up"\n')
        serving = parley_serve("--config", str(file))
        served = await asyncio.to_thread(serving.__enter__)
        try:
            async with connect(f"{served.websocket_url}/v1/realtime?model=a", proxy=None) as socket:
                await socket.send(json.dumps({"type": "response.create"}))
                async for text in socket:
                    if "look_up" in str(text) and json.loads(text)["type"] == "conversation.item.done":
                        break
                await asyncio.sleep(0.5)
            began = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(served.process.wait, 30) == 0
            assert time.monotonic() - began < 20
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)
