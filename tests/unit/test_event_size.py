"""Events that must fit into one message: cut where it hurts least, never broken, never too large."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.transports.event_size import fit_event


def fitted(event: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    frame = fit_event(msgspec.json.encode(event).decode(), max_bytes)
    assert len(frame.encode()) <= max_bytes
    decoded: dict[str, Any] = msgspec.json.decode(frame)
    return decoded


def test_what_fits_is_left_alone() -> None:
    frame = '{"type":"x","text":"' + "ü" * 500 + '"}'
    assert fit_event(frame, len(frame.encode())) == frame


def test_the_longest_texts_are_cut_and_named() -> None:
    event = {"type": "x", "event_id": "e", "item": {"id": "i", "output": "o" * 9_000, "content": [{"text": "t" * 90}]}}
    cut = fitted(event, 2_000)
    assert cut["parley_cut"] == ["item.output"]
    assert cut["item"]["content"] == [{"text": "t" * 90}]
    assert len(cut["item"]["output"]) > 1_000


@pytest.mark.parametrize("sign", ["é", "\U0001f600", '"', "\n"])
def test_signs_that_take_many_bytes_are_never_halved(sign: str) -> None:
    cut = fitted({"type": "x", "a": sign * 5_000, "b": sign * 4_000}, 1_500)
    assert set(cut["a"] + cut["b"]) == {sign}


def test_an_event_of_nothing_but_short_texts_is_refused_by_name() -> None:
    error = fitted({"type": "session.created", "event_id": "e", "tools": ["short"] * 5_000}, 1_024)["error"]
    assert error["code"] == "event_too_large"
    assert "session.created" in error["message"]


@given(
    texts=st.lists(st.text(max_size=400), max_size=12),
    max_bytes=st.integers(min_value=700, max_value=4_000),
)
def test_whatever_an_event_holds_it_fits(texts: list[str], max_bytes: int) -> None:
    fitted({"type": "x", "event_id": "e", "texts": texts, "nested": {"texts": texts}}, max_bytes)
