"""What Python asks of the media plane: a closed union of plain data, submitted to `MediaPlane.submit`.

Commands take effect in the order of submission, within one tick (20 ms). What concerns something that is no longer
there is ignored: Python may close a peer while its own words are under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

from parley.media.peer_spec import InternalSlot, PeerId, PeerSpec, PublicationId

__all__ = [
    "AddInternalPeer",
    "AddPeer",
    "AskStatistics",
    "CloseChannel",
    "CloseListener",
    "CloseSpeaker",
    "Command",
    "EndSpeech",
    "FlushSpeech",
    "GatherSound",
    "LayerFallback",
    "ListenerId",
    "OpenChannel",
    "OpenListener",
    "OpenSpeaker",
    "PushSpeech",
    "RemovePeer",
    "RestListener",
    "SendMessage",
    "SpeakerId",
    "Subscribe",
    "Unsubscribe",
    "WatchCamera",
    "WatchSpeakers",
]

ListenerId = NewType("ListenerId", str)
SpeakerId = NewType("SpeakerId", str)

LayerFallback = Literal["measured", "never", "asciibetical"]
"""How to go on from a simulcast layer: to the next lower bit rate, not at all, or from a to z where a is best."""


@dataclass(frozen=True, slots=True)
class AddPeer:
    """Add a peer, or change the one with this id into what the spec says now. Answered by `PeerConnected` in time."""

    spec: PeerSpec


@dataclass(frozen=True, slots=True)
class AddInternalPeer:
    """Add a peer without a connection, or change the slots of the one with this id. `PeerConnected` follows at once.

    It stands for a session whose other end lives in this process: what is subscribed to a slot is heard by the
    listeners of its `heard_as`, also when the source changes; what the session publishes is a speaker's publication.
    Nothing is encrypted, and nothing encoded that no real peer needs. Ignored if a peer with a connection has this id.
    """

    peer: PeerId
    slots: tuple[InternalSlot, ...]
    shard: int = 0


@dataclass(frozen=True, slots=True)
class RemovePeer:
    """Say goodbye and forget the peer, its publications and what it was subscribed to. Answered by `PeerClosed`."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Forward `publication` to slot `mid` of `peer`, in place of what went there before.

    `preferred_rid` names the best simulcast layer to send, all are allowed where it is None; the same command with
    other values changes them. `under_pressure` says how to go on where the network does not carry that layer,
    `when_missing` where it is not sent. Pictures change layer and source on a key frame, without a gap.
    """

    peer: PeerId
    mid: str
    publication: PublicationId
    preferred_rid: str | None = None
    under_pressure: LayerFallback = "measured"
    when_missing: LayerFallback = "measured"


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Send nothing more to slot `mid` of `peer`."""

    peer: PeerId
    mid: str


@dataclass(frozen=True, slots=True)
class OpenListener:
    """Hear `publication` as lane `lane`: decoded to 24 kHz, on a time line that begins now and runs on time.

    No packets, discontinuous transmission and loss count as silence. With `only_speech` nothing is posted until a voice
    is heard; then everything from `pre_roll_ms` before it, until `RestListener`; `start_sample` shows what was skipped.
    """

    listener: ListenerId
    publication: PublicationId
    lane: str
    detect_speech: bool = True
    only_speech: bool = False
    pre_roll_ms: int = 500
    """At least the prefix padding of turn detection and 150 ms, by which a voice in noise is noticed late."""


@dataclass(frozen=True, slots=True)
class RestListener:
    """The turn is closed: a listener with `only_speech` may be silent again until the next voice."""

    listener: ListenerId


@dataclass(frozen=True, slots=True)
class GatherSound:
    """Post sound in blocks of up to `up_to_ms` from now on, one wake-up for many frames; 0 posts each frame at once.

    A block ends early with the first probability below `above`, so that nobody learns late that a voice has stopped.
    Only a permission: a plane may post smaller blocks. A listener that is opened anew has none.
    """

    listener: ListenerId
    up_to_ms: int
    above: float = 0.0


@dataclass(frozen=True, slots=True)
class CloseListener:
    """Stop hearing."""

    listener: ListenerId


@dataclass(frozen=True, slots=True)
class OpenSpeaker:
    """Make `publication` out of pushed PCM, paced by the plane. One encoder per codec that subscribers need."""

    speaker: SpeakerId
    publication: PublicationId
    shard: int = 0


@dataclass(frozen=True, slots=True)
class PushSpeech:
    """Queue PCM16 24 kHz of item `item` behind what is queued. At most 120 s wait: more is `Busy`,
    but where nothing waits one push of any length is taken.

    PCM of an item that was flushed or ended is dropped.
    """

    speaker: SpeakerId
    item: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """Nothing more will be pushed for `item`: its last part of a frame may go out. Answered by `SpeechDrained`."""

    speaker: SpeakerId
    item: str


@dataclass(frozen=True, slots=True)
class FlushSpeech:
    """Be silent within one tick as far as `item` goes: fade over 5 ms, drop the rest. Answered by `SpeechFlushed`.

    What is queued of other items plays on.
    """

    speaker: SpeakerId
    item: str


@dataclass(frozen=True, slots=True)
class CloseSpeaker:
    """Drop everything and end the publication."""

    speaker: SpeakerId


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Open a data channel to `peer` under stream number `channel`. Answered by `ChannelOpened`."""

    peer: PeerId
    channel: int
    label: str
    ordered: bool = True
    max_retransmits: int | None = None
    """How often a message is sent again."""
    max_lifetime_ms: int | None = None
    """How long a message is sent again, up to 65,535 ms. Counts where `max_retransmits` is None; without either,
    messages are sent until they have arrived.
    """
    negotiated: bool = False
    """The peer knows the number already: nothing is announced in band."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send one whole message, text if `data` is a `str`. Over 4 MiB unsent is `Busy` until `ChannelDrained`.

    A message above the peer's `max_message_bytes` is a `MediaError`.
    """

    peer: PeerId
    channel: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class CloseChannel:
    """Close a data channel after what was sent before."""

    peer: PeerId
    channel: int


@dataclass(frozen=True, slots=True)
class WatchSpeakers:
    """Tell who of those that `peer` is subscribed to speaks, by `ActiveSpeaker` and `LevelsHeard`; or no longer."""

    peer: PeerId
    on: bool = True


@dataclass(frozen=True, slots=True)
class WatchCamera:
    """Take stills of what `peer` sends on slot `mid`, told by `StillSeen` once a second; of none if None.

    It works for VP8 alone: a key frame is asked for where none came for a second, and nothing is decoded.
    """

    peer: PeerId
    mid: str | None


@dataclass(frozen=True, slots=True)
class AskStatistics:
    """Tell what passed so far. Answered by one `StatisticsTold` with this number from each shard."""

    query: int


Command = (
    AddPeer
    | AddInternalPeer
    | RemovePeer
    | Subscribe
    | Unsubscribe
    | OpenListener
    | RestListener
    | GatherSound
    | CloseListener
    | OpenSpeaker
    | PushSpeech
    | EndSpeech
    | FlushSpeech
    | CloseSpeaker
    | OpenChannel
    | SendMessage
    | CloseChannel
    | WatchSpeakers
    | WatchCamera
    | AskStatistics
)
