"""Data channels on the media plane: the hub's wires, by session instead of by peer."""

from __future__ import annotations

from collections.abc import Mapping

from parley.calls.app import Member
from parley.calls.channels import Reliability
from parley.calls.transceiver import SessionId
from parley.media.commands import CloseChannel, OpenChannel, SendMessage
from parley.media.errors import Busy, MediaError
from parley.media.peer_spec import PeerId
from parley.media.switchboard import Switchboard

__all__ = ["PlaneWires"]


class PlaneWires:
    """Implements `channels.Wires`. A session without a peer has no wire: what is sent there is dropped."""

    def __init__(self, members: Mapping[SessionId, Member], switchboard: Switchboard) -> None:
        self._members = members
        self._switchboard = switchboard

    def open(self, session: SessionId, number: int, label: str, reliability: Reliability, *, negotiated: bool) -> bool:
        """Open a channel, where data channels are negotiated."""
        member, peer = self._members.get(session), self._peer(session)
        if member is None or peer is None or not member.session.negotiation.has_channels:
            return False
        self._switchboard.submit(
            OpenChannel(
                peer,
                number,
                label,
                reliability.ordered,
                reliability.max_retransmits,
                reliability.max_lifetime_ms,
                negotiated=negotiated,
            )
        )
        return True

    def send(self, session: SessionId, number: int, data: str | bytes) -> bool:
        """Send a message; False if it must wait."""
        if (peer := self._peer(session)) is None:
            return True
        try:
            self._switchboard.submit(SendMessage(peer, number, data))
        except Busy:
            return False
        except MediaError:
            # Larger than this client takes: its sender chose the size, and the others get it.
            return True
        return True

    def close(self, session: SessionId, number: int) -> None:
        """Close a channel."""
        if (peer := self._peer(session)) is not None:
            self._switchboard.submit(CloseChannel(peer, number))

    def _peer(self, session: SessionId) -> PeerId | None:
        member = self._members.get(session)
        return member.session.negotiation.peer if member else None
