"""The log shows listed values and nothing else; the metrics are Prometheus text."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from parley.observe.log import bind, configure_logging
from parley.observe.metrics import ServerMetrics
from parley.protocol.realtime.server_events import ResponseTimeline

CANARY = "the heron flies at midnight"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, ours = list(root.handlers), root.level, logging.getLogger("parley").level
    stream = io.StringIO()
    configure_logging("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("parley").setLevel(ours)


def test_listed_values_are_shown_and_others_are_not(log: io.StringIO) -> None:
    with bind(session_id="sess_1"):
        logging.getLogger("parley.server").info("response done", extra={"status": "completed", "transcript": CANARY})
    logging.getLogger("parley.server").info("after")
    first, second = log.getvalue().splitlines()
    assert first.endswith("INFO    parley.server: response done session_id=sess_1 status=completed")
    assert "sess_1" not in second
    assert CANARY not in log.getvalue()


def test_exceptions_show_type_and_place_but_not_text(log: io.StringIO) -> None:
    def speak() -> None:
        raise ValueError(CANARY)

    try:
        speak()
    except ValueError:
        logging.getLogger("parley.runtime").exception("session crashed")
    text = log.getvalue()
    assert "builtins.ValueError at" in text
    assert "in speak" in text
    assert CANARY not in text


def test_libraries_are_capped_and_their_arguments_dropped(log: io.StringIO) -> None:
    for name in ("openai", "httpx", "uvicorn.error", "websockets", "somebody.else"):
        logging.getLogger(name).info("body %s", CANARY)
        logging.getLogger(name).warning("odd body %s", CANARY)
        logging.getLogger(name).warning(f"odd body {CANARY}")  # noqa: G004
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {CANARY}")  # noqa: G004
    text = log.getvalue()
    assert CANARY not in text
    assert "INFO" not in text
    assert text.count("odd body %s") == 5
    assert "Task exception was never retrieved" in text


def test_a_value_cannot_forge_a_line(log: io.StringIO) -> None:
    logging.getLogger("parley").info("request", extra={"path": "/x\n12:00 ERROR forged"})
    assert len(log.getvalue().splitlines()) == 1


def test_metrics_count_sessions_responses_and_latency() -> None:
    metrics = ServerMetrics("1.2.3")
    metrics.session_opened()
    metrics.session_opened()
    metrics.session_closed("client_left", 12_000)
    metrics.session_refused("capacity")
    metrics.response_done("completed", ResponseTimeline(first_audio_ms=350))
    metrics.request("GET", 200)
    metrics.request("BREW", 418)
    text = metrics.render().decode()
    for line in (
        'parley_info{version="1.2.3"} 1.0',
        "parley_sessions 1.0",
        "parley_sessions_opened_total 2.0",
        'parley_sessions_refused_total{reason="capacity"} 1.0',
        'parley_turn_seconds_bucket{le="0.4",station="first_audio"} 1.0',
        'parley_turn_seconds_bucket{le="0.3",station="first_audio"} 0.0',
        'parley_http_requests_total{method="other",status="418"} 1.0',
    ):
        assert line in text.splitlines(), line


def test_two_servers_do_not_share_counts() -> None:
    first, second = ServerMetrics("1"), ServerMetrics("1")
    first.session_opened()
    assert "parley_sessions 0.0" in second.render().decode()
