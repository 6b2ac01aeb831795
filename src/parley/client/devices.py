"""This machine's microphone and loudspeaker, by the package `sounddevice` (`pip install 'parley[talk]'`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parley.audio import RATE_HZ
from parley.client.errors import ClientError, MissingPackage
from parley.client.session import Session

__all__ = ["TICK_MS", "TICK_SAMPLES", "Microphone", "Speaker", "require_devices"]

TICK_MS = 40
TICK_SAMPLES = RATE_HZ * TICK_MS // 1000


def require_devices() -> Any:
    """Give `sounddevice`. Raises `MissingPackage` with the line that installs it."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there and PortAudio is not
        raise MissingPackage(
            "The microphone needs the package sounddevice: pip install 'parley[talk]' (Debian also: apt install "
            "libportaudio2)."
        ) from error
    return sounddevice


class _Device:
    """A raw 24 kHz mono stream, open inside `with`. `device` is a number or a part of a name, None the default."""

    def __init__(self, kind: str, device: int | str | None, callback: Callable[..., None]) -> None:
        sounddevice = require_devices()
        try:
            self._stream = getattr(sounddevice, kind)(
                device=device,
                samplerate=RATE_HZ,
                channels=1,
                dtype="int16",
                blocksize=TICK_SAMPLES,
                callback=callback,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise ClientError(f"No sound device: {error}. `python -m sounddevice` lists what there is.") from error

    def __enter__(self) -> None:
        self._stream.start()

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class Microphone(_Device):
    """Speaks into the session while it is open."""

    def __init__(self, session: Session, device: int | str | None = None) -> None:
        super().__init__("RawInputStream", device, lambda data, *_: session.offer(bytes(data)))


class Speaker(_Device):
    """Plays what the session says while it is open."""

    def __init__(self, session: Session, device: int | str | None = None) -> None:
        def play(data: Any, samples: int, *_: object) -> None:
            data[:] = session.sound.pull(samples)

        super().__init__("RawOutputStream", device, play)
