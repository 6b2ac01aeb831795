"""Contract of every plane: listeners, time lines that run on time, gates, and losses that are told."""

from __future__ import annotations

import itertools
import math
import struct
from functools import cache

import pytest
from media_planes import PlaneHarness, connected, control, of, tone

from parley.audio import AudioBlock
from parley.media.commands import (
    CloseListener,
    GatherSound,
    ListenerId,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    RemovePeer,
    RestListener,
    SpeakerId,
    Subscribe,
    Unsubscribe,
)
from parley.media.events import AudioHeard, Event, PeerClosed
from parley.media.peer_spec import PeerId, PublicationId

EAR = ListenerId("ear")


def listen(harness: PlaneHarness, peer: str = "ann", **options: bool | int) -> None:
    connected(harness, peer)
    harness.plane.submit(OpenListener(EAR, PublicationId(f"{peer}/mic"), peer, **options))  # type: ignore[arg-type]
    harness.run(0)


def blocks(events: list[Event]) -> list[AudioBlock]:
    return [event.block for event in of(AudioHeard, events)]


@cache
def voice(samples: int) -> bytes:
    """A voice-like sound: pulses through two gliding resonances, in syllables."""
    states = [[0.0, 0.0], [0.0, 0.0]]
    clock, out = 0.0, []
    for n in range(samples):
        t = n / 24_000
        clock += (118 + 14 * math.sin(t * 2.3)) / 24_000
        pulse = 1.0 if clock >= 1 else 0.0
        clock %= 1
        sound = 0.0
        for state, hz in zip(states, (550 + 180 * math.sin(t * 9), 1_700 + 400 * math.cos(t * 7)), strict=True):
            angle = 2 * math.pi * hz / 24_000
            value = pulse + 2 * 0.985 * math.cos(angle) * state[0] - 0.985**2 * state[1]
            state[:] = [value, state[0]]
            sound += value
        syllable = math.sin(math.pi * (t % 0.18) / 0.18) ** 2
        out.append(max(-32_768, min(32_767, round(sound * syllable * 1_400))))
    return struct.pack(f"<{samples}h", *out)


def test_a_lane_runs_on_time_whatever_is_sent(harness: PlaneHarness) -> None:
    listen(harness)
    harness.remote("ann").speak("0", tone(4_800))
    events = harness.run(1_000)
    heard = blocks(events)
    assert {block.lane for block in heard} == {"ann"}
    sample = 0
    for block in heard:
        assert block.start_sample == sample
        sample = block.end_sample
    assert sample == pytest.approx(24_000, abs=480)
    pcm = b"".join(block.pcm for block in heard)
    assert harness.alike(pcm, tone(4_800))
    assert harness.alike(pcm[: 2 * 7_200], tone(4_800)), "within 100 ms"
    times = [event.at_ms for event in of(AudioHeard, events)]
    assert times == [times[0] + 20 * k for k in range(len(heard))]
    assert harness.now_ms - times[-1] < 20


def test_every_window_gets_a_probability(harness: PlaneHarness) -> None:
    listen(harness)
    harness.remote("ann").speak("0", voice(24_000))
    heard = blocks(harness.run(1_000))
    assert sum(len(block.speech) for block in heard) == heard[-1].end_sample // 384
    windows = [p for block in heard for p in block.speech]
    assert sum(p >= 0.5 for p in windows) > len(windows) / 2


def test_without_detection_there_are_no_probabilities(harness: PlaneHarness) -> None:
    listen(harness, detect_speech=False, only_speech=True)
    heard = blocks(harness.run(100))
    assert len(heard) == 5
    assert not any(block.speech for block in heard)


def test_a_resting_listener_posts_from_before_the_voice_until_it_rests_again(harness: PlaneHarness) -> None:
    listen(harness, only_speech=True, pre_roll_ms=300)
    assert not blocks(harness.run(2_000))
    harness.remote("ann").speak("0", voice(24_000))
    heard = blocks(harness.run(1_000))
    onset = next(block for block in heard if max(block.speech, default=0) >= 0.35)
    assert onset.end_sample > 48_000
    assert onset.end_sample - heard[0].start_sample >= 300 * 24
    harness.run(1_000)
    assert len(blocks(harness.run(400))) == 20, "silence is posted as long as the turn is open"
    harness.plane.submit(RestListener(EAR))
    assert not blocks(harness.run(1_000))
    harness.remote("ann").speak("0", voice(12_000))
    again = blocks(harness.run(500))
    assert again
    assert again[0].start_sample > 4 * 24_000


def test_sound_may_be_gathered_while_a_voice_goes_on_and_silence_is_told_at_once(harness: PlaneHarness) -> None:
    listen(harness)
    harness.plane.submit(GatherSound(EAR, 100, 0.5))
    harness.remote("ann").speak("0", voice(24_000))
    heard = []
    for _ in range(75):
        events = harness.run(20)
        heard += blocks(events)
        missing = (harness.now_ms - 40) * 24 - (heard[-1].end_sample if heard else 0)
        assert missing < 100 * 24
    for block, following in itertools.pairwise(heard):
        assert following.start_sample == block.end_sample
        assert block.samples <= 100 * 24
        assert block.samples == 480 or all(p >= 0.5 for p in block.speech[:-2]), "only the last may have ended it"
    harness.plane.submit(GatherSound(EAR, 100))
    harness.run(200)
    harness.plane.submit(GatherSound(EAR, 0))
    harness.run(20)
    assert len(blocks(harness.run(400))) == 20


def test_audio_that_nobody_fetches_is_dropped_counted_and_becomes_a_gap(harness: PlaneHarness) -> None:
    listen(harness)
    harness.run_undrained(8_000)
    assert harness.plane.counters.audio_blocks_dropped == 150
    kept = blocks(harness.plane.drain())
    assert kept[-1].end_sample == 5 * 24_000
    assert not any(block.gap for block in kept)
    later = blocks(harness.run(100))
    gaps = [block for block in later if block.gap]
    assert gaps[0].start_sample == 5 * 24_000
    assert sum(block.samples for block in gaps) == 3 * 24_000
    assert max(block.samples for block in gaps) <= 24_000
    assert later[-1].end_sample == pytest.approx(8.1 * 24_000, abs=480)


def test_control_events_survive_while_audio_is_lost(harness: PlaneHarness) -> None:
    listen(harness)
    connected(harness, "bob")
    harness.run_undrained(7_000)
    harness.plane.submit(RemovePeer(PeerId("bob")))
    harness.run_undrained(7_000)
    assert control(harness.plane.drain()) == [PeerClosed(PeerId("bob"), "removed")]


def test_a_closed_listener_and_a_gone_peer_are_silent(harness: PlaneHarness) -> None:
    listen(harness)
    harness.plane.submit(CloseListener(EAR))
    assert not blocks(harness.run(200))
    harness.plane.submit(OpenListener(EAR, PublicationId("ann/mic"), "ann"))
    assert blocks(harness.run(200))
    harness.remote("ann").hang_up()
    events = harness.run(400)
    assert control(events) == [PeerClosed(PeerId("ann"), "remote")]
    assert not blocks(harness.run(200))


def test_people_hear_each_other_and_not_themselves(harness: PlaneHarness) -> None:
    connected(harness, "ann", "bob")
    harness.plane.submit(Subscribe(PeerId("ann"), "0", PublicationId("bob/mic")))
    harness.plane.submit(Subscribe(PeerId("bob"), "0", PublicationId("ann/mic")))
    harness.run(0)
    harness.remote("ann").speak("0", tone(2_400))
    harness.run(200)
    assert harness.alike(harness.remote("bob").recording("0", harness.now_ms), tone(2_400))
    assert not any(harness.remote("ann").recording("0", harness.now_ms))
    harness.plane.submit(Unsubscribe(PeerId("bob"), "0"))
    harness.run(200)
    before = harness.remote("bob").recording("0", harness.now_ms)
    harness.remote("ann").speak("0", tone(2_400))
    harness.run(200)
    assert len(before.rstrip(b"\0")) == len(harness.remote("bob").recording("0", harness.now_ms).rstrip(b"\0"))


def test_a_listener_may_hear_the_speaker(harness: PlaneHarness) -> None:
    harness.plane.submit(OpenSpeaker(SpeakerId("voice"), PublicationId("ai")))
    harness.plane.submit(OpenListener(EAR, PublicationId("ai"), "ai"))
    harness.plane.submit(PushSpeech(SpeakerId("voice"), "a", tone(960)))
    pcm = b"".join(block.pcm for block in blocks(harness.run(200)))
    assert pcm.strip(b"\0") == tone(960).strip(b"\0")
    assert len(pcm) // 2 == 4_800
