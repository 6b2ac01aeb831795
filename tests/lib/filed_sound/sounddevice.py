"""A sound card made of files, for machines that have none: the part of `sounddevice` that `parley.client` uses.

The microphone plays `SOUND_IN` (wav) once at the speed of speech and then silence; what the loudspeaker plays goes to
`SOUND_OUT` (raw PCM16).
"""

from __future__ import annotations

import os
import threading
import time
import wave
from collections.abc import Callable
from typing import Any


class PortAudioError(Exception):
    """As the package has it."""


class _Stream(threading.Thread):
    def __init__(self, *, samplerate: int, blocksize: int, callback: Callable[..., None], **_: Any) -> None:
        super().__init__(daemon=True)
        self._block_s = blocksize / samplerate
        self._block = blocksize
        self._callback = callback
        self._open = True

    def run(self) -> None:
        started, blocks = time.monotonic(), 0
        while self._open:
            self._turn()
            blocks += 1
            time.sleep(max(0.0, started + blocks * self._block_s - time.monotonic()))

    def close(self) -> None:
        self._open = False
        self.join()

    def _turn(self) -> None:
        raise NotImplementedError


class RawInputStream(_Stream):
    """The microphone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        with wave.open(os.environ["SOUND_IN"]) as file:
            self._sound = file.readframes(file.getnframes())

    def _turn(self) -> None:
        piece, self._sound = self._sound[: self._block * 2], self._sound[self._block * 2 :]
        self._callback(piece.ljust(self._block * 2, b"\0"), self._block, None, None)


class RawOutputStream(_Stream):
    """The loudspeaker."""

    def _turn(self) -> None:
        data = bytearray(self._block * 2)
        self._callback(data, self._block, None, None)
        with open(os.environ["SOUND_OUT"], "ab") as file:
            file.write(data)
