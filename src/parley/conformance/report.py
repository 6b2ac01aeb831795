"""What a run of the suite found: results, counted by event and in all. Pure. Neighbours: `suite`, the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Outcome", "Report", "Result", "Tally"]

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one check. `reason` says what was seen instead, or why it was skipped."""

    id: str
    subject: str
    claim: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of outcomes."""

    passed: int
    failed: int
    skipped: int

    @property
    def score(self) -> float:
        """The share of those that ran and passed, 0 to 1; 0 if none ran."""
        ran = self.passed + self.failed
        return self.passed / ran if ran else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one run."""

    results: tuple[Result, ...]

    @property
    def tally(self) -> Tally:
        """The counts of the whole run."""
        return _tally(self.results)

    def by_subject(self) -> dict[str, Tally]:
        """Count each event and area by itself, in the order of the checks."""
        subjects: dict[str, list[Result]] = {}
        for result in self.results:
            subjects.setdefault(result.subject, []).append(result)
        return {subject: _tally(tuple(results)) for subject, results in subjects.items()}

    def of(self, outcome: Outcome) -> tuple[Result, ...]:
        """Pick the results of one outcome."""
        return tuple(result for result in self.results if result.outcome == outcome)

    def as_json(self) -> dict[str, Any]:
        """Give plain data, for `--json`."""
        tally = self.tally
        return {
            "score": {"passed": tally.passed, "failed": tally.failed, "skipped": tally.skipped},
            "subjects": {
                subject: {"passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped}
                for subject, counts in self.by_subject().items()
            },
            "checks": [
                {"id": result.id, "claim": result.claim, "outcome": result.outcome, "reason": result.reason}
                for result in self.results
            ],
        }


def _tally(results: tuple[Result, ...]) -> Tally:
    outcomes = [result.outcome for result in results]
    return Tally(outcomes.count("passed"), outcomes.count("failed"), outcomes.count("skipped"))
