"""`parley conformance` is itself tested: a server that does one thing wrong loses its score, and the fault is named.

The server is `parley serve`; a proxy in front of it makes one mistake per case. Without one, the same checks all pass.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from event_proxy import event_proxy, unchanged
from served import Served, parley_serve

from parley.conformance import Report, Target, run_checks
from parley.conformance.suite import Unreachable

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

Event = dict[str, Any]
Alter = Callable[[Event], Iterable[Event]]
WAIT_S = 8.0
"""Long enough for a busy machine, since a fault is to be named by what came; what is lost is waited for in vain."""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


async def judged(server: Served, alter: Callable[[], Alter], only: Iterable[str]) -> Report:
    async with event_proxy(server.websocket_url, alter) as proxy:
        return await run_checks(Target(f"http://127.0.0.1:{proxy.port}"), only=only, wait_s=WAIT_S)


# --- mistakes ---------------------------------------------------------------------------------------------------------


def dropped(*kinds: str) -> Callable[[], Alter]:
    return lambda: lambda event: () if event["type"] in kinds else (event,)


def changed(kind: str, change: Callable[[Event], object]) -> Callable[[], Alter]:
    """Change every event of `kind` in place."""

    def alter(event: Event) -> Iterable[Event]:
        if event["type"] != kind:
            return (event,)
        altered = copy.deepcopy(event)
        change(altered)
        return (altered,)

    return lambda: alter


def without(kind: str, path: str) -> Callable[[], Alter]:
    """Leave a member out of every event of `kind`."""

    def change(event: Event) -> None:
        here: Any = event
        *outer, last = path.split(".")
        for step in outer:
            here = here[int(step)] if isinstance(here, list) else here[step]
        here.pop(last, None)

    return changed(kind, change)


def held_back(kind: str, until: str) -> Callable[[], Alter]:
    """Send an event of `kind` only after the next one of `until`."""

    def make() -> Alter:
        kept: list[Event] = []

        def alter(event: Event) -> Iterable[Event]:
            if event["type"] == kind:
                kept.append(event)
                return ()
            if event["type"] == until and kept:
                return (event, *(kept.pop(0) for _ in tuple(kept)))
            return (event,)

        return alter

    return make


def first_lost(kind: str) -> Callable[[], Alter]:
    def make() -> Alter:
        lost: list[Event] = []

        def alter(event: Event) -> Iterable[Event]:
            if event["type"] == kind and not lost:
                lost.append(event)
                return ()
            return (event,)

        return alter

    return make


def same_id() -> Alter:
    return lambda event: ({**event, "event_id": "event_1"},)


def twice(kind: str) -> Callable[[], Alter]:
    return lambda: (
        lambda event: (event, {**event, "event_id": event["event_id"] + "b"}) if event["type"] == kind else (event,)
    )


def renamed(kind: str, name: str) -> Callable[[], Alter]:
    return changed(kind, lambda event: event.update(type=name))


def preceded(kind: str, stranger: Event) -> Callable[[], Alter]:
    return lambda: lambda event: (stranger, event) if event["type"] == kind else (event,)


def status(wanted: str) -> Callable[[Event], object]:
    return lambda event: event["response"].update(status=wanted)


def reason(wanted: str) -> Callable[[Event], object]:
    def change(event: Event) -> None:
        if event["response"]["status_details"]:
            event["response"]["status_details"]["reason"] = wanted

    return change


@dataclass(frozen=True)
class Fault:
    """A mistake, the checks that are run, and those of them (or of the verdicts at the end) that must name it."""

    alter: Callable[[], Alter]
    run: tuple[str, ...]
    named: tuple[str, ...]


TEXT = ("response.done/completed", "response.output_text.done/text-adds-up")
BETA_TEXT = ("beta responses/text-names", "beta responses/created-once")
CALL = ("response.function_call_arguments.done/names", "response.function_call_arguments.delta/sequence")

FAULTS: dict[str, Fault] = {
    "response.done is lost": Fault(dropped("response.done"), TEXT, TEXT),
    "a response never begins": Fault(dropped("response.created"), TEXT, TEXT),
    "items are never done": Fault(
        dropped("conversation.item.done"),
        ("conversation.item.added/first-is-null",),
        ("conversation.item.added/first-is-null",),
    ),
    "response.created comes late": Fault(
        held_back("response.created", "response.output_item.added"), TEXT, ("ordering/created-first",)
    ),
    "items are added in the wrong order": Fault(
        held_back("response.output_item.added", "conversation.item.added"),
        ("response.output_item.added/item-events",),
        ("response.output_item.added/item-events",),
    ),
    "a part's end is lost": Fault(dropped("response.content_part.done"), TEXT[:1], ("ordering/parts-paired",)),
    "an item's end is lost": Fault(dropped("response.output_item.done"), TEXT[:1], ("ordering/items-done",)),
    "a stream's end is lost": Fault(dropped("response.output_text.done"), TEXT[:1], ("ordering/stream-done",)),
    "a delta is lost": Fault(
        first_lost("response.output_text.delta"),
        TEXT,
        ("ordering/deltas-add-up", "response.output_text.done/text-adds-up"),
    ),
    "a delta comes twice": Fault(twice("response.output_text.delta"), TEXT, ("ordering/deltas-add-up",)),
    "a response ends twice": Fault(twice("response.done"), TEXT, ("ordering/nothing-after-done",)),
    "event ids repeat": Fault(same_id, TEXT[:1], ("ordering/fresh-event-ids",)),
    "a response ends in progress": Fault(
        changed("response.done", status("in_progress")), TEXT[:1], ("ordering/done-is-final", "response.done/completed")
    ),
    "status_details is absent": Fault(
        without("response.done", "response.status_details"),
        TEXT[:1],
        ("response.done/completed", "response.done/shape"),
    ),
    "usage is absent": Fault(
        without("response.done", "response.usage"), ("usage/usage",), ("usage/usage", "response.done/shape")
    ),
    "usage has nulls": Fault(
        changed("response.done", lambda event: event["response"]["usage"].update(input_tokens=None)),
        ("usage/usage",),
        ("usage/usage", "response.done/shape"),
    ),
    "the output is empty": Fault(
        changed("response.done", lambda event: event["response"].update(output=[])), TEXT, ("ordering/output-listed",)
    ),
    "metadata is forgotten": Fault(
        changed("response.created", lambda event: event["response"].update(metadata=None)),
        ("response.create/metadata",),
        ("response.create/metadata",),
    ),
    "an unknown reason": Fault(
        changed("response.done", reason("user_spoke")),
        ("response.cancel/cancel-status",),
        ("response.cancel/cancel-status", "response.done/shape"),
    ),
    "parts are spelled like items": Fault(
        changed("response.content_part.added", lambda event: event["part"].update(type="output_text")),
        ("response.content_part.added/part-spelling",),
        ("response.content_part.added/part-spelling", "response.content_part.added/shape"),
    ),
    "beta names on GA": Fault(renamed("response.output_text.delta", "response.text.delta"), TEXT, ("events/known",)),
    "an event of one's own": Fault(
        preceded("response.done", {"type": "parley.note", "event_id": "event_own"}), TEXT[:1], ("events/known",)
    ),
    "a call without a name": Fault(
        without("response.function_call_arguments.done", "name"),
        CALL,
        ("response.function_call_arguments.done/names", "ordering/call-named"),
    ),
    "a call is registered late": Fault(
        held_back("conversation.item.added", "response.function_call_arguments.done"),
        ("response.function_call_arguments.delta/deltas",),
        ("response.function_call_arguments.delta/deltas",),
    ),
    "the wrong param": Fault(
        changed("error", lambda event: event["error"].update(param="session")),
        ("session.update/refuses-speed-too-fast",),
        ("session.update/refuses-speed-too-fast",),
    ),
    "the wrong code": Fault(
        changed("error", lambda event: event["error"].update(code="bad_request")),
        ("session.update/refuses-speed-too-fast",),
        ("session.update/refuses-speed-too-fast",),
    ),
    "an error without the event's id": Fault(
        changed("error", lambda event: event["error"].update(event_id=None)),
        ("response.cancel/refuses-nothing-runs",),
        ("response.cancel/refuses-nothing-runs",),
    ),
    "an error with a null message": Fault(
        changed("error", lambda event: event["error"].update(message=None)),
        ("session.update/refuses-speed-too-fast",),
        ("session.update/refuses-speed-too-fast", "error/shape"),
    ),
    "updates are answered twice": Fault(
        twice("session.updated"), ("session.updated/in-order",), ("session.updated/in-order",)
    ),
    "updates are forgotten": Fault(
        changed("session.updated", lambda event: event["session"].update(instructions="")),
        ("session.update/instructions",),
        ("session.update/instructions",),
    ),
    "the session is echoed in part": Fault(
        without("session.updated", "session.audio.input.turn_detection.interrupt_response"),
        ("session.update/server-vad",),
        ("session.update/server-vad", "session.updated/shape"),
    ),
    "items are not chained": Fault(
        changed("conversation.item.added", lambda event: event.update(previous_item_id=None)),
        ("conversation.item.create/appends",),
        ("conversation.item.create/appends",),
    ),
    "half a sample": Fault(
        changed("response.output_audio.delta", lambda event: event.update(delta="AAAA")),
        ("response.output_audio.delta/whole-samples",),
        ("response.output_audio.delta/whole-samples",),
    ),
    "the cut is another": Fault(
        changed("conversation.item.truncated", lambda event: event.update(audio_end_ms=7)),
        ("conversation.item.truncate/truncated",),
        ("conversation.item.truncate/truncated",),
    ),
    "times are fractions": Fault(
        changed("input_audio_buffer.speech_started", lambda event: event.update(audio_start_ms=12.5)),
        ("input_audio_buffer.speech_started/integers",),
        ("input_audio_buffer.speech_started/integers", "input_audio_buffer.speech_started/shape"),
    ),
    "a turn's end comes first": Fault(
        held_back("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"),
        ("input_audio_buffer.speech_started/sequence",),
        ("input_audio_buffer.speech_started/sequence", "ordering/speech-paired"),
    ),
    "transcripts have no usage": Fault(
        without("conversation.item.input_audio_transcription.completed", "usage"),
        ("conversation.item.input_audio_transcription/transcript-usage",),
        (
            "conversation.item.input_audio_transcription/transcript-usage",
            "conversation.item.input_audio_transcription.completed/shape",
        ),
    ),
    "beta: newer names": Fault(
        renamed("response.text.delta", "response.output_text.delta"),
        BETA_TEXT,
        ("beta responses/text-names", "beta events/known"),
    ),
    "beta: an item is created late": Fault(
        held_back("conversation.item.created", "response.content_part.added"),
        ("beta responses/created-between",),
        ("beta responses/created-between",),
    ),
    "beta: a call is registered late": Fault(
        held_back("conversation.item.created", "response.function_call_arguments.done"),
        ("beta responses/call",),
        ("beta ordering/call-registered",),
    ),
    "beta: an item's end is lost": Fault(
        dropped("response.output_item.done"), BETA_TEXT[:1], ("beta ordering/items-done",)
    ),
    "beta: the session is not flat": Fault(
        without("session.created", "session.input_audio_format"),
        ("beta session.created/input_audio_format",),
        ("beta session.created/input_audio_format", "beta session.created/shape"),
    ),
    "beta: parts have newer names": Fault(
        changed("response.output_item.done", lambda event: event["item"]["content"][0].update(type="output_text")),
        ("beta responses/text-names",),
        ("beta response.output_item.done/shape",),
    ),
}


async def test_a_server_that_does_not_greet_is_told_apart(server: Served) -> None:
    with pytest.raises(Unreachable, match="the first event is"):
        await judged(server, dropped("session.created"), TEXT)


async def test_without_a_fault_all_of_these_checks_pass(server: Served) -> None:
    report = await judged(server, lambda: unchanged, sorted({name for fault in FAULTS.values() for name in fault.run}))
    assert report.of("failed") == ()
    assert report.tally.score == 1.0
    assert report.tally.passed > len(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_costs_score_and_is_named(server: Served, name: str) -> None:
    fault = FAULTS[name]
    report = await judged(server, fault.alter, fault.run)
    assert report.tally.score < 1.0
    failed = {result.id: result.reason for result in report.of("failed")}
    assert set(fault.named) <= set(failed), failed
    assert all(failed.values())
