"""What a device still has to play, and how much of each message was heard: no I/O, so that it can be tested.

Neighbours: `session` fills it, `devices` and `recording` empty it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

__all__ = ["Heard", "PlayBuffer"]

_SAMPLE_BYTES = 2
_SAMPLES_PER_MS = 24


@dataclass(frozen=True, slots=True)
class Heard:
    """Of message `item_id`, the first `audio_ms` were heard."""

    item_id: str
    audio_ms: int


class PlayBuffer:
    """Assistant speech in order, PCM16 mono 24 kHz. Safe to pull from an audio device's thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queue: deque[tuple[str, bytes]] = deque()
        self._current = ""
        self._played_bytes = 0

    @property
    def empty(self) -> bool:
        """Whether everything was played."""
        with self._lock:
            return not self._queue

    def push(self, item_id: str, pcm: bytes) -> None:
        """Add speech of a message."""
        with self._lock:
            self._queue.append((item_id, pcm))

    def pull(self, samples: int) -> bytes:
        """Take what sounds next, silence after the end."""
        wanted = samples * _SAMPLE_BYTES
        taken = bytearray()
        with self._lock:
            while self._queue and len(taken) < wanted:
                item_id, pcm = self._queue.popleft()
                piece, rest = pcm[: wanted - len(taken)], pcm[wanted - len(taken) :]
                if item_id != self._current:
                    self._current, self._played_bytes = item_id, 0
                self._played_bytes += len(piece)
                taken += piece
                if rest:
                    self._queue.appendleft((item_id, rest))
        return bytes(taken) + bytes(wanted - len(taken))

    def drop_oldest(self, keep_samples: int) -> None:
        """Forget the oldest speech beyond `keep_samples`: a live stream must not fall behind."""
        with self._lock:
            excess = sum(len(pcm) for _, pcm in self._queue) - keep_samples * _SAMPLE_BYTES
            while excess > 0 and self._queue:
                excess -= len(self._queue.popleft()[1])

    def flush(self) -> Heard | None:
        """Fall silent. Say what was heard of the message that was cut, None if nothing was waiting."""
        with self._lock:
            if not self._queue:
                return None
            cut = self._queue[0][0]
            self._queue.clear()
            played = self._played_bytes if cut == self._current else 0
        return Heard(cut, played // (_SAMPLE_BYTES * _SAMPLES_PER_MS))
