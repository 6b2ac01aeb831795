"""Speech for tests, made and understood for real: three voices, noise, and a recogniser that reads what came back.

Everything is PCM16 mono 24 kHz. Phrases are made once per process, by engines that are loaded once per process.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import wave
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from parley.audio import RATE_HZ, Resampler
from parley.engines.base import RecognitionOptions
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.store import default_models_dir

T = TypeVar("T")

HIBARI = "hibari"
FLITE_VOICES = ("slt", "rms")
BYTES_PER_MS = 2 * RATE_HZ // 1000


def models_dir() -> Path:
    """Where the models are: what `parley models pull` filled."""
    return default_models_dir(os.environ)


@cache
def say(text: str, voice: str = HIBARI) -> bytes:
    """Speak `text` with `hibari` or one of flite's voices."""
    return _hibari(text) if voice == HIBARI else _flite(text, voice)


@cache
def _synthesizer() -> HibariSynthesizer:
    return HibariSynthesizer()


@cache
def _recognizer() -> MoonshineRecognizer:
    return MoonshineRecognizer(models_dir())


def _hibari(text: str) -> bytes:
    async def speak() -> bytes:
        return b"".join([chunk.pcm async for chunk in _synthesizer().speak(text, voice="", speed=1.0)])

    return _run(speak())


def _flite(text: str, voice: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, capture_output=True)
        with wave.open(str(path)) as file:
            rate, pcm = file.getframerate(), file.readframes(file.getnframes())
    resampler = Resampler(rate, RATE_HZ)
    return resampler.push(pcm) + resampler.flush()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run on a thread of its own, so that async tests may ask for speech too."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def silence(duration_ms: int) -> bytes:
    """Nothing, for so long."""
    return bytes(duration_ms * BYTES_PER_MS)


def duration_ms(pcm: bytes) -> int:
    """How long a sound lasts."""
    return len(pcm) // BYTES_PER_MS


def edges(pcm: bytes) -> tuple[int, int]:
    """Where clean speech begins and ends, in ms, by its energy."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    energy = np.sqrt(np.mean(samples[: len(samples) // 240 * 240].reshape(-1, 240) ** 2, axis=1))
    loud = np.flatnonzero(energy > 0.05 * energy.max())
    return int(loud[0]) * 10, (int(loud[-1]) + 1) * 10


def noisy(pcm: bytes, snr_db: float, seed: int = 1) -> bytes:
    """Add white noise at `snr_db` below the speech's own level (its loudest tenth counts as speech)."""
    signal = np.frombuffer(pcm, np.int16).astype(np.float64)
    frames = np.sqrt(np.mean(signal[: len(signal) // 480 * 480].reshape(-1, 480) ** 2, axis=1))
    level = float(np.mean(frames[frames > 0.2 * frames.max()]))
    noise = np.random.default_rng(seed).normal(0, level / 10 ** (snr_db / 20), len(signal))
    return np.clip(signal + noise, -32768, 32767).astype(np.int16).tobytes()


def heard(pcm: bytes) -> str:
    """Read speech with the recogniser: what a listener would write down."""

    async def read() -> str:
        recognition = _recognizer().open(RecognitionOptions())
        recognition.feed(pcm)
        return (await recognition.finish()).text

    return _run(read())


def words(text: str) -> list[str]:
    """The words of a text, for comparison: lower case, no punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower().replace("-", " "))


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Edits needed to turn the hypothesis into the reference, per word of the reference."""
    wanted, got = words(reference), words(hypothesis)
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1] / max(1, len(wanted))
