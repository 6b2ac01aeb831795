"""The state machine's input alphabet: everything that can happen to a realtime session.

Each input is plain data with its own tag, so a list of `(now, input)` can be written down and replayed. PCM never
enters, with one exception: an engine's `AudioDelta` passes through to `AudioOut` and is not kept.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.generation import Chunk, TokenLogProb
from parley.protocol.realtime.ids import ConnectionId, ItemId, LaneId, ResponseId
from parley.protocol.realtime.items import McpError, McpToolInfo
from parley.protocol.realtime.resources import RateLimit
from parley.protocol.realtime.session_config import StoredPrompt

__all__ = [
    "ClientEventReceived",
    "ClientFaultReceived",
    "Connected",
    "Disconnected",
    "EngineChunk",
    "Input",
    "LaneAdvanced",
    "McpListingFailed",
    "McpToolsListed",
    "PlayoutDrained",
    "PlayoutFlushed",
    "PlayoutStarted",
    "QuotasChanged",
    "SessionExpired",
    "StillTaken",
    "Tick",
    "TokensGranted",
    "ToolFailed",
    "ToolReturned",
    "TranscriptFailed",
    "TranscriptFinal",
    "TranscriptPartial",
    "TurnScored",
]


class Connected(msgspec.Struct, frozen=True, tag=True):
    """A client link joined. The machine greets it with `session.created`."""

    connection: ConnectionId


class Disconnected(msgspec.Struct, frozen=True, tag=True):
    """A client link is gone. The session itself goes on until its runner ends it."""

    connection: ConnectionId


class ClientEventReceived(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A well-formed client event other than `input_audio_buffer.append`, which arrives as `LaneAdvanced`.

    `prompt`: what the stored prompt that the event names stands for; None if it names none or there is none.
    """

    connection: ConnectionId
    event: ClientEvent
    prompt: StoredPrompt | None = None


class ClientFaultReceived(msgspec.Struct, frozen=True, tag=True):
    """A frame that was no event at all (bad JSON, unknown type, wrong field): answered to its sender only."""

    connection: ConnectionId
    fault: ClientFault


class LaneAdvanced(msgspec.Struct, frozen=True, tag=True):
    """A lane's time line grew by `samples` (24 kHz) from `start_sample`.

    `speech` holds one voice probability in 0..1 for each 16 ms window (384 samples at 24 kHz) that *ends* inside the
    block, in order; `speech_start_sample` is where the first of those windows begins. `gap` says that the samples
    were never received (loss, overflow): they count as time and as silence.
    """

    lane: LaneId
    start_sample: int
    samples: int
    speech: tuple[float, ...] = ()
    speech_start_sample: int = 0
    gap: bool = False


class TranscriptPartial(msgspec.Struct, frozen=True, tag=True):
    """The recogniser's current reading of item `item_id`'s audio: the whole text so far, not an increment.

    The first `stable_chars` characters will not change any more.
    """

    item_id: ItemId
    text: str
    stable_chars: int = 0


class TranscriptFinal(msgspec.Struct, frozen=True, tag=True):
    """The recogniser's last word on `item_id`. Empty text: nothing was said. `seconds` of audio were read."""

    item_id: ItemId
    text: str
    seconds: float
    language: str | None = None
    logprobs: tuple[TokenLogProb, ...] = ()


class TranscriptFailed(msgspec.Struct, frozen=True, tag=True):
    """`item_id` could not be transcribed."""

    item_id: ItemId
    code: str
    message: str


class TurnScored(msgspec.Struct, frozen=True, tag=True):
    """Answer to `ScoreTurn`: probability in 0..1 that the speaker of `item_id` has finished."""

    item_id: ItemId
    probability: float


class EngineChunk(msgspec.Struct, frozen=True, tag=True):
    """A generation's next chunk. Chunks of a response that is no longer running are ignored."""

    response_id: ResponseId
    chunk: Chunk


class PlayoutStarted(msgspec.Struct, frozen=True, tag=True):
    """Server-paced playback sent the first frame of `response_id`'s audio."""

    response_id: ResponseId


class PlayoutDrained(msgspec.Struct, frozen=True, tag=True):
    """Server-paced playback sent the last frame of `response_id`'s audio."""

    response_id: ResponseId


class PlayoutFlushed(msgspec.Struct, frozen=True, tag=True):
    """Server-paced playback fell silent: of `item_id`, exactly `samples` (24 kHz) went out. Answers `FlushPlayout`."""

    item_id: ItemId
    samples: int


class McpToolsListed(msgspec.Struct, frozen=True, tag=True):
    """Answer to `ListMcpTools`: every tool the MCP server has, before the client's `allowed_tools`."""

    item_id: ItemId
    tools: tuple[McpToolInfo, ...]


class McpListingFailed(msgspec.Struct, frozen=True, tag=True):
    """Answer to `ListMcpTools`: the MCP server did not say. `error.message` never quotes what a client said."""

    item_id: ItemId
    error: McpError


class ToolReturned(msgspec.Struct, frozen=True, tag=True):
    """Answer to `CallTool`: what the tool gave, any text."""

    item_id: ItemId
    output: str


class ToolFailed(msgspec.Struct, frozen=True, tag=True):
    """Answer to `CallTool`: the tool gave nothing. The model is told `error.message`."""

    item_id: ItemId
    error: McpError


class StillTaken(msgspec.Struct, frozen=True, tag=True):
    """Answer to `TakeStill`: what the camera shows, as a `data:` URI; None if it shows nothing now."""

    response_id: ResponseId
    image_url: str | None


class TokensGranted(msgspec.Struct, frozen=True, tag=True):
    """Response `response_id`, which is about to be generated, may use `tokens` in all: who uses more is cut."""

    response_id: ResponseId
    tokens: int


class QuotasChanged(msgspec.Struct, frozen=True, tag=True):
    """What is left of the client's quotas, after a response was counted: told to every connection."""

    rate_limits: tuple[RateLimit, ...]


class SessionExpired(msgspec.Struct, frozen=True, tag=True):
    """The runner ends the session early, for a reason of its own; close everything with that reason.

    `budget_spent`: what its client was granted is used up. `client_left`: nobody is there any more. `call_ended`: the
    call that carried the session is over, by hang-up or because the peer is gone; that is no error.
    """

    reason: Literal["draining", "internal_error", "budget_spent", "client_left", "call_ended"]


class Tick(msgspec.Struct, frozen=True, tag=True):
    """The deadline has come (or something else wants the machine to look at the clock)."""


Input = (
    Connected
    | Disconnected
    | ClientEventReceived
    | ClientFaultReceived
    | LaneAdvanced
    | TranscriptPartial
    | TranscriptFinal
    | TranscriptFailed
    | TurnScored
    | EngineChunk
    | PlayoutStarted
    | PlayoutDrained
    | PlayoutFlushed
    | McpToolsListed
    | McpListingFailed
    | ToolReturned
    | ToolFailed
    | StillTaken
    | TokensGranted
    | QuotasChanged
    | SessionExpired
    | Tick
)
