"""Writes one session's recording to a file of its own, readable by its owner only: `--capture DIR`.

A recording holds everything that was said and played; nothing but this switch makes one. Lines are handed over without
waiting and written by a thread, so that a slow disk never holds up speech. Overflow policy: above `max_waiting_bytes`
the recording ends where it is, and the log says so: half a recording replays, one with holes does not.
Neighbours: `protocol.realtime.recording` (what a line holds), `runtime.runner` (hands lines over).
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_MAX_WAITING_BYTES = 64 << 20


class Recorder:
    """One file. `put` from the owner task; `run` is a task of the same session; `close` when the session ends."""

    def __init__(self, path: Path, *, max_waiting_bytes: int = _MAX_WAITING_BYTES) -> None:
        self._path = path
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._closed = False
        self._full = False

    def put(self, line: bytes) -> None:
        """Add a line."""
        if self._full or self._closed:
            return
        if self._waiting_bytes + len(line) > self._max_waiting_bytes:
            self._full = True
            _log.error("recording ends early: the disk is too slow", extra={"file": self._path.name})
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self._news.set()

    def close(self) -> None:
        """Write what waits, then end. Idempotent."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Write until closed; what waits is written even if the task is cancelled. A full disk ends the recording."""
        try:
            await self._write_all()
        except OSError as error:
            self._full = True
            self._take()
            _log.error("recording ends early: cannot write", extra={"file": self._path.name, "errno": error.errno})

    async def _write_all(self) -> None:
        file = await asyncio.to_thread(self._open)
        try:
            while not self._closed:
                await self._news.wait()
                self._news.clear()
                await asyncio.to_thread(_write, file, self._take())
        finally:
            _write(file, self._take())
            file.close()

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def _take(self) -> list[bytes]:
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return lines


def _write(file: BinaryIO, lines: list[bytes]) -> None:
    file.writelines(lines)
    file.flush()
