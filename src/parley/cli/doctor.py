"""`parley doctor`: look at everything a conversation needs, and say for each what to do if it is not well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from parley.cli.shared import read_settings, settings_options

__all__ = ["command"]

_MARKS = {
    "ok": click.style("ok  ", fg="green"),
    "note": click.style("note", fg="yellow"),
    "bad": click.style("bad ", fg="red"),
}


@click.command("doctor")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(config_file: Path | None, as_json: bool, **flags: Any) -> None:
    """Check engines, ports, addresses and models as `parley serve` with the same options would use them.

    Exit status 1 if something is bad. Notes are worth knowing, and nothing is broken.
    """
    settings = read_settings(flags, config_file)
    import asyncio
    import json
    from dataclasses import asdict

    from parley.cli.checks import all_checks
    from parley.cli.shared import models_dir

    findings = asyncio.run(all_checks(settings, models_dir(settings)))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.verdict]}  {finding.subject:<14} {finding.words}")
            if finding.fix:
                click.echo(f"{'':<20} → {finding.fix}")
    if any(finding.verdict == "bad" for finding in findings):
        raise SystemExit(1)
