"""Debian's Firefox ESR with fake streams, driven over WebDriver BiDi; nothing but the browser is needed.

Source: https://w3c.github.io/webdriver-bidi/ (session.new, browsingContext.navigate, script.evaluate).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["outcome_in_firefox"]

_PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
}
_LISTENING = "WebDriver BiDi listening on "


def outcome_in_firefox(url: str, profile: Path, *, limit_s: float) -> dict[str, Any]:
    """Open a page and wait for the plain data that its `window.outcome` promises."""
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as browser:
        try:
            assert browser.stderr is not None
            address = next(
                (line.partition(_LISTENING)[2].strip() for line in browser.stderr if _LISTENING in line), None
            )
            assert address, "Firefox ended without saying where it listens"
            with connect(f"{address}/session", max_size=None) as socket:
                return _evaluate(socket, url, limit_s)
        finally:
            browser.terminate()


def _evaluate(socket: ClientConnection, url: str, limit_s: float) -> dict[str, Any]:
    started = _call(socket, 1, "session.new", {"capabilities": {}}, limit_s)
    context = _call(socket, 2, "browsingContext.getTree", {}, limit_s)["contexts"][0]["context"]
    _call(socket, 3, "browsingContext.navigate", {"context": context, "url": url, "wait": "complete"}, limit_s)
    evaluate = {
        "expression": "window.outcome.then(JSON.stringify)",
        "target": {"context": context},
        "awaitPromise": True,
    }
    result = _call(socket, 4, "script.evaluate", evaluate, limit_s)
    assert result["type"] == "success", result
    version = started["capabilities"]["browserVersion"]
    return {"version": version, "outcome": json.loads(result["result"]["value"])}


def _call(socket: ClientConnection, number: int, method: str, params: dict[str, Any], limit_s: float) -> dict[str, Any]:
    socket.send(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=limit_s))
        if message.get("id") == number:
            assert message["type"] == "success", message
            found: dict[str, Any] = message["result"]
            return found
