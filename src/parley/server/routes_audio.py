"""`POST /v1/audio/transcriptions` and `/v1/audio/speech`: the old pipeline's ends on the realtime session's engines.

Source: Audio API. Neighbours: `transcription` and `speech` do the work, `parley.audio` knows the formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from litestar import Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import JSONBody, MultipartBody
from litestar.response import Stream

from parley.auth.permissions import Permission
from parley.engines.base import RecognitionOptions
from parley.server.parts import PERMISSION, Parts
from parley.server.problems import Problem
from parley.server.speech import SPEECH_FORMATS, SpeechRequest, speech_events, spoken
from parley.server.sse import event_stream
from parley.server.transcription import decoded, transcribed, transcript_events, verbose_body

__all__ = ["MAX_UPLOAD_BYTES", "ROUTES"]

MAX_UPLOAD_BYTES = 25 << 20
"""As the vendor's."""

_OVERHEAD_BYTES = 1 << 20
_RESPONSE_FORMATS = ("json", "text", "verbose_json")


@dataclass
class TranscriptionForm:
    """The fields of a transcription request. `model` is an alias."""

    file: UploadFile
    model: str = ""
    language: str | None = None
    prompt: str | None = None
    response_format: str = "json"
    stream: Literal["true", "false", "True", "False", "1", "0"] = "false"


@post(
    "/v1/audio/transcriptions",
    status_code=200,
    tags=["audio"],
    opt={PERMISSION: Permission.USE_ENGINES},
    request_max_body_size=MAX_UPLOAD_BYTES + _OVERHEAD_BYTES,
)
async def transcriptions(
    data: MultipartBody[TranscriptionForm], parts: NamedDependency[Parts]
) -> Response[Any] | Stream:
    """Recognise an upload: wav, flac, mp3, ogg/opus or webm/opus. Answers json, text or verbose_json, or streams."""
    if data.response_format not in _RESPONSE_FORMATS:
        known = ", ".join(_RESPONSE_FORMATS)
        words = f"'response_format' is one of {known}, not '{data.response_format[:40]}'."
        raise Problem(400, words, code="invalid_value", param="response_format")
    pcm = await decoded(await data.file.read(MAX_UPLOAD_BYTES + 1), MAX_UPLOAD_BYTES)
    recognizer = (await parts.engines()).recognizer
    options = RecognitionOptions(language=data.language or None, prompt=data.prompt or None, model=data.model)
    if data.stream.lower() in {"true", "1"}:
        return event_stream(transcript_events(recognizer, options, pcm))
    transcript = await transcribed(recognizer, options, pcm)
    seconds = len(pcm) / 48_000
    if data.response_format == "text":
        return Response(transcript.text + "\n", media_type="text/plain")
    if data.response_format == "verbose_json":
        return Response(verbose_body(transcript, seconds))
    return Response({"text": transcript.text, "usage": {"type": "duration", "seconds": round(seconds, 2)}})


@post("/v1/audio/speech", status_code=200, tags=["audio"], opt={PERMISSION: Permission.USE_ENGINES})
async def speech(data: JSONBody[SpeechRequest], parts: NamedDependency[Parts]) -> Stream:
    """Say a text as pcm (24 kHz mono 16-bit), wav or opus, streamed as it is spoken. Default: wav."""
    data.check()
    synthesizer = (await parts.engines()).synthesizer
    if data.stream_format == "sse":
        return event_stream(await speech_events(synthesizer, data))
    audio = await spoken(synthesizer, data)
    return Stream(audio, media_type=SPEECH_FORMATS[data.format_name], headers={"cache-control": "no-store"})


ROUTES: tuple[Any, ...] = (transcriptions, speech)
