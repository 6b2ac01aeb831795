"""Hibari on onnxruntime: a text in, speech out with the time of every word. Blocking, stateless between calls.

The package brings the grapheme-to-phoneme rules, the graph and its vocoder. We drive them ourselves for one reason:
inside the graph lies what it does not give out, how many frames each phoneme lasts. A graph is a protobuf message, and
of two concatenated protobuf messages the second adds to the first: twenty bytes appended to the file name that tensor
as one more output. If a release no longer has it, every phoneme counts as equally long.

Text travels in three alphabets: words as written, words as spoken ("12 kg" is "12 kilograms"), phonemes. Each `Piece`
keeps which written word every phoneme belongs to. Streams, voices and threads are `hibari_tts`'s business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.engines.base import EngineError, WordTime
from parley.engines.local.onnx_session import OnnxSession

__all__ = ["DURATIONS_TENSOR", "HibariModel", "Piece", "Spoken"]

DURATIONS_TENSOR = "/Clip_output_0"
_FRAME_MS = 25
_LONGEST_PIECE = 240
"""Phonemes spoken in one go: about 15 s. The model is good for 400; shorter keeps the first sound near."""
_PAUSES = frozenset(';:,.!?—…"“”() ')
_WORD = re.compile(r"\S+")
_SEED = 0


@dataclass(frozen=True, slots=True)
class _Unit:
    """Phonemes that belong to written word `word`, an index into the sentence's words."""

    word: int
    phonemes: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What is spoken in one go: `units` of a sentence whose words stand at `spans` of the whole text."""

    units: tuple[_Unit, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def phonemes(self) -> str:
        """What the model reads."""
        return " ".join(unit.phonemes for unit in self.units)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece's sound (PCM16 mono 24 kHz) and the times of its words within it."""

    pcm: bytes
    words: tuple[WordTime, ...]


class HibariModel:
    """The loaded graph and rules. One instance belongs to one thread."""

    def __init__(self, durations_tensor: str = DURATIONS_TENSOR) -> None:
        """Load from the installed package. Raises `EngineError`."""
        try:
            import hibari
            from hibari import dsp
        except ImportError as error:
            raise EngineError(
                "The speech synthesiser hibari-tts is not installed. Run: pip install hibari-tts", code="engine_missing"
            ) from error
        self._dsp: Any = dsp
        self._tts: Any = hibari.Hibari()  # never another voice: those are fetched from the network
        graph = Path(self._tts.model_path).read_bytes()
        try:
            self._session = OnnxSession("hibari", graph + _one_more_output(durations_tensor))
            self.word_times = True
        except EngineError:
            self._session = OnnxSession("hibari", graph)
            self.word_times = False

    def pieces(self, text: str) -> Iterator[Piece]:
        """Divide `text` into sentences, and long ones at their pauses. What cannot be spoken gives no piece."""
        cursor = 0
        for sentence in self._tts.split_sentences(text):
            at = text.find(sentence, cursor)
            if at < 0:  # pragma: no cover - the package returns substrings
                raise EngineError("hibari divided a text into sentences that are not in it.")
            cursor = at + len(sentence)
            spans = tuple((at + word.start(), at + word.end()) for word in _WORD.finditer(sentence))
            for units in _portions(self._units(sentence)):
                yield Piece(units, spans)

    def speak(self, piece: Piece, speed: float) -> Spoken:
        """Synthesise a piece at `speed` (1 is natural). The same piece always sounds the same."""
        vocabulary: dict[str, int] = self._tts.vocab
        known = [(unit.word, char) for unit in _spaced(piece.units) for char in unit.phonemes if char in vocabulary]
        ids = np.array([[0, *(vocabulary[char] for _word, char in known), 0]], np.int64)
        results = self._session.run({"ids": ids, "speed": np.array([speed], np.float32)})
        if self.word_times:
            *spectrum, frames = results
        else:
            spectrum = results
            frames = np.full(ids.shape[1], spectrum[-1].shape[-1] / 2 / ids.shape[1], np.float32)
        sound = self._dsp.synth(*(part[0] for part in spectrum), np.random.default_rng(_SEED))
        pcm = (np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        return Spoken(pcm, tuple(_word_times(known, frames, piece.spans)))

    def _units(self, sentence: str) -> list[_Unit]:
        """Give the sentence's phonemes by written word."""
        from hibari.g2p import normalize

        written = _WORD.findall(sentence)
        g2p = self._tts.g2p
        spoken: list[tuple[str, str]] = []
        text = phonemes = ""
        for token in g2p.phonemize_tokens(g2p.tokenize(normalize(sentence))):
            text += token.text
            phonemes += token.phonemes or ""
            if token.whitespace:
                spoken.append((text, phonemes))
                text = phonemes = ""
        spoken.append((text, phonemes))
        owners = _owners(written, [word for word, _phonemes in spoken])
        units: list[_Unit] = []
        for (_word, sounds), words in zip(spoken, owners, strict=True):
            units += _shared_out(sounds, words, written)
        return units


def _one_more_output(tensor: str) -> bytes:
    """Encode `ModelProto{graph: GraphProto{output: ValueInfoProto{name: tensor}}}`."""
    message = tensor.encode()
    for field in (1, 12, 7):
        message = bytes((field << 3 | 2, len(message))) + message
    return message


def _owners(written: Sequence[str], spoken: Sequence[str]) -> list[range]:
    """Say for each spoken word which written words it stands for: one, several or (as part of several) a share."""
    owners: list[range] = []
    matcher = difflib.SequenceMatcher(None, written, spoken, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            owners += [range(i1 + k, i1 + k + 1) for k in range(j2 - j1)]
        elif i1 == i2:  # spoken, not written: belongs to the word before
            owners += [range(max(i1 - 1, 0), max(i1, 1))] * (j2 - j1)
        else:
            count, share = j2 - j1, i2 - i1
            for k in range(count):
                first = i1 + k * share // count
                last = max(first + 1, i1 + (k + 1) * share // count)
                owners.append(range(first, last))
    return owners


def _shared_out(phonemes: str, words: range, written: Sequence[str]) -> Iterator[_Unit]:
    """Divide phonemes among the written words that they stand for, by the words' lengths."""
    if not phonemes.strip():
        return
    total = sum(len(written[word]) for word in words)
    ends = accumulate(len(written[word]) for word in words)
    at = 0
    for word, end in zip(words, ends, strict=True):
        until = round(len(phonemes) * end / total)
        if part := phonemes[at:until].strip():
            yield _Unit(word, part)
        at = until


def _portions(units: list[_Unit]) -> Iterator[tuple[_Unit, ...]]:
    """Divide a long sentence, where a pause is written if there is one."""
    waiting = [part for unit in units for part in _slices(unit)]
    while waiting:
        lengths = list(accumulate(len(unit.phonemes) + 1 for unit in waiting))
        if lengths[-1] <= _LONGEST_PIECE:
            yield tuple(waiting)
            return
        fitting = max(1, sum(length <= _LONGEST_PIECE for length in lengths))
        pauses = [k for k in range(fitting // 3, fitting) if waiting[k].phonemes[-1] in _PAUSES]
        cut = pauses[-1] + 1 if pauses else fitting
        yield tuple(waiting[:cut])
        waiting = waiting[cut:]


def _slices(unit: _Unit) -> Iterator[_Unit]:
    """Divide a single word that is longer than any piece may be."""
    for at in range(0, len(unit.phonemes), _LONGEST_PIECE):
        yield _Unit(unit.word, unit.phonemes[at : at + _LONGEST_PIECE])


def _spaced(units: Sequence[_Unit]) -> Iterator[_Unit]:
    for number, unit in enumerate(units):
        yield _Unit(unit.word, unit.phonemes if number == 0 else f" {unit.phonemes}")


def _word_times(
    known: Sequence[tuple[int, str]], frames: NDArray[np.float32], spans: Sequence[tuple[int, int]]
) -> Iterator[WordTime]:
    """Give each written word the time of its phonemes, pauses at its ends left out. `frames` includes both pads."""
    ends = np.cumsum(frames) * _FRAME_MS
    times: dict[int, tuple[int, int]] = {}
    for place, (word, char) in enumerate(known):
        if char in _PAUSES:
            continue
        start, end = round(float(ends[place])), round(float(ends[place + 1]))
        times[word] = (times[word][0] if word in times else start, end)
    for word in sorted(times):
        yield WordTime(*spans[word], *times[word])
