"""The user's voice for checks that need one: synthesised by hibari, which comes with this package.

Nothing stands in for it: without a voice those checks are skipped, with the reason. Neighbour: `suite`.
"""

from __future__ import annotations

from collections.abc import Callable

from parley.engines.base import EngineError, Synthesizer

__all__ = ["FOX", "HELLO", "LISBON", "WAIT", "NoVoice", "prepared", "words"]

HELLO = "Hello, what can you do?"
WAIT = "Wait a moment, please."
LISBON = "What is the weather in Lisbon?"
FOX = "The quick brown fox jumps over the lazy dog."
SENTENCES = (HELLO, WAIT, LISBON, FOX)


class NoVoice(Exception):  # noqa: N818 - a reason to skip
    """Why nothing can be spoken here."""


async def prepared() -> Callable[[str], bytes]:
    """Speak the sentences once; give what looks them up, as PCM16 mono 24 kHz. Raises `NoVoice`."""
    try:
        from parley.engines.local.hibari_tts import HibariSynthesizer

        voice = HibariSynthesizer()
        try:
            spoken = {text: await _spoken(voice, text) for text in SENTENCES}
        finally:
            await voice.aclose()
    except (ImportError, OSError, EngineError) as error:
        raise NoVoice(f"hibari cannot speak here: {error}") from None
    return spoken.__getitem__


async def _spoken(voice: Synthesizer, text: str) -> bytes:
    return b"".join([chunk.pcm async for chunk in voice.speak(text, voice="", speed=1.0)])


def words(text: str) -> list[str]:
    """Split into bare words, for comparison."""
    kept = "".join(letter if letter.isalnum() or letter in "' " else " " for letter in text.lower())
    return kept.split()
