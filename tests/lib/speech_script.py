"""What a fake microphone says and when: utterances at set times, as a wav that Chromium plays from the moment a page
opens the microphone.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

from spoken import HIBARI, say, silence

from parley.audio import RATE_HZ

__all__ = ["Line", "write_script"]

_TAIL_MS = 1000


@dataclass(frozen=True)
class Line:
    """`text` in `voice`, starting `at_s` seconds after the microphone was opened."""

    at_s: float
    text: str
    voice: str = HIBARI


def write_script(path: Path, lines: tuple[Line, ...]) -> Path:
    """Write the lines as one wav, silence between them. Lines that would overlap are refused."""
    pcm = b""
    for line in lines:
        begin = round(line.at_s * RATE_HZ) * 2
        assert len(pcm) <= begin, f"{line.text!r} begins before the line ahead of it has ended"
        pcm += bytes(begin - len(pcm)) + say(line.text, line.voice)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm + silence(_TAIL_MS))
    return path
