"""Noise reduction of a lane, as the session's configuration has it at the moment. Neighbours: `runner`, `live_lane`."""

from __future__ import annotations

from parley.audio import LaneFeed
from parley.protocol.realtime.session_config import NoiseReduction

__all__ = ["tune"]


def tune(feed: LaneFeed, wanted: NoiseReduction | None) -> None:
    """Have `feed` reduce noise as `wanted`; cheap where nothing changed."""
    if wanted is None:
        feed.keep_noise()
    else:
        feed.reduce_noise(far=wanted.type == "far_field", strength=wanted.strength)
