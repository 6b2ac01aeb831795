"""The load generator as a child process, pinned to another core than the server: `parley-load` in `benchmarks/load`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import IO

__all__ = ["LOAD_CORE", "SERVER_CORE", "Generator", "build_generator", "pin", "unpin"]

ROOT = Path(__file__).resolve().parents[1]
SERVER_CORE, LOAD_CORE = 0, 1
CORES = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def build_generator() -> Path:
    """Build the generator; seconds, where the media core is built already. Gives its path."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "parley-load"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "parley-load"


def pin(core: int) -> None:
    """Keep this process, and what it starts from now on, on one core, if there is more than one."""
    if len(CORES) > core:
        os.sched_setaffinity(0, {CORES[core]})


def unpin() -> None:
    """Let this process run wherever it could at first."""
    if CORES:
        os.sched_setaffinity(0, CORES)


class Generator:
    """One run of the generator: it says lines, waits for ours, and ends with its figures."""

    def __init__(self, verb: str, **options: object) -> None:
        given = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        self._process = subprocess.Popen(
            [str(build_generator()), verb, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin(LOAD_CORE),  # noqa: PLW1509
        )

    def line(self) -> str:
        """Wait for its next line."""
        line = _pipe(self._process.stdout).readline().strip()
        if not line:
            raise RuntimeError(f"the generator ended early, with status {self._process.wait()}")
        return line

    def go(self) -> None:
        """Let it go on."""
        self.say("")

    def say(self, line: str) -> None:
        """Give it a line."""
        pipe = _pipe(self._process.stdin)
        pipe.write(line + "\n")
        pipe.flush()

    def end(self) -> None:
        """Tell it that no more lines come, and wait for its end."""
        _pipe(self._process.stdin).close()
        self._process.wait(timeout=20)
        _pipe(self._process.stdout).close()

    def figures(self) -> dict[str, float]:
        """Wait for its figures and its end."""
        figures: dict[str, float] = json.loads(self.line())
        self._process.wait()
        return figures


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
