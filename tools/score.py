"""Run `parley conformance` on this tree's server and write what it found into the documents; `--check` only compares.

`docs/reference/conformance.md` gets the table, README its score: both are computed, never typed. Neighbour:
`tests/conformance/test_score.py`, which compares them with a run of its own.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests/lib"))

from served import parley_serve  # noqa: E402

from parley.conformance import Report, Target, run_checks  # noqa: E402

PAGE = ROOT / "docs/reference/conformance.md"
README = ROOT / "README.md"
KEY = "key-of-the-score"
MANY = "1000000"
"""A limit that nobody meets, so that the server tells of it: `rate_limits.updated`."""
MARKED = re.compile(r"(<!-- score -->)(.*?)(<!-- /score -->)", re.DOTALL)
HEAD = """# How well Parley keeps the Realtime protocol

Found by `parley conformance` on a server with its keyless engines, written here by `tools/score.py`; a test compares.
Every row counts checks about one event or area; `parley conformance --list` says what each one claims. The suite runs
against any Realtime server: `parley conformance URL --key KEY`.
"""


def run() -> Report:
    """Serve, check, stop."""
    with parley_serve("--api-key", KEY, "--max-requests-per-minute", MANY) as served:
        return asyncio.run(run_checks(Target(served.url, KEY), wait_s=30))


def score(report: Report) -> str:
    """Say how many checks passed."""
    tally = report.tally
    return f"{tally.passed} of {tally.passed + tally.failed}"


def page(report: Report) -> str:
    """Write the page's text."""
    rows = [
        f"| {subject} | {counts.passed} | {counts.failed or ''} | {counts.skipped or ''} |"
        for subject, counts in report.by_subject().items()
    ]
    parts = [
        HEAD,
        f"**{score(report)} checks pass.**\n",
        "| event or area | passed | failed | skipped |\n|---|--:|--:|--:|\n" + "\n".join(rows) + "\n",
    ]
    failed = [f"* `{result.id}`: {result.claim} — {result.reason}" for result in report.of("failed")]
    if failed:
        parts.append("## What fails\n\n" + "\n".join(failed) + "\n")
    skipped: dict[str, list[str]] = {}
    for result in report.of("skipped"):
        skipped.setdefault(result.reason, []).append(f"* `{result.id}`")
    for reason, names in skipped.items():
        parts.append(f"## What was skipped: {reason}\n\n" + "\n".join(names) + "\n")
    return "\n".join(parts)


def readme(report: Report) -> str:
    """Write the README with the score in its place."""
    return MARKED.sub(lambda found: found[1] + score(report) + found[3], README.read_text(encoding="utf-8"))


def main() -> int:
    """Write or check."""
    report = run()
    for result in report.of("failed"):
        print(f"failed: {result.id}: {result.reason}")
    wanted = {PAGE: page(report), README: readme(report)}
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
        print(f"{score(report)}; stale: {', '.join(stale) or 'nothing'}")
        return 1 if stale else 0
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    print(score(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
