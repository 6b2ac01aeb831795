"""The state machine's output alphabet: everything a runner must do for a realtime session.

Outputs name no socket, task or engine object. The runner drains them to empty after each input, in order.
"""

from __future__ import annotations

import msgspec

from parley.protocol.realtime.generation import GenerationContext, TextSpan
from parley.protocol.realtime.ids import ConnectionId, EventId, ItemId, LaneId, ResponseId
from parley.protocol.realtime.server_events import ServerEvent
from parley.protocol.realtime.session_config import AudioFormat
from parley.protocol.realtime.tools import McpTool

__all__ = [
    "AbandonTool",
    "AbandonTranscription",
    "AudioOut",
    "CallTool",
    "CancelGeneration",
    "Close",
    "DropItemAudio",
    "FinishTranscription",
    "FlushPlayout",
    "ForgetLane",
    "KeepItemAudio",
    "ListMcpTools",
    "Output",
    "ScoreTurn",
    "Send",
    "SettleTranscription",
    "StartGeneration",
    "StartTranscription",
    "TakeStill",
    "TranscribeItemAudio",
    "TranscriptionOptions",
    "TruncateItemAudio",
]


class Send(msgspec.Struct, frozen=True, tag=True):
    """Send `event` to connection `to`, or to every connection if None.

    A `conversation.item.retrieved` leaves the machine without audio; the runner adds what its store holds.
    """

    event: ServerEvent
    to: ConnectionId | None = None


class AudioOut(msgspec.Struct, frozen=True, tag=True):
    """Assistant speech, PCM16 mono 24 kHz, for whoever paces it.

    Client-paced connections get it as `response.output_audio.delta` with this `event_id`, in the session's output
    format; a server-paced playback queues it. `spans` say which characters of the message sound when.
    """

    event_id: EventId
    response_id: ResponseId
    item_id: ItemId
    output_index: int
    content_index: int
    pcm: bytes
    spans: tuple[TextSpan, ...] = ()


class FlushPlayout(msgspec.Struct, frozen=True, tag=True):
    """Silence server-paced playback within one tick, dropping what is queued for `item_id`; expect `PlayoutFlushed`."""

    item_id: ItemId


class TranscriptionOptions(msgspec.Struct, frozen=True, tag=True):
    """How to recognise: the client's model name (an alias), ISO-639-1 language, and a hint text.

    `logprobs`: the client wants log probabilities, where the recogniser has them.
    """

    model: str = ""
    language: str | None = None
    prompt: str | None = None
    logprobs: bool = False


class StartTranscription(msgspec.Struct, frozen=True, tag=True):
    """Speech of `item_id` begins at `start_sample` of `lane`: feed a recogniser from there on (pre-roll included)."""

    item_id: ItemId
    lane: LaneId
    start_sample: int
    options: TranscriptionOptions


class SettleTranscription(msgspec.Struct, frozen=True, tag=True):
    """Silence began at `end_sample`: a final decode up to there may start now. Speech may still resume."""

    item_id: ItemId
    end_sample: int


class FinishTranscription(msgspec.Struct, frozen=True, tag=True):
    """The turn ends at `end_sample`: answer with `TranscriptFinal` or `TranscriptFailed`.

    `speech_end_sample` is where the voice stopped; a decode settled there is still good.
    """

    item_id: ItemId
    end_sample: int
    speech_end_sample: int


class AbandonTranscription(msgspec.Struct, frozen=True, tag=True):
    """Nobody wants `item_id`'s transcript any more. No answer."""

    item_id: ItemId


class TranscribeItemAudio(msgspec.Struct, frozen=True, tag=True):
    """A client gave item `item_id` its `audio` (in `format`): keep it as the item's audio.

    If `options` are given, recognise it as a whole and answer with `TranscriptFinal` or `TranscriptFailed`.
    """

    item_id: ItemId
    audio: bytes
    format: AudioFormat
    options: TranscriptionOptions | None = None


class ScoreTurn(msgspec.Struct, frozen=True, tag=True):
    """Ask the turn detector how likely it is that the speaker of `item_id` is done; answer with `TurnScored`.

    `text` is the newest partial transcript, possibly empty; the audio is `[start_sample, end_sample)` of `lane`.
    """

    item_id: ItemId
    lane: LaneId
    start_sample: int
    end_sample: int
    text: str


class KeepItemAudio(msgspec.Struct, frozen=True, tag=True):
    """`[start_sample, end_sample)` of `lane` is item `item_id`'s audio from now on (for `retrieve`)."""

    item_id: ItemId
    lane: LaneId
    start_sample: int
    end_sample: int


class TruncateItemAudio(msgspec.Struct, frozen=True, tag=True):
    """Keep only the first `end_ms` of the assistant's audio of `item_id`."""

    item_id: ItemId
    end_ms: int


class DropItemAudio(msgspec.Struct, frozen=True, tag=True):
    """Item `item_id` was deleted, and its audio with it."""

    item_id: ItemId


class ForgetLane(msgspec.Struct, frozen=True, tag=True):
    """Audio of `lane` before `before_sample` that belongs to no item will never be asked for."""

    lane: LaneId
    before_sample: int


class StartGeneration(msgspec.Struct, frozen=True, tag=True):
    """Answer with the chunks of one response."""

    context: GenerationContext


class TakeStill(msgspec.Struct, frozen=True, tag=True):
    """Look at the call's camera for response `response_id`, which waits: answer with `StillTaken`, at once."""

    response_id: ResponseId


class CancelGeneration(msgspec.Struct, frozen=True, tag=True):
    """Stop generating `response_id`; its further chunks are ignored."""

    response_id: ResponseId


class ListMcpTools(msgspec.Struct, frozen=True, tag=True):
    """Ask MCP server `server` for its tools; answer with `McpToolsListed` or `McpListingFailed`, once."""

    item_id: ItemId
    server: McpTool


class CallTool(msgspec.Struct, frozen=True, tag=True):
    """Run a tool on the server; answer with `ToolReturned` or `ToolFailed`, once. `response_id` waits, if there is one.

    `server` is the MCP server whose tool `name` is, None for one of the session's `hosted_tools`. `arguments` is the
    JSON text as the model wrote it: it may be no JSON at all.
    """

    item_id: ItemId
    name: str
    arguments: str
    server: McpTool | None = None
    response_id: ResponseId | None = None


class AbandonTool(msgspec.Struct, frozen=True, tag=True):
    """Nobody wants the answer to `item_id`'s `ListMcpTools` or `CallTool` any more: cancel it. No answer."""

    item_id: ItemId


class Close(msgspec.Struct, frozen=True, tag=True):
    """Close connection `to` (every one if None) after what was sent before."""

    code: int
    reason: str
    to: ConnectionId | None = None


Output = (
    Send
    | AudioOut
    | FlushPlayout
    | StartTranscription
    | SettleTranscription
    | FinishTranscription
    | AbandonTranscription
    | TranscribeItemAudio
    | ScoreTurn
    | KeepItemAudio
    | TruncateItemAudio
    | DropItemAudio
    | ForgetLane
    | TakeStill
    | StartGeneration
    | CancelGeneration
    | ListMcpTools
    | CallTool
    | AbandonTool
    | Close
)
