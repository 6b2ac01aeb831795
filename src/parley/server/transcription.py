"""An upload to a transcript: decode, feed the recogniser in slices, shape the answer.

Neighbours: `routes_audio` (HTTP), `parley.engines.base.Recognizer` (hears), `parley.audio` (decodes).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from parley.audio import AudioError, decode_file
from parley.engines.base import EngineError, Recognition, RecognitionOptions, Recognizer, Transcript
from parley.server.problems import Problem
from parley.server.sse import event

__all__ = ["decoded", "transcribed", "transcript_events", "verbose_body"]

_SLICE_BYTES = 48_000


async def decoded(upload: bytes, max_bytes: int) -> bytes:
    """Decode an uploaded file to PCM16 mono 24 kHz, off the event loop. Raises `Problem`."""
    if len(upload) > max_bytes:
        words = f"The file is larger than {max_bytes >> 20} MiB. Send it compressed or in pieces."
        raise Problem(413, words, code="request_too_large", param="file")
    if not upload:
        raise Problem(400, "The file is empty.", code="invalid_audio", param="file")
    try:
        return await asyncio.to_thread(decode_file, upload)
    except AudioError as error:
        words = str(error)
        raise Problem(400, f"{words[0].upper()}{words[1:].rstrip('.')}.", code="invalid_audio", param="file") from None


async def transcribed(recognizer: Recognizer, options: RecognitionOptions, pcm: bytes) -> Transcript:
    """Recognise the whole of `pcm`. Raises `EngineError`."""
    recognition = recognizer.open(options)
    try:
        await _feed(recognition, pcm)
        return await recognition.finish()
    finally:
        recognition.cancel()


async def _feed(recognition: Recognition, pcm: bytes) -> None:
    for start in range(0, len(pcm), _SLICE_BYTES):
        recognition.feed(pcm[start : start + _SLICE_BYTES])
        await asyncio.sleep(0)


async def transcript_events(recognizer: Recognizer, options: RecognitionOptions, pcm: bytes) -> AsyncIterator[bytes]:
    """Give `transcript.text.delta` events as the reading settles, then `transcript.text.done` with the truth."""
    recognition = recognizer.open(options)
    finals: asyncio.Queue[Transcript | None] = asyncio.Queue()
    sent = ""
    try:
        async with asyncio.TaskGroup() as group:
            readings = group.create_task(_readings(recognition, finals))
            finishing = group.create_task(_finish(recognition, pcm, finals))
            previous = ""
            while (reading := await finals.get()) is not None:
                agreed = _agreed(previous, reading.text)
                previous = reading.text
                if agreed.startswith(sent) and len(agreed) > len(sent):
                    yield event({"type": "transcript.text.delta", "delta": agreed[len(sent) :]})
                    sent = agreed
            outcome = await finishing
            readings.cancel()
        if isinstance(outcome, EngineError):
            raise outcome
        transcript = outcome
        if transcript.text.startswith(sent) and len(transcript.text) > len(sent):
            yield event({"type": "transcript.text.delta", "delta": transcript.text[len(sent) :]})
        usage = {"type": "duration", "seconds": round(len(pcm) / 48_000, 2)}
        yield event({"type": "transcript.text.done", "text": transcript.text, "usage": usage})
    finally:
        recognition.cancel()


async def _readings(recognition: Recognition, into: asyncio.Queue[Transcript | None]) -> None:
    """Pass readings on until the last; a recogniser that breaks says so where it finishes."""
    with suppress(EngineError):
        async for reading in recognition.partials():
            into.put_nowait(reading)


async def _finish(
    recognition: Recognition, pcm: bytes, into: asyncio.Queue[Transcript | None]
) -> Transcript | EngineError:
    """Feed everything and give the last reading, or what went wrong: an error raised here would become a group."""
    try:
        await _feed(recognition, pcm)
        return await recognition.finish()
    except EngineError as error:
        return error
    finally:
        into.put_nowait(None)


def _agreed(older: str, newer: str) -> str:
    """Give the whole words that two readings in a row share at their start."""
    count = 0
    for old, new in zip(older.split(" "), newer.split(" "), strict=False):
        if old != new:
            break
        count += 1
    return " ".join(newer.split(" ")[:count])


def verbose_body(transcript: Transcript, seconds: float) -> dict[str, Any]:
    """Shape a `verbose_json` answer: one segment, and words where the recogniser times them."""
    segment = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": round(seconds, 3),
        "text": transcript.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": transcript.confidence if transcript.confidence is not None else 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0 if transcript.text else 1.0,
    }
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language or "",
        "duration": round(seconds, 3),
        "text": transcript.text,
        "segments": [segment] if transcript.text else [],
        "usage": {"type": "duration", "seconds": round(seconds, 2)},
    }
    if transcript.words:
        body["words"] = [
            {
                "word": transcript.text[word.char_start : word.char_end],
                "start": word.start_ms / 1_000,
                "end": word.end_ms / 1_000,
            }
            for word in transcript.words
        ]
    return body
