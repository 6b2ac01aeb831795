"""`parley calls`: the live sessions of a Calls app on a running server: list, look into one, end one, mint a token.

It speaks the public API (`GET` and `DELETE sessions`, `POST tokens`) with the app's secret.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from parley.cli.shared import Failure, resolved_settings, server_url

__all__ = ["command"]


@click.group("calls")
def command() -> None:
    """Look after the Calls API's sessions.

    \b
    Examples:
      parley calls list
      parley calls show 0123456789abcdef0123456789abcdef
      parley calls kick 0123456789abcdef0123456789abcdef
      parley calls token --listen SESSION/mic --max-sessions 500
    """  # noqa: D301 - click reads \b


def _options(function: Any) -> Any:
    for option in (
        click.option("--url", metavar="URL", help="The server. Default: PARLEY_URL, else http://127.0.0.1:8080."),
        click.option("--app", metavar="ID:SECRET", help="Default: the only one of PARLEY_CALLS_APP or parley.toml."),
        click.option("--json", "as_json", is_flag=True, help="Print the server's whole answer."),
    ):
        function = option(function)
    return function


@command.command("list")
@_options
def list_sessions(url: str | None, app: str | None, as_json: bool) -> None:
    """List the live sessions."""
    answer = _ask("GET", url, app, "/sessions")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    rows: list[tuple[str, ...]] = [("session", "state", "age", "publishes", "pulls", "subscribers", "label")]
    for each in answer["sessions"]:
        kind = each["state"] + (", third party" if each["thirdParty"] else "")
        counts = (str(each[name]) for name in ("localTracks", "remoteTracks", "subscribers"))
        rows.append((each["sessionId"], kind, f"{each['ageSeconds']} s", *counts, each["correlationId"]))
    _table(rows)


@command.command("show")
@click.argument("session")
@_options
def show_session(session: str, url: str | None, app: str | None, as_json: bool) -> None:
    """Show a session's tracks and data channels, and what passes on them."""
    answer = _ask("GET", url, app, f"/sessions/{session}")
    passed = _ask("GET", url, app, f"/sessions/{session}/statistics")
    if as_json:
        click.echo(json.dumps({**answer, "statistics": passed}, indent=2))
        return
    rows = [("mid", "way", "name", "from", "status", "subscribers")]
    for each in answer["tracks"] + answer["dataChannels"]:
        mid, name = (each["mid"], each["trackName"]) if "mid" in each else (f"#{each['id']}", each["dataChannelName"])
        source, count = each.get("sessionId", ""), str(each.get("subscribers", ""))
        rows.append((mid, each["location"], name, source, each["status"], count))
    _table(rows)
    click.echo()
    _table(_traffic(passed))
    estimate, round_trip = passed["estimateBitsPerSecond"], passed["roundTripMs"]
    if estimate is not None:
        click.echo(f"The client's network carries {estimate // 1000} kbit/s from us, as estimated.")
    if round_trip is not None:
        click.echo(f"To the client and back: {round_trip:.0f} ms.")


@command.command("kick")
@click.argument("session")
@_options
def kick_session(session: str, url: str | None, app: str | None, as_json: bool) -> None:
    """End a session; its tracks end for everybody."""
    answer = _ask("DELETE", url, app, f"/sessions/{session}")
    click.echo(json.dumps(answer) if as_json else f"Ended {session}.")


@command.command("token")
@click.option("--seconds", type=int, default=3_600, show_default=True, help="How long it is valid.")
@click.option("--session", metavar="ID", help="Only this session. Default: sessions that its bearer makes.")
@click.option("--publish", metavar="NAME", multiple=True, help="A track it may publish. Default: any.")
@click.option("--pull", metavar="SESSION[/NAME]", multiple=True, help="Tracks it may pull. Default: any.")
@click.option("--listen", metavar="SESSION[/NAME]", multiple=True, help="As --pull, and it may publish nothing.")
@click.option("--max-sessions", type=int, default=1, show_default=True, help="Sessions at once.")
@_options
def mint_token(
    seconds: int,
    session: str | None,
    publish: tuple[str, ...],
    pull: tuple[str, ...],
    listen: tuple[str, ...],
    max_sessions: int,
    url: str | None,
    app: str | None,
    as_json: bool,
) -> None:
    """Mint a client token (`ct_…`) for a browser, and print it."""
    body: dict[str, Any] = {"ttl": seconds, "maxSessions": max_sessions, "listenOnly": bool(listen)}
    if session:
        body["sessionId"] = session
    if publish:
        body["publish"] = list(publish)
    if pull or listen:
        body["pull"] = [_scope(text) for text in (*pull, *listen)]
    answer = _ask("POST", url, app, "/tokens", body)
    click.echo(json.dumps(answer, indent=2) if as_json else answer["token"])


def _traffic(passed: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row for each layer that comes, and each track that goes."""
    rows: list[tuple[str, ...]] = [("mid", "way", "layer", "packets", "lost", "jitter", "kbit/s")]
    for track in passed["local"]:
        for layer in track["layers"]:
            numbers = (str(layer["packets"]), str(layer["lost"]), f"{layer['jitterMs']:.1f} ms")
            rows.append((track["mid"], "local", layer["rid"] or "", *numbers, str(layer["bitsPerSecond"] // 1000)))
    for track in passed["remote"]:
        loss = "" if track["loss"] is None else f"{track['loss']:.1%}"
        jitter = "" if track["jitterMs"] is None else f"{track['jitterMs']:.1f} ms"
        rate = str(track["bitsPerSecond"] // 1000)
        rows.append((track["mid"], "remote", track["rid"] or "", str(track["packets"]), loss, jitter, rate))
    return rows


def _scope(text: str) -> dict[str, str]:
    session, _, name = text.partition("/")
    return {"sessionId": session, "trackName": name} if name else {"sessionId": session}


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _app(given: str | None) -> tuple[str, str]:
    known = (
        [given]
        if given
        else list(next(one.value for one in resolved_settings({}, None) if one.option.name == "calls_app"))
    )
    if len(known) != 1:
        which = "No app is configured here" if not known else f"{len(known)} apps are configured here"
        raise Failure(f"{which}: say which with --app ID:SECRET.")
    app_id, separator, secret = known[0].partition(":")
    if not (app_id and separator and secret):
        raise Failure("--app is written ID:SECRET.")
    return app_id, secret


def _ask(method: str, url: str | None, app: str | None, path: str, body: Any = None) -> dict[str, Any]:
    import httpx

    app_id, secret = _app(app)
    address = f"{server_url(url)}/v1/apps/{app_id}{path}"
    try:
        answer = httpx.request(method, address, json=body, headers={"authorization": f"Bearer {secret}"}, timeout=20)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = (
            f"Cannot reach {address} ({type(error).__name__}). Is `parley serve` running? --url names another server."
        )
        raise Failure(words) from None
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Failure(f"{address} is not a Parley server: it answered {answer.status_code} without JSON.")
    if answer.status_code >= 400:
        raise Failure(f"The server refused: {parsed.get('errorDescription', f'status {answer.status_code}')}")
    return parsed
