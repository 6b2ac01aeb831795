"""Recognition by upload: when it begins, what is sent, what is made of the answer."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from parley.engines.base import EngineError, RecognitionOptions
from parley.engines.catalog import StageSettings
from parley.engines.openai_endpoint import Timeouts
from parley.engines.stt import openai_http
from parley.engines.stt.openai_http import OpenAIRecognition, OpenAIRecognizer
from parley.protocol.realtime.generation import TokenLogProb
from parley.testing import tone
from parley.testing.stub_openai import Behaviour, StubOpenAI

SECOND = tone(24_000)
SILENCE = bytes(24_000)


class LoudIsVoice:
    """Voice activity for tones: anything loud is a voice."""

    def push(self, pcm: bytes) -> list[float]:
        return [1.0 if any(pcm[at : at + 768]) else 0.0 for at in range(0, len(pcm), 768)]


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_http, "VoiceActivity", LoudIsVoice)


@pytest.fixture
async def stub() -> AsyncIterator[StubOpenAI]:
    async with StubOpenAI(transcripts=["the first", "the second", "the third"]) as server:
        yield server


@pytest.fixture
async def open_turn(stub: StubOpenAI) -> AsyncIterator[Callable[..., OpenAIRecognition]]:
    engine = OpenAIRecognizer(StageSettings(stub.url), timeouts=Timeouts(0.5, 1.5, 0.4))

    def opened(**options: Any) -> OpenAIRecognition:
        return engine.open(RecognitionOptions(**options))

    yield opened
    await engine.aclose()


Open = Callable[..., OpenAIRecognition]


async def test_log_probabilities_are_asked_for_and_read(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn(logprobs=True)
    turn.feed(SECOND)
    transcript = await turn.finish()
    assert transcript.logprobs == (TokenLogProb("the", -0.1), TokenLogProb("first", -0.1))
    (request,) = stub.transcription_requests
    assert (request.fields["include[]"], request.fields["response_format"]) == ("logprobs", "json")


async def test_a_server_that_knows_no_log_probabilities_is_asked_without(stub: StubOpenAI, open_turn: Open) -> None:
    stub.behave("transcriptions", Behaviour(status=400))
    turn = open_turn(logprobs=True)
    turn.feed(SECOND)
    transcript = await turn.finish()
    assert transcript.logprobs == ()
    assert transcript.text
    formats = [(one.fields.get("include[]"), one.fields["response_format"]) for one in stub.transcription_requests]
    assert formats == [("logprobs", "json"), (None, "verbose_json")]


async def test_a_wav_of_16_khz_is_sent_with_hints(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn(language="de", prompt="names", model="gpt-4o-transcribe")
    turn.feed(SECOND)
    transcript = await turn.finish()
    assert (transcript.text, transcript.language) == ("the first", "en")
    (request,) = stub.transcription_requests
    assert request.fields == {
        "model": "stub-model", "language": "de", "prompt": "names", "response_format": "verbose_json",
    }  # fmt: skip
    wav = request.files["file"]
    assert wav[:4] == b"RIFF"
    assert struct.unpack_from("<I", wav, 24)[0] == 16_000
    assert abs(len(wav) - 44 - 32_000) <= 200


async def test_the_upload_begins_with_the_silence(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn()
    turn.feed(SECOND)
    turn.settle()
    turn.feed(SILENCE)
    async with asyncio.timeout(5):
        while not stub.transcription_requests:
            await asyncio.sleep(0.005)
    assert (await turn.finish()).text == "the first"
    assert len(stub.transcription_requests) == 1


async def test_a_voice_that_comes_back_makes_the_guess_worthless(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn()
    turn.feed(SECOND)
    turn.settle()
    async with asyncio.timeout(5):
        while not stub.transcription_requests:
            await asyncio.sleep(0.005)
    turn.feed(SECOND)
    assert (await turn.finish()).text == "the second"
    assert (
        len(stub.transcription_requests[1].files["file"]) > len(stub.transcription_requests[0].files["file"]) + 30_000
    )


async def test_each_silence_brings_a_reading(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn()
    partials = turn.partials()
    turn.feed(SECOND)
    turn.settle()
    async with asyncio.timeout(5):
        assert (await anext(aiter(partials))).text == "the first"
        turn.feed(SECOND)
        turn.settle()
        assert (await anext(aiter(partials))).text == "the second"
        assert (await turn.finish()).text == "the second"
        with pytest.raises(StopAsyncIteration):
            await anext(aiter(partials))


async def test_a_server_without_verbose_answers_is_asked_plainly(stub: StubOpenAI, open_turn: Open) -> None:
    stub.behave("transcriptions", Behaviour(status=400))
    for _ in range(2):
        turn = open_turn()
        turn.feed(SECOND)
        assert (await turn.finish()).text
    assert [request.fields["response_format"] for request in stub.transcription_requests] == [
        "verbose_json", "json", "json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type", "text", "language"),
    [
        (b'{"text": " Hello. "}', "application/json", "Hello.", None),
        (b"Hello.\n", "text/plain; charset=utf-8", "Hello.", None),
        (b'{"text": "Hello."}', "text/plain", "Hello.", None),
        (b'{"text": "You", "language": "en", "segments": [{"no_speech_prob": 0.9}]}', "application/json", "", "en"),
        (b'{"text": "A", "segments": [{"no_speech_prob": 0}, {"no_speech_prob": 1}]}', "application/json", "A", None),
        (b'{"text": "Hi", "segments": [], "language": ""}', "application/json", "Hi", None),
    ],
)  # fmt: skip
async def test_answers_of_every_kind_are_read(
    stub: StubOpenAI, open_turn: Open, body: bytes, content_type: str, text: str, language: str | None
) -> None:
    stub.behave("transcriptions", Behaviour(body=body, content_type=content_type))
    turn = open_turn()
    turn.feed(SECOND)
    transcript = await turn.finish()
    assert (transcript.text, transcript.language) == (text, language)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(status=401), "stt_unauthorized"),
        (Behaviour(status=400), "stt_rejected"),
        (Behaviour(status=500), "stt_failed"),
        (Behaviour(stall_after=0), "stt_timeout"),
        (Behaviour(body=b"<html>"), "stt_garbled"),
        (Behaviour(body=b'{"no": "text"}'), "stt_garbled"),
    ],
)
async def test_failures_name_the_stage(stub: StubOpenAI, open_turn: Open, behaviour: Behaviour, code: str) -> None:
    stub.behave("transcriptions", behaviour, times=None)
    turn = open_turn()
    turn.feed(SECOND)
    with pytest.raises(EngineError) as caught:
        await turn.finish()
    assert caught.value.code == code
    assert caught.value.message.startswith("The speech recognition at http://127.0.0.1:")


async def test_a_guess_that_failed_in_passing_is_made_again(stub: StubOpenAI, open_turn: Open) -> None:
    stub.behave("transcriptions", Behaviour(status=500), times=2)
    turn = open_turn()
    turn.feed(SECOND)
    turn.settle()
    assert (await turn.finish()).text
    assert len(stub.transcription_requests) == 3


async def test_nothing_said_asks_nothing(stub: StubOpenAI, open_turn: Open) -> None:
    assert (await open_turn().finish()).text == ""
    assert stub.requests == []


async def test_a_very_short_turn_is_long_enough_for_the_server(stub: StubOpenAI, open_turn: Open) -> None:
    turn = open_turn()
    turn.feed(tone(480))
    assert (await turn.finish()).text
    assert len(stub.transcription_requests[0].files["file"]) >= 44 + 3200


async def test_a_cancelled_turn_closes_its_upload(stub: StubOpenAI, open_turn: Open) -> None:
    stub.behave("transcriptions", Behaviour(stall_after=0))
    turn = open_turn()
    turn.feed(SECOND)
    turn.settle()
    async with asyncio.timeout(5):
        while not stub.transcription_requests:
            await asyncio.sleep(0.005)
        turn.cancel()
        while not stub.transcription_requests[0].gone:
            await asyncio.sleep(0.005)
