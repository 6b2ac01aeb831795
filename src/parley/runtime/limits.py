"""Every bound of the runtime in one place: how many, how large, how long. Data only.

A bound's overflow policy is written where it is enforced: `mailbox`, `outbox`, `audio_store`, `supervisor`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. The defaults suit a two-core machine and the official clients."""

    max_sessions: int = 256
    """Live sessions; one more is refused with a reason."""
    max_session_ms: int = 60 * 60_000
    """How long a session lives unless it is opened with another length."""
    unattached_ms: int = 30_000
    """How long a new session waits for its first connection before it ends."""
    loop_lag_ms: int = 500
    """New sessions are refused while the event loop answers later than this: live ones come first, if there are any."""

    append_bytes: int = 15 * _MIB
    """Decoded audio in one `input_audio_buffer.append`."""
    slice_ms: int = 100
    """Appended audio handled in one turn of the loop."""
    mailbox_frames: int = 64
    mailbox_bytes: int = 16 * _MIB
    """Client frames waiting for the owner task; the reader waits above either."""
    mailbox_chunks: int = 8
    """Chunks of one generation waiting for the owner task; its pump waits above it."""

    outbox_bytes: int = 8 * _MIB
    outbox_age_ms: int = 30_000
    """Unsent frames of one connection; above either the connection is closed with a reason."""
    outbox_calm_bytes: int = 1 * _MIB
    """Unsent frames above which generations wait, so that a fast engine does not drown a client that does read."""
    delta_bytes: int = 48 * 1024
    """Audio bytes in one `response.output_audio.delta`, 64 KiB as base64."""
    retrieved_audio_bytes: int = 2_300_000
    """Audio bytes that `conversation.item.retrieved` may carry: 3 MiB as base64, under every client's frame cap."""

    audio_bytes: int = 32 * _MIB
    """PCM one session may keep, about eleven minutes; the oldest is forgotten, transcripts stay."""

    generation_silence_ms: int = 45_000
    """A generation that gives no chunk for so long has failed."""
    recognition_ms: int = 20_000
    """A final transcript that takes longer has failed."""
    score_ms: int = 1_000
    """A turn detector that takes longer is not heard."""
    tool_slow_ms: int = 1_500
    """A tool that takes longer has its response say so, if its agent has words for that."""
    tool_ms: int = 60_000
    """A tool that the server runs has failed when it takes longer."""
