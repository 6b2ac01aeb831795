"""`parley config show`: every setting, its value and where it comes from, secrets masked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from parley.cli.shared import resolved_settings, settings_options

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Look at the configuration. A flag wins over a variable, over parley.toml, over the default."""


@command.command("show")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(config_file: Path | None, as_json: bool, **flags: Any) -> None:
    """Show every setting as `parley serve` with the same options would read it."""
    resolved = resolved_settings(flags, config_file)
    if as_json:
        rows = {one.option.name: {"value": one.shown, "source": one.source} for one in resolved}
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    widths = [max(len(text) for text in texts) for texts in zip(*(_row(one) for one in resolved), strict=True)]
    for one in resolved:
        click.echo("  ".join(text.ljust(width) for text, width in zip(_row(one), widths, strict=True)).rstrip())


def _row(one: Any) -> tuple[str, str, str]:
    return one.option.name, one.shown, one.source
