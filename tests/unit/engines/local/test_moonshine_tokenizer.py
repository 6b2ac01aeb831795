"""Moonshine's vocabulary file, read from bytes that the test writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.base import EngineError
from parley.engines.local.moonshine_model import read_tokenizer


def written(tokens: list[bytes]) -> bytes:
    data = b""
    for token in tokens:
        size = len(token)
        data += (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + token
    return data


@given(tokens=st.lists(st.binary(max_size=300), max_size=30))
def test_what_is_written_is_read(tokens: list[bytes]) -> None:
    assert read_tokenizer(written(tokens)) == tuple(tokens)


@pytest.mark.parametrize("data", [b"\x05ab", b"\x85", b"\x81\x01" + b"x" * 100])
def test_a_file_that_is_cut_short_is_told_with_its_fix(data: bytes) -> None:
    with pytest.raises(EngineError, match="parley models rm") as caught:
        read_tokenizer(data)
    assert caught.value.code == "model_unreadable"
