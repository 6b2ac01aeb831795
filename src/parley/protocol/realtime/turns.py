"""When a speaker's turn begins, pauses and ends: decisions over voice probabilities, in samples.

What lives here
---------------
One `TurnTracker` per lane turns a row of 16 ms voice probabilities into four kinds of news:

* `Onset`      a voice began. It takes `ONSET_SAMPLES` of voice in a row, so that a click begins nothing; the onset lies
               where that run began, and the prefix padding is taken off it (never further back than audio that was
               already used by an earlier turn).
* `Pause`      the voice stopped `SETTLE_SAMPLES` ago. The turn may well go on; a recogniser can use the time.
* `Ask`        semantic_vad only: it is time to ask the turn detector. Until the answer (or a time-out, which is the
               lane's business) the tracker takes no further windows: see "Holding" below.
* `End`        the turn is over.

What a window means
-------------------
A probability is compared with two levels. Above `enter` it counts as voice. Below `leave` it counts as silence. In
between it counts as whatever was going on, so that a voice trailing off does not flicker. The API's `threshold` is
`enter` itself and `leave` is 0.7 of it: detectors scale their scores so that 0.5 and 0.35 suit them best.

server_vad: the turn ends when `silence_duration_ms` of silence follow the last voiced window.

semantic_vad: after 200 ms of silence, and every 200 ms from then on, the detector is asked how likely it is that the
speaker has finished. The answer sets the *patience*: the silence the turn is given in all. Certainty (0.95 and more)
ends the turn at once. An undecided 0.5, as from a detector that knows neither the language nor the words yet, waits
400, 600 or 900 ms by eagerness; less doubt waits less. Below 0.5 the wait grows with the cube of the doubt up to the
cap the API documents (2, 4 or 8 s for high, medium and low eagerness). A detector that judges by text alone is
thereby a multiplier of the wait and never a gate. One that does not answer counts as undecided and is not asked again
in this pause.

Holding
-------
Everything is counted in samples, never in arrival time: thirty seconds appended in one burst give the turns that the
same thirty seconds spoken live would give. The turn detector's answer is the one thing that takes wall time, so while
it is outstanding the lane holds its windows back instead of letting the burst run past the pause.

What does not live here: item ids, buffers, events (`lane`), the detector itself (an engine), what a turn causes
(`session`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from parley.protocol.realtime.session_config import SemanticVad, ServerVad, TurnDetection

__all__ = ["SAMPLES_PER_MS", "WINDOW_SAMPLES", "Ask", "End", "News", "Onset", "Pause", "TurnTracker", "surely_voice"]

SAMPLES_PER_MS = 24
WINDOW_SAMPLES = 16 * SAMPLES_PER_MS
"""One voice probability speaks for this many samples."""

ONSET_SAMPLES = 3 * WINDOW_SAMPLES
"""Voice in a row that makes a turn: 48 ms."""

SETTLE_SAMPLES = 160 * SAMPLES_PER_MS
"""Silence after which a recogniser is told to use the pause."""

SEMANTIC_PREFIX_MS = 300
SEMANTIC_ASK_SAMPLES = 200 * SAMPLES_PER_MS
SEMANTIC_CERTAIN = 0.95
"""A score that ends the turn at once."""
SEMANTIC_UNDECIDED = 0.5


@dataclass(frozen=True, slots=True)
class Onset:
    """A voice began; the turn's audio starts at `start_sample`, prefix padding included."""

    start_sample: int


@dataclass(frozen=True, slots=True)
class Pause:
    """The voice stopped at `voice_end_sample` and has been silent for a while."""

    voice_end_sample: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the turn detector about the audio up to `at_sample`; no window is taken until `scored` is called."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class End:
    """The turn is over at `end_sample`, silence included; the voice stopped at `voice_end_sample`."""

    end_sample: int
    voice_end_sample: int


News = Onset | Pause | Ask | End


@dataclass(frozen=True, slots=True)
class _Rules:
    """A turn detection setting in samples and levels."""

    enter: float
    leave: float
    prefix: int
    silence: int | None
    """None: semantic."""
    settle: int
    undecided: int = 0
    """Semantic: the patience with a speaker of whom nothing is known."""
    cap: int = 0
    """Semantic: the longest patience."""


_UNDECIDED_MS: dict[str, int] = {"low": 900, "medium": 600, "auto": 600, "high": 400}
_CAP_MS: dict[str, int] = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}


def _levels(threshold: float) -> tuple[float, float]:
    """Give the levels of the API's threshold: 0.5 and 0.35 for 0.5. Even 1 can be reached."""
    enter = min(threshold, 0.99)
    return enter, enter * 0.7


def surely_voice(detection: TurnDetection) -> float:
    """Give the probability from which on a window inside a turn only prolongs it."""
    return _rules(detection).enter


def _rules(detection: TurnDetection) -> _Rules:
    match detection:
        case ServerVad():
            enter, leave = _levels(detection.threshold)
            silence = max(WINDOW_SAMPLES, detection.silence_duration_ms * SAMPLES_PER_MS)
            return _Rules(
                enter=enter,
                leave=leave,
                prefix=max(0, detection.prefix_padding_ms) * SAMPLES_PER_MS,
                silence=silence,
                settle=min(SETTLE_SAMPLES, silence // 2),
            )
        case SemanticVad():
            enter, leave = _levels(0.5)
            return _Rules(
                enter=enter,
                leave=leave,
                prefix=SEMANTIC_PREFIX_MS * SAMPLES_PER_MS,
                silence=None,
                settle=SETTLE_SAMPLES,
                undecided=_UNDECIDED_MS[detection.eagerness] * SAMPLES_PER_MS,
                cap=_CAP_MS[detection.eagerness] * SAMPLES_PER_MS,
            )


class TurnTracker:
    """The turn state of one lane under one turn detection setting."""

    def __init__(self, detection: TurnDetection, *, floor_sample: int) -> None:
        """Start in silence. `floor_sample`: no turn reaches back before it."""
        self._rules = _rules(detection)
        self._floor = floor_sample
        self._state: Literal["silence", "voice", "asking"] = "silence"
        self._run_start: int | None = None
        self._voice_end = floor_sample
        self._paused = False
        self._patience = 0
        self._next_ask = 0
        self._now_sample = floor_sample

    @property
    def speaking(self) -> bool:
        """A turn is going on."""
        return self._state != "silence"

    @property
    def asking(self) -> bool:
        """A question to the turn detector is open."""
        return self._state == "asking"

    @property
    def prefix_samples(self) -> int:
        """How much audio before an onset a turn may use."""
        return self._rules.prefix + ONSET_SAMPLES

    @property
    def voice_end_sample(self) -> int:
        """Where the latest voiced window ended."""
        return self._voice_end

    def retune(self, detection: TurnDetection) -> None:
        """Take new settings for the windows to come; a turn that is going on goes on under them."""
        self._rules = _rules(detection)
        self._patience = self._rules.cap
        if self._state == "asking":
            self._state = "voice"

    def window(self, end_sample: int, probability: float) -> News | None:
        """Take the window that ends at `end_sample`."""
        self._now_sample = end_sample
        if self._state == "silence":
            return self._in_silence(end_sample, probability)
        return self._in_turn(end_sample, probability)

    def scored(self, probability: float | None) -> News | None:
        """Take the detector's answer (None: there was none) to the open question."""
        if self._state != "asking":
            return None
        self._state = "voice"
        self._patience = self._patience_for(probability)
        if probability is None:
            self._next_ask = self._rules.cap
        if self._now_sample - self._voice_end >= self._patience:
            return self._end()
        return None

    def reset(self, floor_sample: int) -> None:
        """Forget a turn that is going on: its audio was committed or cleared."""
        self._state = "silence"
        self._run_start = None
        self._floor = floor_sample
        self._voice_end = floor_sample
        self._paused = False

    def _in_silence(self, end: int, probability: float) -> News | None:
        voiced = probability >= self._rules.enter if self._run_start is None else probability >= self._rules.leave
        if not voiced:
            self._run_start = None
            return None
        if self._run_start is None:
            self._run_start = end - WINDOW_SAMPLES
        if end - self._run_start < ONSET_SAMPLES:
            return None
        start = max(self._floor, self._run_start - self._rules.prefix, 0)
        self._run_start = None
        self._state = "voice"
        self._voiced_at(end)
        return Onset(start)

    def _in_turn(self, end: int, probability: float) -> News | None:
        in_pause = end - WINDOW_SAMPLES > self._voice_end
        if probability >= (self._rules.enter if in_pause else self._rules.leave):
            self._voiced_at(end)
            return None
        silent = end - self._voice_end
        if self._rules.silence is not None:
            if silent >= self._rules.silence:
                return self._end()
        elif silent >= min(self._patience, self._rules.cap):
            return self._end()
        elif silent >= self._next_ask:
            self._next_ask = silent + SEMANTIC_ASK_SAMPLES
            self._state = "asking"
            return Ask(end)
        if not self._paused and silent >= self._rules.settle:
            self._paused = True
            return Pause(self._voice_end)
        return None

    def _voiced_at(self, end: int) -> None:
        self._voice_end = end
        self._paused = False
        self._patience = self._rules.cap
        self._next_ask = SEMANTIC_ASK_SAMPLES

    def _end(self) -> End:
        news = End(self._now_sample, self._voice_end)
        self.reset(self._now_sample)
        return news

    def _patience_for(self, probability: float | None) -> int:
        """Give the silence that a turn with this score deserves: 200 ms when certain, the cap at 0."""
        rules = self._rules
        score = SEMANTIC_UNDECIDED if probability is None else min(1.0, max(0.0, probability))
        if score >= SEMANTIC_CERTAIN:
            return 0
        if score >= SEMANTIC_UNDECIDED:
            trust = (score - SEMANTIC_UNDECIDED) / (SEMANTIC_CERTAIN - SEMANTIC_UNDECIDED)
            return rules.undecided - round((rules.undecided - SEMANTIC_ASK_SAMPLES) * trust)
        doubt = 1.0 - score / SEMANTIC_UNDECIDED
        return rules.undecided + round((rules.cap - rules.undecided) * doubt**3)
