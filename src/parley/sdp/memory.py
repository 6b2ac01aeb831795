"""What a connection must remember from one negotiation to the next.

A browser refuses a description that gives a header extension or a payload type another meaning than before, so every
offer and answer of a connection takes them from here. Kept by the caller, made anew by each answer.
What does not live here: anything of the media plane.
Sources: RFC 3264 §8 (m-lines are never taken away), RFC 9143 §9.1 (one meaning in a bundle), RFC 9429 §5.2.2
(recycling).
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.sdp.negotiated import Codec, DtlsRole, HeaderExtension
from parley.sdp.offered import OfferedMedia

__all__ = ["ConnectionMemory", "RememberedSection", "check_continuity"]


@dataclass(frozen=True, slots=True)
class RememberedSection:
    """One m-line as it stands. `live` is false after a port 0: then it may be recycled under another mid."""

    mid: str
    kind: str
    live: bool


@dataclass(frozen=True, slots=True)
class ConnectionMemory:
    """All negotiations of one connection so far. The default is one that has not begun."""

    sections: tuple[RememberedSection, ...] = ()
    audio: tuple[Codec, ...] = ()
    video: tuple[Codec, ...] = ()
    """Every codec in use so far, by kind, under the payload type that it was first offered with."""
    extensions: tuple[HeaderExtension, ...] = ()
    role: DtlsRole | None = None
    """Ours: fixed by the first handshake, kept when a later offer leaves it open."""
    payload_types: frozenset[int] = frozenset()
    """Every number that the client ever offered, those that we declined included: offers of ours keep clear of them."""
    bundle: tuple[str, ...] = ()
    """The BUNDLE group as agreed last. Its first mid carries the transport."""


def check_continuity(memory: ConnectionMemory, media: tuple[OfferedMedia, ...]) -> None:
    """Raise `SdpError` where an offer takes m-lines away, or gives one in use another mid or kind."""
    if len(media) < len(memory.sections):
        raise media[-1].error(
            f"an m-line is missing after this one: there were {len(memory.sections)}, and none may go"
        )
    for before, offered in zip(memory.sections, media, strict=False):
        if (
            before.live
            and not offered.rejected
            and (offered.mid, offered.description.kind) != (before.mid, before.kind)
        ):
            raise offered.error(
                "this m-line changes its mid or its kind while it is in use; close it first, with port 0"
            )
