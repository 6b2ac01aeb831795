"""Contract of every plane: server-paced playback and its exact numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_planes import HARNESSES, PlaneHarness, connected, control, of, samples_of, tone

from parley.media.commands import CloseSpeaker, EndSpeech, FlushSpeech, OpenSpeaker, PushSpeech, SpeakerId, Subscribe
from parley.media.errors import Busy, MediaError
from parley.media.events import SpeakerProgress, SpeechDrained, SpeechFlushed, SpeechStarted
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.plane import FADE_SAMPLES, MAX_QUEUED_SPEECH_SAMPLES

VOICE = SpeakerId("voice")
SECOND = 24_000


@pytest.fixture
def speaking(harness: PlaneHarness) -> PlaneHarness:
    """A plane on which one listener hears one speaker."""
    open_speaker(harness)
    return harness


def open_speaker(harness: PlaneHarness) -> None:
    connected(harness, "ann")
    harness.plane.submit(OpenSpeaker(VOICE, PublicationId("ai")))
    harness.plane.submit(Subscribe(PeerId("ann"), "0", PublicationId("ai")))
    harness.tap(PublicationId("ai"))
    harness.run(0)


def heard(harness: PlaneHarness) -> list[int]:
    """Every sample that left and is not silence."""
    return [sample for _, pcm in harness.spoken() for sample in samples_of(pcm) if sample]


def test_speech_comes_in_real_time_whole_and_reported(speaking: PlaneHarness) -> None:
    sound = tone(SECOND + 100)
    speaking.plane.submit(PushSpeech(VOICE, "a", sound))
    speaking.plane.submit(EndSpeech(VOICE, "a"))
    first = speaking.run(500)
    assert of(SpeechStarted, first) == [SpeechStarted(VOICE, "a")]
    assert len(heard(speaking)) == pytest.approx(SECOND / 2, abs=480)
    events = first + speaking.run(600)
    assert heard(speaking) == list(samples_of(sound))
    assert of(SpeechDrained, events) == [SpeechDrained(VOICE, "a", SECOND + 100)]
    assert sum(event.released_samples for event in of(SpeakerProgress, events)) == SECOND + 100


def test_frames_leave_on_an_absolute_schedule(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    for step in (7, 13, 1, 90, 333):
        speaking.run(step)
    times = [at_ms for at_ms, _ in speaking.spoken()]
    assert times == [times[0] + 20 * k for k in range(len(times))]


def test_an_unfinished_frame_waits_for_more_or_for_the_end(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(500)))
    speaking.run(100)
    assert len(heard(speaking)) == 480
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(100)))
    speaking.run(100)
    assert len(heard(speaking)) == 480
    speaking.plane.submit(EndSpeech(VOICE, "a"))
    assert SpeechDrained(VOICE, "a", 600) in speaking.run(100)
    assert len(heard(speaking)) == 600


def test_an_item_without_sound_is_drained_at_once(speaking: PlaneHarness) -> None:
    speaking.plane.submit(EndSpeech(VOICE, "a"))
    assert control(speaking.run(20)) == [SpeechDrained(VOICE, "a", 0)]


def test_a_flush_is_silent_within_a_tick_and_counts_what_went_out(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(10 * SECOND)))
    speaking.run(1_010)
    before = len(heard(speaking))
    speaking.plane.submit(FlushSpeech(VOICE, "a"))
    events = speaking.run(20)
    (flushed,) = of(SpeechFlushed, events)
    speaking.run(500)
    after = heard(speaking)
    assert flushed.samples == len(after) == before + FADE_SAMPLES
    assert sum(event.released_samples for event in of(SpeakerProgress, events)) > 8 * SECOND
    fade = [abs(sample) for sample in after[-FADE_SAMPLES:]]
    assert max(fade[-24:]) < max(fade[:24]) / 3
    assert fade[-1] < 100


def test_the_end_of_an_item_fades_though_it_is_short(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(480 + 50)))
    speaking.run(20)
    assert len(heard(speaking)) == 480
    speaking.plane.submit(FlushSpeech(VOICE, "a"))
    assert SpeechFlushed(VOICE, "a", 530) in speaking.run(20)


def test_what_was_flushed_never_sounds_again(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.run(200)
    speaking.plane.submit(FlushSpeech(VOICE, "a"))
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.plane.submit(EndSpeech(VOICE, "a"))
    events = speaking.run(1_500)
    (flushed,) = of(SpeechFlushed, events)
    assert len(heard(speaking)) == flushed.samples
    assert not of(SpeechDrained, events)
    assert sum(event.released_samples for event in of(SpeakerProgress, events)) >= 2 * SECOND - flushed.samples


def test_other_items_play_on(speaking: PlaneHarness) -> None:
    later = tone(4_800, hz=900)
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.plane.submit(PushSpeech(VOICE, "b", later))
    speaking.plane.submit(EndSpeech(VOICE, "b"))
    speaking.run(100)
    speaking.plane.submit(FlushSpeech(VOICE, "a"))
    events = speaking.run(400)
    assert of(SpeechDrained, events) == [SpeechDrained(VOICE, "b", 4_800)]
    assert heard(speaking)[-4_800:] == list(samples_of(later))


@pytest.mark.parametrize("ended", [True, False])
def test_a_flush_of_what_is_not_sounding_is_answered_at_once(speaking: PlaneHarness, ended: bool) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(960)))
    if ended:
        speaking.plane.submit(EndSpeech(VOICE, "a"))
    speaking.run(100)
    speaking.plane.submit(PushSpeech(VOICE, "b", tone(960)))
    for item in ("a", "b", "never heard of"):
        speaking.plane.submit(FlushSpeech(VOICE, item))
    assert of(SpeechFlushed, speaking.run(0)) == [
        SpeechFlushed(VOICE, "a", 960),
        SpeechFlushed(VOICE, "b", 0),
        SpeechFlushed(VOICE, "never heard of", 0),
    ]


def test_items_share_a_frame_and_both_are_counted(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(500)))
    speaking.plane.submit(EndSpeech(VOICE, "a"))
    speaking.plane.submit(PushSpeech(VOICE, "b", tone(460)))
    events = speaking.run(60)
    assert control(events)[:3] == [SpeechStarted(VOICE, "a"), SpeechStarted(VOICE, "b"), SpeechDrained(VOICE, "a", 500)]
    speaking.plane.submit(FlushSpeech(VOICE, "b"))
    assert of(SpeechFlushed, speaking.run(20)) == [SpeechFlushed(VOICE, "b", 460)]


def test_too_much_speech_is_busy_until_some_has_left(speaking: PlaneHarness) -> None:
    minute = bytes(2 * MAX_QUEUED_SPEECH_SAMPLES // 2)
    for _ in range(2):
        speaking.plane.submit(PushSpeech(VOICE, "a", minute))
    with pytest.raises(Busy, match="samples of speech wait already"):
        speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.run(1_600)
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    with pytest.raises(Busy):
        speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.plane.submit(FlushSpeech(VOICE, "a"))
    speaking.run(40)
    speaking.plane.submit(PushSpeech(VOICE, "b", minute))


def test_half_a_sample_is_refused(speaking: PlaneHarness) -> None:
    with pytest.raises(MediaError, match="odd byte"):
        speaking.plane.submit(PushSpeech(VOICE, "a", b"abc"))


def test_a_closed_speaker_is_silent(speaking: PlaneHarness) -> None:
    speaking.plane.submit(PushSpeech(VOICE, "a", tone(SECOND)))
    speaking.run(100)
    speaking.plane.submit(CloseSpeaker(VOICE))
    speaking.run(500)
    assert len(heard(speaking)) == 5 * 480
    speaking.plane.submit(PushSpeech(VOICE, "b", tone(480)))
    speaking.run(100)
    assert speaking.plane.counters.commands_ignored == 1


ITEMS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("push"), ITEMS, st.integers(0, 3_000)),
    st.tuples(st.just("end"), ITEMS, st.just(0)),
    st.tuples(st.just("flush"), ITEMS, st.just(0)),
    st.tuples(st.just("run"), st.just(""), st.integers(0, 150)),
)


@pytest.mark.parametrize("name", sorted(HARNESSES))
@given(steps=st.lists(STEPS, max_size=40))
def test_whatever_happens_the_numbers_agree(name: str, steps: list[tuple[str, str, int]]) -> None:
    """Sent <= pushed, one answer for every flush, credits come back, and the sum of what is told is what is heard."""
    harness = HARNESSES[name]()
    open_speaker(harness)
    events = []
    pushed = dict.fromkeys("abc", 0)
    flushes = 0
    for kind, item, amount in steps:
        match kind:
            case "push":
                pushed[item] += amount
                harness.plane.submit(PushSpeech(VOICE, item, tone(amount)))
            case "end":
                harness.plane.submit(EndSpeech(VOICE, item))
            case "flush":
                flushes += 1
                harness.plane.submit(FlushSpeech(VOICE, item))
            case _:
                events += harness.run(amount)
    for item in "abc":
        harness.plane.submit(EndSpeech(VOICE, item))
    events += harness.run(8_000)
    finals = {event.item: event.samples for event in events if isinstance(event, SpeechDrained | SpeechFlushed)}
    assert len(of(SpeechFlushed, events)) == flushes
    assert set(finals) == set("abc")
    assert all(finals[item] <= pushed[item] for item in "abc")
    assert len(heard(harness)) == sum(finals.values())
    assert sum(event.released_samples for event in of(SpeakerProgress, events)) == sum(pushed.values())
    started = [event.item for event in of(SpeechStarted, events)]
    assert sorted(started) == sorted(item for item in "abc" if finals[item])
    drained = [event.item for event in of(SpeechDrained, events)]
    assert len(drained) == len(set(drained))
    harness.plane.close()
