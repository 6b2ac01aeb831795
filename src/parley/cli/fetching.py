"""Fetch models with something to look at: bars in a terminal, lines elsewhere."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from parley.engines.base import EngineError
from parley.engines.local.store import ModelStore, ModelStoreError, PullProgress

__all__ = ["fetch_missing"]


def fetch_missing(console: Console, store: ModelStore, names: tuple[str, ...]) -> tuple[str, ...]:
    """Fetch those of `names` that are not there, and name them. Blocks. Raises `EngineError` with the fix."""
    missing = store.missing(names)
    if not missing:
        return ()
    console.print(f"Fetching {', '.join(missing)} into {store.root} (once).")
    try:
        with _Bars(console) as bars:
            store.pull(missing, bars.show)
    except ModelStoreError as error:
        raise EngineError(str(error), code="model_missing") from None
    return missing


class _Bars:
    """One bar per archive; without a terminal, one line per phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
        )
        self._tasks: dict[int, TaskID] = {}
        self._phases: set[tuple[int, str]] = set()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, state: PullProgress) -> None:
        """Take one report of the store."""
        words = "waiting for another pull" if state.phase == "waiting" else f"{', '.join(state.models)}: {state.phase}"
        if not self._console.is_terminal:
            if (state.archive, state.phase) not in self._phases:
                self._phases.add((state.archive, state.phase))
                self._console.print(f"  [{state.archive}/{state.archives}] {words}", markup=False)
            return
        if state.phase == "waiting":
            self._progress.console.print(words)
            return
        task = self._tasks.get(state.archive)
        if task is None:
            task = self._tasks[state.archive] = self._progress.add_task(words, total=state.total_bytes)
        self._progress.update(task, description=words, completed=state.done_bytes, total=state.total_bytes)
