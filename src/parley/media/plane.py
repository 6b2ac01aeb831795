"""The media plane's contract: what moves sound and messages between peers in real time, and how Python talks to it.

A plane knows peers, publications and subscriptions, and nothing of sessions, items' meaning or SDP. The AI is two
ordinary track ends: a *listener* (a subscription that ends in a decoder) and a *speaker* (a publication that starts in
an encoder). A call of one person with the AI is a room of two whose second member has no PeerConnection.

How it is used: `submit` commands, `watch` for the one wake-up, `drain` events until there are none. Nothing blocks and
nothing waits. Everything that could grow is bounded, and every bound has one rule:

| bound | rule |
|---|---|
| commands not yet taken, 1 024 a shard | `Busy` |
| speech queued, 120 s a speaker | `Busy`, until `SpeakerProgress` |
| message bytes unsent, 4 MiB a channel | `Busy`, until `ChannelDrained` |
| undrained bytes of messages and channels, 1 MiB a peer, each event 256 more | that peer is closed, `overflow` |
| undrained audio, 5 s a listener | audio is dropped and counted; the lane goes on with a gap |
| undrained stills, one a peer | the newest stays |
| undrained levels and active speakers, behind 4 096 events | dropped |

Time: speech leaves in frames of 20 ms on an absolute schedule (start + k * 20 ms, never "now + 20 ms"). A frame goes
out when it is full, or when its item has ended. Between utterances the time stamps go on, and a frame of silence every
2 s keeps the path open and the track alive at an SFU that forgets tracks without packets.

Planes: `native` (the Rust core) and `loopback` (in memory, virtual time). One contract suite runs over each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from parley.media.commands import Command
from parley.media.events import Event
from parley.media.peer_spec import Candidate, Fingerprint

__all__ = [
    "FADE_SAMPLES",
    "FRAME_SAMPLES",
    "MAX_COMMANDS",
    "MAX_QUEUED_SPEECH_SAMPLES",
    "MAX_UNDRAINED_AUDIO_SAMPLES",
    "MAX_UNDRAINED_MESSAGE_BYTES",
    "MAX_UNSENT_BYTES",
    "TICK_MS",
    "MediaPlane",
    "PlaneCounters",
    "PlaneIdentity",
]

TICK_MS = 20
FRAME_SAMPLES = 480
FADE_SAMPLES = 120
MAX_COMMANDS = 1_024
MAX_QUEUED_SPEECH_SAMPLES = 120 * 24_000
MAX_UNSENT_BYTES = 4 * 1024 * 1024
MAX_UNDRAINED_MESSAGE_BYTES = 1024 * 1024
MAX_UNDRAINED_AUDIO_SAMPLES = 5 * 24_000


@dataclass(frozen=True, slots=True)
class PlaneIdentity:
    """What our SDP says about the plane: one certificate, and the addresses at which it is reached."""

    fingerprint: Fingerprint
    candidates: tuple[Candidate, ...]
    shards: int = 1


@dataclass(frozen=True, slots=True)
class PlaneCounters:
    """What was lost and worked so far, for metrics."""

    audio_blocks_dropped: int = 0
    """`AudioHeard` that nobody fetched in time."""
    commands_ignored: int = 0
    """Commands about something that was not there."""
    datagrams_dropped: int = 0
    """Datagrams of nobody, and what came or left too fast."""
    peers_broken: int = 0
    """Peers that were ended because something inside them broke."""
    frames_decoded: int = 0
    """Frames of sound that listeners decoded."""
    frames_encoded: int = 0
    """Frames of 20 ms that speakers sent, once for each codec that somebody needs."""


class MediaPlane(Protocol):
    """One process's media core. All methods are called on one thread."""

    @property
    def identity(self) -> PlaneIdentity: ...

    @property
    def counters(self) -> PlaneCounters: ...

    def submit(self, command: Command) -> None:
        """Take a command, to be carried out in order within one tick.

        Raises `Busy` at a bound (nothing was done), `BadPeerSpec`, `MediaError` for half a sample, and `PlaneClosed`.
        """

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` when events wait: once, and not again before the next `drain`. It replaces an earlier one."""

    def drain(self) -> list[Event]:
        """Take all events, oldest first; credits that they carry count from now on."""

    def close(self) -> None:
        """Say goodbye to every peer and stop. Idempotent. The last events can still be drained."""
