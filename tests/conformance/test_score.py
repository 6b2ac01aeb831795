"""The score that the documents show is the score of a run: recomputed here, never typed."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from source_tree import ROOT

from parley.conformance import Report, all_checks

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("score_tool", ROOT / "tools/score.py")
    assert spec is not None
    assert spec.loader is not None
    path = list(sys.path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path


@pytest.fixture(scope="module")
def report(tool: ModuleType) -> Report:
    found: Report = tool.run()
    return found


def test_every_check_passes(report: Report) -> None:
    assert {result.id: result.reason for result in report.of("failed")} == {}
    assert len(all_checks()) >= 478


def test_the_page_says_what_was_found(tool: ModuleType, report: Report) -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(report), "run: python tools/score.py"


def test_the_readme_says_the_score(tool: ModuleType, report: Report) -> None:
    text = tool.README.read_text(encoding="utf-8")
    assert tool.MARKED.search(text)
    assert text == tool.readme(report), "run: python tools/score.py"


def test_checks_have_names_of_their_own_and_say_what_they_claim() -> None:
    checks = all_checks()
    assert len({check.id for check in checks}) == len(checks)
    assert all(check.claim.endswith(".") and check.claim[0].isupper() for check in checks)


async def test_the_command_says_who_answers_instead() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parley.cli", "conformance", "http://127.0.0.1:9",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"No Realtime server answers at http://127.0.0.1:9" in err
