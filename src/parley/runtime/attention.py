"""How closely a call is listened to: while nobody speaks, nothing of its silence need come up here.

A listener of the media plane can hold silence back by itself and wake with the voice, the stretch before it included
(`OpenListener.only_speech`). Here it is decided when it may: with turn detection on, no turn going on, and a second of
quiet behind. Nothing is lost by it: the lane's time line shows what was skipped, which counts as silence.

What does come up comes in larger blocks (`GatherSound`) wherever no decision can hang on it: while a voice goes on
clearly, since only its end can end a turn, and with turn detection off, unless a commit waits for the sound.

Not where every sample counts: with turn detection off, where silence itself is answered (the idle timeout), and where
voice is wanted that is fainter than what wakes a listener.
Neighbours: `runner` (shows it every step), `live_lane`; `transports.webrtc` fills the role `Ears`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from parley.audio import AudioBlock, ms_to_samples
from parley.protocol.realtime.outputs import Output, Send
from parley.protocol.realtime.server_events import InputAudioBufferCleared, InputAudioBufferCommitted, SpeechStarted
from parley.protocol.realtime.session_config import ServerVad, SessionConfig
from parley.protocol.realtime.turns import surely_voice

__all__ = ["Attention", "Ears"]

_WAKING_PROBABILITY = 0.35
"""What wakes a resting listener (`media`): a threshold below or near it must hear everything."""
_LEAST_THRESHOLD = 0.4
_QUIET_SAMPLES = ms_to_samples(1_000)
_PRE_ROLL_MS = 500
_NOTICED_LATE_MS = 200
"""By so much a voice in noise may be noticed after it began."""
_GATHERED_MS = 100
_AT_ONCE = (0, 0.0)


class Ears(Protocol):
    """Whoever hears a call for its session. No method waits."""

    def attend(self, *, only_speech: bool, pre_roll_ms: int) -> None:
        """Listen to everything, or hold silence back from now on."""

    def rest(self) -> None:
        """Hold silence back until the next voice: the turn is closed."""

    def gather(self, *, up_to_ms: int, above: float) -> None:
        """Let blocks be so long from now on, while voice probabilities are not below `above`."""


class Attention:
    """One call's. Touched by the owner task, and once before it hears anything."""

    def __init__(self, ears: Ears, config: SessionConfig) -> None:
        self._ears = ears
        self._config: SessionConfig | None = None
        self._pre_roll_ms: int | None = None
        """None while everything is listened to."""
        self._speaking = False
        self._quiet_samples = 0
        self.resting = False
        """Whether silence is being held back."""
        self._hurried = False
        self._gathering = _AT_ONCE
        self._gathers_for: tuple[SessionConfig, bool, bool] | None = None
        self._adapt(config)
        self._gather(config)

    def heard(self, block: AudioBlock) -> None:
        """Take note of a block that came up; the machine has seen it."""
        self.resting = False
        loudest = max(block.speech, default=0.0)
        quiet = not self._speaking and loudest < _WAKING_PROBABILITY
        self._quiet_samples = self._quiet_samples + block.samples if quiet else 0
        if self._pre_roll_ms is not None and self._quiet_samples >= _QUIET_SAMPLES:
            self._quiet_samples = 0
            self.resting = True
            self._ears.rest()

    def observe(self, outputs: Iterable[Output], config: SessionConfig) -> None:
        """Take note of what a step led to."""
        for output in outputs:
            if not isinstance(output, Send):
                continue
            match output.event:
                case SpeechStarted():
                    self._speaking = True
                case InputAudioBufferCommitted() | InputAudioBufferCleared():
                    self._speaking = False
                case _:
                    pass
        if config is not self._config:
            self._adapt(config)
        self._gather(config)

    def hurry(self, *, on: bool) -> None:
        """Have every block at once, or no longer: something waits for the sound."""
        self._hurried = on
        if self._config is not None:
            self._gather(self._config)

    def _gather(self, config: SessionConfig) -> None:
        circumstances = (config, self._speaking, self._hurried)
        if circumstances == self._gathers_for:
            return
        self._gathers_for = circumstances
        wanted = _AT_ONCE if self._hurried else _gathering(config, speaking=self._speaking)
        if wanted != self._gathering:
            self._gathering = wanted
            self._ears.gather(up_to_ms=wanted[0], above=wanted[1])

    def _adapt(self, config: SessionConfig) -> None:
        self._config = config
        pre_roll_ms = _pre_roll_ms(config)
        if pre_roll_ms == self._pre_roll_ms:
            return
        self._pre_roll_ms = pre_roll_ms
        self._quiet_samples = 0
        if pre_roll_ms is None:
            self._speaking = False
            self.resting = False
            self._ears.attend(only_speech=False, pre_roll_ms=0)
        elif not self._speaking:
            self.resting = True
            self._ears.attend(only_speech=True, pre_roll_ms=pre_roll_ms)
        else:
            self._pre_roll_ms = None
            self._config = None  # looked at again when the turn is over


def _gathering(config: SessionConfig, *, speaking: bool) -> tuple[int, float]:
    """Give how long blocks may be, and from which probability on."""
    detection = config.audio.input.turn_detection
    if detection is None:
        return _GATHERED_MS, 0.0
    if not speaking or config.audio.input.noise_reduction is not None:
        return _AT_ONCE  # cleaned sound is judged here, where the plane's probabilities say nothing
    return _GATHERED_MS, surely_voice(detection)


def _pre_roll_ms(config: SessionConfig) -> int | None:
    """Give how much is wanted of what lies before a voice; None if everything is."""
    detection = config.audio.input.turn_detection
    if detection is None:
        return None
    if not isinstance(detection, ServerVad):
        return _PRE_ROLL_MS
    if detection.idle_timeout_ms is not None or detection.threshold < _LEAST_THRESHOLD:
        return None
    return max(_PRE_ROLL_MS, detection.prefix_padding_ms + _NOTICED_LATE_MS)
