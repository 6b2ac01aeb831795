"""What Prometheus reads at `/metrics`: sessions, refusals, responses and where their time went, requests.

One registry per server object, never the library's global one. Implements `runtime.measures.SessionMetrics` by shape.
Labels are closed sets of short words: no id, no name a client chose, unless the operator asked for that of calls.
Neighbours: `timeline` computes the latencies, `families` reads parts that count themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from parley.observe.families import Families, Family, Row
from parley.protocol.realtime.server_events import ResponseTimeline

__all__ = ["CONTENT_TYPE", "ServerMetrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCY_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_STATIONS = ("committed", "transcript", "first_token", "first_audio", "first_sent")
_LENGTH_S = (10, 30, 60, 300, 900, 1_800, 3_600)


class MediaCounts(Protocol):
    """`parley.media.plane.PlaneCounters`"""

    @property
    def audio_blocks_dropped(self) -> int: ...
    @property
    def datagrams_dropped(self) -> int: ...
    @property
    def peers_broken(self) -> int: ...
    @property
    def frames_decoded(self) -> int: ...
    @property
    def frames_encoded(self) -> int: ...


class ServerMetrics:
    """Counters of one server. Every method is quick and never raises."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        registry = self._registry
        Gauge("parley_info", "The running version.", ["version"], registry=registry).labels(version).set(1)
        self._ready = Gauge("parley_ready", "1 when every engine is warm and sessions are taken.", registry=registry)
        self._sessions = Gauge("parley_sessions", "Live realtime sessions.", registry=registry)
        self._opened = Counter("parley_sessions_opened", "Realtime sessions begun.", registry=registry)
        self._refused = Counter(
            "parley_sessions_refused", "Sessions refused, by reason.", ["reason"], registry=registry
        )
        self._closed = Counter("parley_sessions_closed", "Sessions ended, by reason.", ["reason"], registry=registry)
        self._lasted = Histogram(
            "parley_session_seconds", "How long sessions lasted.", buckets=_LENGTH_S, registry=registry
        )
        self._responses = Counter("parley_responses", "Responses ended, by status.", ["status"], registry=registry)
        self._latency = Histogram(
            "parley_turn_seconds",
            "From the end of speech (or response.create) to each station of the answer.",
            ["station"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        self._slow_readers = Counter(
            "parley_slow_readers", "Connections closed because their client did not read.", registry=registry
        )
        self._calls = Gauge("parley_calls", "Live WebRTC calls.", registry=registry)
        self._calls_ended = Counter(
            "parley_calls_ended", "WebRTC calls ended, by reason.", ["reason"], registry=registry
        )
        self._requests = Counter(
            "parley_http_requests", "HTTP requests, by method and status.", ["method", "status"], registry=registry
        )

    def ready(self, is_ready: bool) -> None:
        """Mirror `/readyz`."""
        self._ready.set(1 if is_ready else 0)

    def session_opened(self) -> None:
        """Count a session that began."""
        self._sessions.inc()
        self._opened.inc()

    def session_refused(self, reason: str) -> None:
        """Count a session that was refused."""
        self._refused.labels(reason).inc()

    def session_closed(self, reason: str, lasted_ms: int) -> None:
        """Count a session that ended."""
        self._sessions.dec()
        self._closed.labels(reason).inc()
        self._lasted.observe(lasted_ms / 1_000)

    def response_done(self, status: str, timeline: ResponseTimeline | None) -> None:
        """Count a response and, for spoken turns, the time from the end of speech to each station reached."""
        self._responses.labels(status).inc()
        if timeline is None:
            return
        for station in _STATIONS:
            after_ms = getattr(timeline, f"{station}_ms")
            if isinstance(after_ms, int):
                self._latency.labels(station).observe(after_ms / 1_000)

    def call_opened(self) -> None:
        """Count a WebRTC call that was answered."""
        self._calls.inc()

    def call_ended(self, reason: str) -> None:
        """Count a WebRTC call that ended."""
        self._calls.dec()
        self._calls_ended.labels(reason).inc()

    def watch_media(self, counters: Callable[[], MediaCounts]) -> None:
        """Read at every scrape what the media plane lost, and how much sound it decoded and sent."""

        def families() -> Iterator[Family]:
            now = counters()
            for name, words, value in (
                (
                    "audio_blocks_dropped",
                    "Heard sound that was lost before a session had it.",
                    now.audio_blocks_dropped,
                ),
                ("media_datagrams_dropped", "Datagrams of nobody, or too many.", now.datagrams_dropped),
                ("media_peers_broken", "Peers ended because something inside them broke.", now.peers_broken),
                ("audio_frames_decoded", "Frames of sound decoded for sessions.", now.frames_decoded),
                ("audio_frames_sent", "Frames of 20 ms of the AI's speech, by codec.", now.frames_encoded),
            ):
                yield Family(f"parley_{name}", words, "counter", (), [Row((), value)])

        self.watch(families)

    def watch(self, families: Callable[[], Iterable[Family]]) -> None:
        """Read at every scrape what a part counts by itself."""
        self._registry.register(Families(families))

    def slow_reader(self) -> None:
        """Count a connection closed because its client did not read."""
        self._slow_readers.inc()

    def request(self, method: str, status: int) -> None:
        """Count an HTTP answer."""
        known = method if method in {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"} else "other"
        self._requests.labels(known, str(status)).inc()

    def render(self) -> bytes:
        """Give the exposition text."""
        return generate_latest(self._registry)
