"""How soon a viewer in Chromium gets the lower layer when its network narrows, and the better one when there is room.

One page publishes 640 x 360 at 15 frames a second in two layers, 500 and 90 kbit/s; the viewer's network, a relay of
datagrams, carries 150 kbit/s for a while, then all again. The time is from the change of the network until the picture
in the page has its new height, with the quarter of a second between two looks. Needs Debian's Chromium and the pages'
packages (`make build`); `tests/browser/test_calls_simulcast.py` runs the same pages.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
LIMIT_S = 280
GOALS_S = {"capped": ("to the lower layer", 5.0), "lifted": ("back to the better one", 15.0)}


def main() -> None:
    """Print both times of each round against their goals."""
    rounds = []
    for _ in range(ROUNDS):
        report = _round()
        if report["errors"] or GOALS_S.keys() - report["steps"].keys():
            print(f"not measured: {'; '.join(report['errors']) or 'the pages did not get to the end'}")
            return
        rounds.append(report["steps"])
    for step, (words, goal_s) in GOALS_S.items():
        took = [steps[step]["took_s"] for steps in rounds]
        reached = "reached" if max(took) < goal_s else "MISSED"
        each = ", ".join(f"{seconds:.1f}" for seconds in took)
        print(f"{words:>23}: {each} s (each under {goal_s:.0f} s: {reached})", flush=True)


def _round() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "tests" / "lib"))
    try:
        from native_calls import APP, SECRET, native_calls
        from udp_relay import udp_relay
    finally:
        sys.path.pop(0)
    with tempfile.TemporaryDirectory() as folder, udp_relay() as relay, native_calls(relay=relay) as server:
        out = Path(folder) / "report.json"
        driver = ["node", str(ROOT / "web/drive/simulcast.mjs"), f"{server.url}/v1/apps/{APP}", SECRET]
        done = subprocess.run(
            [*driver, relay.control, str(out)], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        if done.returncode:
            return {"errors": [done.stderr.strip().rpartition("\n")[2] or "no browser"], "steps": {}}
        report: dict[str, Any] = json.loads(out.read_text())
        return report


if __name__ == "__main__":
    main()
