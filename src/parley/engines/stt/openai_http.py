"""A recogniser behind any OpenAI-compatible `/v1/audio/transcriptions`: one upload a turn, begun in the silence.

Here: the turn's audio, the upload that is begun on a guess, the answer's reading. Not here: the server and its
failures (`openai_endpoint`). The guess: when silence begins, what was said goes up at once; if a voice comes back, that
upload is dropped and the next silence begins another. So its time hides in the wait for the turn's end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import openai

from parley.audio import RATE_HZ, Resampler, VoiceActivity, wav_bytes
from parley.engines.base import Capabilities, EngineError, EngineInfo, RecognitionOptions, Transcript
from parley.engines.catalog import StageSettings
from parley.engines.openai_endpoint import Endpoint, Timeouts
from parley.engines.read_ahead import ReadAhead
from parley.protocol.realtime.generation import TokenLogProb

__all__ = ["OpenAIRecognition", "OpenAIRecognizer", "build"]

_UPLOAD_HZ = 16_000
_SHORTEST_BYTES = _UPLOAD_HZ * 2 // 5
_VOICE = 0.5
_NO_SPEECH = 0.6

BeginUpload = Callable[[bytes, asyncio.Event], ReadAhead[Transcript]]


class OpenAIRecognizer:
    """Recognise by upload."""

    def __init__(self, settings: StageSettings, *, timeouts: Timeouts | None = None) -> None:
        self._endpoint = Endpoint("stt", settings, timeouts=timeouts)
        self._create = self._endpoint.client.audio.transcriptions.with_raw_response.create
        self._format = "verbose_json"
        self._gives_logprobs = True
        self._open: set[ReadAhead[Transcript]] = set()

    @property
    def info(self) -> EngineInfo:
        endpoint = self._endpoint
        return EngineInfo("stt", "openai", endpoint.model or "the server's default", "the server's", endpoint.host)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(streaming=False)

    async def warm_up(self) -> None:
        """Ask whether the server is there. Raises `EngineError`."""
        await self._endpoint.check()

    async def aclose(self) -> None:
        for upload in list(self._open):
            upload.cancel()
            await upload.closed()
        await self._endpoint.aclose()

    def open(self, options: RecognitionOptions) -> OpenAIRecognition:
        def upload(pcm: bytes, changed: asyncio.Event) -> ReadAhead[Transcript]:
            return ReadAhead(lambda: self._upload(pcm, options), name="stt-upload", changed=changed, among=self._open)

        return OpenAIRecognition(upload)

    async def _upload(self, pcm: bytes, options: RecognitionOptions) -> AsyncGenerator[Transcript, None]:
        """Send PCM16 at 16 kHz, yield its one reading."""
        endpoint = self._endpoint
        wav = wav_bytes(pcm.ljust(_SHORTEST_BYTES, b"\0"), rate_hz=_UPLOAD_HZ)
        try:
            async with asyncio.timeout(endpoint.timeouts.first_s):
                answer = await self._request(wav, options)
            transcript = _read(answer)
        except TimeoutError as error:
            raise endpoint.explain(error) from error
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise endpoint.explain(error) from error
        yield transcript

    async def _request(self, wav: bytes, options: RecognitionOptions) -> httpx2.Response:
        """Upload, once more if that is worth it: with a plainer format, or after a passing failure."""
        try:
            return await self._post(wav, options)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            if options.logprobs and self._gives_logprobs:
                self._gives_logprobs = False
            elif self._format != "json":
                self._format = "json"
            else:
                raise
        except (openai.APIError, httpx2.HTTPError) as error:
            delay_s = self._endpoint.retry_delay_s(error)
            if delay_s is None:
                raise
            await asyncio.sleep(delay_s)
        return await self._post(wav, options)

    async def _post(self, wav: bytes, options: RecognitionOptions) -> httpx2.Response:
        request: dict[str, Any] = {
            "file": ("turn.wav", wav, "audio/wav"),
            "model": await self._endpoint.model_name(),
            "response_format": self._format,
        }
        if options.language:
            request["language"] = options.language
        if options.prompt:
            request["prompt"] = options.prompt
        if options.logprobs and self._gives_logprobs:
            request |= {"include": ["logprobs"], "response_format": "json"}
        raw = await self._create(**request)
        response: httpx2.Response = raw.http_response
        return response


class OpenAIRecognition:
    """One turn. Its memory is 32 kB a second of speech."""

    def __init__(self, begin_upload: BeginUpload) -> None:
        self._begin_upload = begin_upload
        self._resampler = Resampler(RATE_HZ, _UPLOAD_HZ)
        self._voice = VoiceActivity()
        self._pcm = bytearray()
        self._guess: ReadAhead[Transcript] | None = None
        self._guessed: Transcript | None = None
        self._changed = asyncio.Event()
        self._over = False

    def feed(self, pcm: bytes) -> None:
        self._pcm += self._resampler.push(pcm)
        if any(probability >= _VOICE for probability in self._voice.push(pcm)):
            self._drop_guess()

    def settle(self) -> None:
        """Upload what was said so far, on the guess that it is all."""
        self._drop_guess()
        if self._pcm and not self._over:
            self._guess = self._begin_upload(bytes(self._pcm), self._changed)
            self._guess.start()

    async def partials(self) -> AsyncIterator[Transcript]:
        """Yield what a guess brought, when it comes before the turn's end."""
        shown: Transcript | None = None
        while not self._over:
            if self._guess is not None and self._guessed is None:
                with suppress(EngineError):
                    self._guessed = self._guess.take()
            if self._guessed is not None and self._guessed is not shown:
                shown = self._guessed
                yield shown
            else:
                self._changed.clear()
                await self._changed.wait()

    async def finish(self) -> Transcript:
        self._over = True
        self._changed.set()
        if self._guessed is not None:
            return self._guessed
        if not self._pcm:
            return Transcript("")
        if self._guess is not None:
            try:
                return await self._result(self._guess)
            except EngineError as error:
                if not error.retryable:
                    raise
        self._guess = self._begin_upload(bytes(self._pcm), self._changed)
        return await self._result(self._guess)

    def cancel(self) -> None:
        self._over = True
        self._drop_guess()

    async def _result(self, upload: ReadAhead[Transcript]) -> Transcript:
        transcript = await anext(upload, None)
        if transcript is None:
            raise EngineError("The recognition was cancelled.", code="cancelled")
        return transcript

    def _drop_guess(self) -> None:
        if self._guess is not None:
            self._guess.cancel()
        self._guess = self._guessed = None
        self._changed.set()


def _read(response: httpx2.Response) -> Transcript:
    """Read any of the formats servers answer in: verbose JSON, JSON, plain text. Raises `ValueError`."""
    if response.headers.get("content-type", "").startswith("text/plain"):
        plain = response.text
        if not plain.lstrip().startswith("{"):
            return Transcript(plain.strip())
    body = json.loads(response.content)
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise ValueError("no text")
    segments = body.get("segments")
    language = body.get("language")
    logprobs: list[float] = []
    if isinstance(segments, list) and segments:
        rows = [row for row in segments if isinstance(row, dict)]
        silences = [row.get("no_speech_prob") for row in rows]
        if all(isinstance(chance, int | float) and chance > _NO_SPEECH for chance in silences):
            text = ""
        logprobs = [row["avg_logprob"] for row in rows if isinstance(row.get("avg_logprob"), int | float)]
    return Transcript(
        text.strip(),
        language=language if isinstance(language, str) and language else None,
        confidence=sum(logprobs) / len(logprobs) if logprobs else None,
        logprobs=_token_logprobs(body.get("logprobs")),
    )


def _token_logprobs(rows: Any) -> tuple[TokenLogProb, ...]:
    """Read `logprobs` of an answer: a list of `{token, logprob, bytes}`."""
    if not isinstance(rows, list):
        return ()
    return tuple(
        TokenLogProb(row["token"], float(row["logprob"]))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("token"), str) and isinstance(row.get("logprob"), int | float)
    )


def build(stage: StageSettings, models_dir: Path) -> OpenAIRecognizer:
    """Make the engine for the catalogue."""
    del models_dir
    return OpenAIRecognizer(stage)
