"""`parley token`: mint a client secret from a running server, for a browser or a script to connect with."""

from __future__ import annotations

import json
from typing import Any

import click

from parley.cli.shared import Failure, server_key, server_url

__all__ = ["command"]


@click.command("token")
@click.option("--url", metavar="URL", help="The server. Default: PARLEY_URL, else http://127.0.0.1:8080.")
@click.option("--api-key", metavar="KEY", help="Its key. Default: PARLEY_API_KEY or parley.toml here.")
@click.option("--seconds", type=click.IntRange(10, 7200), default=600, show_default=True, help="How long it is valid.")
@click.option("--session", metavar="JSON", help='What its sessions start with, e.g. \'{"instructions": "…"}\'.')
@click.option("--scope", metavar="JSON", help='What its bearer may do, e.g. \'{"hide": ["instructions"]}\'.')
@click.option("--json", "as_json", is_flag=True, help="Print the server's whole answer.")
def command(
    url: str | None, api_key: str | None, seconds: int, session: str | None, scope: str | None, as_json: bool
) -> None:
    """Mint a client secret (`ek_…`) and print it.

    \b
    Example:
      websocat "ws://127.0.0.1:8080/v1/realtime" -H "Authorization: Bearer $(parley token)"
      parley token --session '{"model": "reception"}' --scope '{"max_session_seconds": 300, "max_sessions": 1}'
    """  # noqa: D301 - click reads \b
    body: dict[str, Any] = {"expires_after": {"anchor": "created_at", "seconds": seconds}}
    for flag, key, text in (("--session", "session", session), ("--scope", "parley", scope)):
        if text:
            body[key] = _parsed(text, flag)
    answer = _post(server_url(url) + "/v1/realtime/client_secrets", server_key(api_key), body)
    click.echo(json.dumps(answer, indent=2) if as_json else answer["value"])


def _parsed(text: str, flag: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"{flag} is not valid JSON: {error}.") from None


def _post(url: str, key: str | None, body: dict[str, Any]) -> dict[str, Any]:
    import httpx

    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(url, json=body, headers=headers, timeout=20)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = f"Cannot reach {url} ({type(error).__name__}). Is `parley serve` running? --url names another server."
        raise Failure(words) from None
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Failure(f"{url} is not a Parley server: it answered {answer.status_code} without JSON.")
    if answer.status_code != 200:
        words = parsed.get("error", {}).get("message", f"status {answer.status_code}")
        hint = " --api-key or PARLEY_API_KEY gives the key." if answer.status_code == 401 else ""
        raise Failure(f"The server refused: {words}{hint}")
    return parsed
