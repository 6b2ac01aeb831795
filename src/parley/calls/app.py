"""One app of the Calls API: its secret, its sessions, and who publishes what in it.

Apps share nothing: a session of one is unknown to another. What lives here: the books and the state around a session
that is not signalling. What does not: when anything happens (`service`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field

from parley.calls.allowance import Allowance
from parley.calls.seat import Occupant, SeatedTracks
from parley.calls.session import CallsSession
from parley.calls.silence import Silence
from parley.calls.transceiver import Publication, SessionId, Source
from parley.media.peer_spec import PeerId

__all__ = ["CallsApp", "Member"]


@dataclass(slots=True)
class Member:
    """A session as the service runs it. Times are milliseconds of the service's clock."""

    session: CallsSession
    created_at: int
    used_at: int
    """The last request."""
    allowance: Allowance
    owner: str | None = None
    """The token that made it."""
    correlation_id: str = ""
    """The client's own label, for lists and logs: printable, short."""
    connected: bool = False
    was_connected: bool = False
    offered_at: int = 0
    lonely_since: int | None = None
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One mutation at a time, in order of arrival."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no offer of ours waits for its answer."""
    occupant: Occupant | None = None
    """Who sits there, where the far end lives in this process."""
    seated: SeatedTracks = field(default_factory=SeatedTracks)
    """What the occupant was told."""
    peer: PeerId | None = None
    """The peer that was announced to the plane."""
    watches: bool = False
    """Whether the plane tells who speaks of those that this session pulls."""
    silence: Silence = field(default_factory=Silence)
    published: frozenset[str] = frozenset()
    """The names that others were told of."""
    gone: bool = False


class CallsApp:
    """See the module."""

    def __init__(self, app_id: str, secret: str, allowance: Allowance) -> None:
        self.app_id = app_id
        self.allowance = allowance
        self._digest = _digest(secret)
        self.members: dict[SessionId, Member] = {}
        self._awaited: dict[Source, list[asyncio.Event]] = {}

    def accept(self, secret: str) -> bool:
        """Say whether this is the app's secret, in time that does not depend on the answer."""
        return hmac.compare_digest(self._digest, _digest(secret))

    def find(self, source: Source) -> Publication | None:
        """Give a track that can be pulled."""
        member = self.members.get(source.session_id)
        return member.session.publication(source.track_name) if member else None

    def fell_silent(self, source: Source) -> bool:
        """Say whether a track ended because nothing came on it."""
        member = self.members.get(source.session_id)
        return member is not None and member.session.fell_silent(source.track_name)

    def subscribers(self) -> Counter[Source]:
        """Count who pulls what."""
        return Counter(source for member in self.members.values() for _, source in member.session.pulls())

    def pullers(self, source: Source) -> list[tuple[Member, str]]:
        """Find who pulls a track, and on which mid."""
        return [
            (member, mid)
            for member in self.members.values()
            for mid, pulled in member.session.pulls()
            if pulled == source
        ]

    async def wait_for(self, source: Source) -> None:
        """Return when there is such a track. The caller sets the time."""
        while self.find(source) is None:
            came = asyncio.Event()
            waiting = self._awaited.setdefault(source, [])
            waiting.append(came)
            try:
                await came.wait()
            finally:
                waiting.remove(came)
                if not waiting:
                    self._awaited.pop(source, None)

    def announce(self, source: Source) -> None:
        """Wake those who wait for a track."""
        for waiting in self._awaited.get(source, ()):
            waiting.set()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
