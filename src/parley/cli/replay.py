"""`parley replay`: run recordings of `parley serve --capture DIR` again, exactly, and say where they differ."""

from __future__ import annotations

from pathlib import Path

import click

from parley.cli.shared import Failure

__all__ = ["command"]


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> None:
    """Run recorded sessions again. A recording of this version replays identically; any difference is a finding.

    Record with `parley serve --capture DIR`: a file holds everything that was said, so share it with care.
    """
    from parley.protocol.realtime.recording import RecordingError, replay

    differing = 0
    for path in files:
        try:
            with path.open("rb") as lines:
                differences = replay(lines)
        except OSError as error:
            raise Failure(f"Cannot read {path}: {error.strerror}.") from None
        except RecordingError as error:
            raise Failure(f"{path}: {error}") from None
        click.echo(f"{path}: {'identical' if not differences else f'{len(differences)} differences'}")
        for difference in differences:
            click.echo(f"  {difference}")
        differing += bool(differences)
    if differing:
        raise SystemExit(1)
