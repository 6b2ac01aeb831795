"""The real local engines for tests, and the few lines that drive them: speak a text, read a sound, ask a question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from parley.audio import RATE_HZ
from parley.engines.base import Recognition, RecognitionOptions, Recognizer, Synthesizer, Transcript, WordTime
from parley.protocol.realtime.generation import GenerationContext
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import InputAudioPart, MessageItem, OutputAudioPart

SENTENCES = (
    "What can you do?",
    "Please turn off the kitchen lights.",
    "I would like to hear a story about the sea.",
    "The train to the city leaves at seven.",
    "Can you read my last message again?",
    "Thank you, that is all for now.",
    "My favorite season is autumn.",
    "Open the window and close the door.",
    "Where is the nearest coffee shop?",
    "She sells fresh bread every morning.",
    "We walked along the river until it was dark.",
    "Tell me when the water is boiling.",
)
"""Everyday sentences that have one spelling each."""

SHORT_ANSWERS = ("Yes.", "No.", "Stop.", "Goodbye.")


TALE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season of "
    "darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing "
    "before us, we were all going direct to heaven, we were all going direct the other way, in short, the period was "
    "so far like the present period, that some of its noisiest authorities insisted on its being received, for good "
    "or for evil, in the superlative degree of comparison only."
)
"""What the human reading of the store says."""


@dataclass(frozen=True)
class Speech:
    """A spoken text: PCM16 mono 24 kHz and the times of its words."""

    text: str
    pcm: bytes
    words: tuple[WordTime, ...]

    @property
    def duration_ms(self) -> int:
        return len(self.pcm) * 1000 // (2 * RATE_HZ)

    def until(self, ms: int) -> bytes:
        """The first `ms` of the sound."""
        return self.pcm[: ms * RATE_HZ // 1000 * 2]


async def spoken(synthesizer: Synthesizer, text: str, *, voice: str = "", speed: float = 1.0) -> Speech:
    """Speak `text` to its end."""
    chunks = [chunk async for chunk in synthesizer.speak(text, voice=voice, speed=speed)]
    words = tuple(word for chunk in chunks for word in chunk.words)
    return Speech(text, b"".join(chunk.pcm for chunk in chunks), words)


def pieces(pcm: bytes, duration_ms: int = 20) -> Iterable[bytes]:
    """Cut a sound as a client would send it."""
    size = duration_ms * RATE_HZ // 1000 * 2
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def opened(recognizer: Recognizer) -> Recognition:
    """Begin a turn with no hints."""
    return recognizer.open(RecognitionOptions())


async def read(recognizer: Recognizer, pcm: bytes) -> Transcript:
    """Read a sound, fed at once."""
    recognition = opened(recognizer)
    recognition.feed(pcm)
    return await recognition.finish()


def asking(*turns: str, **changes: Any) -> GenerationContext:
    """Make the context of a conversation; the user speaks first, then they take turns."""
    items = tuple(
        MessageItem(id=f"item_{number}", role="user", content=(InputAudioPart(transcript=text),))
        if number % 2 == 0
        else MessageItem(id=f"item_{number}", role="assistant", content=(OutputAudioPart(transcript=text),))
        for number, text in enumerate(turns)
    )
    fields: dict[str, Any] = {
        "response_id": ResponseId("resp_1"),
        "instructions": "",
        "items": items,
        "tools": (),
        "tool_choice": "auto",
        "output_modality": "audio",
        "voice": "alloy",
        "speed": 1.0,
        "max_output_tokens": None,
    }
    return GenerationContext(**{**fields, **changes})
