"""What was heard: spans, cuts and clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.ids import ItemId, Ms, ResponseId
from parley.protocol.realtime.playback import Playback, Spoken

MS = 24


def ledger(text: str, *spans: TextSpan, sent_ms: int, finished: bool = False) -> Spoken:
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    spoken.say(text)
    spoken.send(sent_ms * MS, spans)
    spoken.finished = finished
    return spoken


WORDS = "The hottest one is near."
EXACT = (
    TextSpan(0, 3, 0, 200, True),
    TextSpan(4, 11, 200, 700, True),
    TextSpan(12, 15, 700, 900, True),
    TextSpan(16, 18, 900, 1000, True),
    TextSpan(19, 24, 1050, 1400, True),
)


@pytest.mark.parametrize(("end_ms", "heard"), [
    (0, ""), (199, ""), (200, "The"), (699, "The"), (700, "The hottest"), (1399, "The hottest one is"),
    (1400, "The hottest one is near."), (99_999, "The hottest one is near."),
])  # fmt: skip
def test_a_timed_word_counts_when_it_has_ended(end_ms: int, heard: str) -> None:
    assert ledger(WORDS, *EXACT, sent_ms=1400).text_until(end_ms) == heard


@pytest.mark.parametrize(("end_ms", "heard"), [
    (0, ""), (200, ""), (300, "The"), (1199, "The hottest"), (1200, "The hottest"), (1699, "The hottest one"),
    (2399, "The hottest one is"), (2400, "The hottest one is near."),
])  # fmt: skip
def test_within_a_clause_characters_are_shared_out_and_whole_words_count(end_ms: int, heard: str) -> None:
    assert ledger(WORDS, TextSpan(0, 24, 0, 2400), sent_ms=2400).text_until(end_ms) == heard


def test_scripts_without_spaces_count_by_character() -> None:
    text = "水星は最も暑い惑星"
    assert ledger(text, TextSpan(0, 9, 0, 900), sent_ms=900).text_until(450) == text[:4]


def test_audio_without_spans_is_shared_by_the_text_it_came_with() -> None:
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    spoken.say("One two. ")
    spoken.send(500 * MS, ())
    spoken.send(500 * MS, ())
    spoken.say("Three four.")
    spoken.send(1000 * MS, ())
    assert spoken.text_until(999) == "One two."
    assert spoken.text_until(500) == "One"
    assert spoken.text_until(1999) == "One two. Three"
    assert spoken.text_until(2000) == "One two. Three four."


def test_words_timed_late_in_a_chunk_replace_the_guess_made_for_the_silence_before_them() -> None:
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    spoken.say("One two. Three four.")
    spoken.send(200 * MS, ())
    spoken.send(200 * MS, (TextSpan(0, 3, 250, 390, exact=True),))
    spoken.send(200 * MS, ())
    spoken.send(200 * MS, (TextSpan(4, 8, 450, 700, exact=True),))
    assert spoken.text_until(249) == ""
    assert spoken.text_until(400) == "One"
    assert spoken.text_until(699) == "One"
    assert spoken.text_until(700) == "One two."
    assert spoken.text_until(800) == "One two."


def test_a_cut_is_clamped_and_only_shrinks() -> None:
    spoken = ledger(WORDS, *EXACT, sent_ms=1400)
    assert spoken.cut(5000) == 1400
    assert spoken.cut(700) == 700
    assert spoken.cut(900) == 700
    assert spoken.kept_text() == "The hottest"
    assert spoken.cut(-5) == 0
    assert spoken.kept_text() == ""


def test_a_cut_at_the_end_of_a_finished_item_keeps_all_its_text() -> None:
    spoken = ledger("Well done!", TextSpan(0, 10, 0, 1003), sent_ms=1000, finished=True)
    spoken.cut(1000)
    assert spoken.kept_text() == "Well done!"


def test_a_chunk_sent_while_the_client_still_plays_plays_after_it() -> None:
    playback = Playback("client")
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    playback.sent(spoken, 1000 * MS, (), Ms(0))
    playback.sent(spoken, 1000 * MS, (), Ms(100))
    assert [spoken.played_ms(Ms(at)) for at in (0, 500, 1500, 5000)] == [0, 500, 1500, 2000]
    assert playback.remaining_ms(Ms(500)) == 1500


def test_a_late_chunk_is_a_silence_in_between() -> None:
    playback = Playback("client")
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    playback.sent(spoken, 500 * MS, (), Ms(0))
    playback.sent(spoken, 500 * MS, (), Ms(2000))
    assert [spoken.played_ms(Ms(at)) for at in (400, 1900, 2100, 2500)] == [400, 500, 600, 1000]


def test_items_play_one_after_the_other() -> None:
    playback = Playback("client")
    first = Spoken(ItemId("one"), ResponseId("resp1"))
    second = Spoken(ItemId("two"), ResponseId("resp2"))
    playback.sent(first, 1000 * MS, (), Ms(0))
    playback.sent(second, 1000 * MS, (), Ms(10))
    assert (first.played_ms(Ms(1200)), second.played_ms(Ms(1200))) == (1000, 200)
    assert playback.unfinished(Ms(1200)) == [second]


def test_freezing_stops_the_count_of_what_plays_and_of_nothing_else() -> None:
    playback = Playback("client")
    first = ledger("Done before.", sent_ms=0)
    second = ledger("One two three four.", sent_ms=0)
    playback.sent(first, 1000 * MS, (TextSpan(0, 12, 0, 1000),), Ms(0))
    playback.sent(second, 1000 * MS, (TextSpan(0, 19, 0, 1000),), Ms(1000))
    first.finished = second.finished = True
    playback.freeze(Ms(1500))
    assert first.heard_text(Ms(9000)) == "Done before."
    assert second.heard_text(Ms(9000)) == "One two"
    assert playback.remaining_ms(Ms(1500)) == 0


def test_server_paced_audio_waits_for_its_first_frame() -> None:
    playback = Playback("server")
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    playback.sent(spoken, 1000 * MS, (), Ms(0))
    assert spoken.played_ms(Ms(900)) == 0
    assert playback.started(ResponseId("resp"), Ms(1000))
    assert not playback.started(ResponseId("resp"), Ms(1001))
    assert spoken.played_ms(Ms(1300)) == 300
    assert playback.drained(ResponseId("resp"))
    assert spoken.played_ms(Ms(1300)) == 1000
    assert not playback.drained(ResponseId("resp"))


@given(
    st.lists(
        st.tuples(
            st.text("ab .,水", max_size=12),
            st.integers(0, 900),
            st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3000), st.integers(0, 3000))),
            st.integers(0, 2000),
        ),
        max_size=8,
    ),
    st.lists(st.integers(0, 20_000), max_size=5),
    st.booleans(),
)
def test_heard_is_a_growing_prefix_of_what_was_said(
    chunks: list[tuple[str, int, list[tuple[int, int, int, int]], int]], cuts: list[int], finished: bool
) -> None:
    """Whatever spans an engine makes up: heard ≤ sent ≤ generated, and later means no less."""
    playback = Playback("client")
    spoken = Spoken(ItemId("item"), ResponseId("resp"))
    now = 0
    for text, ms, spans, pause in chunks:
        spoken.say(text)
        playback.sent(spoken, ms * MS, [TextSpan(*span) for span in spans], Ms(now))
        now += pause
    spoken.finished = finished
    heard = [spoken.text_until(at) for at in range(0, spoken.sent_ms + 200, 37)]
    assert all(spoken.text.startswith(one) for one in heard)
    assert [len(one) for one in heard] == sorted(len(one) for one in heard)
    played = [spoken.played_ms(Ms(at)) for at in range(0, now + 9000, 250)]
    assert played == sorted(played)
    assert all(one <= spoken.sent_ms for one in played)
    for cut in cuts:
        assert 0 <= spoken.cut(cut) <= min(cut, spoken.sent_ms)
