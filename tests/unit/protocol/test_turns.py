"""When turns begin, pause and end: arithmetic in samples, no audio and no clock."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from driven_session import DrivenSession, configured
from hypothesis import given
from hypothesis import strategies as st

from parley.protocol.realtime.ids import ItemId, LaneId
from parley.protocol.realtime.inputs import LaneAdvanced
from parley.protocol.realtime.lane import Lane, LaneNews, SpeechBegan, SpeechPaused, TurnDoubted, TurnOver
from parley.protocol.realtime.session_config import SemanticVad, ServerVad, TurnDetection
from parley.protocol.realtime.turns import WINDOW_SAMPLES, Ask, End, News, Onset, Pause, TurnTracker

MS = 24


def track(detection: TurnDetection, *runs: tuple[int, float], floor: int = 0) -> list[News]:
    """Feed runs of (windows, probability); answer questions with nothing."""
    tracker = TurnTracker(detection, floor_sample=floor)
    news: list[News] = []
    at = floor
    for windows, probability in runs:
        for _ in range(windows):
            at += WINDOW_SAMPLES
            said = tracker.window(at, probability)
            if said is not None:
                news.append(said)
            if tracker.asking and (said := tracker.scored(None)) is not None:
                news.append(said)
    return news


def test_a_turn_begins_at_its_first_voiced_window_less_the_prefix() -> None:
    news = track(ServerVad(prefix_padding_ms=300), (40, 0.0), (3, 0.9))
    assert news == [Onset((40 * 16 - 300) * MS)]


def test_a_turn_never_reaches_back_before_its_floor() -> None:
    assert track(ServerVad(), (2, 0.0), (3, 0.9), floor=4800) == [Onset(4800)]


@pytest.mark.parametrize("windows", [1, 2])
def test_a_click_begins_nothing(windows: int) -> None:
    assert track(ServerVad(), (10, 0.0), (windows, 0.99), (40, 0.0)) == []


@pytest.mark.parametrize("silence_ms", [160, 200, 500, 800])
def test_server_vad_ends_after_exactly_the_silence_asked_for(silence_ms: int) -> None:
    news = track(ServerVad(silence_duration_ms=silence_ms), (10, 0.9), (100, 0.0))
    end = news[-1]
    assert isinstance(end, End)
    assert end.voice_end_sample == 160 * MS
    assert 0 <= end.end_sample - end.voice_end_sample - silence_ms * MS < WINDOW_SAMPLES


def test_the_pause_is_told_once_and_again_after_resumed_speech() -> None:
    news = track(ServerVad(silence_duration_ms=500), (10, 0.9), (20, 0.0), (10, 0.9), (40, 0.0))
    assert [type(one) for one in news] == [Onset, Pause, Pause, End]
    assert news[1] == Pause(160 * MS)
    assert news[2] == Pause((160 + 320 + 160) * MS)


def test_between_the_levels_nothing_changes() -> None:
    """0.4 is not loud enough to begin or resume, and not quiet enough to stop."""
    assert track(ServerVad(), (20, 0.4)) == []
    news = track(ServerVad(silence_duration_ms=200), (5, 0.9), (20, 0.4), (5, 0.1), (2, 0.4), (20, 0.1))
    end = news[-1]
    assert isinstance(end, End)
    assert end.voice_end_sample == 25 * WINDOW_SAMPLES


@pytest.mark.parametrize(("threshold", "probability", "begins"), [
    (0.5, 0.49, False), (0.5, 0.51, True), (0.25, 0.24, False), (0.25, 0.26, True), (0.9, 0.89, False),
    (0.9, 0.91, True), (1.0, 1.0, True), (0.0, 0.0, True),
])  # fmt: skip
def test_the_threshold_maps_to_the_detectors_levels(threshold: float, probability: float, begins: bool) -> None:
    assert bool(track(ServerVad(threshold=threshold), (5, probability))) is begins


@pytest.mark.parametrize(("eagerness", "cap_ms"), [("low", 8000), ("medium", 4000), ("auto", 4000), ("high", 2000)])
def test_semantic_vad_ends_at_its_cap_when_the_speaker_seems_to_go_on(eagerness: Any, cap_ms: int) -> None:
    tracker = TurnTracker(SemanticVad(eagerness=eagerness), floor_sample=0)
    asked: list[int] = []
    ended: End | None = None
    for number in itertools.count(1):
        said = tracker.window(number * WINDOW_SAMPLES, 0.9 if number <= 5 else 0.0)
        if isinstance(said, Ask):
            asked.append(said.at_sample)
            assert tracker.scored(0.0) is None
        if isinstance(said, End):
            ended = said
            break
    assert ended is not None
    assert 0 <= ended.end_sample - ended.voice_end_sample - cap_ms * MS < WINDOW_SAMPLES
    assert len(asked) == pytest.approx(cap_ms / 200, abs=2)
    assert asked[0] == pytest.approx((80 + 200) * MS, abs=WINDOW_SAMPLES)


def test_semantic_vad_ends_at_once_when_the_detector_is_sure() -> None:
    tracker = TurnTracker(SemanticVad(), floor_sample=0)
    for number in range(1, 30):
        tracker.window(number * WINDOW_SAMPLES, 0.9 if number <= 5 else 0.0)
        if tracker.asking:
            break
    assert tracker.asking
    end = tracker.scored(0.95)
    assert isinstance(end, End)
    assert end.end_sample - end.voice_end_sample == 13 * WINDOW_SAMPLES


def wait_ms(score: float | None, eagerness: Any = "auto") -> float:
    """How long the silence lasts that ends a turn which is always scored so."""
    tracker = TurnTracker(SemanticVad(eagerness=eagerness), floor_sample=0)
    for number in itertools.count(1):
        said = tracker.window(number * WINDOW_SAMPLES, 0.9 if number <= 5 else 0.0)
        if tracker.asking:
            said = tracker.scored(score)
        if isinstance(said, End):
            return (said.end_sample - said.voice_end_sample) / MS
    raise AssertionError


def test_the_surer_the_detector_the_shorter_the_wait() -> None:
    waits = [wait_ms(score) for score in (0.0, 0.1, 0.25, 0.4, 0.49, 0.5, 0.6, 0.8, 0.92, 0.95, 1.0)]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] == 4000
    assert waits[-2:] == [208, 208]


@pytest.mark.parametrize(("eagerness", "ms"), [("high", 400), ("auto", 608), ("medium", 608), ("low", 912)])
@pytest.mark.parametrize("score", [0.5, None])
def test_a_detector_that_knows_nothing_waits_a_moderate_time(score: float | None, eagerness: Any, ms: int) -> None:
    assert wait_ms(score, eagerness) == ms


def test_a_detector_that_does_not_answer_is_asked_once_a_pause() -> None:
    news = track(SemanticVad(), (5, 0.9), (20, 0.0), (5, 0.9), (60, 0.0))
    assert [type(one) for one in news] == [Onset, Pause, Ask, Pause, Ask, End]


@pytest.mark.parametrize(("score", "least", "most"), [(0.92, 200, 300), (0.8, 300, 400), (0.15, 1500, 2000)])
def test_text_that_sounds_whole_or_dangling_changes_the_wait(score: float, least: int, most: int) -> None:
    assert least <= wait_ms(score) <= most


def test_a_better_answer_later_ends_the_turn_then() -> None:
    tracker = TurnTracker(SemanticVad(), floor_sample=0)
    scores = iter([0.1, 0.1, 0.95])
    for number in itertools.count(1):
        said = tracker.window(number * WINDOW_SAMPLES, 0.9 if number <= 5 else 0.0)
        if tracker.asking:
            said = tracker.scored(next(scores))
        if isinstance(said, End):
            assert (said.end_sample - said.voice_end_sample) / MS == 624
            break


# --- lanes


def lane(detection: TurnDetection | None = ServerVad()) -> Lane:  # noqa: B008 - frozen
    ids = (ItemId(f"item_{number}") for number in itertools.count(1))
    return Lane(LaneId("0"), detection, lambda: next(ids))


def block(start: int, *probabilities: float, gap: bool = False, samples: int | None = None) -> LaneAdvanced:
    length = samples if samples is not None else len(probabilities) * WINDOW_SAMPLES
    return LaneAdvanced(LaneId("0"), start, length, probabilities, start, gap)


def voice(windows: int, silence: int) -> tuple[float, ...]:
    return (0.9,) * windows + (0.0,) * silence


def test_a_burst_gives_the_turns_that_live_speech_gives() -> None:
    row = voice(60, 40) + voice(60, 10) + voice(20, 40)
    in_one = [news for news in lane().advance(block(0, *row)) if not isinstance(news, SpeechPaused)]
    live, pieces = lane(), []
    for index, probability in enumerate(row):
        pieces += [
            n for n in live.advance(block(index * WINDOW_SAMPLES, probability)) if not isinstance(n, SpeechPaused)
        ]
    assert in_one == pieces
    assert [type(news) for news in in_one] == [SpeechBegan, TurnOver, SpeechBegan, TurnOver]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=60), st.data())
def test_how_audio_is_cut_into_blocks_does_not_matter(cuts: list[int], data: st.DataObject) -> None:
    row = data.draw(st.lists(st.sampled_from([0.0, 0.4, 0.9]), min_size=sum(cuts), max_size=sum(cuts)))
    whole = list(lane().advance(block(0, *row)))
    cut, at, pieces = lane(), 0, []
    for size in cuts:
        pieces += list(cut.advance(block(at * WINDOW_SAMPLES, *row[at : at + size])))
        at += size
    assert whole == pieces


def test_blocks_need_not_be_whole_windows() -> None:
    """Windows belong to the block in which they end."""
    tested = lane()
    news: list[LaneNews] = []
    at = 0
    ends = 0
    while at < 60 * WINDOW_SAMPLES:
        size = 480
        inside = tuple(0.9 for end in range(ends + WINDOW_SAMPLES, at + size + 1, WINDOW_SAMPLES))
        news += tested.advance(LaneAdvanced(LaneId("0"), at, size, inside, ends))
        ends += len(inside) * WINDOW_SAMPLES
        at += size
    assert news == [SpeechBegan(ItemId("item_1"), 0)]


def test_a_gap_is_time_and_silence() -> None:
    tested = lane()
    assert list(tested.advance(block(0, *voice(20, 0))))
    news = list(tested.advance(block(20 * WINDOW_SAMPLES, gap=True, samples=24_000)))
    assert isinstance(news[-1], TurnOver)
    assert tested.received_samples == 20 * WINDOW_SAMPLES + 24_000


def test_missing_samples_count_as_a_gap_and_repeated_ones_not_at_all() -> None:
    tested = lane()
    list(tested.advance(block(0, *voice(20, 0))))
    assert list(tested.advance(block(0, *voice(20, 0)))) == []
    news = list(tested.advance(block(100 * WINDOW_SAMPLES, 0.0)))
    assert isinstance(news[-1], TurnOver)


def test_silence_is_forgotten_but_the_prefix_is_kept() -> None:
    tested = lane(ServerVad(prefix_padding_ms=300))
    told = []
    for number in range(400):
        list(tested.advance(block(number * WINDOW_SAMPLES, 0.0)))
        if (before := tested.forgettable()) is not None:
            told.append(before)
            assert tested.received_samples - before >= 300 * MS
    assert told == sorted(told)
    assert len(told) == 6


def test_a_longer_prefix_does_not_reach_into_what_was_forgotten() -> None:
    tested = lane(ServerVad(prefix_padding_ms=0))
    list(tested.advance(block(0, *voice(0, 200))))
    forgotten = tested.forgettable()
    assert forgotten is not None
    tested.configure(ServerVad(prefix_padding_ms=2000))
    began = next(iter(tested.advance(block(200 * WINDOW_SAMPLES, *voice(5, 0)))))
    assert isinstance(began, SpeechBegan)
    assert began.start_sample == forgotten


def test_a_gap_of_a_day_is_skipped_over() -> None:
    tested = lane()
    list(tested.advance(block(0, *voice(20, 0))))
    day = 24 * 3600 * 1000 * MS
    news = list(tested.advance(block(20 * WINDOW_SAMPLES, gap=True, samples=day)))
    assert isinstance(news[-1], TurnOver)
    assert tested.received_samples == 20 * WINDOW_SAMPLES + day
    began = list(tested.advance(block(tested.received_samples, *voice(5, 0))))
    assert [type(one) for one in began] == [SpeechBegan]


def test_without_turn_detection_everything_is_buffered() -> None:
    tested = lane(None)
    assert list(tested.advance(block(0, *voice(100, 100)))) == []
    assert tested.buffered_samples == 200 * WINDOW_SAMPLES
    turn = tested.commit()
    assert (turn.start_sample, turn.end_sample, turn.by_voice, turn.spoken) == (0, 200 * WINDOW_SAMPLES, False, False)
    assert tested.buffered_samples == 0


def test_switching_detection_off_within_a_turn_keeps_its_audio_and_its_id() -> None:
    tested = lane()
    list(tested.advance(block(0, *voice(10, 0))))
    assert tested.configure(None) == "item_1"
    list(tested.advance(block(10 * WINDOW_SAMPLES, *voice(0, 100))))
    turn = tested.commit()
    assert (turn.item_id, turn.end_sample, turn.spoken) == ("item_1", 110 * WINDOW_SAMPLES, False)


def test_a_lane_holds_while_the_turn_detector_thinks_and_loses_nothing() -> None:
    tested = lane(SemanticVad())
    news = list(tested.advance(block(0, *voice(20, 20), *voice(20, 0))))
    assert isinstance(news[-1], TurnDoubted)
    assert tested.holding
    assert list(tested.advance(block(60 * WINDOW_SAMPLES, *voice(10, 0)))) == []
    after = list(tested.scored(1.0))
    assert [type(one) for one in after] == [TurnOver, SpeechBegan]
    over, began = after
    assert isinstance(over, TurnOver)
    assert isinstance(began, SpeechBegan)
    assert over.end_sample == 33 * WINDOW_SAMPLES
    assert began.start_sample >= over.end_sample


def test_thirty_seconds_in_one_burst_give_the_right_turns() -> None:
    """Three sentences with pauses, appended at one instant: three turns, at their places."""
    session = DrivenSession()
    for _ in range(3):
        session.hear(9_008, 0.9, live=False)
        session.hear(992, 0.0, live=False)
    assert session.now == 1000
    starts = [event["audio_start_ms"] for event in session.of_type("input_audio_buffer.speech_started")]
    stops = [event["audio_end_ms"] for event in session.of_type("input_audio_buffer.speech_stopped")]
    assert starts == [0, 9_700, 19_700]
    assert stops == [9_520, 19_520, 29_520]


def test_two_lanes_take_turns_of_their_own() -> None:
    session = DrivenSession(lanes=("a", "b"), config=configured({"audio": {"input": {"turn_detection": {
        "type": "server_vad", "create_response": False}}}}))  # fmt: skip
    for at in range(0, 60 * 6, 6):
        for name, until in (("a", 60), ("b", 120)):
            row = tuple(0.9 if number < until else 0.0 for number in range(at, at + 6))
            session.feed(LaneAdvanced(LaneId(name), at * WINDOW_SAMPLES, 6 * WINDOW_SAMPLES, row, at * WINDOW_SAMPLES))
    started = [event["item_id"] for event in session.of_type("input_audio_buffer.speech_started")]
    committed = [event["item_id"] for event in session.of_type("input_audio_buffer.committed")]
    assert len(set(started)) == 2
    assert committed == started
