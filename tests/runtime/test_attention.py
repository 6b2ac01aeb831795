"""When a call's sound may come in larger blocks: never where a decision hangs on the next frame."""

from __future__ import annotations

import msgspec
import pytest

from parley.audio import AudioBlock
from parley.protocol.realtime.outputs import Send
from parley.protocol.realtime.server_events import InputAudioBufferCommitted, SpeechStarted
from parley.protocol.realtime.session_config import (
    NoiseReduction,
    SemanticVad,
    ServerVad,
    SessionConfig,
    TurnDetection,
)
from parley.runtime.attention import Attention

STARTED = Send(SpeechStarted(event_id="e", audio_start_ms=0, item_id="i"))
COMMITTED = Send(InputAudioBufferCommitted(event_id="e", item_id="i", previous_item_id=None))


class Ears:
    """Whoever hears: keeps what it was told."""

    def __init__(self) -> None:
        self.gathering: tuple[int, float] = (0, 0.0)
        self.told = 0

    def attend(self, *, only_speech: bool, pre_roll_ms: int) -> None:
        return

    def rest(self) -> None:
        return

    def gather(self, *, up_to_ms: int, above: float) -> None:
        self.gathering = (up_to_ms, above)
        self.told += 1


def config(detection: TurnDetection | None, noise: NoiseReduction | None = None) -> SessionConfig:
    base = SessionConfig()
    listening = msgspec.structs.replace(base.audio.input, turn_detection=detection, noise_reduction=noise)
    return msgspec.structs.replace(base, audio=msgspec.structs.replace(base.audio, input=listening))


@pytest.mark.parametrize(("detection", "surely"), [(ServerVad(threshold=0.7), 0.7), (SemanticVad(), 0.5)])
def test_only_while_a_voice_goes_on(detection: TurnDetection, surely: float) -> None:
    ears, wanted = Ears(), config(detection)
    attention = Attention(ears, wanted)
    attention.observe([], wanted)
    assert ears.gathering == (0, 0.0)
    attention.observe([STARTED], wanted)
    assert ears.gathering == (100, surely)
    for _ in range(50):
        attention.heard(AudioBlock("0", 0, bytes(960), (0.9,)))
        attention.observe([], wanted)
    assert ears.told == 1
    attention.observe([COMMITTED], wanted)
    assert ears.gathering == (0, 0.0)


def test_what_is_judged_here_comes_at_once() -> None:
    ears, wanted = Ears(), config(ServerVad(), NoiseReduction(type="near_field"))
    attention = Attention(ears, wanted)
    attention.observe([STARTED], wanted)
    assert ears.gathering == (0, 0.0)


def test_without_turns_everything_is_gathered_unless_a_commit_waits() -> None:
    ears, wanted = Ears(), config(None)
    attention = Attention(ears, wanted)
    assert ears.gathering == (100, 0.0)
    attention.hurry(on=True)
    attention.observe([], wanted)
    assert ears.gathering == (0, 0.0)
    attention.hurry(on=False)
    assert ears.gathering == (100, 0.0)
    attention.observe([], config(ServerVad()))
    assert ears.gathering == (0, 0.0)
