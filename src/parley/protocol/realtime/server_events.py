"""Server events: one struct per event of the Realtime API, in GA shape. Data only.

Field names and their order are the wire's. Two traps are built in: `response.content_part.*` says `audio` and `text`
where items say `output_audio` and `output_text`, and `status_details`, `usage` and `transcript` are always present,
null or not, because clients read the key. What events are made of lives in
`resources` and is listed here as well. Extra keys named `parley…` ride on existing events; no event is invented.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.items import ConversationItem
from parley.protocol.realtime.resources import (
    AudioPart,
    CachedTokens,
    Conversation,
    DurationUsage,
    ErrorBody,
    InputTokenDetails,
    LogProb,
    OutputTokenDetails,
    Part,
    RateLimit,
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseError,
    ResponseTimeline,
    StatusDetails,
    TextPart,
    TranscriptionError,
    Usage,
)
from parley.protocol.realtime.session_config import SessionObject

__all__ = [
    "AudioPart",
    "CachedTokens",
    "Conversation",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "DurationUsage",
    "ErrorBody",
    "ErrorEvent",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputTokenDetails",
    "LogProb",
    "McpCallArgumentsDelta",
    "McpCallArgumentsDone",
    "McpCallCompleted",
    "McpCallFailed",
    "McpCallInProgress",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "OutputAudioDelta",
    "OutputAudioDone",
    "OutputAudioTranscriptDelta",
    "OutputAudioTranscriptDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "OutputTokenDetails",
    "Part",
    "RateLimit",
    "RateLimitsUpdated",
    "Response",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseError",
    "ResponseTimeline",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "StatusDetails",
    "TextPart",
    "TimeoutTriggered",
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionError",
    "TranscriptionFailed",
    "Usage",
]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str


# --- errors -----------------------------------------------------------------------------------------------------------


class ErrorEvent(_Event, frozen=True, kw_only=True, tag="error"):
    """A client's mistake. The session goes on unless a close follows."""

    error: ErrorBody


# --- session and conversation -----------------------------------------------------------------------------------------


class SessionCreated(_Event, frozen=True, kw_only=True, tag="session.created"):
    """The first event of every connection."""

    session: SessionObject


class SessionUpdated(_Event, frozen=True, kw_only=True, tag="session.updated"):
    """One per accepted `session.update`, with the whole effective session."""

    session: SessionObject


class ConversationCreated(_Event, frozen=True, kw_only=True, tag="conversation.created"):
    """Follows `session.created`."""

    conversation: Conversation


class ConversationItemAdded(_Event, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item entered the conversation after `previous_item_id` (null: it is the first)."""

    previous_item_id: str | None
    item: ConversationItem


class ConversationItemDone(_Event, frozen=True, kw_only=True, tag="conversation.item.done"):
    """The item is complete (or will never be: `incomplete`)."""

    previous_item_id: str | None
    item: ConversationItem


class ConversationItemRetrieved(_Event, frozen=True, kw_only=True, tag="conversation.item.retrieved"):
    """The item, with its audio where that fits into a frame."""

    item: ConversationItem


class ConversationItemDeleted(_Event, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """The item is gone."""

    item_id: str


class ConversationItemTruncated(_Event, frozen=True, kw_only=True, tag="conversation.item.truncated"):
    """The item was cut to `audio_end_ms`; `item` is what is left of it."""

    item_id: str
    content_index: int
    audio_end_ms: int
    item: ConversationItem | UnsetType = UNSET


class TranscriptionDelta(_Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"):
    """More of the user's words."""

    item_id: str
    content_index: int
    delta: str
    logprobs: tuple[LogProb, ...] | UnsetType = UNSET


class TranscriptionCompleted(
    _Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    """All of the user's words. `usage` is required by agents-py."""

    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage
    logprobs: tuple[LogProb, ...] | UnsetType = UNSET


class TranscriptionFailed(_Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"):
    """The user's words could not be recognised."""

    item_id: str
    content_index: int
    error: TranscriptionError


# --- input and output buffers -----------------------------------------------------------------------------------------


class InputAudioBufferCommitted(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.committed"):
    """The buffer became item `item_id`."""

    item_id: str
    previous_item_id: str | None


class InputAudioBufferCleared(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """The buffer is empty."""


class SpeechStarted(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"):
    """Voice began; `audio_start_ms` counts all audio ever appended, shifted back by the prefix padding."""

    audio_start_ms: int
    item_id: str


class SpeechStopped(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"):
    """The turn ended; `audio_end_ms` includes the silence that ended it."""

    audio_end_ms: int
    item_id: str


class TimeoutTriggered(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"):
    """Nobody spoke for `idle_timeout_ms`."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class OutputAudioBufferStarted(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.started"):
    """Server-paced playback sent its first packet of the response."""

    response_id: str


class OutputAudioBufferStopped(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"):
    """Server-paced playback sent everything."""

    response_id: str


class OutputAudioBufferCleared(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"):
    """Server-paced playback was cut."""

    response_id: str


# --- responses --------------------------------------------------------------------------------------------------------


class ResponseCreated(_Event, frozen=True, kw_only=True, tag="response.created"):
    """The first event of a response."""

    response: Response


class ResponseDone(_Event, frozen=True, kw_only=True, tag="response.done"):
    """The last event of a response, exactly one per `response.created`."""

    response: Response
    parley_timeline: ResponseTimeline | UnsetType = UNSET


class _ResponseEvent(_Event, frozen=True, kw_only=True):
    response_id: str
    output_index: int


class OutputItemAdded(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.added"):
    """The response began an item."""

    item: ConversationItem


class OutputItemDone(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.done"):
    """The response finished an item."""

    item: ConversationItem


class _ItemEvent(_ResponseEvent, frozen=True, kw_only=True):
    item_id: str


class _PartEvent(_ItemEvent, frozen=True, kw_only=True):
    content_index: int


class ResponseContentPartAdded(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """The item began a part."""

    part: Part


class ResponseContentPartDone(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """The item finished a part."""

    part: Part


class OutputTextDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """More text."""

    delta: str


class OutputTextDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All the text."""

    text: str


class OutputAudioTranscriptDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"):
    """More of what is said."""

    delta: str


class OutputAudioTranscriptDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"):
    """All that is said."""

    transcript: str


class OutputAudioDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.delta"):
    """More audio in the output format, base64 on the wire.

    `parley_spans`: `[char_start, char_end, start_ms, end_ms, exact]` rows, where in the item's audio its text sounds.
    """

    delta: bytes
    parley_spans: tuple[TextSpan, ...] | UnsetType = UNSET


class OutputAudioDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.done"):
    """No more audio of this part."""


class FunctionCallArgumentsDelta(_ItemEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """More of a call's JSON arguments."""

    call_id: str
    delta: str


class FunctionCallArgumentsDone(_ItemEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """All of a call's JSON arguments; `name` is required by agents-py and small devices."""

    call_id: str
    name: str
    arguments: str


# --- tools of MCP servers ---------------------------------------------------------------------------------------------


class _McpListEvent(_Event, frozen=True, kw_only=True):
    item_id: str


class McpListToolsInProgress(_McpListEvent, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"):
    """An MCP server is being asked for its tools."""


class McpListToolsCompleted(_McpListEvent, frozen=True, kw_only=True, tag="mcp_list_tools.completed"):
    """Its tools can be used by responses that begin from now on."""


class McpListToolsFailed(_McpListEvent, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    """It did not say; its tools cannot be used."""


class McpCallArgumentsDelta(_ItemEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"):
    """More of an MCP call's JSON arguments. `obfuscation` is always there: agents-js demands the key."""

    delta: str
    obfuscation: str = ""


class McpCallArgumentsDone(_ItemEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"):
    """All of an MCP call's JSON arguments."""

    arguments: str


class _McpCallEvent(_Event, frozen=True, kw_only=True):
    item_id: str
    output_index: int


class McpCallInProgress(_McpCallEvent, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"):
    """The server runs the tool."""


class McpCallCompleted(_McpCallEvent, frozen=True, kw_only=True, tag="response.mcp_call.completed"):
    """The tool returned."""


class McpCallFailed(_McpCallEvent, frozen=True, kw_only=True, tag="response.mcp_call.failed"):
    """The tool gave nothing; the item says why."""


class RateLimitsUpdated(_Event, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """Quotas after a response."""

    rate_limits: tuple[RateLimit, ...]


ServerEvent = (
    ErrorEvent
    | SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemDeleted
    | ConversationItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | SpeechStarted
    | SpeechStopped
    | TimeoutTriggered
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | OutputAudioTranscriptDelta
    | OutputAudioTranscriptDone
    | OutputAudioDelta
    | OutputAudioDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | RateLimitsUpdated
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | McpCallCompleted
    | McpCallFailed
    | McpCallInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | McpListToolsInProgress
)
