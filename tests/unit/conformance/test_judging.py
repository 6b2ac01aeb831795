"""How the conformance suite judges: shapes name the path of a misfit, addresses are read in any form, scores add up."""

from __future__ import annotations

from typing import Any

import pytest

from parley.conformance import Report, Result, Target
from parley.conformance.bench import Log
from parley.conformance.check import CheckFailed, at, expect_equal
from parley.conformance.event_shapes import BETA_EVENTS, BETA_ONLY, GA_EVENTS, GA_ONLY
from parley.conformance.ordering import NOT_IN_BETA, RULES
from parley.conformance.shapes import INT, STR, Shape, either, fixed, list_of, maybe, null, obj, tagged
from parley.conformance.suite import judge_order

ITEM: dict[str, Any] = {
    "id": "a", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed",
    "content": [{"type": "output_audio", "transcript": "Hi"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "value", "misfit"),
    [
        (obj(a=INT), {"a": 1, "more": None}, None),
        (obj(a=INT), {}, "`a` is absent"),
        (obj(a=INT), {"a": 1.0}, "`a` is 1.0, not an integer from 0 on"),
        (obj(a=INT), {"a": True}, "`a` is True, not an integer from 0 on"),
        (obj(a=maybe(INT)), {}, None),
        (obj(a=maybe(INT)), {"a": None}, "`a` is None, not an integer from 0 on"),
        (obj(a=null(STR)), {"a": None}, None),
        (obj(a=null(STR)), {}, "`a` is absent"),
        (obj(a=obj(b=STR)), {"a": {"b": ""}}, "`a.b` is '', not a string that is not empty"),
        (obj(a=list_of(INT)), {"a": [0, "x"]}, "`a[1]` is 'x', not an integer from 0 on"),
        (fixed("x", "y"), "z", "`` is 'z', not 'x' or 'y'"),
        (either(INT, fixed("inf")), "inf", None),
        (tagged("type", {"a": obj(n=INT)}), {"type": "b"}, "`.type` is 'b', not one of a"),
        (tagged("type", {"a": obj(n=INT)}), {"type": {}}, "`.type` is {}, not one of a"),
    ],
)
def test_a_misfit_is_named_by_its_path(shape: Shape, value: Any, misfit: str | None) -> None:
    assert shape(value, "") == misfit


def test_the_two_spellings_of_parts_are_told_apart() -> None:
    done = {"type": "conversation.item.done", "previous_item_id": None, "item": ITEM}
    assert GA_EVENTS["conversation.item.done"](done, "") is None
    created = {"type": "conversation.item.created", "previous_item_id": None, "item": ITEM}
    assert "item.content[0].type" in str(BETA_EVENTS["conversation.item.created"](created, ""))


def test_the_dialects_share_no_name_that_only_one_of_them_has() -> None:
    assert "response.output_audio.delta" in GA_ONLY
    assert "response.audio.delta" in BETA_ONLY
    assert not GA_ONLY & BETA_ONLY


def judged(*kinds: str, beta: bool = False) -> dict[str, str]:
    events = [{"type": kind, "event_id": kind} for kind in kinds]
    return {result.id: result.outcome for result in judge_order([Log(events, beta=beta)])}


def test_a_rule_that_nothing_was_about_is_skipped() -> None:
    outcomes = judged("session.created")
    assert outcomes["ordering/greeting-first"] == "passed"
    assert outcomes["ordering/done-once"] == outcomes["ordering/buffer-ends-once"] == "skipped"
    assert set(outcomes) == {f"ordering/{rule}" for rule in RULES}


def test_a_broken_rule_fails_even_if_only_its_breach_was_seen() -> None:
    assert judged("input_audio_buffer.cleared")["ordering/greeting-first"] == "failed"


def test_betas_order_is_judged_apart_by_the_rules_that_can_hold() -> None:
    outcomes = judged("transcription_session.created", beta=True)
    assert outcomes["beta ordering/greeting-first"] == "passed"
    assert set(outcomes) == {f"beta ordering/{rule}" for rule in set(RULES) - NOT_IN_BETA}


@pytest.mark.parametrize(
    "url",
    [
        "http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/realtime", "ws://h:1/v1/realtime",
        "h:1",
    ],
)  # fmt: skip
def test_an_address_may_be_given_in_any_form(url: str) -> None:
    target = Target(url)
    assert target.http_base == "http://h:1/v1"
    assert target.websocket_base == "ws://h:1/v1/realtime"


def test_an_address_may_be_secure_and_lie_below_a_path() -> None:
    assert Target("https://h/parley/v1").websocket_base == "wss://h/parley/v1/realtime"


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(Target("h", "secret"))


def test_a_score_counts_what_ran() -> None:
    results = [Result(str(n), "s", "c", "passed") for n in range(3)]
    report = Report((*results, Result("f", "t", "c", "failed", "why"), Result("k", "t", "c", "skipped", "none")))
    assert report.tally.score == 0.75
    assert {subject: counts.failed for subject, counts in report.by_subject().items()} == {"s": 0, "t": 1}
    assert report.as_json()["score"] == {"passed": 3, "failed": 1, "skipped": 1}
    assert Report(()).tally.score == 0.0


def test_what_is_read_from_an_answer_is_named_where_it_is_missing() -> None:
    assert at({"a": [{"b": 1}]}, "a.0.b") == 1
    with pytest.raises(CheckFailed, match=r"response\.done has no `a\.1\.b`"):
        at({"type": "response.done", "a": [{"b": 1}]}, "a.1.b")


@pytest.mark.parametrize(
    ("got", "wanted", "same"), [(1, 1.0, True), (True, 1, False), (0, False, False), ("a", "a", True)]
)
def test_values_are_compared_as_json(got: Any, wanted: Any, same: bool) -> None:
    if same:
        expect_equal(got, wanted, "it")
    else:
        with pytest.raises(CheckFailed):
            expect_equal(got, wanted, "it")
