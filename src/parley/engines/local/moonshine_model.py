"""Moonshine tiny-en on onnxruntime: samples in, a reading out. Blocking, stateless between calls.

The published graphs are an encoder over raw 16 kHz samples and a decoder with a key-value cache. What they expect of
their driver is not written in them:

* decoding begins with token 1 and ends with token 2;
* the first step runs with `use_cache_branch` false and empty caches; of its results the *encoder* keys and values are
  kept for the whole utterance, later steps renew only the decoder's;
* both attention masks have the length of the raw samples;
* speech holds at most 6.5 tokens a second: without that cap noise makes it repeat itself;
* it wants to hear silence around speech: without 300 ms of it "Goodbye." is "Good-by." or nothing.

Turns, partials and silence are `moonshine`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.engines.base import EngineError
from parley.engines.local.onnx_session import OnnxSession

__all__ = ["RATE_HZ", "MoonshineModel", "Reading", "read_tokenizer"]

RATE_HZ = 16_000
_START, _END = 1, 2
_TOKENS_PER_SECOND = 6.5
_MIN_SAMPLES = RATE_HZ // 10
_SILENCE_AROUND_SAMPLES = RATE_HZ * 3 // 10
_WORD_MARK = "\N{LOWER ONE EIGHTH BLOCK}"
_HEADS, _HEAD_SIZE = 8, 36


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, the mean log-probability of its tokens, and how many there were (the end token included)."""

    text: str
    log_probability: float
    tokens: int


class MoonshineModel:
    """The loaded graphs and vocabulary."""

    def __init__(self, folder: Path) -> None:
        """Load from a complete model folder. Raises `EngineError`."""
        self._encoder = OnnxSession("Moonshine encoder", folder / "encoder_model.ort")
        self._decoder = OnnxSession("Moonshine decoder", folder / "decoder_model_merged.ort")
        self._vocabulary = read_tokenizer((folder / "tokenizer.bin").read_bytes())
        self._past = tuple(name for name in self._decoder.inputs if name.startswith("past_key_values."))
        presents = tuple(name.replace("past_key_values.", "present.") for name in self._past)
        self._outputs = ("logits", *presents)

    def read(self, samples: NDArray[np.float32], stop: Callable[[], bool] = lambda: False) -> Reading | None:
        """Recognise `samples` (16 kHz, -1..1). None when `stop` said so, which is asked before every token."""
        if samples.size < _MIN_SAMPLES:
            return Reading("", 0.0, 0)
        audio = np.pad(samples.astype(np.float32, copy=False), _SILENCE_AROUND_SAMPLES)[np.newaxis]
        mask = np.ones(audio.shape, np.int64)
        if stop():
            return None
        (hidden,) = self._encoder.run({"input_values": audio, "attention_mask": mask})
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32)
        feeds: dict[str, NDArray[Any]] = dict.fromkeys(self._past, empty)
        feeds |= {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        feeds |= {"use_cache_branch": np.array([False]), "input_ids": np.array([[_START]])}
        tokens: list[int] = []
        total = 0.0
        steps = 0
        for _ in range(int(samples.size / RATE_HZ * _TOKENS_PER_SECOND) + 2):
            if stop():
                return None
            logits, *caches = self._decoder.run(feeds, self._outputs)
            token, log_probability = _best(logits[0, -1])
            total += log_probability
            steps += 1
            if token == _END:
                break
            tokens.append(token)
            for name, cache in zip(self._past, caches, strict=True):
                if steps == 1 or ".decoder." in name:
                    feeds[name] = cache
            feeds["use_cache_branch"] = np.array([True])
            feeds["input_ids"] = np.array([[token]])
        return Reading(self._text(tokens), total / steps, steps)

    def _text(self, tokens: list[int]) -> str:
        pieces = b"".join(self._vocabulary[token] for token in tokens if token > _END)
        return pieces.decode("utf-8", "replace").replace(_WORD_MARK, " ").strip()


def _best(logits: NDArray[np.float32]) -> tuple[int, float]:
    token = int(logits.argmax())
    return token, -float(np.log(np.exp(logits - logits[token]).sum()))


def read_tokenizer(data: bytes) -> tuple[bytes, ...]:
    """Parse Moonshine's `tokenizer.bin`: each token's length, then its bytes, in order of token id.

    A length up to 127 is one byte; above, its low 7 bits come first with the high bit set and a byte of the rest
    follows. Raises `EngineError`.
    """
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 0x80:
            if at == len(data):
                raise _broken_tokenizer()
            length = (data[at] << 7) | (length & 0x7F)
            at += 1
        if at + length > len(data):
            raise _broken_tokenizer()
        tokens.append(data[at : at + length])
        at += length
    return tuple(tokens)


def _broken_tokenizer() -> EngineError:
    return EngineError(
        "Moonshine's tokenizer.bin is cut short. Fetch it again: parley models rm moonshine-tiny-en, then pull.",
        code="model_unreadable",
    )
