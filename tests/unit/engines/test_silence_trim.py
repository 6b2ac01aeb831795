"""Silence goes from both ends of a clause; sound never does, and is never held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.silence_trim import SilenceTrim
from parley.testing import tone

MS = 48


def silence(ms: int) -> bytes:
    return bytes(ms * MS)


def trimmed(pcm: bytes, sizes: list[int], *, lead_ms: int = 40, tail_ms: int = 100) -> tuple[bytes, int]:
    trim = SilenceTrim(lead_ms=lead_ms, tail_ms=tail_ms)
    out, at, step = b"", 0, 0
    while at < len(pcm):
        size = sizes[step % len(sizes)] * 2
        out += trim.push(pcm[at : at + size])
        at, step = at + size, step + 1
    return out + trim.flush(), trim.trimmed_lead_ms


@given(
    st.integers(0, 600), st.integers(20, 400), st.integers(0, 600), st.integers(20, 400), st.integers(0, 600),
    st.lists(st.integers(50, 9000), min_size=1, max_size=4),
)  # fmt: skip
def test_what_sounds_is_kept_whole(lead: int, first: int, gap: int, second: int, tail: int, sizes: list[int]) -> None:
    sound = tone(first * 24) + silence(gap) + tone(second * 24)
    out, trimmed_ms = trimmed(silence(lead) + sound + silence(tail), sizes)
    assert sound in out
    before, after = out.split(sound)[0], out[out.index(sound) + len(sound) :]
    assert len(before) <= 52 * MS
    assert len(after) <= 111 * MS
    assert trimmed_ms == lead - len(before) // MS
    assert len(before) >= min(lead, 30) * MS
    assert len(after) >= min(tail, 90) * MS


def test_sound_is_not_held_back() -> None:
    trim = SilenceTrim(lead_ms=40, tail_ms=100)
    assert trim.push(silence(300)) == b""
    out = trim.push(tone(2400))
    assert out.endswith(tone(2400))
    assert len(out) == (40 + 100) * MS
    assert trim.push(silence(60)) == silence(60)
    assert trim.push(silence(300)) == silence(40)
    assert trim.push(tone(2400)) == silence(260) + tone(2400)
    assert trim.flush() == b""


@pytest.mark.parametrize("ms", [0, 10, 500])
def test_nothing_but_silence_stays_a_little_silence(ms: int) -> None:
    assert len(trimmed(silence(ms), [700])[0]) <= 41 * MS
