"""`parley calls` against a running server."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from calls_over_http import APP, SECRET, calls_server, new_session, pushed
from click.testing import CliRunner, Result

from parley.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    (tmp_path / "parley.toml").write_text(f'calls_app = ["{APP}:{SECRET}"]\n')


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["calls", *arguments])


async def test_sessions_are_listed_shown_and_ended_and_tokens_minted() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        alice, _ = await pushed(http)
        bob = await new_session(http, "?correlationId=meeting&thirdparty=true")
        listed = (await run("list", "--url", server.url)).output.splitlines()
        assert listed[0].split() == ["session", "state", "age", "publishes", "pulls", "subscribers", "label"]
        rows = {line.split()[0]: line for line in listed[1:]}
        assert set(rows) == {alice, bob}
        assert "new, third party" in rows[bob]
        assert rows[bob].endswith("meeting")
        shown = (await run("show", alice, "--url", server.url)).output.splitlines()
        assert shown[1].split() == ["0", "local", "mic", "active", "0"]
        assert shown[3].split() == ["mid", "way", "layer", "packets", "lost", "jitter", "kbit/s"]
        assert shown[4].split() == ["0", "local", "0", "0", "0.0", "ms", "0"]
        whole = json.loads((await run("show", alice, "--json", "--url", server.url)).output)
        assert whole["tracks"][0]["trackName"] == whole["statistics"]["local"][0]["trackName"] == "mic"
        minted = (await run("token", "--listen", f"{alice}/mic", "--url", server.url)).output.strip()
        assert minted.startswith("ct_")
        refused = await run("kick", alice, "--app", f"{APP}:wrong", "--url", server.url)
        assert refused.exit_code == 1
        assert "The server refused: This is not the secret of this app" in refused.output
        assert (await run("kick", alice, "--url", server.url)).output == f"Ended {alice}.\n"
        gone = await run("show", alice, "--url", server.url)
        assert gone.exit_code == 1
        assert "unknown, closed or expired" in gone.output


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").unlink()
    nobody = await run("list")
    assert nobody.exit_code == 1
    assert "No app is configured here: say which with --app ID:SECRET" in nobody.output
    unreached = await run("list", "--app", f"{APP}:{SECRET}", "--url", "http://127.0.0.1:9")
    assert "Is `parley serve` running?" in unreached.output
    helped = await run("--help")
    for name in ("list", "show", "kick", "token"):
        assert name in helped.output
