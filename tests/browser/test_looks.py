"""Every state of the pages, light and dark, wide and narrow: drawn, fit for assistive technology and the keyboard.

States are held still by a scripted server on the page's own wires; how they come about is proven where people talk.
Pictures are left in `artifacts/screens` to be looked at.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from console import artifacts, run_driver

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

STATES = {
    "idle": "idle",
    "loading": "idle",
    "permission": "permission",
    "connecting": "connecting",
    "listening": "listening",
    "thinking": "thinking",
    "speaking": "speaking",
    "interrupted": "interrupted",
    "interrupted-websocket": "interrupted",
    "muted": "listening",
    "over": "idle",
    "notice": "listening",
    "panel-session": None,
    "panel-sound": None,
    "panel-tools": None,
    "panel-events": None,
    "panel-timing": None,
    "panel-engines": None,
    "sign-in": None,
    "sign-in-refused": None,
    "error-microphone-denied": "error",
    "error-microphone-missing": "error",
    "error-microphone-busy": "error",
    "error-insecure-origin": "error",
    "error-sound-blocked": "error",
    "error-no-media-path": "error",
    "error-server-gone": "error",
    "error-in-conversation": "error",
    "error-server-starting": "error",
    "error-session-expired": "error",
    "error-at-capacity": "error",
    "error-no-server": None,
    "page-control": "idle",
    "page-control-painted": "speaking",
    "page-control-sign-in": None,
    "page-control-error": "error",
}


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    """Where the pictures are, and what was seen of every state that is asked for: one browser draws them all."""
    folder = artifacts("screens")
    asked = {item.callspec.params["state"] for item in request.session.items if _looks_at_a_state(item)}
    run_driver("states.mjs", str(folder), ",".join(state for state in STATES if state in asked), limit_s=800)
    return folder


def _looks_at_a_state(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.function is test_a_state_is_drawn_and_fit_for_everybody


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_drawn_and_fit_for_everybody(state: str, folder: Path) -> None:
    looks: Any = json.loads((folder / f"{state}.json").read_text())
    assert "error" not in looks, looks
    assert [(look["width"], look["scheme"]) for look in looks] == [
        (1440, "light"),
        (1440, "dark"),
        (390, "light"),
        (390, "dark"),
    ]
    for look in looks:
        shape = f"{state} at {look['width']}, {look['scheme']}"
        if STATES[state] is not None:
            assert look["phase"] == STATES[state], shape
        assert look["problems"] == [], shape
        assert look["overflow"] == 0, shape
        assert look["clipped"] == [], shape
        assert look["unreached"] == [], f"{shape}: not reached by Tab"
        serious = [one for one in look["violations"] if one["impact"] in {"serious", "critical"}]
        assert serious == [], shape
        assert (folder / look["picture"]).stat().st_size > 5_000
