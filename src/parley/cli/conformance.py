"""`parley conformance URL`: how well a Realtime server keeps the protocol, as a table per event and a score."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from parley.cli.shared import Failure, server_key, server_url

if TYPE_CHECKING:
    from parley.conformance import Report, Result

__all__ = ["command"]


@click.command("conformance")
@click.argument("url", required=False)
@click.option("--key", metavar="KEY", help="Key to send as bearer. Default: PARLEY_API_KEY or parley.toml here.")
@click.option("--model", metavar="NAME", default="gpt-realtime", show_default=True, help="Model to ask for.")
@click.option("--only", metavar="TEXT", multiple=True, help="Run only checks whose id contains TEXT. Repeat for more.")
@click.option("--list", "listed", is_flag=True, help="List the checks and what each claims; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--wait", "wait_s", metavar="S", type=float, default=20.0, show_default=True, help="Longest single wait.")
@click.option(
    "--parallel", metavar="N", type=click.IntRange(1, 64), default=4, show_default=True, help="Checks at once."
)
def command(
    url: str | None,
    key: str | None,
    model: str,
    only: tuple[str, ...],
    listed: bool,
    as_json: bool,
    wait_s: float,
    parallel: int,
) -> None:
    """Check any Realtime server against the protocol, over WebSocket and HTTP.

    URL is the server's address, with or without /v1; without one, PARLEY_URL or this machine's default port. The user's
    speech is synthesised here. Exit status 1 means that a check failed.

    \b
    Examples:
      parley conformance
      parley conformance http://127.0.0.1:8080 --only response.cancel --only barge-in
      parley conformance https://api.example/v1 --key "$KEY" --json > report.json
    """  # noqa: D301 - click reads \b
    if listed:
        _list(only)
        return
    report = _run(server_url(url), server_key(key), model, only, wait_s, parallel, quiet=as_json)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    if report.of("failed"):
        raise click.exceptions.Exit(1)


def _list(only: tuple[str, ...]) -> None:
    from parley.conformance import all_checks

    for check in all_checks(only):
        click.echo(f"{check.id}: {check.claim}")


def _run(
    url: str, key: str | None, model: str, only: tuple[str, ...], wait_s: float, parallel: int, *, quiet: bool
) -> Report:
    from parley.conformance import Target, all_checks, run_checks
    from parley.conformance.suite import Unreachable

    count = len(all_checks(only))
    if not count:
        raise Failure("--only matches no check. `parley conformance --list` names all of them.")
    done = 0

    def show(_: Result) -> None:
        nonlocal done
        done += 1
        if not quiet:
            click.echo(f"\r{min(done, count)} of {count} checks", nl=False, err=True)

    try:
        report = asyncio.run(
            run_checks(Target(url, key, model), only=only, wait_s=wait_s, parallel=parallel, on_result=show)
        )
    except Unreachable as reason:
        words = f"No Realtime server answers at {url}: {reason}. Is it running? Does it want a --key?"
        raise Failure(words) from None
    if not quiet:
        click.echo("", err=True)
    return report


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("event or area")
    for column in ("passed", "failed", "skipped"):
        table.add_column(column, justify="right")
    for subject, counts in report.by_subject().items():
        failed = f"[red]{counts.failed}[/red]" if counts.failed else ""
        table.add_row(escape(subject), str(counts.passed or ""), failed, str(counts.skipped or ""))
    console.print(table)
    for result in report.of("failed"):
        console.print(f"[red]failed[/red]  {escape(result.id)}: {escape(result.claim)}")
        console.print(f"        {escape(result.reason)}")
    for reason in dict.fromkeys(result.reason for result in report.of("skipped")):
        names = [result.id for result in report.of("skipped") if result.reason == reason]
        console.print(f"[yellow]skipped[/yellow] {len(names)}: {escape(reason)} ({escape(', '.join(names[:3]))} …)")
    tally = report.tally
    ran = tally.passed + tally.failed
    console.print(f"\n[bold]{tally.passed} of {ran}[/bold] checks passed ({tally.score:.1%}), {tally.skipped} skipped.")
