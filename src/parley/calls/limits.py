"""Every bound and time of the Calls service in one place. Data only. Source: Calls API, "Lifetime, limits, timers"."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CallsLimits"]


@dataclass(frozen=True, slots=True)
class CallsLimits:
    """The defaults are the vendor's where it publishes any."""

    max_sessions: int = 5_000
    """Live sessions of one server; one more is refused."""
    max_tracks: int = 1_000
    """What one session publishes and pulls at once."""
    max_body_bytes: int = 768 << 10
    """A browser's offer has some 5 KiB for each video section, and a session may have a hundred of them."""
    requests_per_second: int = 50
    """Per session, in bursts of as many."""
    app_requests_per_second: int | None = None
    """Of all sessions of an app together, in bursts of as many; None: as many as there are."""
    answer_wait_ms: int = 5_000
    """How long an operation waits for what must come first: an answer, a publication, a transport."""
    offer_lifetime_ms: int = 30_000
    """An offer of ours that nobody answers for so long is withdrawn."""
    silent_track_ms: int | None = 30_000
    """A published track on which no packet came for so long ends; None: never."""
    never_connected_ms: int = 60_000
    """A session without a connection ends after so long without a request."""
    idle_third_party_ms: int = 60_000
    """A third-party session that nobody pulls from and that pulls nothing ends after so long."""
    ack_wait_ms: int = 30_000
    """A subscriber that must speak first (`waitForAck`) and does not is dropped."""
    channel_backlog_bytes: int = 1 << 20
    """Messages that wait for one slow subscriber; above it a reliable channel is closed, another loses messages."""
    max_channels: int = 500
    """Data channels of one session; browsers have 1,024 streams, half of them theirs to open."""
    max_tokens: int = 100_000
    max_token_seconds: int = 30 * 24 * 3_600
