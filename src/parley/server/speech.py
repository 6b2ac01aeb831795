"""Text to a stream of audio: sentence by sentence through the synthesizer, in the format that was asked for.

Neighbours: `routes_audio` (HTTP), `parley.engines.segmenter` (cuts), `parley.audio` (containers).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Literal, Protocol

import msgspec

from parley.audio import OggOpusStream, wav_header
from parley.engines.base import Synthesizer
from parley.engines.clause_speech import to_say
from parley.engines.segmenter import Segmenter
from parley.protocol.realtime.ids import Ms
from parley.server.problems import Problem
from parley.server.sse import event

__all__ = ["MAX_INPUT_CHARS", "SPEECH_FORMATS", "SpeechRequest", "speech_events", "spoken"]

MAX_INPUT_CHARS = 4_096
SPEECH_FORMATS: Mapping[str, str] = {"pcm": "audio/pcm", "wav": "audio/wav", "opus": "audio/ogg; codecs=opus"}


class SpeechRequest(msgspec.Struct, frozen=True):
    """A speech request; unknown fields are ignored. `model` and `voice` are aliases. `speed` in 0.25..4."""

    input: str
    model: str = ""
    voice: str | dict[str, str] = ""
    response_format: str | None = None
    speed: float = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = None

    @property
    def format_name(self) -> str:
        """The container: what was asked for, wav if nothing was."""
        return self.response_format or "wav"

    @property
    def voice_name(self) -> str:
        """The voice, which newer clients send as an object."""
        return self.voice if isinstance(self.voice, str) else self.voice.get("id", "")

    def check(self) -> None:
        """Raise `Problem` for values that cannot be served."""
        if self.format_name not in SPEECH_FORMATS:
            known = ", ".join(SPEECH_FORMATS)
            words = f"'response_format' is one of {known}, not '{self.format_name[:40]}'."
            raise Problem(400, words, code="invalid_value", param="response_format")
        if not self.input.strip():
            raise Problem(400, "'input' is empty. Send the text to say.", code="invalid_value", param="input")
        if len(self.input) > MAX_INPUT_CHARS:
            words = f"'input' has {len(self.input)} characters; at most {MAX_INPUT_CHARS} are said at once. Split it."
            raise Problem(400, words, code="string_above_max_length", param="input")
        if not 0.25 <= self.speed <= 4.0:
            raise Problem(400, "'speed' is 0.25 to 4.", code="invalid_value", param="speed")


class _Container(Protocol):
    def push(self, pcm: bytes, /) -> bytes: ...
    def finish(self) -> bytes: ...


class _Pcm:
    def push(self, pcm: bytes, /) -> bytes:
        return pcm

    def finish(self) -> bytes:
        return b""


class _Wav:
    """A WAV of unknown length: its header says the most there can be, which players take as `until it ends`."""

    def __init__(self) -> None:
        self._header = wav_header()

    def push(self, pcm: bytes, /) -> bytes:
        header, self._header = self._header, b""
        return header + pcm

    def finish(self) -> bytes:
        return self.push(b"")


def _container(name: str) -> _Container:
    if name == "opus":
        return OggOpusStream(serial=secrets.randbits(32))
    return _Wav() if name == "wav" else _Pcm()


async def spoken(synthesizer: Synthesizer, request: SpeechRequest) -> AsyncIterator[bytes]:
    """Start speaking, and give the audio once the first of it is there. Raises `EngineError` until then."""
    return await _started(_spoken(synthesizer, request))


async def _spoken(synthesizer: Synthesizer, request: SpeechRequest) -> AsyncIterator[bytes]:
    container = _container(request.format_name)
    async for pcm in _pcm(synthesizer, request):
        piece = container.push(pcm)
        if piece:
            yield piece
    last = container.finish()
    if last:
        yield last


async def _pcm(synthesizer: Synthesizer, request: SpeechRequest) -> AsyncIterator[bytes]:
    segmenter = Segmenter()
    for segment in [*segmenter.feed(request.input, Ms(0)), *segmenter.flush()]:
        text = to_say(segment, synthesizer).text
        if not text:
            continue
        stream = synthesizer.speak(text, voice=request.voice_name, speed=request.speed)
        try:
            async for chunk in stream:
                yield chunk.pcm
        finally:
            stream.cancel()


async def _started(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wait for the first piece, so that an engine that fails at once is an HTTP error and not half a file."""
    first = await anext(pieces, b"")

    async def rejoined() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return rejoined()


async def speech_events(synthesizer: Synthesizer, request: SpeechRequest) -> AsyncIterator[bytes]:
    """Give the audio as `speech.audio.delta` events."""
    pieces = await spoken(synthesizer, request)

    async def events() -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        yield event({"type": "speech.audio.done", "usage": usage})

    return events()
