"""An OpenAI-compatible server in this process that answers by script and misbehaves on request.

Here: chat, transcription, speech and model routes, and `Behaviour`, the list of ways to be a bad server. Not here: HTTP
(`tiny_http`). It runs in real time on loopback; everything it was sent can be read back.

    async with StubOpenAI(chat=[say("Hello there.")]) as stub:
        stub.behave("chat", Behaviour(split_bytes=1))
        ...  # use stub.url
        stub.chat_requests[0].json["messages"]
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from parley.protocol.realtime.generation import TextDelta
from parley.testing.fake_synthesizer import tone
from parley.testing.steps import Hang, Reply, Wait, say
from parley.testing.stub_behaviour import Behaviour
from parley.testing.stub_chat import chat_events
from parley.testing.tiny_http import HttpRequest, HttpResponse, TinyHttpServer

__all__ = ["Behaviour", "Route", "StubOpenAI"]

Route = Literal["chat", "transcriptions", "speech", "models", "voices"]

_HELLO: tuple[Reply, ...] = (say("Hello there."),)


class StubOpenAI:
    """See the module. `url` ends in `/v1`."""

    def __init__(
        self,
        *,
        chat: Sequence[Reply] | Callable[[dict[str, Any]], Reply] = _HELLO,
        transcripts: Sequence[str] = ("hello",),
        models: Sequence[str] = ("stub-model",),
        voices: Sequence[str] = (),
        ms_per_char: int = 50,
        chunk_ms: int = 100,
        realtime_factor: float = 0.0,
        key: str | None = None,
        port: int = 0,
    ) -> None:
        """Scripts are used up in order and the last repeats; `key` is the only one accepted, any if None."""
        self._chat = chat
        self._transcripts = transcripts
        self._models = models
        self._voices = voices
        self._ms_per_char = ms_per_char
        self._chunk_ms = chunk_ms
        self._realtime_factor = realtime_factor
        self._key = key
        self._behaviours: dict[Route, list[Behaviour]] = {}
        self._standing: dict[Route, Behaviour] = {}
        self._server = TinyHttpServer(self._handle)
        self._server.port = port
        self.requests: list[HttpRequest] = []

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._server.__aexit__(*reason)

    @property
    def url(self) -> str:
        """What `--llm`, `--stt` and `--tts` take."""
        return f"http://127.0.0.1:{self._server.port}/v1"

    @property
    def connections_made(self) -> int:
        """How many TCP connections there have been."""
        return self._server.connections_made

    @property
    def chat_requests(self) -> list[HttpRequest]:
        return self._of("/chat/completions")

    @property
    def transcription_requests(self) -> list[HttpRequest]:
        return self._of("/audio/transcriptions")

    @property
    def speech_requests(self) -> list[HttpRequest]:
        return self._of("/audio/speech")

    def behave(self, route: Route, behaviour: Behaviour, *, times: int | None = 1) -> None:
        """Treat the next `times` requests of `route` like this; every one from now on if None."""
        if times is None:
            self._standing[route] = behaviour
        else:
            self._behaviours.setdefault(route, []).extend([behaviour] * times)

    def _of(self, path: str) -> list[HttpRequest]:
        return [request for request in self.requests if request.path.endswith(path)]

    def _behaviour(self, route: Route) -> Behaviour:
        queue = self._behaviours.get(route)
        return queue.pop(0) if queue else self._standing.get(route, Behaviour())

    async def _handle(self, request: HttpRequest, response: HttpResponse) -> None:
        self.requests.append(request)
        routes: dict[str, tuple[Route, Callable[[HttpRequest, HttpResponse, Behaviour], Any]]] = {
            "/v1/chat/completions": ("chat", self._answer_chat),
            "/v1/audio/transcriptions": ("transcriptions", self._answer_transcription),
            "/v1/audio/speech": ("speech", self._answer_speech),
            "/v1/models": ("models", self._answer_models),
            "/v1/audio/voices": ("voices", self._answer_voices),
        }
        found = routes.get(request.path.partition("?")[0])
        if found is None:
            await response.answer_json({"error": {"message": "no such path"}}, 404)
            return
        if self._key is not None and request.headers.get("authorization") != f"Bearer {self._key}":
            await response.answer_json({"error": {"message": "bad key", "code": "invalid_api_key"}}, 401)
            return
        route, answer = found
        behaviour = self._behaviour(route)
        if behaviour.first_delay_ms:
            await response.pause(behaviour.first_delay_ms)
        if behaviour.status != 200:
            error = {"message": "as asked", "code": behaviour.error_code, "param": behaviour.error_param}
            await response.answer_json({"error": error}, behaviour.status, dict(behaviour.headers))
        elif behaviour.body is not None:
            kind = behaviour.content_type or "application/json"
            await response.whole(200, behaviour.body, {"content-type": kind})
        else:
            await answer(request, response, behaviour)

    async def _answer_models(self, _: HttpRequest, response: HttpResponse, __: Behaviour) -> None:
        rows = [{"id": model, "object": "model", "created": 0, "owned_by": "stub"} for model in self._models]
        await response.answer_json({"object": "list", "data": rows})

    async def _answer_voices(self, _: HttpRequest, response: HttpResponse, __: Behaviour) -> None:
        if self._voices:
            await response.answer_json({"voices": list(self._voices)})
        else:
            await response.answer_json({"error": {"message": "no such path"}}, 404)

    async def _answer_transcription(self, request: HttpRequest, response: HttpResponse, behaviour: Behaviour) -> None:
        number = len(self.transcription_requests) - 1
        text = self._transcripts[min(number, len(self._transcripts) - 1)]
        if behaviour.stall_after is not None:
            await response.pause(None)
        if request.fields.get("include[]") == "logprobs":
            rows = [{"token": word, "logprob": -0.1, "bytes": list(word.encode())} for word in text.split()]
            await response.answer_json({"text": text, "logprobs": rows})
        elif request.fields.get("response_format") == "verbose_json":
            await response.answer_json({"task": "transcribe", "language": "en", "duration": 1.0, "text": text})
        elif request.fields.get("response_format") == "text":
            await response.whole(200, text.encode() + b"\n", {"content-type": "text/plain; charset=utf-8"})
        else:
            await response.answer_json({"text": text})

    async def _answer_speech(self, request: HttpRequest, response: HttpResponse, behaviour: Behaviour) -> None:
        asked = request.json
        if self._voices and asked.get("voice") not in self._voices:
            await response.answer_json({"error": {"message": "unknown voice", "param": "voice"}}, 400)
            return
        ms = round(len(asked["input"]) * self._ms_per_char / asked.get("speed", 1.0))
        frame_bytes = 2 * behaviour.channels
        pcm = tone(ms * behaviour.rate_hz // 1000)
        if behaviour.channels == 2:
            pcm = b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2))
        header = _wav_header(behaviour, len(pcm)) if behaviour.wav != "none" else b""
        size = behaviour.rate_hz * frame_bytes * self._chunk_ms // 1000
        pieces = [header + pcm[:size], *(pcm[at : at + size] for at in range(size, len(pcm), size))]
        kind = behaviour.content_type or ("audio/wav" if header else "audio/pcm")
        await response.begin(200, {"content-type": kind})
        await self._send(response, iter(pieces), behaviour, pause_ms=self._chunk_ms * self._realtime_factor)

    async def _answer_chat(self, request: HttpRequest, response: HttpResponse, behaviour: Behaviour) -> None:
        asked = request.json
        if callable(self._chat):
            reply = self._chat(asked)
        else:
            reply = self._chat[min(len(self.chat_requests) - 1, len(self._chat) - 1)]
        if not asked.get("stream"):
            text = "".join(step.text for step in reply if isinstance(step, TextDelta))
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            await response.answer_json({"object": "chat.completion", "choices": [choice]})
            return
        await response.begin(200, {"content-type": "text/event-stream"})
        sent = 0
        for event in chat_events(reply, asked, behaviour):
            if isinstance(event, Wait):
                await response.pause(event.ms)
            elif isinstance(event, Hang):
                await response.pause(None)
            else:
                sent = await self._send_piece(response, b"data: " + event + b"\n\n", behaviour, sent)
                if sent < 0:
                    return
        await self._send_piece(response, b"data: [DONE]\n\n", behaviour, sent)
        await response.end()

    async def _send(
        self, response: HttpResponse, pieces: Iterator[bytes], behaviour: Behaviour, *, pause_ms: float
    ) -> None:
        sent = 0
        for piece in pieces:
            if pause_ms:
                await response.pause(pause_ms)
            sent = await self._send_piece(response, piece, behaviour, sent)
            if sent < 0:
                return
        await response.end()

    async def _send_piece(self, response: HttpResponse, piece: bytes, behaviour: Behaviour, sent: int) -> int:
        """Send one piece as `behaviour` has it; give the count so far, negative when the body was ended early."""
        if sent == behaviour.stall_after:
            await response.pause(None)
        if sent == behaviour.close_after:
            response.abort()
        if sent == behaviour.end_after:
            await response.end()
            return -1
        if sent == behaviour.garble_after:
            piece = b'data: {"choices": [{"delta": \xff\xfe nonsense\n\n'
        size = behaviour.split_bytes or len(piece)
        for at in range(0, len(piece), size):
            await response.piece(piece[at : at + size])
            if behaviour.split_bytes:
                await asyncio.sleep(0)
        return sent + 1


def _wav_header(behaviour: Behaviour, data_bytes: int) -> bytes:
    size = {"exact": data_bytes, "unknown": 0xFFFF_FFFF, "zero": 0}[behaviour.wav]
    frame_bytes = 2 * behaviour.channels
    riff = size if behaviour.wav != "exact" else size + 36
    layout = (b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, behaviour.channels, behaviour.rate_hz)
    return struct.pack("<4sI4s4sIHHIIHH4sI", *layout, behaviour.rate_hz * frame_bytes, frame_bytes, 16, b"data", size)
