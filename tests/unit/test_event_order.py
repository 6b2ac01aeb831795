"""The order checker catches what it is for: each rule broken once."""

from __future__ import annotations

from typing import Any

import pytest
from event_order import order_faults

AUDIO_RESPONSE: list[dict[str, Any]] = [
    {"type": "session.created"},
    {"type": "input_audio_buffer.committed", "item_id": "u", "previous_item_id": None},
    {"type": "conversation.item.added", "previous_item_id": None,
     "item": {"id": "u", "type": "message", "role": "user"}},
    {"type": "conversation.item.done", "previous_item_id": None, "item": {"id": "u", "status": "completed"}},
    {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "response_id": "r", "item": {"id": "a", "type": "message"}},
    {"type": "conversation.item.added", "previous_item_id": "u",
     "item": {"id": "a", "type": "message", "role": "assistant"}},
    {"type": "response.content_part.added", "response_id": "r", "item_id": "a"},
    {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "a", "delta": "Hel"},
    {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "a", "delta": "lo."},
    {"type": "response.output_audio_transcript.done", "response_id": "r", "item_id": "a", "transcript": "Hello."},
    {"type": "response.content_part.done", "response_id": "r", "item_id": "a"},
    {"type": "conversation.item.done", "previous_item_id": "u", "item": {"id": "a", "status": "completed"}},
    {"type": "response.output_item.done", "response_id": "r", "item": {"id": "a"}},
    {"type": "response.done",
     "response": {"id": "r", "status": "completed", "output": [{"id": "a", "type": "message"}]}},
]  # fmt: skip


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"event_id": f"e{index}", **event} for index, event in enumerate(events)]


def test_a_right_order_has_no_faults() -> None:
    assert order_faults(numbered(AUDIO_RESPONSE)) == []


@pytest.mark.parametrize("dropped", range(len(AUDIO_RESPONSE)))
def test_a_missing_event_is_noticed_where_something_stands_on_it(dropped: int) -> None:
    optional = {
        "input_audio_buffer.committed", "response.content_part.added", "response.content_part.done",
        "response.output_item.done", "conversation.item.done", "response.output_audio_transcript.done",
    }  # fmt: skip
    faults = order_faults(numbered(AUDIO_RESPONSE[:dropped] + AUDIO_RESPONSE[dropped + 1 :]))
    assert bool(faults) == (AUDIO_RESPONSE[dropped]["type"] not in optional)


@pytest.mark.parametrize(("first", "second"), [(4, 5), (5, 7), (2, 3), (13, 14), (9, 10)])
def test_a_swap_is_noticed(first: int, second: int) -> None:
    events = list(AUDIO_RESPONSE)
    events[first], events[second] = events[second], events[first]
    assert order_faults(numbered(events))


def test_a_repeated_event_id_is_noticed() -> None:
    events = numbered(AUDIO_RESPONSE)
    events[3]["event_id"] = events[2]["event_id"]
    assert order_faults(events) == ["event 3: conversation.item.done has no fresh event_id"]
