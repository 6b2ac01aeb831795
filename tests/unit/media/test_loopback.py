"""What only the loopback plane promises: virtual time, determinism, a recording at the far end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_planes import peer_spec, samples_of, tone

from parley.media.commands import (
    AddPeer,
    EndSpeech,
    FlushSpeech,
    ListenerId,
    OpenListener,
    OpenSpeaker,
    PushSpeech,
    SpeakerId,
    Subscribe,
)
from parley.media.errors import MediaError
from parley.media.events import Event
from parley.media.loopback import LoopbackPlane
from parley.media.peer_spec import PeerId, PublicationId

ANN, VOICE, AI = PeerId("ann"), SpeakerId("voice"), PublicationId("ai")


def conversation(steps: list[int]) -> tuple[list[Event], bytes]:
    """A call of two seconds in which time passes in the given steps, again and again."""
    plane = LoopbackPlane()
    plane.submit(AddPeer(peer_spec("ann")))
    plane.submit(OpenSpeaker(VOICE, AI))
    plane.submit(OpenListener(ListenerId("ear"), PublicationId("ann/mic"), "ann"))
    plane.submit(Subscribe(ANN, "0", AI))
    plane.advance(0)
    plane.remote(ANN).speak("0", tone(20_000))
    plane.submit(PushSpeech(VOICE, "a", tone(30_001)))
    plane.submit(EndSpeech(VOICE, "a"))
    events: list[Event] = []
    at = 0
    for half in (1_000, 2_000):
        while plane.now_ms < half:
            plane.advance(min(steps[at % len(steps)], half - plane.now_ms))
            events += plane.drain()
            at += 1
        plane.submit(FlushSpeech(VOICE, "a"))
    return events, plane.remote(ANN).recording("0", 2_000)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_the_size_of_steps_changes_nothing(steps: list[int]) -> None:
    assert conversation(steps) == conversation([20])


def test_an_hour_passes_quickly_and_ends_at_the_right_time() -> None:
    plane = LoopbackPlane()
    plane.submit(OpenSpeaker(VOICE, AI))
    for _ in range(60):
        plane.advance(60_000)
    assert plane.now_ms == 3_600_000
    assert plane.drain() == []


def test_a_recording_has_silence_where_nothing_came() -> None:
    plane = LoopbackPlane()
    plane.submit(AddPeer(peer_spec("ann")))
    plane.submit(OpenSpeaker(VOICE, AI))
    plane.submit(Subscribe(ANN, "0", AI))
    plane.advance(100)
    plane.submit(PushSpeech(VOICE, "a", tone(480)))
    plane.advance(100)
    samples = samples_of(plane.remote(ANN).recording("0", 200))
    assert len(samples) == 4_800
    assert [at for at, sample in enumerate(samples) if sample] == list(range(2_880, 3_360))


def test_a_peer_without_channels_has_none() -> None:
    plane = LoopbackPlane()
    plane.submit(AddPeer(peer_spec("ann", channels=False)))
    plane.advance(0)
    with pytest.raises(MediaError, match="no data channels"):
        plane.remote(ANN).open_channel(1, "oai-events")
