"""Run the checks against a server, several at a time, and judge every event that came on the way.

Each check opens its own connections. When all are through, each event type gets a verdict on its shape and each
ordering rule one on all logs. Neighbours: `areas` (the checks), `ordering`, `shapes`, `report`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from websockets.exceptions import WebSocketException

from parley.conformance.areas import ALL
from parley.conformance.bench import Bench, Log, Target
from parley.conformance.check import Check, CheckFailed
from parley.conformance.event_shapes import BETA_EVENTS, GA_EVENTS
from parley.conformance.ordering import NOT_IN_BETA, RULES, breaches, ga_name
from parley.conformance.report import Outcome, Report, Result
from parley.conformance.speech import NoVoice, prepared

__all__ = ["DEFAULT_WAIT_S", "Unreachable", "all_checks", "judge_order", "run_checks"]

DEFAULT_WAIT_S = 20.0
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError)
"""What reading an answer of the wrong shape raises: the server's fault, not ours."""
_UNSEEN = "no such event was seen"


class Unreachable(Exception):  # noqa: N818 - ends the run before it began
    """No Realtime server answers at the URL. The text says what did."""


def all_checks(only: Iterable[str] = ()) -> tuple[Check, ...]:
    """Give every check, or those whose id contains one of `only`."""
    wanted = tuple(only)
    return tuple(check for check in ALL if not wanted or any(part in check.id for part in wanted))


async def run_checks(
    target: Target,
    *,
    only: Iterable[str] = (),
    wait_s: float = DEFAULT_WAIT_S,
    parallel: int = 4,
    on_result: Callable[[Result], None] = lambda _: None,
) -> Report:
    """Run the checks and give what they found. Raises `Unreachable`.

    `wait_s` bounds each wait for an event. Verdicts on shapes and order are given for whole runs and partial ones.
    """
    chosen = all_checks(only)
    bench = Bench(target, wait_s)
    unmet = await _unmet_needs(bench, chosen)
    results: dict[str, Result] = {}
    waiting = iter(chosen)

    async def work() -> None:
        for check in waiting:
            results[check.id] = await _run(check, bench, unmet)
            on_result(results[check.id])

    async with asyncio.TaskGroup() as group:
        for _ in range(parallel):
            group.create_task(work())
    judged = [*_judge_shapes(bench.logs, whole=len(chosen) == len(ALL)), *judge_order(bench.logs)]
    for result in judged:
        on_result(result)
    return Report((*(results[check.id] for check in chosen), *judged))


async def _run(check: Check, bench: Bench, unmet: dict[str, str]) -> Result:
    for need in sorted(check.needs):
        if need in unmet:
            return Result(check.id, check.subject, check.claim, "skipped", unmet[need])
    try:
        await check.work(bench)
    except CheckFailed as failure:
        return Result(check.id, check.subject, check.claim, "failed", str(failure))
    except (OSError, TimeoutError, WebSocketException) as error:
        return Result(check.id, check.subject, check.claim, "failed", f"{type(error).__name__}: {error}")
    except _MALFORMED as error:
        words = f"the answer has not the shape that was read from it: {type(error).__name__}: {error}"
        return Result(check.id, check.subject, check.claim, "failed", words)
    return Result(check.id, check.subject, check.claim, "passed")


async def _unmet_needs(bench: Bench, chosen: tuple[Check, ...]) -> dict[str, str]:
    """Find out what this run must do without, and why."""
    unmet: dict[str, str] = {}
    try:
        async with bench.open():
            pass
    except CheckFailed as failure:
        raise Unreachable(str(failure)) from None
    needed = {need for check in chosen for need in check.needs}
    if "speech" in needed:
        try:
            bench.say = await prepared()
        except NoVoice as reason:
            unmet["speech"] = str(reason)
    if not bench.target.key:
        unmet["key"] = "no key was given, so the server may let everybody in"
    if "beta" in needed and await _refuses_beta(bench):
        unmet["beta"] = "the server refuses the retired beta, as the vendor does (beta_api_shape_disabled)"
    return unmet


async def _refuses_beta(bench: Bench) -> bool:
    async with bench.raw(headers={"OpenAI-Beta": "realtime=v1"}) as peer:
        error = (await peer.next()).get("error") or {}
        return error.get("code") == "beta_api_shape_disabled"


def _judge_shapes(logs: list[Log], *, whole: bool) -> Iterator[Result]:
    """Give one verdict per event type that was seen, or that a `whole` run should have seen."""
    for beta, shapes in ((False, GA_EVENTS), (True, BETA_EVENTS)):
        events = [event for log in logs if log.beta is beta for event in log.events]
        if not events:
            continue
        subject = "beta events" if beta else "events"
        strange = sorted({event["type"] for event in events} - set(shapes))
        claim = "Send no event that the API does not have."
        yield Result(f"{subject}/known", subject, claim, "failed" if strange else "passed", ", ".join(strange))
        for kind, shape in shapes.items():
            seen = [event for event in events if event["type"] == kind]
            about = f"beta {kind}" if beta else kind
            claim = "Give every event of this type its fields, of the types that clients accept."
            misfits = sorted({misfit for event in seen if (misfit := shape(event, "")) is not None})
            if seen:
                yield Result(f"{about}/shape", about, claim, "failed" if misfits else "passed", "; ".join(misfits[:3]))
            elif whole:
                yield Result(f"{about}/shape", about, claim, "skipped", _UNSEEN)


def judge_order(logs: list[Log]) -> Iterator[Result]:
    """Give one verdict per dialect and ordering rule over all of its conversations."""
    for beta, subject in ((False, "ordering"), (True, "beta ordering")):
        judged = [log for log in logs if log.beta is beta]
        if judged:
            yield from _judge_rules(judged, subject, beta=beta)


def _judge_rules(logs: list[Log], subject: str, *, beta: bool) -> Iterator[Result]:
    """Judge every rule of one dialect; conversations that were cut short may leave things open."""
    first: dict[str, str] = {}
    for log in logs:
        try:
            found = breaches(log.events, whole=log.whole, beta=beta)
        except _MALFORMED as error:
            yield Result(f"{subject}/readable", subject, "Send events that can be read.", "failed", repr(error))
            continue
        for breach in found:
            first.setdefault(breach.rule, breach.text)
    seen = {ga_name(event["type"]) if beta else event["type"] for log in logs for event in log.events}
    for name, rule in RULES.items():
        if beta and name in NOT_IN_BETA:
            continue
        outcome: Outcome = "failed" if name in first else "passed" if seen & set(rule.about) else "skipped"
        words = first.get(name, _UNSEEN if outcome == "skipped" else "")
        yield Result(f"{subject}/{name}", subject, f"Keep the rule: {rule.claim}.", outcome, words)
