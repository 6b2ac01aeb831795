"""A speaker of the loopback plane: a queue of speech, taken in frames of 20 ms, and what is reported about it.

Pure: a tick is a call. Items play in the order of their pushes; the samples that went out are counted per item, because
truncation needs exactly that number.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from parley.audio import SAMPLE_BYTES
from parley.media.commands import SpeakerId
from parley.media.events import Event, SpeakerProgress, SpeechDrained, SpeechFlushed, SpeechStarted
from parley.media.plane import FADE_SAMPLES, FRAME_SAMPLES

__all__ = ["SpeechQueue"]

_PROGRESS_FRAMES = 25
_REMEMBERED_ITEMS = 256


@dataclass(slots=True)
class _Item:
    """What is known of one item: it stays known for a while after its end, because a flush may come late."""

    queued: int = 0
    sent: int = 0
    ended: bool = False
    closed: bool = False
    """Drained or flushed: nothing of it is taken or reported as drained any more."""


@dataclass(slots=True)
class _Fade:
    item: str
    pcm: bytes
    answers: int = 1


class SpeechQueue:
    """One speaker's queue. `tick` is called every 20 ms; every other method answers with events at once."""

    def __init__(self, speaker: SpeakerId) -> None:
        self._speaker = speaker
        self._pieces: deque[tuple[str, memoryview]] = deque()
        self._items: dict[str, _Item] = {}
        self._sounding: str | None = None
        self._fade: _Fade | None = None
        self._queued = 0
        self._released = 0
        self._frames = 0

    def push(self, item: str, pcm: bytes) -> list[Event]:
        """Queue speech; of a closed item it is dropped."""
        state = self._known(item)
        samples = len(pcm) // SAMPLE_BYTES
        if state.closed or state.ended:
            self._released += samples
            return self._progress()
        if samples:
            state.queued += samples
            self._queued += samples
            self._pieces.append((item, memoryview(pcm)))
        return []

    def end(self, item: str) -> list[Event]:
        """Mark the end of an item; one that has gone out already is drained now."""
        state = self._known(item)
        state.ended = True
        return self._drained(item)

    def flush(self, item: str) -> list[Event]:
        """Drop what is queued of an item. Answered now, or after the frame that fades it out."""
        if self._fade and self._fade.item == item:
            self._fade.answers += 1
            return []
        state = self._known(item)
        state.closed = True
        ahead = b"".join(bytes(piece) for name, piece in self._pieces if name == item)
        self._pieces = deque(piece for piece in self._pieces if piece[0] != item)
        self._released += state.queued
        self._queued -= state.queued
        state.queued = 0
        if self._sounding == item and ahead:
            self._fade = _Fade(item, _faded(ahead[: FADE_SAMPLES * SAMPLE_BYTES]))
            return self._progress()
        return [SpeechFlushed(self._speaker, item, state.sent), *self._progress()]

    def tick(self) -> tuple[bytes | None, list[Event]]:
        """Give the frame that leaves now, or None for silence, and what is to be told."""
        if self._fade:
            return self._fade_out(self._fade)
        pieces = self._pieces_due()
        if not pieces:
            self._sounding = None
            return None, self._progress()
        events: list[Event] = []
        frame = bytearray()
        finished: list[str] = []
        while pieces and len(frame) < FRAME_SAMPLES * SAMPLE_BYTES:
            item, piece = self._pieces.popleft()
            pieces -= 1
            room = FRAME_SAMPLES * SAMPLE_BYTES - len(frame)
            taken, rest = piece[:room], piece[room:]
            if rest:
                self._pieces.appendleft((item, rest))
            frame += taken
            events += self._sent(item, len(taken) // SAMPLE_BYTES)
            finished.append(item)
        self._sounding = finished[-1]
        for item in dict.fromkeys(finished):
            events += self._drained(item)
        self._frames += 1
        if self._frames % _PROGRESS_FRAMES == 0 or not self._pieces:
            events += self._progress()
        return bytes(frame.ljust(FRAME_SAMPLES * SAMPLE_BYTES, b"\0")), events

    def _pieces_due(self) -> int:
        """Count the pieces at the front that may leave now: all for a full frame, else those up to an item's end."""
        if self._queued >= FRAME_SAMPLES:
            return len(self._pieces)
        ends = [at for at, (item, _) in enumerate(self._pieces, 1) if self._items[item].ended]
        return ends[-1] if ends else 0

    def _fade_out(self, fade: _Fade) -> tuple[bytes, list[Event]]:
        state = self._items[fade.item]
        state.sent += len(fade.pcm) // SAMPLE_BYTES
        self._fade = self._sounding = None
        events: list[Event] = [SpeechFlushed(self._speaker, fade.item, state.sent)] * fade.answers
        return fade.pcm.ljust(FRAME_SAMPLES * SAMPLE_BYTES, b"\0"), events

    def _sent(self, item: str, samples: int) -> list[Event]:
        state = self._items[item]
        first = state.sent == 0
        state.sent += samples
        state.queued -= samples
        self._queued -= samples
        self._released += samples
        return [SpeechStarted(self._speaker, item)] if first else []

    def _drained(self, item: str) -> list[Event]:
        state = self._items[item]
        if state.closed or not state.ended or state.queued:
            return []
        state.closed = True
        return [SpeechDrained(self._speaker, item, state.sent)]

    def _progress(self) -> list[Event]:
        released, self._released = self._released, 0
        return [SpeakerProgress(self._speaker, released)] if released else []

    def _known(self, item: str) -> _Item:
        state = self._items.setdefault(item, _Item())
        if len(self._items) > _REMEMBERED_ITEMS:
            needed = {item, self._fade.item if self._fade else item}
            oldest = next((name for name, old in self._items.items() if not old.queued and name not in needed), None)
            if oldest is not None:
                del self._items[oldest]
        return state


def _faded(pcm: bytes) -> bytes:
    """Ramp PCM16 down to silence, linearly."""
    samples = struct.unpack(f"<{len(pcm) // SAMPLE_BYTES}h", pcm)
    count = len(samples)
    return struct.pack(f"<{count}h", *(round(sample * (count - at) / (count + 1)) for at, sample in enumerate(samples)))
