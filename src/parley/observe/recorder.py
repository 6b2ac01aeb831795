"""Writes one session's recording to a file of its own, readable by its owner only: `--capture DIR`.

A recording holds everything that was said and played; nothing but this switch makes one. Lines are handed over without
waiting and written by a thread of the recorder's own, so that a slow disk never holds up speech and a session that
breaks still leaves its last step. Overflow policy: above `max_waiting_bytes` the recording ends where it is, and the
log says so: half a recording replays, one with holes does not.
Neighbours: `protocol.realtime.recording` (what a line holds), `runtime.machine` (hands lines over).
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_MAX_WAITING_BYTES = 64 << 20


class Recorder:
    """One file, opened at once and never overwritten. `put` and `close` do not block; `join` does."""

    def __init__(self, path: Path, *, max_waiting_bytes: int = _MAX_WAITING_BYTES) -> None:
        self._path = path
        self._max_waiting_bytes = max_waiting_bytes
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._write, name=f"recorder {path.name}")
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Add a line."""
        if self._over:
            return
        with self._lock:
            self._waiting_bytes += len(line)
            overflowed = self._waiting_bytes > self._max_waiting_bytes
        if overflowed:
            _log.error("recording ends early: the disk is too slow", extra={"file": self._path.name})
            self.close()
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Write what waits, then end. Idempotent."""
        if not self._over:
            self._over = True
            self._lines.put(None)

    def join(self) -> None:
        """Block until everything is written; call it from a thread, after `close`."""
        self._thread.join()

    def _write(self) -> None:
        """Be the thread."""
        try:
            with self._opened() as file:
                while (line := self._lines.get()) is not None:
                    file.write(line)
                    with self._lock:
                        self._waiting_bytes -= len(line)
                    if self._lines.empty():
                        file.flush()
        except OSError as error:
            self._over = True
            _log.error("recording ends early: cannot write", extra={"file": self._path.name, "errno": error.errno})

    def _opened(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
