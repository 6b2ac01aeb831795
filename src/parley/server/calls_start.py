"""The Calls service put together from the settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from parley.calls.service import CallsService
from parley.calls.tokens import TokenStore
from parley.calls.turn_credentials import TurnCredentials
from parley.media.allotment import Allotment
from parley.media.loopback import LoopbackPlane
from parley.media.switchboard import Switchboard
from parley.runtime.clock import Clock
from parley.server.settings import Settings

__all__ = ["make_calls_service"]


def make_calls_service(
    settings: Settings, media: Switchboard | None, clock: Clock, unix_seconds: Callable[[], float]
) -> CallsService:
    """Make the service of the apps that the settings name, on the process's media plane.

    Without one it recognises who asks and refuses new sessions: its switchboard is never started.
    """
    board = Switchboard(LoopbackPlane()) if media is None else media
    limits = settings.calls_limits
    return CallsService(
        settings.calls_apps,
        switchboard=board,
        allotment=Allotment(shards=board.identity.shards, random_bytes=secrets.token_bytes),
        tokens=TokenStore(
            unix_seconds=unix_seconds, token=lambda: secrets.token_urlsafe(32), capacity=limits.max_tokens
        ),
        turn=TurnCredentials(
            settings.turn_urls,
            settings.turn_secret or "",
            settings.turn_keys,
            unix_seconds,
            lambda: secrets.token_hex(8),
        ),
        clock=clock,
        new_id=lambda: secrets.token_hex(16),
        limits=limits,
        track_metrics=settings.calls_track_metrics,
    )
