"""`parley conformance` as people and scripts run it: the table, the JSON, the exit status, what is wrong by name."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from event_proxy import event_proxy
from served import Served, parley_serve

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

ONLY = ("--only", "response.done/completed", "--only", "beta responses/text-names")
UNSEEN = "no such event was seen"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


async def checked(url: str, *options: str) -> tuple[int | None, str]:
    """Run the command; give its exit status and what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parley.cli", "conformance", url, *ONLY, *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**environment, "NO_COLOR": "1"},
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_a_table_counts_events_and_areas_and_ends_with_the_score(server: Served) -> None:
    status, out = await checked(server.url)
    assert status == 0, out
    for row in ("response.done", "beta responses", "beta response.text.delta"):
        assert re.search(rf"^{re.escape(row)} +\d+ *$", out, re.MULTILINE), row
    score = re.search(r"^(\d+) of (\d+) checks passed \(100\.0%\), (\d+) skipped\.$", out, re.MULTILINE)
    assert score is not None, out
    assert score[1] == score[2]
    assert int(score[1]) > 20, "shapes and order are judged besides the two checks"
    assert UNSEEN in out


async def test_json_holds_every_result_and_counts_them(server: Served) -> None:
    status, out = await checked(server.url, "--json")
    report: dict[str, Any] = json.loads(out)
    assert status == 0, out
    found = {check["id"]: check for check in report["checks"]}
    counted = Counter(check["outcome"] for check in report["checks"])
    assert report["score"] == {outcome: counted[outcome] for outcome in ("passed", "failed", "skipped")}
    assert [found[name]["outcome"] for name in ONLY[1::2]] == ["passed", "passed"]
    for ordering in ("ordering", "beta ordering"):
        assert found[f"{ordering}/done-once"]["outcome"] == "passed"
        unseen = found[f"{ordering}/call-registered"]
        assert (unseen["outcome"], unseen["reason"]) == ("skipped", UNSEEN), "nobody asked for a call"
    assert "beta ordering/items-finish" not in found, "the beta has no such event"


async def test_a_server_that_is_wrong_is_named_by_the_check_and_the_exit_status(server: Served) -> None:
    def forgetful(event: dict[str, Any]) -> Iterable[dict[str, Any]]:
        return () if event["type"] == "response.content_part.done" else (event,)

    async with event_proxy(server.websocket_url, lambda: forgetful) as proxy:
        status, out = await checked(f"http://127.0.0.1:{proxy.port}")
    assert status == 1
    for dialect in ("", "beta "):
        assert f"failed  {dialect}ordering/parts-paired: Keep the rule:" in out
    score = re.search(r"^(\d+) of (\d+) checks passed", out, re.MULTILINE)
    assert score is not None
    assert int(score[1]) < int(score[2])
