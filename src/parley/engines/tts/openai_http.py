"""A synthesizer behind any OpenAI-compatible `/v1/audio/speech`, streamed as PCM.

Here: the request, its time-outs, its one retry, and what a client's voice name means to the server. Not here: what the
bytes are (`pcm_stream`), the server and its failures (`openai_endpoint`).

A client's voice is an alias. The server is asked for it; if it refuses, a voice of its own list takes that place, and
that is remembered. A configured voice (`--voice`) always wins and is never replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import openai

from parley.engines.base import Capabilities, EngineError, EngineInfo, SpeechChunk
from parley.engines.catalog import StageSettings
from parley.engines.openai_endpoint import Endpoint, Timeouts
from parley.engines.read_ahead import ReadAhead
from parley.engines.tts.pcm_stream import PcmStream, UnusableAudio

__all__ = ["OpenAISynthesizer", "build"]

_BYTES_PER_MS = 48
_FIRST_BYTES = 40 * _BYTES_PER_MS
_CHUNK_BYTES = 100 * _BYTES_PER_MS
_SLOWEST, _FASTEST = 0.25, 4.0


class OpenAISynthesizer:
    """Speak by HTTP. Any number at once; a cancelled stream closes its connection."""

    def __init__(self, settings: StageSettings, *, timeouts: Timeouts | None = None, rate_hz: int = 24_000) -> None:
        """`rate_hz` is that of bare PCM from this server; a WAV header or a `rate=` in its answer wins."""
        self._endpoint = Endpoint("tts", settings, timeouts=timeouts)
        self._create = self._endpoint.client.audio.speech.with_streaming_response.create
        self._voice = settings.voice
        self._rate_hz = rate_hz
        self._voices: dict[str, str] = {}
        self._open: set[ReadAhead[SpeechChunk]] = set()

    @property
    def info(self) -> EngineInfo:
        endpoint = self._endpoint
        return EngineInfo("tts", "openai", endpoint.model or "the server's default", "the server's", endpoint.host)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(voices=(self._voice,) if self._voice else ())

    async def warm_up(self) -> None:
        """Ask whether the server is there. Raises `EngineError`."""
        await self._endpoint.check()

    async def aclose(self) -> None:
        for speech in list(self._open):
            speech.cancel()
            await speech.closed()
        await self._endpoint.aclose()

    def speak(self, text: str, *, voice: str, speed: float) -> ReadAhead[SpeechChunk]:
        return ReadAhead(lambda: self._speak(text, voice, speed), ahead=64, name="tts-speech", among=self._open)

    async def _speak(self, text: str, voice: str, speed: float) -> AsyncGenerator[SpeechChunk, None]:
        endpoint = self._endpoint
        loop = asyncio.get_running_loop()
        ready, wanted, spoke = bytearray(), _FIRST_BYTES, False
        try:
            async with AsyncExitStack() as stack:
                due_at = loop.time() + endpoint.timeouts.first_s
                async with asyncio.timeout_at(due_at):
                    response = await self._request(stack, text, voice, speed)
                sound = PcmStream(self._rate_hz, content_type=response.headers.get("content-type", ""))
                pieces = aiter(response.aiter_bytes())
                while True:
                    async with asyncio.timeout_at(due_at):
                        data = await anext(pieces, None)
                    if data is None:
                        break
                    due_at = loop.time() + endpoint.timeouts.stall_s
                    ready += sound.push(data)
                    if len(ready) >= wanted:
                        yield SpeechChunk(bytes(ready))
                        ready.clear()
                        wanted, spoke = _CHUNK_BYTES, True
                ready += sound.flush()
        except TimeoutError as error:
            raise endpoint.error("timeout", "fell silent: is it overloaded?", retryable=True) from error
        except UnusableAudio as error:
            raise endpoint.error("garbled", f"{error}: choose one that streams PCM or WAV; --tts sets it.") from error
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise endpoint.explain(error) from error
        if ready:
            yield SpeechChunk(bytes(ready))
        elif not spoke:
            raise endpoint.error("garbled", "answered without any sound: its own log may say why.")

    async def _request(self, stack: AsyncExitStack, text: str, voice: str, speed: float) -> httpx2.Response:
        """Open the stream, once more if that is worth it: with a voice it has, or after a passing failure."""
        asked = self._voice or self._voices.get(voice, voice)
        try:
            return await self._post(stack, text, asked, speed)
        except (openai.BadRequestError, openai.NotFoundError, openai.UnprocessableEntityError) as error:
            own = None if self._voice or voice in self._voices else await self._voice_like(voice)
            if own is None or own == asked:
                raise self._refused(error, asked) from error
            self._voices[voice] = own
            return await self._post(stack, text, own, speed)
        except (openai.APIError, httpx2.HTTPError) as error:
            delay_s = self._endpoint.retry_delay_s(error)
            if delay_s is None:
                raise
            await asyncio.sleep(delay_s)
        return await self._post(stack, text, asked, speed)

    async def _post(self, stack: AsyncExitStack, text: str, voice: str, speed: float) -> httpx2.Response:
        request: dict[str, Any] = {
            "model": await self._endpoint.model_name(),
            "input": text,
            "voice": voice,
            "response_format": "pcm",
        }
        if speed != 1.0:
            request["speed"] = min(max(speed, _SLOWEST), _FASTEST)
        answer = await stack.enter_async_context(self._create(**request))
        response: httpx2.Response = answer.http_response
        return response

    async def _voice_like(self, alias: str) -> str | None:
        """Choose from the server's own voices, if it lists them (many do, at `/v1/audio/voices`)."""
        try:
            body = await self._endpoint.client.get("/audio/voices", cast_to=object)
        except (openai.OpenAIError, httpx2.HTTPError, ValueError):
            return None
        rows = body.get("voices") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            return None
        names = [row.get("id") or row.get("name") if isinstance(row, dict) else row for row in rows]
        voices = [name for name in names if isinstance(name, str) and name]
        return next((name for name in voices if alias.lower() in name.lower()), voices[0] if voices else None)

    def _refused(self, error: openai.APIStatusError, voice: str) -> EngineError:
        if isinstance(error, openai.NotFoundError):
            return self._endpoint.explain(error)
        what = (
            f"rejected the request (HTTP {error.status_code}): does it know the voice {voice!r}? --voice sets another."
        )
        return self._endpoint.error("rejected", what)


def build(stage: StageSettings, models_dir: Path) -> OpenAISynthesizer:
    """Make the engine for the catalogue."""
    del models_dir
    return OpenAISynthesizer(stage)
