"""Whatever an engine does, a response ends exactly once, says why, and the session goes on."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from event_order import order_faults
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.engines.base import Capabilities, EngineError, EngineInfo, Transcript
from parley.protocol.realtime.generation import AudioDelta, Chunk, Done, Failed, GenerationContext, TextDelta
from parley.runtime.limits import Limits
from parley.testing import FakeRecognizer, FakeTurnDetector, Hang, engine_set

CANARY = "zebra crossing at noon"


class Script:
    """A responder that gives each of `streams` once, then answers properly."""

    def __init__(self, *streams: Callable[[], AsyncIterator[Any]]) -> None:
        self.streams = list(streams)
        self.cancels = 0

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("llm", "script", "script", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    async def warm_up(self) -> None: ...

    async def aclose(self) -> None: ...

    def generate(self, context: GenerationContext) -> Any:
        return _Stream(self, self.streams.pop(0) if self.streams else fine)


class _Stream:
    def __init__(self, script: Script, stream: Callable[[], AsyncIterator[Any]]) -> None:
        self._script = script
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._stream()

    def cancel(self) -> None:
        self._script.cancels += 1


async def fine() -> AsyncIterator[Any]:
    yield TextDelta("fine")
    yield Done()


async def dead() -> AsyncIterator[Any]:
    raise EngineError("The LLM refused the connection: is it running? --llm sets it.", code="engine_unreachable")
    yield  # type: ignore[unreachable]


async def dead_midway() -> AsyncIterator[Any]:
    yield TextDelta("half a ")
    raise EngineError("The LLM hung up.", code="engine_gone")


async def hanging() -> AsyncIterator[Any]:
    import asyncio

    yield TextDelta("half a ")
    await asyncio.Event().wait()


async def stopping_short() -> AsyncIterator[Any]:
    yield TextDelta("half a ")


async def nonsense() -> AsyncIterator[Any]:
    yield {"type": "TextDelta"}


async def half_a_sample() -> AsyncIterator[Any]:
    yield TextDelta("half a ")
    yield AudioDelta(b"\0\0\0")


async def buggy() -> AsyncIterator[Any]:
    yield TextDelta("half a ")
    raise ValueError(CANARY)


async def failing_by_chunk() -> AsyncIterator[Any]:
    yield Failed("quota", "The quota is used up.")
    yield TextDelta("never seen")


async def talking_after_done() -> AsyncIterator[Any]:
    yield Done()
    yield TextDelta("never seen")


def refusing() -> AsyncIterator[Any]:
    raise RuntimeError(CANARY)


@pytest.mark.parametrize(
    ("stream", "status", "code"),
    [
        (dead, "failed", "engine_unreachable"),
        (dead_midway, "failed", "engine_gone"),
        (hanging, "failed", "engine_timeout"),
        (stopping_short, "failed", "engine_ended_early"),
        (nonsense, "failed", "engine_garbled"),
        (half_a_sample, "failed", "engine_garbled"),
        (buggy, "failed", "engine_crashed"),
        (failing_by_chunk, "failed", "quota"),
        (talking_after_done, "completed", None),
        (refusing, "failed", "engine_crashed"),
    ],
)
async def test_response_ends_once_and_the_next_is_fine(
    stream: Callable[[], AsyncIterator[Any]], status: str, code: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    responder = Script(stream)
    with caplog.at_level(logging.DEBUG):
        async with supervised(engine_set(responder=responder)) as supervisor:
            client = await Client.connect(supervisor)
            await client.ask("hello")
            done = await client.until("response.done")
            assert done["response"]["status"] == status
            if code is not None:
                assert done["response"]["status_details"]["error"]["code"] == code
            await client.ask("again")
            assert (await client.until("response.done"))["response"]["status"] == "completed"
            assert responder.cancels == 2
            assert len(client.of("response.done")) == len(client.of("response.created")) == 2
            assert client.of("error") == []
            assert order_faults(client.events) == []
            await client.leave()
    assert CANARY not in caplog.text


class _BuggyRecognition:
    def __init__(self, where: str) -> None:
        self.where = where

    def _maybe(self, here: str) -> None:
        if here == self.where:
            raise ZeroDivisionError(CANARY)

    def feed(self, pcm: bytes) -> None:
        self._maybe("feed")

    def settle(self) -> None:
        self._maybe("settle")

    async def partials(self) -> AsyncIterator[Transcript]:
        self._maybe("partials")
        yield Transcript("")

    async def finish(self) -> Transcript:
        self._maybe("finish")
        return Transcript("understood all the same")

    def cancel(self) -> None:
        self._maybe("cancel")


class _BuggyRecognizer(FakeRecognizer):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def open(self, options: Any) -> Any:
        if self.where == "open":
            raise ZeroDivisionError(CANARY)
        return _BuggyRecognition(self.where)


@pytest.mark.parametrize(
    ("where", "transcribed"),
    [("open", False), ("feed", True), ("settle", True), ("partials", True), ("finish", False), ("cancel", True)],
)
async def test_broken_recogniser_fails_the_turn_not_the_session(where: str, transcribed: bool) -> None:
    async with supervised(engine_set(recognizer=_BuggyRecognizer(where))) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"transcription": {}}}})
        await client.speak(utterance() + silence(1200))
        done = await client.until("response.done")
        assert done["response"]["status"] == ("completed" if transcribed else "failed")
        kind = "conversation.item.input_audio_transcription." + ("completed" if transcribed else "failed")
        assert len(client.of(kind)) == 1
        await client.ask("are you there?")
        assert order_faults(client.events) == []
        await client.until("response.done")
        await client.leave()


@pytest.mark.parametrize(
    ("heard", "code"),
    [(Hang(), "engine_timeout"), (EngineError("The STT is down.", code="engine_unreachable"), "engine_unreachable")],
)
async def test_recogniser_that_hangs_or_refuses(heard: Hang | EngineError, code: str) -> None:
    limits = Limits(recognition_ms=8_000)
    async with supervised(engine_set(recognizer=FakeRecognizer([heard])), limits=limits) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"transcription": {}}}})
        await client.speak(utterance() + silence(1200))
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == code
        await client.leave()


@pytest.mark.parametrize("fault", ["slow", "broken"])
async def test_turn_detector_that_fails_is_not_heard(fault: str) -> None:
    class Detector(FakeTurnDetector):
        async def score(self, pcm: bytes, text: str) -> float:
            import asyncio

            if fault == "broken":
                raise ZeroDivisionError
            await asyncio.Event().wait()
            return 0.0

    async with supervised(engine_set(turn_detector=Detector())) as supervisor:
        client = await Client.connect(supervisor)
        audio = {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.speak(utterance() + silence(9000))
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        await client.leave()
