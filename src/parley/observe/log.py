"""The log: one line per happening, static words, values beside them; nothing that anybody said and no secret.

What may be a value is listed here (`LOGGED`); everything else that a record carries is left out, so a careless `extra`
cannot leak. Text that other libraries log is not ours to vouch for: they are capped at warnings, their arguments are
dropped, and an exception is told by its type and place, never by its text. Neighbours: `metrics` counts, `timeline`
measures. Session ids are bound once per task through `bind`.
"""

from __future__ import annotations

import contextvars
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["LOGGED", "LineFormatter", "bind", "configure_logging"]

LOGGED = frozenset(
    {
        "active", "address", "age_ms", "attempt", "bytes", "call_id", "close_code", "code", "connection_id",
        "correlation_id", "count", "duration_ms", "engine", "error_type", "event_type", "first_audio_ms", "host",
        "lasted_ms", "limit", "method", "model", "param", "path", "port", "reason", "request_id", "response_id",
        "route", "session_id", "setting", "signal", "source", "stage", "state", "status", "timeout_ms", "version",
        "waited_ms",
    }
)  # fmt: skip
"""Names of values a line may show: ids, sizes, times, codes, routes. Never audio, text, arguments, headers, queries."""

_OURS = "parley"
_VALUE_CHARS = 200
_WITHHELD = "(text withheld: it may quote what was said)"
_bound: contextvars.ContextVar[tuple[tuple[str, str], ...]] = contextvars.ContextVar("parley_log", default=())


@contextmanager
def bind(**ids: str) -> Iterator[None]:
    """Show `ids` on every line logged inside, in this task and those it starts."""
    token = _bound.set((*_bound.get(), *ids.items()))
    try:
        yield
    finally:
        _bound.reset(token)


class LineFormatter(logging.Formatter):
    """`12:00:00.123 INFO  parley.server.app  session opened  session_id=sess_… active=3`"""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line. Exceptions give their type and the frames they passed, not their text."""
        ours = record.name == _OURS or record.name.startswith(_OURS + ".")
        words = record.getMessage() if ours else _foreign_words(record)
        values = dict(_bound.get())
        if ours:
            values |= {name: value for name, value in vars(record).items() if name in LOGGED}
        shown = "".join(f" {name}={_shown(value)}" for name, value in values.items() if name in LOGGED)
        stamp = f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03d}"
        line = f"{stamp} {record.levelname:<7} {record.name}: {words}{shown}"
        return line + _where(record)


def _foreign_words(record: logging.LogRecord) -> str:
    """Keep a library's own words, which are constant when it passes arguments, and drop whatever may be content."""
    if not isinstance(record.msg, str):
        return _WITHHELD
    if record.name == "asyncio":
        return record.msg.partition("\n")[0]
    return record.msg if record.args else _WITHHELD


def _shown(value: object) -> str:
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    text = str(value)[:_VALUE_CHARS]
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _where(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    passed = traceback.extract_tb(error.__traceback__)[-12:]
    frames = (f"\n    {frame.filename}:{frame.lineno} in {frame.name}" for frame in passed)
    return f"\n  {type(error).__module__}.{type(error).__qualname__} at" + "".join(frames)


def configure_logging(level: str, stream: TextIO) -> None:
    """Send Parley's log at `level` and other libraries' warnings to `stream`, replacing what was configured before."""
    target = logging.StreamHandler(stream)
    target.setFormatter(LineFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(target)
    root.setLevel(logging.WARNING)
    for name in list(logging.Logger.manager.loggerDict):
        logger = logging.getLogger(name)
        if name != _OURS and not name.startswith(_OURS + "."):
            logger.setLevel(logging.NOTSET)
            logger.handlers.clear()
            logger.propagate = True
    for name in ("asyncio", "httpcore", "httpx", "openai", "uvicorn", "uvicorn.error", "uvicorn.access", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level.upper())
