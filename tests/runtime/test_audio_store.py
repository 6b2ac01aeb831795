"""The audio store: ranges, items, and a budget that forgets the oldest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parley.protocol.realtime.ids import ItemId, LaneId
from parley.runtime.audio_store import AudioStore

LANE = LaneId("0")
A, B, C = ItemId("a"), ItemId("b"), ItemId("c")


def samples(first: int, count: int) -> bytes:
    return b"".join((n % 30_000).to_bytes(2, "little") for n in range(first, first + count))


@given(st.lists(st.integers(0, 50), max_size=30), st.data())
def test_a_range_reads_back_what_was_appended(blocks: list[int], data: st.DataObject) -> None:
    store = AudioStore(max_bytes=1 << 20)
    total = 0
    for block in blocks:
        store.append(LANE, samples(total, block))
        total += block
    assert store.lane_end(LANE) == total
    start = data.draw(st.integers(0, total))
    end = data.draw(st.integers(start, total + 10))
    assert store.read(LANE, start, end) == samples(start, min(end, total) - start)
    before = data.draw(st.integers(0, total))
    store.forget(LANE, before)
    first = max(start, before)
    assert store.read(LANE, first, end) == samples(first, max(0, min(end, total) - first))


@given(st.lists(st.tuples(st.sampled_from("akxtdf"), st.integers(0, 40)), max_size=60))
def test_the_budget_holds_whatever_happens(steps: list[tuple[str, int]]) -> None:
    store = AudioStore(max_bytes=200)
    for number, (step, size) in enumerate(steps):
        item = ItemId(f"i{number % 5}")
        match step:
            case "a":
                store.append(LANE, samples(0, size))
            case "k":
                store.keep(item, LANE, store.lane_end(LANE) - size, store.lane_end(LANE))
            case "x":
                store.extend(item, samples(0, size))
            case "t":
                store.truncate(item, size // 24)
            case "d":
                store.drop(item)
            case _:
                store.forget(LANE, store.lane_end(LANE) - size)
        assert 0 <= store.held_bytes <= 200
    lane = store.read(LANE, 0, store.lane_end(LANE))
    items = [store.item_audio(ItemId(f"i{n}")) or b"" for n in range(5)]
    assert store.held_bytes == len(lane) + sum(map(len, items))


def test_the_oldest_item_is_forgotten_as_a_whole() -> None:
    store = AudioStore(max_bytes=100)
    store.extend(A, bytes(60))
    store.extend(B, bytes(30))
    store.extend(C, bytes(30))
    assert store.item_audio(A) is None
    assert store.item_bytes(B) == store.item_bytes(C) == 30
    store.extend(A, bytes(10))
    assert store.item_audio(A) is None, "the end of an item without its beginning is not its audio"
    store.drop(A)
    store.extend(A, bytes(10))
    assert store.item_bytes(A) == 10


def test_items_go_before_what_a_lane_still_needs() -> None:
    store = AudioStore(max_bytes=100)
    store.extend(A, bytes(60))
    store.append(LANE, bytes(80))
    assert store.item_audio(A) is None
    assert len(store.read(LANE, 0, 40)) == 80
    store.append(LANE, bytes(80))
    assert store.read(LANE, 0, 80) == bytes(80)
    assert store.lane_end(LANE) == 80


def test_truncation_counts_milliseconds() -> None:
    store = AudioStore(max_bytes=1 << 20)
    store.put(A, samples(0, 2400))
    store.truncate(A, 40)
    assert store.item_audio(A) == samples(0, 960)
    store.truncate(A, 4000)
    assert store.item_bytes(A) == 1920
    store.truncate(A, 0)
    assert store.item_audio(A) is None
    store.truncate(B, 10)
    store.clear()
    assert store.held_bytes == 0
