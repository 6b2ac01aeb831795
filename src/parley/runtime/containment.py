"""The border to code that is not ours: engines are plug-ins, and a bug in one fails its task, not the session.

`Containment` is the runtime's third place, beside `supervisor` and the server's `problems`, where any exception is
taken: it suppresses it, reports where it came from, and leaves it to the caller to say what fails. What an exception
*says* may quote the user and is never reported. Neighbours: `generations`, `recognitions` (use it), `supervisor`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

from parley.engines.base import EngineError

__all__ = ["Containment", "origin"]

_log = logging.getLogger(__name__)


def origin(error: BaseException) -> str:
    """Say where `error` was raised, innermost call last, and nothing of what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)


class Containment:
    """A context manager that takes every `Exception` of an engine.

    Afterwards `failure` is None, the `EngineError` the engine raised, or one that stands for what it should not have
    raised; `on_failure` is told as well. Cancellation passes, so a time limit belongs around it, not inside.
    """

    def __init__(self, stage: str, on_failure: Callable[[EngineError], None] | None = None) -> None:
        self._stage = stage
        self._on_failure = on_failure
        self.failure: EngineError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if isinstance(error, EngineError):
            self.failure = error
            _log.warning("engine failed", extra={"stage": self._stage, "code": error.code})
        else:
            self.failure = EngineError(
                f"The {self._stage} engine broke ({type(error).__name__}). The server's log says where; "
                "restart it or choose another engine.",
                code="engine_crashed",
            )
            _log.error(
                "engine broke its contract",
                extra={"stage": self._stage, "exception": type(error).__name__, "origin": origin(error)},
            )
        if self._on_failure is not None:
            self._on_failure(self.failure)
        return True
