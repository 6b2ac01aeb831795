"""The order checker catches what it is for: each rule broken once."""

from __future__ import annotations

from typing import Any

import pytest
from event_order import order_faults

from parley.conformance.ordering import NOT_IN_BETA, RULES, breaches

AUDIO_RESPONSE: list[dict[str, Any]] = [
    {"type": "session.created"},
    {"type": "input_audio_buffer.committed", "item_id": "u", "previous_item_id": None},
    {"type": "conversation.item.added", "previous_item_id": None,
     "item": {"id": "u", "type": "message", "role": "user"}},
    {"type": "conversation.item.done", "previous_item_id": None, "item": {"id": "u", "status": "completed"}},
    {"type": "response.created",
     "response": {"id": "r", "conversation_id": "c", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "response_id": "r", "item": {"id": "a", "type": "message"}},
    {"type": "conversation.item.added", "previous_item_id": "u",
     "item": {"id": "a", "type": "message", "role": "assistant"}},
    {"type": "response.content_part.added", "response_id": "r", "item_id": "a", "content_index": 0},
    {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "a", "content_index": 0,
     "delta": "Hel"},
    {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "a", "content_index": 0,
     "delta": "lo."},
    {"type": "response.output_audio_transcript.done", "response_id": "r", "item_id": "a", "content_index": 0,
     "transcript": "Hello."},
    {"type": "response.content_part.done", "response_id": "r", "item_id": "a", "content_index": 0,
     "part": {"type": "audio", "transcript": "Hello."}},
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
def test_a_missing_event_is_noticed(dropped: int) -> None:
    """All but the commit: a user's item may also come from a client that created it."""
    faults = order_faults(numbered(AUDIO_RESPONSE[:dropped] + AUDIO_RESPONSE[dropped + 1 :]))
    assert bool(faults) == (AUDIO_RESPONSE[dropped]["type"] != "input_audio_buffer.committed")


@pytest.mark.parametrize(
    ("first", "second"), [(2, 3), (4, 5), (5, 7), (7, 8), (8, 9), (9, 10), (10, 11), (11, 13), (13, 14)]
)
def test_a_swap_is_noticed(first: int, second: int) -> None:
    events = list(AUDIO_RESPONSE)
    events[first], events[second] = events[second], events[first]
    assert order_faults(numbered(events))


def test_a_repeated_event_id_is_noticed() -> None:
    events = numbered(AUDIO_RESPONSE)
    events[3]["event_id"] = events[2]["event_id"]
    assert order_faults(events) == ["event 3: conversation.item.done has no fresh event_id"]


CALL: list[dict[str, Any]] = [
    {"type": "session.created"},
    {"type": "response.created", "response": {"id": "r", "conversation_id": "c", "status": "in_progress",
                                              "output": []}},
    {"type": "response.output_item.added", "response_id": "r", "item": {"id": "f", "type": "function_call"}},
    {"type": "conversation.item.added", "previous_item_id": None, "item": {"id": "f", "type": "function_call"}},
    {"type": "response.function_call_arguments.delta", "response_id": "r", "item_id": "f", "delta": "{}"},
    {"type": "response.function_call_arguments.done", "response_id": "r", "item_id": "f", "name": "undo",
     "arguments": "{}"},
    {"type": "conversation.item.done", "previous_item_id": None, "item": {"id": "f", "status": "completed"}},
    {"type": "response.output_item.done", "response_id": "r", "item": {"id": "f"}},
    {"type": "response.done", "response": {"id": "r", "status": "completed", "output": [
        {"id": "f", "type": "function_call", "status": "completed"}]}},
]  # fmt: skip


def rules_broken(events: list[dict[str, Any]]) -> set[str]:
    return {breach.rule for breach in breaches(numbered(events))}


def changed(events: list[dict[str, Any]], index: int, **fields: Any) -> list[dict[str, Any]]:
    return [{**event, **fields} if number == index else event for number, event in enumerate(events)]


ITEM = {"id": "a", "type": "message", "role": "assistant"}
ANOTHER = {"type": "response.created",
           "response": {"id": "s", "conversation_id": "c", "status": "in_progress", "output": []}}  # fmt: skip
ANOTHER_DONE = {"type": "response.done", "response": {"id": "s", "status": "completed", "output": []}}
BROKEN: dict[str, list[dict[str, Any]]] = {
    "greeting-first": AUDIO_RESPONSE[1:],
    "created-first": AUDIO_RESPONSE[:4] + AUDIO_RESPONSE[5:],
    "nothing-after-done": [*AUDIO_RESPONSE, AUDIO_RESPONSE[9]],
    "done-once": AUDIO_RESPONSE[:-1],
    "created-empty": changed(AUDIO_RESPONSE, 4, response={"id": "r", "status": "completed", "output": []}),
    "done-is-final": changed(AUDIO_RESPONSE, 14, response={"id": "r", "status": "in_progress", "output": [ITEM]}),
    "item-added-first": AUDIO_RESPONSE[:5] + AUDIO_RESPONSE[6:],
    "items-done": AUDIO_RESPONSE[:13] + AUDIO_RESPONSE[14:],
    "parts-paired": AUDIO_RESPONSE[:11] + AUDIO_RESPONSE[12:],
    "part-added-first": AUDIO_RESPONSE[:7] + AUDIO_RESPONSE[8:],
    "stream-done": AUDIO_RESPONSE[:10] + AUDIO_RESPONSE[11:],
    "deltas-add-up": changed(AUDIO_RESPONSE, 9, delta="la."),
    "part-agrees": changed(AUDIO_RESPONSE, 11, part={"type": "audio", "transcript": "Hell"}),
    "output-listed": changed(AUDIO_RESPONSE, 14, response={"id": "r", "status": "completed", "output": []}),
    "added-before-done": AUDIO_RESPONSE[:6] + AUDIO_RESPONSE[7:],
    "added-once": [*AUDIO_RESPONSE, AUDIO_RESPONSE[6]],
    "items-finish": AUDIO_RESPONSE[:12] + AUDIO_RESPONSE[13:],
    "item-done-final": changed(AUDIO_RESPONSE, 12, item={"id": "a", "status": "in_progress"}),
    "chain": changed(AUDIO_RESPONSE, 6, previous_item_id="gone"),
    "committed-then-added": AUDIO_RESPONSE[:2] + AUDIO_RESPONSE[4:6] + AUDIO_RESPONSE[7:],
    "spoken-last": [*AUDIO_RESPONSE, {"type": "input_audio_buffer.committed", "item_id": "v"},
                    {"type": "conversation.item.added", "previous_item_id": "u", "item": {"id": "v"}},
                    {"type": "conversation.item.done", "item": {"id": "v", "status": "completed"}}],
    "call-named": changed(CALL, 5, name=""),
    "call-registered": CALL[:3] + CALL[4:6] + CALL[3:4] + CALL[6:],
    "cancelled-call": CALL[:4] + CALL[6:],
    "speech-paired": [*AUDIO_RESPONSE, {"type": "input_audio_buffer.speech_stopped", "item_id": "v"}],
    "buffer-ends-once": [*AUDIO_RESPONSE, {"type": "output_audio_buffer.stopped", "response_id": "r"}],
    "one-at-a-time": [*AUDIO_RESPONSE[:-1], ANOTHER, AUDIO_RESPONSE[-1], ANOTHER_DONE],
    "turn-before-answer": AUDIO_RESPONSE[:3] + AUDIO_RESPONSE[4:5] + AUDIO_RESPONSE[3:4] + AUDIO_RESPONSE[5:],
    "fresh-event-ids": [],
}  # fmt: skip


def test_a_call_in_the_right_order_has_no_faults() -> None:
    assert rules_broken(CALL) == set()


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_names_its_own_breach(rule: str) -> None:
    if rule == "fresh-event-ids":
        assert rules_broken([{**AUDIO_RESPONSE[0], "event_id": ""}]) == {rule}
    else:
        assert rule in rules_broken(BROKEN[rule])


STARTED, STOPPED, CLEARED = (
    {"type": f"output_audio_buffer.{what}", "response_id": "r"} for what in ("started", "stopped", "cleared")
)
PLAYED = [*AUDIO_RESPONSE[:8], STARTED, *AUDIO_RESPONSE[8:]]


@pytest.mark.parametrize("end", [STOPPED, CLEARED], ids=["stopped", "cleared"])
def test_playback_that_ends_once_has_no_faults(end: dict[str, Any]) -> None:
    assert rules_broken([*PLAYED, end]) == set()


@pytest.mark.parametrize(
    "ends",
    [[], [STOPPED, CLEARED], [STOPPED, STOPPED], [STARTED, STOPPED], [STOPPED, STARTED, STOPPED]],
    ids=["never", "both", "twice", "started twice", "started again"],
)
def test_playback_that_does_not_end_once_is_noticed(ends: list[dict[str, Any]]) -> None:
    assert rules_broken([*PLAYED, *ends]) == {"buffer-ends-once"}


def test_a_log_that_was_cut_short_may_leave_playback_open() -> None:
    assert breaches(numbered(PLAYED), whole=False) == []


@pytest.mark.parametrize("rule", ["one-at-a-time", "turn-before-answer"])
def test_a_response_out_of_band_waits_for_nobody(rule: str) -> None:
    assert {breach.rule for breach in breaches(numbered(BROKEN[rule]))} == {rule}
    aside = [
        {**event, "response": {**event["response"], "conversation_id": None}}
        if event["type"] == "response.created" and event["response"]["id"] == ("s" if ANOTHER in BROKEN[rule] else "r")
        else event
        for event in BROKEN[rule]
    ]
    assert rules_broken(aside) == set()


BETA_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}


def as_beta(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**event, "type": BETA_NAMES.get(event["type"], event["type"])}
        for event in events
        if event["type"] != "conversation.item.done"
    ]


@pytest.mark.parametrize("events", [AUDIO_RESPONSE, CALL, [*PLAYED, STOPPED]], ids=["spoken", "call", "played"])
def test_the_same_order_in_beta_has_no_faults(events: list[dict[str, Any]]) -> None:
    assert breaches(numbered(as_beta(events)), beta=True) == []
    assert rules_broken(as_beta(events)), "GA's rules know no such events"


@pytest.mark.parametrize("rule", sorted(set(RULES) - NOT_IN_BETA - {"fresh-event-ids", "committed-then-added"}))
def test_a_rule_names_its_own_breach_in_beta(rule: str) -> None:
    assert rule in {breach.rule for breach in breaches(numbered(as_beta(BROKEN[rule])), beta=True)}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_is_about_an_event_that_it_sees(rule: str) -> None:
    """Or it would be counted as kept where nothing was seen, and as skipped where it was kept."""
    known = {event["type"] for event in [*PLAYED, STOPPED, *CALL]} | {"input_audio_buffer.speech_stopped"}
    assert known & set(RULES[rule].about)
