"""What a device still has to play, and what was heard of it."""

from __future__ import annotations

from parley.client.play_buffer import Heard, PlayBuffer
from parley.testing.fake_synthesizer import tone as sine


def tone(ms: int) -> bytes:
    return sine(24 * ms)


def test_it_knows_what_was_heard() -> None:
    player = PlayBuffer()
    assert player.flush() is None
    player.push("a", tone(100))
    player.push("a", tone(100))
    player.push("b", tone(100))
    assert player.pull(24 * 150) == (tone(100) + tone(100))[: 48 * 150]
    assert player.flush() == Heard("a", 150)
    assert player.empty
    player.push("b", tone(20))
    assert len(player.pull(24 * 40)) == 48 * 40
    assert player.flush() is None
    player.push("c", tone(20))
    assert player.flush() == Heard("c", 0)


def test_a_live_stream_does_not_fall_behind() -> None:
    player = PlayBuffer()
    for _ in range(10):
        player.push("", tone(20))
        player.drop_oldest(24 * 60)
    assert player.pull(24 * 100).rstrip(b"\0") == (tone(20) * 3).rstrip(b"\0")
