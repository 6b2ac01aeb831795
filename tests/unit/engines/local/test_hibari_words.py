"""Who owns which phoneme: written words, spoken words and pieces, without the model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parley.engines.local.hibari_model import _one_more_output, _owners, _portions, _shared_out, _Unit


def test_words_that_are_spoken_as_written_own_themselves() -> None:
    assert _owners(["a", "b"], ["a", "b"]) == [range(1), range(1, 2)]


def test_a_number_owns_all_the_words_it_is_spoken_as() -> None:
    owners = _owners(["at", "7:30", "sharp"], ["at", "seven", "thirty", "sharp"])
    assert owners == [range(1), range(1, 2), range(1, 2), range(2, 3)]


def test_words_that_melt_into_fewer_share_them() -> None:
    owners = _owners(["on", "March", "3", "rd", "then"], ["on", "melted", "then"])
    assert owners == [range(1), range(1, 4), range(4, 5)]


def test_a_spoken_word_that_nobody_wrote_belongs_to_its_neighbour() -> None:
    assert _owners(["go", "on"], ["go", "and", "on"]) == [range(1), range(1), range(1, 2)]
    assert _owners(["go"], ["well", "go"]) == [range(1), range(1)]


@given(
    written=st.lists(st.sampled_from(["a", "bb", "ccc", "12", "kg"]), min_size=1, max_size=8),
    spoken=st.lists(st.sampled_from(["a", "bb", "ccc", "twelve", "kilograms"]), min_size=1, max_size=8),
)
def test_every_spoken_word_has_owners_in_order(written: list[str], spoken: list[str]) -> None:
    owners = _owners(written, spoken)
    assert len(owners) == len(spoken)
    assert all(0 <= owner.start < owner.stop <= len(written) for owner in owners)
    assert [owner.start for owner in owners] == sorted(owner.start for owner in owners)


@given(phonemes=st.text(alphabet="abcdef", min_size=1, max_size=40), count=st.integers(1, 6))
def test_sharing_out_keeps_every_phoneme(phonemes: str, count: int) -> None:
    written = ["x" * (k + 1) for k in range(count)]
    units = list(_shared_out(phonemes, range(count), written))
    assert "".join(unit.phonemes for unit in units) == phonemes
    assert [unit.word for unit in units] == sorted({unit.word for unit in units})


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_portions_keep_every_phoneme_and_their_bound(sizes: list[int]) -> None:
    units = [_Unit(k, "o" * size) for k, size in enumerate(sizes)]
    portions = list(_portions(units))
    assert "".join(unit.phonemes for portion in portions for unit in portion) == "o" * sum(sizes)
    assert all(sum(len(unit.phonemes) + 1 for unit in portion) <= 241 for portion in portions)


def test_a_long_sentence_is_divided_where_a_pause_is_written() -> None:
    units = [_Unit(k, "o" * 9 + ("," if k == 20 else "")) for k in range(40)]
    first, second = _portions(units)
    assert (len(first), len(second)) == (21, 19)


def test_the_appended_output_is_the_protobuf_it_says() -> None:
    """`graph` (7) holds `output` (12) holds `name` (1): each a length-delimited field."""
    assert _one_more_output("/x") == b"\x3a\x06\x62\x04\x0a\x02/x"
