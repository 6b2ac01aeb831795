"""What the media plane tells Python: a closed union of plain data, taken from `MediaPlane.drain`.

Control events are lossless and in order; a peer that overfills its share of them is closed. `AudioHeard` may be lost
when Python is late: losses are counted, and the lane's next block is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from parley.audio import AudioBlock
from parley.media.commands import ListenerId, SpeakerId
from parley.media.peer_spec import PeerId, PublicationId
from parley.media.statistics import PeerStatistics

__all__ = [
    "ActiveSpeaker",
    "AudioHeard",
    "ChannelClosed",
    "ChannelDrained",
    "ChannelOpened",
    "CloseReason",
    "Event",
    "LevelsHeard",
    "MessageReceived",
    "PeerClosed",
    "PeerConnected",
    "SpeakerProgress",
    "SpeechDrained",
    "SpeechFlushed",
    "SpeechStarted",
    "StatisticsTold",
    "StillSeen",
]

CloseReason = Literal["removed", "remote", "timeout", "failed", "overflow", "closed"]
"""By us, by the peer, consent lost, handshake failed, too many unread events, plane closed."""


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """ICE and DTLS are done: media and channels flow."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer is gone, with everything that was its own. The last event about it."""

    peer: PeerId
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """A data channel is open, whoever opened it."""

    peer: PeerId
    channel: int
    label: str
    ordered: bool = True
    max_retransmits: int | None = None
    max_lifetime_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """One whole message; a `str` if it was sent as text."""

    peer: PeerId
    channel: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class ChannelDrained:
    """So many bytes of what was sent have left: they may be sent again. Counted as in `SendMessage`, in UTF-8."""

    peer: PeerId
    channel: int
    drained_bytes: int


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The channel is closed, whoever closed it; unsent messages are lost."""

    peer: PeerId
    channel: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The first frame with sound of `item` went out."""

    speaker: SpeakerId
    item: str


@dataclass(frozen=True, slots=True)
class SpeechDrained:
    """`item` was ended and all of it, `samples`, went out."""

    speaker: SpeakerId
    item: str
    samples: int


@dataclass(frozen=True, slots=True)
class SpeechFlushed:
    """`item` is silent: exactly `samples` of it went out, the 5 ms of fading included. One for every `FlushSpeech`."""

    speaker: SpeakerId
    item: str
    samples: int


@dataclass(frozen=True, slots=True)
class SpeakerProgress:
    """So many samples left the speaker's queue since the last report, sent or dropped: as many may be pushed."""

    speaker: SpeakerId
    released_samples: int


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """A listener's next block. `at_ms` is when its end arrived, on the plane's monotonic clock: it aligns lanes."""

    listener: ListenerId
    block: AudioBlock
    at_ms: int


@dataclass(frozen=True, slots=True)
class ActiveSpeaker:
    """Of those that `peer` is subscribed to, another speaks now; None if that one is gone. Told on change only.

    Someone becomes the active speaker by being clearly louder for half a second, and stays it through silence. May be
    lost when Python is late. Levels are those of RFC 6464, so a publisher must send them.
    """

    peer: PeerId
    publication: PublicationId | None


@dataclass(frozen=True, slots=True)
class LevelsHeard:
    """How loud those are whom anyone watches, in dBov (-127 is silence), at most every 200 ms and only what changed.

    May be lost when Python is late.
    """

    levels: tuple[tuple[PublicationId, int], ...]


@dataclass(frozen=True, slots=True)
class StillSeen:
    """A picture of a watched camera: a WebP file of at most 512 KiB. One that nobody fetched gives way to the next."""

    peer: PeerId
    webp: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StatisticsTold:
    """What passed on one shard."""

    query: int
    peers: tuple[PeerStatistics, ...]


Event = (
    PeerConnected
    | PeerClosed
    | ChannelOpened
    | MessageReceived
    | ChannelDrained
    | ChannelClosed
    | SpeechStarted
    | SpeechDrained
    | SpeechFlushed
    | SpeakerProgress
    | AudioHeard
    | ActiveSpeaker
    | LevelsHeard
    | StillSeen
    | StatisticsTold
)
