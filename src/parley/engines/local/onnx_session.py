"""Open and run onnxruntime sessions the way a shared small machine needs it: one thread, no spinning, quiet.

onnxruntime raises a dozen exception types of its own; `run` turns them into `EngineError`, whose message says which
model broke and never what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.engines.base import EngineError

__all__ = ["OnnxSession"]

_ERRORS_AND_ABOVE = 3


class OnnxSession:
    """One loaded graph. Safe to run from several threads."""

    def __init__(self, name: str, model: Path | bytes) -> None:
        """Load `model`, a file or its bytes; `name` is for messages. Raises `EngineError`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_AND_ABOVE
        self._name = name
        self._errors = _own_errors()
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session: Any = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise EngineError(
                f"The model {name} could not be loaded ({type(error).__name__}). Check its files with: parley doctor",
                code="model_unreadable",
            ) from error
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(value.name for value in self._session.get_outputs())

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[np.float32]]:
        """Compute `outputs` (all, in the graph's order, by default). Blocks without the GIL. Raises `EngineError`."""
        try:
            results: list[NDArray[np.float32]] = self._session.run(outputs, feeds)
        except self._errors as error:
            raise EngineError(f"The model {self._name} failed ({type(error).__name__}).", retryable=True) from error
        return results


def _own_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = (getattr(state, name) for name in dir(state))
    return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))
